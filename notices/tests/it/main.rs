//! The channels before receivers on loopback: what reaches them, and what is made of their answers.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod guarded;
mod mails;
mod posts;
mod world;
