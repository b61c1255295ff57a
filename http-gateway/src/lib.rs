//! Webhooks and JSON turned into calls of the contract: all that voice platforms see of us.
//!
//! The gateway knows neither GLPI nor a database. One call, from top to bottom: `router` gives it
//! an id and a deadline and checks its token, `webhook` understands what an agent sent, or `tickets`
//! what a program sent, `upstream` asks the gRPC server, and the answer is a sentence for the caller
//! or a `problem`.

use std::{io, net::SocketAddr, time::Duration};

use access::Gate;
use listener::{Door, Inside, OpenError, Protocols, Traffic};
use service_kit::{Shutdown, config::Source, reload::Change, settings};

mod admin;
mod auth;
mod body;
mod call;
pub mod config;
mod endpoint;
mod openapi;
mod problem;
mod router;
mod tickets;
mod upstream;
mod webhook;

pub use config::Config;
pub use endpoint::{Address, BadAddress};
pub use webhook::names::{BadMapping, FieldNames};

use router::App;
use upstream::Upstream;

/// A gateway that listens but does not answer yet.
#[derive(Debug)]
pub struct Gateway {
    public: Door,
    admin: Door,
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
    #[error("AUTOMATGLPI_GRPC_URL cannot be used")]
    GrpcUrl(#[source] BadAddress),
    /// The certificate cannot be used.
    #[error("HTTPS cannot be served: see AUTOMATGLPI_HTTP_TLS_CERT_FILE and what goes with it")]
    Tls(#[source] listener::TlsError),
    /// The gRPC server's token cannot be sent.
    #[error("AUTOMATGLPI_GRPC_TOKEN holds characters that a header cannot")]
    GrpcToken,
}

impl Gateway {
    /// Listens. The gRPC server need not run yet.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let upstream = Upstream::at(&config.grpc, config.grpc_token.as_ref())?;
        Self::before(upstream, config).await
    }

    /// Listens, before a gRPC server in the same process: where the configuration seeks one does
    /// not matter.
    pub async fn bind_beside(server: Inside, config: Config) -> Result<Self, Error> {
        let upstream = Upstream::inside(server, config.grpc_token.as_ref())?;
        Self::before(upstream, config).await
    }

    async fn before(upstream: Upstream, config: Config) -> Result<Self, Error> {
        let gate = Gate::new(config.access);
        if !gate.asks_for_credentials() && !config.listen.ip().is_loopback() {
            return Err(Error::Unguarded(config.listen));
        }
        let (address, setting) = (config.listen, &settings::AUTOMATGLPI_HTTP_LISTEN);
        let public =
            Door::open(address, Protocols::Http1And2, config.listener).await.map_err(|error| {
                match error {
                    OpenError::Listen(error) => {
                        Error::Listen { address, variable: setting.name, error }
                    }
                    OpenError::Tls(error) => Error::Tls(error),
                }
            })?;
        let (address, setting) = (config.admin_listen, &settings::AUTOMATGLPI_ADMIN_LISTEN);
        let admin = listener::admin::open(address, setting)
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

    /// Looks at the certificate's files whenever the configuration is read again.
    pub fn certificate(&self) -> impl Fn(&Source) -> Change + Send + Sync + 'static {
        self.public.reloading()
    }

    /// The connections that come and go.
    pub fn traffic(&self) -> Traffic {
        self.public.traffic()
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
            listener::admin::routes(move || admin::ready(upstream.clone(), stopping.clone()));
        let public = public.serve(router::routes(app), shutdown.soft().clone());
        tokio::select! {
            () = public => {}
            // Health is told until the last call is answered.
            never = listener::admin::serve(admin, health) => match never {},
            () = give_up(&shutdown, shutdown_within) => {}
        }
        Ok(())
    }
}

/// Ends when calls have not been answered in time after shutdown began, or at once when told so.
async fn give_up(shutdown: &Shutdown, within: Duration) {
    shutdown.soft().cancelled().await;
    tokio::select! {
        () = shutdown.hard().cancelled() => {}
        () = tokio::time::sleep(within) => {}
    }
}
