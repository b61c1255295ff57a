//! How long the store takes, and how often it fails, for the metrics.

use meters::store::{self, Operation};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::StoreError;

/// Runs an operation of the store; counts and traces it.
pub(crate) async fn measured<T>(
    operation: Operation,
    running: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let started = Instant::now();
    // What the courier asks every second belongs to no call: alone, it would fill the collector.
    let span = if Span::current().is_none() {
        Span::none()
    } else {
        tracing::info_span!("store", otel.name = operation.as_str())
    };
    let result = running.instrument(span).await;
    store::operated(operation, started.elapsed(), result.is_ok());
    result
}
