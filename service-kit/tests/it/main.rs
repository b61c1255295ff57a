//! What must hold across the whole workspace.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod documentation;
mod invariants;
