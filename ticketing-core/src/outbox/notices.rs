//! Notices: what people are told of events, kept beside the requests so that neither a crash nor a
//! second replica tells anything twice or not at all.
//!
//! ```text
//!  settle, raise_alarm,            claim              Sent
//!  clear_alarm ──────▶ WAITING ───────────▶ SENDING ─────────▶ SENT    (terminal)
//!                         ▲                  │ │ ▲ └─ Failed ─▶ FAILED  (terminal)
//!                         └────── Retry ─────┘ └─┘ claim, once the lease has expired: interrupted
//! ```
//! A notice is recorded in the transaction of what it tells, at most once per event and channel.

use jiff::Timestamp;
use serde_json::Value;

/// Notices that may wait or be sent at once. Further ones are dropped and logged: a receiver that
/// is gone for months must not fill the disk.
pub(crate) const MOST_UNSETTLED: u32 = 10_000;

/// Why a notice without a readable body is given up.
pub(crate) const NOTHING_TO_TELL: &str = "what was to be told was erased or cannot be read";

/// A notice to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeDraft {
    /// What happened, such as `parked:482-917-305`. Told once on each channel, ever.
    pub event: String,
    /// Where it is told, such as `slack`.
    pub channel: String,
    /// What to tell. Erased once the notice is settled.
    pub body: Value,
}

/// A notice to be sent by whoever claimed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its name towards [`settle_notice`](super::Outbox::settle_notice).
    pub id: i64,
    /// What happened.
    pub event: String,
    /// Where it is told.
    pub channel: String,
    /// What to tell.
    pub body: Value,
    /// How often somebody began to send it, this time included.
    pub attempts: u32,
    /// Whoever began to send it before stopped without saying how that ended: it may have been
    /// told.
    pub interrupted: bool,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// How the sending of a notice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// The receiver has it.
    Sent,
    /// Certainly not told: try again at `due`.
    Retry {
        /// When to try again.
        due: Timestamp,
        /// Why it failed; never personal data.
        reason: String,
    },
    /// Given up.
    Failed {
        /// Why; never personal data.
        reason: String,
    },
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What, such as `glpi_unreachable`.
    pub name: String,
    /// Since when.
    pub raised_at: Timestamp,
}

/// Says how many notices found no place.
pub(crate) fn log_dropped(dropped: usize) {
    if dropped > 0 {
        tracing::warn!(dropped, "too many notices wait to be sent; further ones are dropped");
    }
}
