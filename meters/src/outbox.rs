//! What waits in the outbox, and how rows leave it.

use std::time::Duration;

use crate::metric::{Metric, OVERNIGHT};

/// Rows by state.
pub const ROWS: Metric = Metric::gauge(
    "automatglpi_outbox_rows",
    &["state"],
    "Rows of the outbox that wait, are being sent, in doubt or parked, as counted every few seconds. Replicas on one database all show the same.",
);

/// Age of the oldest open row.
pub const OLDEST_OPEN_SECONDS: Metric = Metric::gauge(
    "automatglpi_outbox_oldest_open_seconds",
    &[],
    "Age of the oldest request that GLPI does not have yet; 0 without one. Parked ones do not count.",
);

/// Age of the oldest parked row.
pub const OLDEST_PARKED_SECONDS: Metric = Metric::gauge(
    "automatglpi_outbox_oldest_parked_seconds",
    &[],
    "How long the oldest parked request has been parked; 0 without one.",
);

/// When parked rows are erased.
pub const PARKED_RETENTION_SECONDS: Metric = Metric::gauge(
    "automatglpi_parked_retention_seconds",
    &[],
    "How long a parked request keeps what the caller said.",
);

/// Rows settled.
pub const SETTLED: Metric = Metric::counter(
    "automatglpi_settled_total",
    &["outcome"],
    "Attempts at delivering a request, by how they left its row.",
);

/// From recorded to delivered.
pub const DELIVERY_SECONDS: Metric = Metric::seconds(
    "automatglpi_delivery_seconds",
    OVERNIGHT,
    &[],
    "How long delivered requests took, from recorded to known to be in GLPI.",
);

/// How an attempt left its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// GLPI has it.
    Delivered,
    /// To be sent again.
    Retry,
    /// To be looked up.
    Doubt,
    /// For a person.
    Parked,
    /// Given back unsent.
    Released,
    /// Another process had taken it over.
    LostLease,
    /// The store did not take it: to be looked up when the lease expires.
    Unsettled,
}

impl Settled {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Delivered,
        Self::Retry,
        Self::Doubt,
        Self::Parked,
        Self::Released,
        Self::LostLease,
        Self::Unsettled,
    ];

    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::Doubt => "doubt",
            Self::Parked => "parked",
            Self::Released => "released",
            Self::LostLease => "lost_lease",
            Self::Unsettled => "unsettled",
        }
    }
}

/// An attempt ended.
pub fn settled(outcome: Settled) {
    SETTLED.count(&[outcome.as_str()]).increment(1);
}

/// A request is in GLPI, so long after it was recorded.
pub fn delivered_after(age: Duration) {
    DELIVERY_SECONDS.spread(&[]).record(age.as_secs_f64());
}

/// So many rows are in a state.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 rows")]
pub fn rows(state: &str, count: u64) {
    ROWS.level(&[state]).set(count as f64);
}

/// The oldest open request has this age.
pub fn oldest_open(age: Duration) {
    OLDEST_OPEN_SECONDS.level(&[]).set(age.as_secs_f64());
}

/// The oldest parked request has been parked so long.
pub fn oldest_parked(age: Duration) {
    OLDEST_PARKED_SECONDS.level(&[]).set(age.as_secs_f64());
}

/// Parked requests keep what was said so long.
pub fn parked_retention(retention: Duration) {
    PARKED_RETENTION_SECONDS.level(&[]).set(retention.as_secs_f64());
}

pub(crate) fn begin() {
    for outcome in Settled::ALL {
        SETTLED.count(&[outcome.as_str()]).increment(0);
    }
}
