//! What went wrong → a gRPC status with details that a program can act on.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{collections::HashMap, time::Duration};

use access::Refusal;
use ticketing_core::{outbox::State, ticketing::Error};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// The domain of every `ErrorInfo.reason` of ours.
const DOMAIN: &str = "automatglpi";

/// When to try again after a fault of the store: it is seldom mended sooner.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// When to try again while too many requests wait: an outage that long does not end in a moment.
const ROOM_AFTER: Duration = Duration::from_secs(30);

/// `INVALID_ARGUMENT` with all violations.
pub(crate) fn invalid(violations: Vec<FieldViolation>) -> Status {
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    let message = format!("these fields are wrong: {}", fields.join(", "));
    let mut details = ErrorDetails::with_bad_request(violations);
    details.set_error_info("INVALID_FIELDS", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// The status that tells this error. Why the store failed is for the log, not for clients.
pub(crate) fn of(error: &Error) -> Status {
    match error {
        Error::KeyReused { reference } => {
            let metadata = HashMap::from([("reference".to_owned(), reference.to_string())]);
            let details = ErrorDetails::with_error_info("IDEMPOTENCY_KEY_REUSED", DOMAIN, metadata);
            Status::with_error_details(Code::AlreadyExists, error.to_string(), details)
        }
        Error::NotFound => {
            let details =
                ErrorDetails::with_error_info("UNKNOWN_REFERENCE", DOMAIN, HashMap::new());
            Status::with_error_details(Code::NotFound, error.to_string(), details)
        }
        Error::Discarded { reference } => {
            let metadata = HashMap::from([("reference".to_owned(), reference.to_string())]);
            let details = ErrorDetails::with_error_info("DISCARDED", DOMAIN, metadata);
            Status::with_error_details(Code::FailedPrecondition, error.to_string(), details)
        }
        Error::Store(_) => unavailable("STORE_UNAVAILABLE", &error.to_string()),
        Error::Full => {
            let mut details = ErrorDetails::with_error_info("BACKLOG_FULL", DOMAIN, HashMap::new());
            details.set_retry_info(Some(ROOM_AFTER));
            Status::with_error_details(Code::ResourceExhausted, error.to_string(), details)
        }
        Error::Stopping => unavailable("STOPPING", &error.to_string()),
    }
}

/// `FAILED_PRECONDITION`: an entry in this state takes no orders.
pub(crate) fn wrong_state(state: State) -> Status {
    let metadata = HashMap::from([("state".to_owned(), state.as_str().to_owned())]);
    let details = ErrorDetails::with_error_info("WRONG_STATE", DOMAIN, metadata);
    let message = format!(
        "the entry is {}; only waiting, in_doubt and parked ones can be changed",
        state.as_str()
    );
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

/// The status that tells why a call was not let in.
pub(crate) fn refused(refusal: &Refusal) -> Status {
    let (code, reason) = match refusal {
        Refusal::Credential => (Code::Unauthenticated, "UNAUTHENTICATED"),
        Refusal::Address => (Code::PermissionDenied, "ADDRESS_NOT_ALLOWED"),
        Refusal::Proxy => (Code::PermissionDenied, "PROXY_WITHOUT_TOKEN"),
        Refusal::Role(_) => (Code::PermissionDenied, "ROLE_MISSING"),
        Refusal::Source { .. } | Refusal::Rate { .. } => (Code::ResourceExhausted, "RATE_LIMITED"),
        Refusal::Full { .. } => (Code::ResourceExhausted, "OVERLOADED"),
    };
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    if let Refusal::Source { retry_after }
    | Refusal::Rate { retry_after }
    | Refusal::Full { retry_after } = refusal
    {
        details.set_retry_info(Some(*retry_after));
    }
    let message = match refusal {
        Refusal::Credential => {
            "send a valid bearer token in the metadata key `authorization`".into()
        }
        Refusal::Address
        | Refusal::Proxy
        | Refusal::Role(_)
        | Refusal::Source { .. }
        | Refusal::Rate { .. }
        | Refusal::Full { .. } => refusal.to_string(),
    };
    Status::with_error_details(code, message, details)
}

fn unavailable(reason: &str, message: &str) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::Unavailable, message, details)
}

#[cfg(test)]
mod tests {
    use ticketing_core::{outbox::StoreError, ticket::Reference};

    use super::*;

    #[test]
    fn every_error_has_its_code_and_reason() {
        let reference = Reference::parse("482917305").unwrap();
        let store = StoreError::Unusable { problem: "secret path /var/lib".into() };
        let table = [
            (
                Error::Discarded { reference: reference.clone() },
                Code::FailedPrecondition,
                "DISCARDED",
            ),
            (Error::KeyReused { reference }, Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"),
            (Error::NotFound, Code::NotFound, "UNKNOWN_REFERENCE"),
            (Error::Store(store), Code::Unavailable, "STORE_UNAVAILABLE"),
            (Error::Full, Code::ResourceExhausted, "BACKLOG_FULL"),
            (Error::Stopping, Code::Unavailable, "STOPPING"),
        ];
        for (error, code, reason) in table {
            let status = of(&error);
            assert_eq!(status.code(), code, "{error}");
            assert_eq!(status.get_details_error_info().unwrap().reason, reason);
            let is_passing = matches!(code, Code::Unavailable | Code::ResourceExhausted);
            assert_eq!(status.get_details_retry_info().is_some(), is_passing);
            assert!(!status.message().contains("/var"), "internals stay inside");
        }
    }

    #[test]
    fn wrong_fields_are_all_listed() {
        let status = invalid(vec![FieldViolation::new("a", "x"), FieldViolation::new("b", "y")]);
        assert_eq!(status.message(), "these fields are wrong: a, b");
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 2);
    }
}
