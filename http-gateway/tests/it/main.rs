//! The real gateway, against a small gRPC server that records what it is asked.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod access;
mod admin;
mod edges;
mod fake;
mod guards;
mod odd_bodies;
mod tickets;
mod transport;
mod webhook;
mod world;
