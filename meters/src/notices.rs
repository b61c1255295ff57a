//! Notices to people: chat, mail, webhooks.

use crate::metric::Metric;

/// Notices.
pub const NOTICES: Metric = Metric::counter(
    "automatglpi_notices_total",
    &["channel", "outcome"],
    "Attempts at telling people, by channel. `failed` ones are tried again, `given_up` ones are not.",
);

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Told.
    Sent,
    /// To be tried again.
    Failed,
    /// Not to be tried again.
    GivenUp,
}

impl Outcome {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// An attempt ended. `channel` is its kind, such as `slack` or `mail`.
pub fn tried(channel: &'static str, outcome: Outcome) {
    NOTICES.count(&[channel, outcome.as_str()]).increment(1);
}
