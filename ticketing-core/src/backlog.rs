//! How many requests may wait for GLPI, so that a long outage does not fill the disk.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::outbox::{State, Stats};

/// A bound on the rows that wait. Counted from time to time and estimated in between, so that it
/// is kept roughly: by some rows, not by some thousands.
#[derive(Debug)]
pub(crate) struct Backlog {
    most: u64,
    rows: AtomicU64,
}

impl Backlog {
    pub(crate) fn new(most: u64) -> Self {
        Self { most, rows: AtomicU64::new(0) }
    }

    /// The rows have been counted.
    pub(crate) fn counted(&self, stats: &Stats) {
        let open = State::ALL.iter().zip(stats.rows).filter(|(state, _)| match state {
            State::Waiting | State::Sending | State::InDoubt => true,
            State::Delivered | State::Parked | State::Discarded => false,
        });
        self.rows.store(open.map(|(_, count)| count).sum(), Ordering::Relaxed);
    }

    /// One more waits.
    pub(crate) fn grew(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing more may wait.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.load(Ordering::Relaxed) >= self.most
    }
}
