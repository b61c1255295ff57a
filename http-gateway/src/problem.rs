//! What went wrong → an RFC 9457 problem that also carries a sentence for the caller.

#![warn(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use spoken::{Language, Sentence, say};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use utoipa::ToSchema;

use crate::upstream;

/// A problem, as `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem it is.
    #[schema(example = "Bad Request")]
    title: &'static str,
    /// The HTTP status once more.
    #[schema(example = 400)]
    status: u16,
    /// What is wrong, for whoever mends it.
    detail: String,
    /// What to tell the caller, in one line.
    message: String,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// Every wrong field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<Duration>,
    #[serde(skip)]
    language: Language,
}

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Path of the field, such as `caller.name`.
    #[schema(example = "caller.name")]
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

impl Problem {
    /// A problem with a fitting sentence, which [`Self::saying`] replaces.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>, language: &Language) -> Self {
        let sentence = if status.is_server_error() {
            Sentence::InternalTrouble
        } else {
            Sentence::NotUnderstood
        };
        Self {
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: detail.into(),
            message: say(language, sentence),
            retryable: false,
            errors: Vec::new(),
            retry_after: None,
            language: language.clone(),
        }
    }

    #[must_use]
    pub(crate) fn saying(mut self, sentence: Sentence<'_>) -> Self {
        self.message = say(&self.language, sentence);
        self
    }

    /// The same request may succeed after this time.
    #[must_use]
    pub(crate) fn retrying_after(mut self, delay: Duration) -> Self {
        self.retryable = true;
        self.retry_after = Some(delay);
        self
    }

    /// Wrong fields, all at once.
    pub(crate) fn wrong_fields(errors: Vec<FieldError>, language: &Language) -> Self {
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("these fields are wrong: {}", fields.join(", "));
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, detail, language) }
    }

    /// The problem behind a gRPC status. Its message is the server's own business, or the
    /// network's, and stays inside.
    pub(crate) fn of(status: &Status, language: &Language) -> Self {
        let violations = status
            .get_details_bad_request()
            .map_or_else(Vec::new, |details| details.field_violations);
        if status.code() == Code::InvalidArgument && !violations.is_empty() {
            let error = |v: tonic_types::FieldViolation| FieldError {
                field: v.field,
                detail: v.description,
            };
            return Self::wrong_fields(violations.into_iter().map(error).collect(), language);
        }
        let Row { http, detail, sentence, retryable } = row(status.code());
        let reference = reused_by(status);
        let sentence = match (&reference, sentence) {
            (Some(reference), _) => Sentence::OtherRequest { reference },
            // Repeating is safe, but nobody knows yet whether it is needed.
            (None, Sentence::NotRecorded) if !upstream::nothing_recorded(status) => {
                Sentence::Unsure
            }
            (None, sentence) => sentence,
        };
        let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let retry_after = told.or_else(|| retryable.then_some(Duration::from_secs(1)));
        Self { retryable, retry_after, ..Self::new(http, detail, language).saying(sentence) }
    }
}

/// The reference of the request that has the idempotency key, if that is what went wrong.
pub(crate) fn reused_by(status: &Status) -> Option<String> {
    let mut info = status.get_details_error_info()?;
    let is_reuse = status.code() == Code::AlreadyExists && info.reason == "IDEMPOTENCY_KEY_REUSED";
    info.metadata.remove("reference").filter(|_| is_reuse)
}

/// One row of the table of failures.
struct Row {
    http: StatusCode,
    detail: &'static str,
    sentence: Sentence<'static>,
    retryable: bool,
}

