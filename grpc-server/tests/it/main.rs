//! The contract over real sockets, the real binary under SIGKILL.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod contract;
mod crash;
mod mutual;
mod notices;
mod paused;
mod process;
mod store_trouble;
mod under_load;
mod world;
