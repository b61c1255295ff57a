//! Webhooks and JSON turned into calls of the contract: all that voice platforms see of us.
//!
//! The gateway knows neither GLPI nor a database. One call, from top to bottom: `router` gives it
//! an id and a deadline and checks its token, `webhook` understands what an agent sent, or `tickets`
//! what a program sent, `upstream` asks the gRPC server, and the answer is a sentence for the caller
//! or a `problem`.

use std::{io, net::SocketAddr, time::Duration};

use access::Gate;
use axum::Router;
use axum_server::{Handle, accept::NoDelayAcceptor};
use hyper_util::rt::TokioTimer;
use service_kit::{Shutdown, settings};
use tokio::net::TcpListener;

mod admin;
mod auth;
mod body;
mod call;
pub mod config;
mod openapi;
mod problem;
mod router;
mod tickets;
mod upstream;
mod webhook;

pub use config::Config;
pub use webhook::names::{BadMapping, FieldNames};

use router::App;
use upstream::Upstream;

/// A gateway that listens but does not answer yet.
#[derive(Debug)]
pub struct Gateway {
    public: TcpListener,
    admin: TcpListener,
    app: App,
    shutdown_within: Duration,
}

/// Why a gateway does not start or ends before its time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Open to the network without a token.
    #[error(
        "refusing to listen on {0} without a token: set AUTOMATGLPI_WEBHOOK_TOKEN or AUTOMATGLPI_CLIENTS_FILE, or listen on 127.0.0.1"
    )]
    Unguarded(SocketAddr),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: is it in use? {variable} sets another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting that moves it.
        variable: &'static str,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The gRPC server's address makes no sense.
    #[error("AUTOMATGLPI_GRPC_URL is {0:?}: it should look like http://HOST:PORT")]
    GrpcUrl(String),
    /// The gRPC server's token cannot be sent.
    #[error("AUTOMATGLPI_GRPC_TOKEN holds characters that a header cannot")]
    GrpcToken,
    /// The gateway failed while running.
    #[error("the web gateway failed")]
    Serve(#[source] io::Error),
}

/// A client that sends no complete request in this time after connecting is gone, or means harm.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may wait for its next request. Longer than clients commonly keep theirs,
/// since a request sent while we hang up would fail.
const NEXT_HEAD_WITHIN: Duration = Duration::from_secs(90);

/// Silent HTTP/2 connections are asked for a sign of life, so that dead ones don't pile up.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);

impl Gateway {
    /// Listens. The gRPC server need not run yet.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let gate = Gate::new(config.access);
        if !gate.asks_for_credentials() && !config.listen.ip().is_loopback() {
            return Err(Error::Unguarded(config.listen));
        }
        let upstream = Upstream::new(&config.grpc_url, config.grpc_token.as_ref())?;
        let public = listen(config.listen, "AUTOMATGLPI_HTTP_LISTEN").await?;
        let (address, setting) = (config.admin_listen, &settings::AUTOMATGLPI_ADMIN_LISTEN);
        let admin = service_kit::admin::listen(address, setting)
            .await
            .map_err(|error| Error::Listen { address, variable: setting.name, error })?;
        let app = App::new(upstream, gate, config.language, config.fields);
        Ok(Self { public, admin, app, shutdown_within: config.shutdown_within })
    }

    /// Who is let in, to be given other rules while the gateway runs.
    pub fn gate(&self) -> Gate {
        self.app.gate().clone()
    }

    /// The address webhooks are taken on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// The address health is told on.
    pub fn admin_addr(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until shutdown begins, then answers the calls under way, up to the configured time
    /// or the second signal.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        let Self { public, admin, app, shutdown_within } = self;
        let (upstream, stopping) = (app.upstream().clone(), shutdown.soft().clone());
        let health =
            service_kit::admin::routes(move || admin::ready(upstream.clone(), stopping.clone()));
        let (public_handle, admin_handle) = (Handle::new(), Handle::new());
        let public = serve(public, router::routes(app), public_handle.clone());
        let admin = service_kit::admin::serve(admin, health, admin_handle.clone());

        let serving = async {
            let served = tokio::select! {
                served = public => served,
                // Health is told until the last call is answered.
                served = admin => served,
            };
            admin_handle.shutdown();
            served
        };
        let stopping = async {
            shutdown.soft().cancelled().await;
            public_handle.graceful_shutdown(Some(shutdown_within));
            shutdown.hard().cancelled().await;
            public_handle.shutdown();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            served = serving => served.map_err(Error::Serve),
            () = stopping => Ok(()),
        }
    }
}

async fn listen(address: SocketAddr, variable: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| Error::Listen { address, variable, error })
}

async fn serve(
    listener: TcpListener,
    routes: Router,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let mut server = axum_server::from_tcp(listener.into_std()?)?
        // Else a short answer may wait 40 ms for the client's acknowledgement.
        .acceptor(NoDelayAcceptor::new())
        .first_request_timeout(FIRST_HEAD_WITHIN)
        .handle(handle);
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(NEXT_HEAD_WITHIN);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(KEEPALIVE_EVERY);
    server.serve(routes.into_make_service_with_connect_info::<SocketAddr>()).await
}
