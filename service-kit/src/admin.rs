//! The admin port: health, metrics and the log filter, for machines and operators inside.
//!
//! Nothing here needs a token, and nothing here is personal or secret; still, keep it inside.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;

use crate::{settings::Setting, telemetry};

/// A client that sends no complete request in this time is gone.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

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
}

/// Listens; beyond loopback, where strangers could read along, with a warning.
pub async fn listen(address: SocketAddr, setting: &Setting) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    if !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            setting = setting.name,
            "health and metrics are open beyond this machine: let only monitoring reach them"
        );
    }
    Ok(listener)
}

/// Serves the routes until the handle is shut down.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let mut server = axum_server::from_tcp(listener.into_std()?)?.handle(handle);
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    server.serve(routes.into_make_service_with_connect_info::<SocketAddr>()).await
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
async fn set_log(ConnectInfo(from): ConnectInfo<SocketAddr>, filter: String) -> Response {
    if !from.ip().to_canonical().is_loopback() {
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
