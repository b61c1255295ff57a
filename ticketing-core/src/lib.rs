//! Tickets, the outbox that never loses one, and GLPI.
//!
//! The life of a ticket:
//! 1. [`ticketing::Ticketing::create`] takes a parsed [`ticket::NewTicket`] and records it in the
//!    [`outbox`]: from here on it is promised.
//! 2. The [`courier`] leases the row, sends it through [`glpi::Glpi`], and records how that ended.
//!    What may or may not have arrived is looked up before it is sent again.
//! 3. The caller waits for that for a few seconds, then hears either the ticket's number or that
//!    the request is recorded, while the work goes on.
//! 4. People who asked for it are told ([`announce`]), on loops and places of their own.
//!
//! This crate serves nothing and reads no environment.

pub mod announce;
mod backlog;
pub mod clock;
pub mod courier;
pub mod glpi;
pub mod outbox;
pub mod person;
pub mod ticket;
pub mod ticketing;

#[cfg(test)]
mod simulation;
