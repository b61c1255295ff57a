//! The contract, served over gRPC: the server that owns everything about GLPI.
//!
//! One call, from top to bottom: `service` takes it, `convert` parses it or refuses it with every
//! wrong field named, `ticketing_core` records and delivers it, `status` tells what went wrong.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use access::Gate;
use hyper::body::Incoming;
use listener::{Door, Inside, OpenError, Protocols, Traffic};
use notices::Channels;
use secrecy::ExposeSecret as _;
use service_kit::{Pulse, Shutdown, config::Source, reload::Change};
use ticketing_core::{
    announce,
    clock::SystemClock,
    glpi::{self, Glpi},
    outbox::{Outbox, StoreError, postgres::PostgresOutbox, sqlite::SqliteOutbox},
    ticketing::Ticketing,
};
use ticketing_proto::v1::{
    operations_service_server::OperationsServiceServer,
    ticketing_service_server::TicketingServiceServer,
};
use tokio::sync::watch;
use tonic::{
    Status,
    body::Body,
    service::{RecoverErrorLayer, Routes},
};
use tower::{BoxError, ServiceBuilder};

mod alone;
mod auth;
mod call;
pub mod config;
mod convert;
mod deadline;
mod gauges;
mod health;
mod operations;
mod service;
mod status;

pub use alone::Alone;
use auth::Guard;
pub use config::Config;
pub use health::Health;
use health::Teller;
use operations::Operations;
use service::Service;

/// A server that listens but does not answer yet.
#[derive(Debug)]
pub struct Server {
    door: Door,
    config: Config,
    gate: Gate,
    ticketing: Ticketing,
    hints: Option<watch::Receiver<()>>,
    pulse: Pulse,
    ready: watch::Sender<bool>,
    health: Health,
}

