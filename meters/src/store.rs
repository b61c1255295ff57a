//! How the outbox's store answers.

use std::time::Duration;

use crate::metric::{Metric, WHILE_WAITING};

/// How long operations take.
pub const STORE_SECONDS: Metric = Metric::seconds(
    "automatglpi_store_seconds",
    WHILE_WAITING,
    &["operation"],
    "How long operations of the outbox's store took, to the commit on disk. `insert` records a request, `settle` records how its delivery ended.",
);

/// Operations that failed.
pub const STORE_ERRORS: Metric = Metric::counter(
    "automatglpi_store_errors_total",
    &["operation"],
    "Operations of the outbox's store that failed: disk full, database gone.",
);

/// Bytes of SQLite's log.
pub const STORE_LOG_BYTES: Metric = Metric::gauge(
    "automatglpi_store_log_bytes",
    &[],
    "Size of SQLite's write-ahead log; nothing on PostgreSQL.",
);

/// What a store is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Record a request.
    Insert,
    /// Take rows to work on.
    Claim,
    /// Prove the lease before sending again.
    BeginSend,
    /// Record how a delivery ended.
    Settle,
    /// Read rows.
    Read,
    /// An operator's order.
    Order,
    /// Erase personal data.
    Erase,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Insert,
        Self::Claim,
        Self::BeginSend,
        Self::Settle,
        Self::Read,
        Self::Order,
        Self::Erase,
    ];

    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Claim => "claim",
            Self::BeginSend => "begin_send",
            Self::Settle => "settle",
            Self::Read => "read",
            Self::Order => "order",
            Self::Erase => "erase",
        }
    }
}

/// An operation ended.
pub fn operated(operation: Operation, took: Duration, succeeded: bool) {
    STORE_SECONDS.spread(&[operation.as_str()]).record(took.as_secs_f64());
    if !succeeded {
        STORE_ERRORS.count(&[operation.as_str()]).increment(1);
    }
}

/// SQLite's log has this size.
#[expect(clippy::cast_precision_loss, reason = "exact up to 9 petabytes")]
pub fn log_bytes(bytes: u64) {
    STORE_LOG_BYTES.level(&[]).set(bytes as f64);
}

pub(crate) fn begin() {
    for operation in Operation::ALL {
        STORE_ERRORS.count(&[operation.as_str()]).increment(0);
    }
}
