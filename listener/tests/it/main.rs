//! The door, over real sockets, with clients that behave and clients that do not.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod admin;
mod bounds;
mod certificates;
mod closing;
mod slow;
mod world;