/// Why a server does not start or ends before its time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Open to the network without a token.
    #[error(
        "refusing to listen on {0} without a token: set AUTOMATGLPI_GRPC_TOKEN or AUTOMATGLPI_CLIENTS_FILE, or listen on 127.0.0.1"
    )]
    Unguarded(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: is it in use? AUTOMATGLPI_GRPC_LISTEN sets another address")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The admin port cannot be listened on.
    #[error(
        "cannot listen on {0}: is it in use? AUTOMATGLPI_SERVER_ADMIN_LISTEN sets another address"
    )]
    ListenAdmin(SocketAddr, #[source] std::io::Error),
    /// The certificate cannot be used.
    #[error("TLS cannot be served: see AUTOMATGLPI_GRPC_TLS_CERT_FILE and what goes with it")]
    Tls(#[source] listener::TlsError),
    /// The outbox cannot be opened.
    #[error("cannot open the outbox (AUTOMATGLPI_STORE)")]
    Store(#[source] StoreError),
    /// The GLPI client cannot be set up.
    #[error("GLPI cannot be used as configured")]
    Glpi(#[source] glpi::ConfigError),
    /// The channels of notices cannot be set up.
    #[error("nobody can be told as configured (AUTOMATGLPI_NOTIFY and what goes with it)")]
    Notices(#[source] notices::ConfigError),
    /// The contract's descriptors cannot be served.
    #[error("server reflection cannot be set up")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// A request holds at most a description, details and names; see the contract's limits.
const LARGEST_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// No request waits longer than this, whatever its deadline.
const LONGEST_CALL: Duration = Duration::from_secs(30);

impl Server {
    /// Opens the outbox and listens.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let gate = Gate::new(config.access.clone());
        if !gate.asks_for_credentials() && !config.listen.ip().is_loopback() {
            return Err(Error::Unguarded(config.listen));
        }
        let door = Door::open(config.listen, Protocols::Http2, config.listener.clone())
            .await
            .map_err(|error| match error {
                OpenError::Listen(error) => Error::Listen(config.listen, error),
                OpenError::Tls(error) => Error::Tls(error),
            })?;
        let glpi = Glpi::new(config.glpi.clone()).map_err(Error::Glpi)?;
        let (outbox, hints) = open(&config.store).await.map_err(Error::Store)?;
        let channels = Channels::new(&config.notices).map_err(Error::Notices)?;
        let telling = announce::Settings { channels: Arc::new(channels), ..config.telling.clone() };
        let clock = Arc::new(SystemClock);
        let ticketing = Ticketing::new(outbox, glpi, clock, config.courier, telling);
        let (ready, health) = Health::unknown();
        let pulse = Pulse::default();
        Ok(Self { door, config, gate, ticketing, hints, pulse, ready, health })
    }

    /// Who is let in, to be given other rules while the server runs.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// The address listened on.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.door.local_addr()
    }

    /// The way to the contract from this process, for a gateway beside it.
    pub fn inside(&self) -> Inside {
        self.door.inside()
    }

    /// Looks at the certificate's files whenever the configuration is read again, which must be
    /// one that a server would start with.
    pub fn certificate(&self) -> impl Fn(&Source) -> Change + Send + Sync + 'static {
        let look = self.door.reloading();
        move |source| {
            let _only_checked = config::way_in(source);
            look(source)
        }
    }

    /// The connections that come and go.
    pub fn traffic(&self) -> Traffic {
        self.door.traffic()
    }

    /// Beats whenever the outbox has answered, be it that it cannot record: then callers are told so,
    /// and another start would mend nothing. Without a beat for long, something hangs.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Whether requests can be recorded, once it runs.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Serves until shutdown begins, answers the calls under way, then stops delivering, ends
    /// GLPI's session and closes the outbox.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        let Self { door, config, gate, ticketing, hints, pulse, ready, health: _ } = self;
        let parked = config.retention.parked.and_then(|retention| retention.try_into().ok());
        meters::outbox::parked_retention(parked.unwrap_or_default());
        ticketing.start(config.retention).await.map_err(Error::Store)?;
        if let Some(hints) = hints {
            shutdown.spawn(follow(hints, ticketing.clone(), shutdown.clone()));
        }
        let (health, health_service) = tonic_health::server::health_reporter();
        let teller = Teller::new(health, ready, pulse);
        teller.ask(&ticketing).await;
        shutdown.spawn(teller.keep_asking(ticketing.clone(), shutdown.clone()));
        shutdown.spawn(gauges::keep_reading(ticketing.clone(), shutdown.clone()));

        let service = TicketingServiceServer::new(Service {
            ticketing: ticketing.clone(),
            answer_within: config.answer_within,
            language: config.language.clone(),
        })
        .max_decoding_message_size(LARGEST_MESSAGE_BYTES);
        let operations = OperationsServiceServer::new(Operations {
            ticketing: ticketing.clone(),
            stopping: shutdown.soft().clone(),
        });
        let mut routes = Routes::builder();
        routes.add_service(health_service).add_service(operations).add_service(service);
        if config.reflection {
            routes.add_service(reflection_v1()?).add_service(reflection_v1alpha()?);
        }
        let services = ServiceBuilder::new()
            .map_request(|request: http::Request<Incoming>| request.map(Body::new))
            .layer(RecoverErrorLayer::new())
            .map_err(late)
            .timeout(LONGEST_CALL)
            // Outermost: every call but health has a line in the log.
            .layer(call::Follow)
            .layer(Guard { gate, open_health: config.open_health })
            .service(routes.routes().prepare());
        tokio::select! {
            () = door.serve(services, shutdown.soft().clone()) => {}
            () = give_up(&shutdown, config.shutdown_within) => {}
        }
        tokio::select! {
            () = ticketing.stop(config.shutdown_within) => {}
            // Told twice to stop: what is under way is looked up at the next start.
            () = shutdown.hard().cancelled() => {}
        }
        Ok(())
    }
}

/// Nothing but time stops a service: all else is answered.
fn late(_elapsed: BoxError) -> Status {
    Status::deadline_exceeded("the call took too long")
}

/// The outbox, and hints that another replica has recorded something.
type Opened = (Arc<dyn Outbox>, Option<watch::Receiver<()>>);

async fn open(store: &config::Store) -> Result<Opened, StoreError> {
    Ok(match store {
        config::Store::Sqlite(path) => (Arc::new(SqliteOutbox::open(path).await?), None),
        config::Store::Postgres(url) => {
            let outbox = PostgresOutbox::connect(url.expose_secret()).await?;
            let hints = outbox.wakeups();
            (Arc::new(outbox), Some(hints))
        }
    })
}

/// Looks for work when another replica says that there is some.
async fn follow(mut hints: watch::Receiver<()>, ticketing: Ticketing, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.soft().cancelled() => return,
            hint = hints.changed() => match hint {
                Ok(()) => ticketing.look_for_work(),
                Err(_store_closed) => return,
            },
        }
    }
}

/// Ends when connections have not closed in time after shutdown began, or at once when told so.
async fn give_up(shutdown: &Shutdown, within: Duration) {
    shutdown.soft().cancelled().await;
    tokio::select! {
        () = shutdown.hard().cancelled() => {}
        () = tokio::time::sleep(within) => {}
    }
}

/// What grpcurl and others learn the contract from.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(ticketing_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

fn reflection_v1() -> Result<
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
    Error,
> {
    reflection().build_v1().map_err(Error::Reflection)
}

fn reflection_v1alpha() -> Result<
    tonic_reflection::server::v1alpha::ServerReflectionServer<
        impl tonic_reflection::server::v1alpha::ServerReflection,
    >,
    Error,
> {
    reflection().build_v1alpha().map_err(Error::Reflection)
}
