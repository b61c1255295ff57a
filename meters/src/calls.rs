//! Calls and how they were answered.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::metric::{Metric, WHILE_WAITING};

/// Calls answered. One call of a webhook is counted as `webhook` by the gateway and as `grpc` by
/// the server behind it.
pub const CALLS: Metric = Metric::counter(
    "automatglpi_calls_total",
    &["surface", "client", "outcome"],
    "Calls answered, by where they came in, who made them and what they were told.",
);

/// How long answers took.
pub const CALL_SECONDS: Metric = Metric::seconds(
    "automatglpi_call_seconds",
    WHILE_WAITING,
    &["surface"],
    "How long calls took, from the request's head to the answer's.",
);

/// Where a call comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Voice agents.
    Webhook,
    /// `/v1`.
    V1,
    /// The contract, for tickets.
    Grpc,
    /// The contract, for operators.
    Operations,
    /// Everything else: documentation, reflection, wrong paths.
    Other,
}

impl Surface {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::V1 => "v1",
            Self::Grpc => "grpc",
            Self::Operations => "operations",
            Self::Other => "other",
        }
    }
}

/// What a call was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// GLPI has it.
    Created,
    /// Recorded; GLPI will have it.
    Queued,
    /// Recorded; a person will see to it.
    Parked,
    /// Given up by an operator.
    Discarded,
    /// A question was answered.
    Read,
    /// The request makes no sense; the caller can mend it.
    Invalid,
    /// Nobody we know, or not allowed to.
    Unauthorised,
    /// Nothing of that name is known, or served.
    NotFound,
    /// The idempotency key was used for something else.
    KeyReused,
    /// Too many calls.
    Limited,
    /// Nothing could be recorded or read.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// Our fault.
    Failed,
    /// The caller left before there was an answer.
    Gone,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Created,
        Self::Queued,
        Self::Parked,
        Self::Discarded,
        Self::Read,
        Self::Invalid,
        Self::Unauthorised,
        Self::NotFound,
        Self::KeyReused,
        Self::Limited,
        Self::Unavailable,
        Self::Timeout,
        Self::Failed,
        Self::Gone,
    ];

    /// The label, and the word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Queued => "queued",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
            Self::Read => "read",
            Self::Invalid => "invalid",
            Self::Unauthorised => "unauthorised",
            Self::NotFound => "not_found",
            Self::KeyReused => "key_reused",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

impl Outcome {
    /// What an answer with this gRPC code says. A good one says nothing of tickets.
    pub const fn of_grpc(code: i32) -> Self {
        match code {
            0 => Self::Read,
            // DEADLINE_EXCEEDED, and CANCELLED, which is what a client's own time-out becomes.
            1 | 4 => Self::Timeout,
            // INVALID_ARGUMENT, OUT_OF_RANGE
            3 | 11 => Self::Invalid,
            // NOT_FOUND, UNIMPLEMENTED
            5 | 12 => Self::NotFound,
            // ALREADY_EXISTS
            6 => Self::KeyReused,
            // PERMISSION_DENIED, UNAUTHENTICATED
            7 | 16 => Self::Unauthorised,
            // RESOURCE_EXHAUSTED
            8 => Self::Limited,
            // FAILED_PRECONDITION
            9 => Self::Discarded,
            // UNAVAILABLE
            14 => Self::Unavailable,
            _ => Self::Failed,
        }
    }

    /// What an answer with this HTTP status says. A good one says nothing of tickets.
    pub const fn of_http(status: u16) -> Self {
        match status {
            100..=399 => Self::Read,
            401 | 403 => Self::Unauthorised,
            404 | 405 => Self::NotFound,
            422 => Self::KeyReused,
            429 => Self::Limited,
            400..=499 => Self::Invalid,
            503 => Self::Unavailable,
            504 => Self::Timeout,
            _ => Self::Failed,
        }
    }
}

/// Names of clients that are told apart. A relay may name clients of its own; not more than these,
/// so that none can fill the memory with names.
const MOST_CLIENTS: usize = 200;

/// What all further clients are called.
const OTHERS: &str = "others";

static CLIENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A call was answered. `client` is a configured name, empty for a stranger.
pub fn answered(surface: Surface, client: &str, outcome: Outcome, took: Duration) {
    let client = if is_told_apart(client) { client } else { OTHERS };
    CALLS.count(&[surface.as_str(), client, outcome.as_str()]).increment(1);
    CALL_SECONDS.spread(&[surface.as_str()]).record(took.as_secs_f64());
}

fn is_told_apart(client: &str) -> bool {
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_known = client.is_empty() || clients.contains(client);
    if !is_known && clients.len() < MOST_CLIENTS {
        return clients.insert(client.to_owned());
    }
    is_known
}

/// Failures of callers that are strangers begin at zero.
pub(crate) fn begin() {
    for surface in [Surface::Webhook, Surface::V1, Surface::Grpc] {
        for outcome in [Outcome::Failed, Outcome::Unavailable, Outcome::Timeout] {
            CALLS.count(&[surface.as_str(), "", outcome.as_str()]).increment(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_names_there_are_few_are_told_apart() {
        let told_apart = (0..1000).filter(|number| is_told_apart(&format!("relay.{number}")));
        assert_eq!(told_apart.count(), MOST_CLIENTS);
        assert!(is_told_apart("relay.0"), "the first ones stay");
        assert!(is_told_apart(""), "so do strangers");
    }
}
