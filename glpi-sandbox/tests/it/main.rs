//! The sandbox seen from outside, against what a GLPI 10.0.12 was recorded to
//! answer. Values are copied from the recordings; only numbers differ.
#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod board;
mod client;
mod control;
mod create;
mod faults;
mod read;
mod search;
mod session;
mod texts;
