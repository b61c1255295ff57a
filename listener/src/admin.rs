//! The admin port: health, metrics and the log filter, for machines and operators inside.
//!
//! Nothing here needs a token, and nothing here is personal or secret; still, keep it inside.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{
    Extension, Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use meters::doors;
use service_kit::{settings::Setting, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

use crate::{Door, Guards, Peer, Protocols};

/// A request that takes longer, its body included, is answered with 408. Readiness asks the server
/// behind a gateway, which has a second.
const WHOLE_CALL_WITHIN: Duration = Duration::from_secs(5);

/// A few monitors and probes; half of them from one machine, so that it cannot shut out the others.
const CONNECTIONS: usize = 64;

/// More than any filter needs.
const LONGEST_FILTER_BYTES: usize = 4096;

/// Whether this process can do its work; if not, why, in a few words for an orchestrator.
pub type Readiness = Result<(), &'static str>;

/// `/healthz`: this process answers. `/readyz`: it can do its work. `/metrics`: its numbers.
/// `/log`: its log filter, which `PUT` from this machine changes.
pub fn routes<F>(ready: impl Fn() -> F + Clone + Send + Sync + 'static) -> Router
where
    F: Future<Output = Readiness> + Send + 'static,
{
    let readiness = async move || match ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    };
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .route("/log", get(log).put(set_log))
        .layer(axum::extract::DefaultBodyLimit::max(LONGEST_FILTER_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, WHOLE_CALL_WITHIN))
}

/// Listens; beyond loopback, where strangers could read along, with a warning.
pub async fn open(address: SocketAddr, setting: &Setting) -> io::Result<Door> {
    let listener = TcpListener::bind(address).await?;
    if !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            setting = setting.name,
            "health and metrics are open beyond this machine: let only monitoring reach them"
        );
    }
    let guards = Guards {
        connections: CONNECTIONS,
        connections_per_source: CONNECTIONS / 2,
        ..Guards::default()
    };
    Ok(Door::of(listener, doors::Listener::Admin, Protocols::Http1And2, guards, None))
}

/// Serves as long as it is polled; dropped, it ends its connections at once.
pub async fn serve(door: Door, routes: Router) -> Infallible {
    door.serve(routes, CancellationToken::new()).await;
    std::future::pending().await
}

async fn metrics() -> Response {
    match telemetry::running() {
        Some(telemetry) => {
            let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (text, telemetry.metrics()).into_response()
        }
        None => (StatusCode::NOT_FOUND, "nothing is counted\n").into_response(),
    }
}

async fn log() -> Response {
    match telemetry::running() {
        Some(telemetry) => format!("{}\n", telemetry.filter()).into_response(),
        None => (StatusCode::NOT_FOUND, "nothing is logged\n").into_response(),
    }
}

/// Only from this machine: whoever can make a service silent can hide what he does to it.
async fn set_log(Extension(peer): Extension<Peer>, filter: String) -> Response {
    if !peer.address.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "only from this machine\n").into_response();
    }
    let Some(telemetry) = telemetry::running() else {
        return (StatusCode::NOT_FOUND, "nothing is logged\n").into_response();
    };
    match telemetry.set_filter(filter.trim()) {
        Ok(()) => log().await,
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