fn row(code: Code) -> Row {
    let row = |http, detail, sentence, retryable| Row { http, detail, sentence, retryable };
    match code {
        Code::InvalidArgument | Code::OutOfRange => row(
            StatusCode::BAD_REQUEST,
            "the request makes no sense to the server",
            Sentence::NotUnderstood,
            false,
        ),
        Code::NotFound => row(
            StatusCode::NOT_FOUND,
            "nothing is recorded under this reference or number",
            Sentence::UnknownReference,
            false,
        ),
        // As the Idempotency-Key draft has it for a key reused with another payload.
        Code::AlreadyExists => row(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the Idempotency-Key was used before for other content",
            Sentence::NotUnderstood,
            false,
        ),
        Code::ResourceExhausted => {
            row(StatusCode::TOO_MANY_REQUESTS, "too many requests at once", Sentence::Busy, true)
        }
        Code::Unavailable => row(
            StatusCode::SERVICE_UNAVAILABLE,
            "the server cannot record requests now; try again with the same Idempotency-Key",
            Sentence::NotRecorded,
            true,
        ),
        // A client's own time-out arrives as Cancelled.
        Code::DeadlineExceeded | Code::Cancelled => row(
            StatusCode::GATEWAY_TIMEOUT,
            "no answer in time; the request may be recorded: try again with the same \
             Idempotency-Key",
            Sentence::Unsure,
            true,
        ),
        // It is the gateway that the server does not trust, not the gateway's client: 401 or 403
        // would send people looking for a fault in their own token.
        Code::Unauthenticated | Code::PermissionDenied => row(
            StatusCode::BAD_GATEWAY,
            "the gRPC server refuses the gateway (AUTOMATGLPI_GRPC_TOKEN)",
            Sentence::Unauthorised,
            false,
        ),
        Code::Ok
        | Code::Unknown
        | Code::Internal
        | Code::Aborted
        | Code::DataLoss
        | Code::FailedPrecondition
        | Code::Unimplemented => row(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something unforeseen went wrong; report the x-request-id",
            Sentence::InternalTrouble,
            false,
        ),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let language = HeaderValue::from_static(self.language.as_str());
        // Rounded up: a client that comes too early is refused again.
        let retry_after = self
            .retry_after
            .map(|delay| (delay.as_secs() + u64::from(delay.subsec_nanos() > 0)).max(1));
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_LANGUAGE, language);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    fn problem(status: &Status) -> Problem {
        Problem::of(status, &"en".parse().unwrap())
    }

    #[test]
    fn every_code_has_its_status() {
        for (code, http, retryable) in [
            (Code::InvalidArgument, 400, false),
            (Code::OutOfRange, 400, false),
            (Code::NotFound, 404, false),
            (Code::AlreadyExists, 422, false),
            (Code::ResourceExhausted, 429, true),
            (Code::Unavailable, 503, true),
            (Code::DeadlineExceeded, 504, true),
            (Code::Cancelled, 504, true),
            (Code::Unauthenticated, 502, false),
            (Code::PermissionDenied, 502, false),
            (Code::Internal, 500, false),
            (Code::Unknown, 500, false),
        ] {
            let problem = problem(&Status::new(code, "tcp error at /var/lib: SELECT"));
            assert_eq!((problem.status, problem.retryable), (http, retryable), "{code:?}");
            let shown = serde_json::to_string(&problem).unwrap();
            assert!(!shown.contains("/var") && !shown.contains("SELECT"), "{shown}");
        }
    }

    #[test]
    fn wrong_fields_are_listed() {
        let violations = vec![FieldViolation::new("caller.name", "is too long")];
        let details = ErrorDetails::with_bad_request(violations);
        let status = Status::with_error_details(Code::InvalidArgument, "…", details);
        let expected = FieldError { field: "caller.name".into(), detail: "is too long".into() };
        assert_eq!(problem(&status).errors, [expected]);
    }

    #[test]
    fn a_reused_key_names_the_other_request() {
        let metadata = HashMap::from([("reference".to_owned(), "482-917-305".to_owned())]);
        let details =
            ErrorDetails::with_error_info("IDEMPOTENCY_KEY_REUSED", "automatglpi", metadata);
        let status = Status::with_error_details(Code::AlreadyExists, "…", details);
        assert!(problem(&status).message.contains("482-917-305"));
    }

    #[test]
    fn the_servers_delay_is_passed_on() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
        let status = Status::with_error_details(Code::Unavailable, "…", details);
        let response = problem(&status).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
