//! The real binary, from the outside: what operators type, what callers hear.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod access;
mod apart;
mod bench;
mod call;
mod check;
mod collector;
mod config;
mod contract;
mod demo;
mod deploy;
mod documentation;
mod frozen;
mod help;
mod leaks;
mod notify;
mod observing;
mod outbox;
mod process;
mod reference;
mod service_manager;
mod shutdown;
mod trouble;
mod world;
