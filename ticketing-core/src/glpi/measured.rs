//! How GLPI answers and how long it takes, for the metrics; and its part of a trace.

use meters::glpi::{self, Operation, Outcome};
use opentelemetry::global;
use opentelemetry_http::HeaderInjector;
use reqwest::header::HeaderMap;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Found, ReadError, TicketView, Written};

/// How a request ended, as the metrics call it.
pub(super) trait Ended {
    /// Its outcome.
    fn outcome(&self) -> Outcome;
}

impl Ended for Written {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Done(_) => Outcome::Done,
            Self::Refused(_) => Outcome::Refused,
            Self::Unreachable(_) => Outcome::Unreachable,
            Self::Unknown(_) => Outcome::Unknown,
        }
    }
}

impl Ended for Result<Found, ReadError> {
    fn outcome(&self) -> Outcome {
        match self {
            Ok(Found::One(_)) => Outcome::Found,
            Ok(Found::Nothing) => Outcome::Nothing,
            Ok(Found::Several(_)) => Outcome::Several,
            Err(_) => Outcome::Failed,
        }
    }
}

impl Ended for Result<Option<TicketView>, ReadError> {
    fn outcome(&self) -> Outcome {
        match self {
            Ok(Some(_)) => Outcome::Found,
            Ok(None) => Outcome::Nothing,
            Err(_) => Outcome::Failed,
        }
    }
}

/// Runs a request to GLPI; counts and traces it.
pub(super) async fn measured<T: Ended>(
    operation: Operation,
    running: impl Future<Output = T>,
) -> T {
    let started = Instant::now();
    let span = tracing::info_span!(
        "glpi",
        otel.name = operation.as_str(),
        otel.kind = "client",
        outcome = field::Empty
    );
    let ended = running.instrument(span.clone()).await;
    let outcome = ended.outcome();
    span.record("outcome", outcome.as_str());
    glpi::asked(operation, outcome, started.elapsed());
    ended
}

/// The present trace as headers (`traceparent`), so that GLPI's web server can log it.
pub(super) fn trace_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut HeaderInjector(&mut headers));
    });
    headers
}
