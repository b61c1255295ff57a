//! Tells people what happened, without holding up a ticket.
//!
//! What is told is recorded in the outbox, in the transaction of what happened (`news`); a loop
//! of its own sends it (`announcer`). What is not the end of a delivery is noticed by a
//! `watcher`: GLPI gone for long, many requests waiting, parked requests about to be erased.
//!
//! Each is told once on every channel. A sending that may or may not have arrived, because the
//! process died or no clear answer came, is repeated where receivers recognise repeats (webhooks,
//! mail) and given up where they do not (chats): better once too few than twice.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use notices::{Channels, Filter, Subject};

pub(crate) mod announcer;
pub(crate) mod news;
pub(crate) mod watcher;

/// What people are told, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub channels: Arc<Channels>,
    /// Of what.
    pub subjects: Vec<Subject>,
    /// Of which new tickets.
    pub created: Filter,
    /// How long GLPI must have failed before it is told. Default: 5 minutes.
    pub unreachable_after: Duration,
    /// How many requests must wait before it is told; told as over at half as many. Default: 100.
    pub backlog: u64,
    /// How long parked requests are kept; told before they are erased. `None`: for ever.
    pub parked_retention: Option<SignedDuration>,
}

impl Default for Settings {
    /// Nobody is told anything.
    fn default() -> Self {
        Self {
            channels: Arc::new(Channels::none()),
            subjects: Vec::new(),
            created: Filter::default(),
            unreachable_after: Duration::from_mins(5),
            backlog: 100,
            parked_retention: None,
        }
    }
}
