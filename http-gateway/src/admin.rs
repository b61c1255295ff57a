//! Liveness and readiness, on an address of their own.

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio_util::sync::CancellationToken;

use crate::upstream::Upstream;

/// `/healthz`: this process answers. `/readyz`: a ticket could be recorded now.
pub(crate) fn routes(upstream: Upstream, stopping: CancellationToken) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state((upstream, stopping))
}

async fn ready(
    State((upstream, stopping)): State<(Upstream, CancellationToken)>,
) -> (StatusCode, &'static str) {
    if stopping.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if upstream.is_serving().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the gRPC server does not serve\n")
    }
}
