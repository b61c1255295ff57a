//! Configuration, shutdown and telemetry as a process meets them, and what must hold across the
//! whole workspace.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod child;
mod config;
mod documentation;
mod invariants;
mod shutdown;
mod telemetry;
