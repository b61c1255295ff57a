//! What GLPI answers.

use std::time::Duration;

use crate::metric::{Metric, WHILE_WAITING};

/// Requests by outcome.
pub const REQUESTS: Metric = Metric::counter(
    "automatglpi_glpi_requests_total",
    &["operation", "outcome"],
    "Requests to GLPI by how they ended. A write is done, refused, unreachable or unknown; a look-up finds one, nothing, several, or fails.",
);

/// How long requests took.
pub const REQUEST_SECONDS: Metric = Metric::seconds(
    "automatglpi_glpi_request_seconds",
    WHILE_WAITING,
    &["operation"],
    "How long GLPI took, a log-in that was needed included.",
);

/// Sessions opened.
pub const SESSIONS: Metric = Metric::counter(
    "automatglpi_glpi_sessions_total",
    &["outcome"],
    "Log-ins at GLPI: one at the start, and one whenever a session has ended.",
);

/// The breaker.
pub const BREAKER_OPEN: Metric = Metric::gauge(
    "automatglpi_breaker_open",
    &[],
    "1 while GLPI keeps failing and calls are only recorded, else 0.",
);

/// Tickets that GLPI has twice.
pub const DOUBLED: Metric = Metric::counter(
    "automatglpi_glpi_doubled_total",
    &[],
    "Requests that were found in GLPI more than once: the promise is broken.",
);

/// What GLPI is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Open a ticket.
    CreateTicket,
    /// Add to a ticket.
    AddFollowup,
    /// Look a request up that may have arrived.
    LookUp,
    /// Tell a ticket's present values.
    Read,
}

impl Operation {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateTicket => "create_ticket",
            Self::AddFollowup => "add_followup",
            Self::LookUp => "look_up",
            Self::Read => "read",
        }
    }
}

/// How a request to GLPI ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Written.
    Done,
    /// Refused for good.
    Refused,
    /// Certainly not applied.
    Unreachable,
    /// Perhaps applied.
    Unknown,
    /// A look-up found it, or a ticket was read.
    Found,
    /// A look-up found nothing, or there is no such ticket.
    Nothing,
    /// A look-up found it more than once.
    Several,
    /// A read got no answer.
    Failed,
}

impl Outcome {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
            Self::Found => "found",
            Self::Nothing => "nothing",
            Self::Several => "several",
            Self::Failed => "failed",
        }
    }
}

/// A request ended.
pub fn asked(operation: Operation, outcome: Outcome, took: Duration) {
    REQUESTS.count(&[operation.as_str(), outcome.as_str()]).increment(1);
    REQUEST_SECONDS.spread(&[operation.as_str()]).record(took.as_secs_f64());
    if outcome == Outcome::Several {
        DOUBLED.count(&[]).increment(1);
    }
}

/// A log-in ended.
pub fn logged_in(succeeded: bool) {
    SESSIONS.count(&[if succeeded { "opened" } else { "failed" }]).increment(1);
}

/// The breaker opened or closed.
pub fn breaker_open(open: bool) {
    BREAKER_OPEN.level(&[]).set(f64::from(u8::from(open)));
}

pub(crate) fn begin() {
    for outcome in [Outcome::Done, Outcome::Refused, Outcome::Unreachable, Outcome::Unknown] {
        for operation in [Operation::CreateTicket, Operation::AddFollowup] {
            REQUESTS.count(&[operation.as_str(), outcome.as_str()]).increment(0);
        }
    }
    DOUBLED.count(&[]).increment(0);
    breaker_open(false);
}
