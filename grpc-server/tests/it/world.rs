//! A server of the contract in this process, with a sandbox for GLPI and a temporary outbox.

use std::{net::SocketAddr, time::Duration};

use glpi_sandbox::{Options, Sandbox};
use grpc_server::{Config, Server};
use service_kit::{Shutdown, config::Source};
use tempfile::TempDir;
use ticketing_proto::v1::{
    CreateTicketRequest, operations_service_client::OperationsServiceClient,
    ticketing_service_client::TicketingServiceClient,
};
use tonic::transport::Channel;

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) channel: Channel,
    pub(crate) gate: ::access::Gate,
    pub(crate) address: SocketAddr,
    /// Does to the certificate what reading the configuration again does.
    pub(crate) look: Box<dyn Fn() + Send + Sync>,
    pub(crate) shutdown: Shutdown,
    _directory: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(extra: &[(&str, &str)]) -> Self {
        service_kit::install_tls_provider();
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", directory.path().join("outbox.db").display());
        let mut environment = settings(&sandbox, &store);
        environment.retain(|(name, _)| extra.iter().all(|(other, _)| name != other));
        environment.extend(extra.iter().map(|(name, value)| pair(name, value)));
        let source = Source::new(environment, None).unwrap();
        let config = Config::from_source(&source);
        source.finish().unwrap();

        let server = Server::bind(config).await.unwrap();
        let (address, gate) = (server.local_addr().unwrap(), server.gate());
        let certificate = server.certificate();
        let look = Box::new(move || certificate(&Source::new([], None).unwrap())());
        let shutdown = Shutdown::new();
        let running = shutdown.clone();
        shutdown.spawn(async move { server.run(running).await.unwrap() });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { sandbox, channel, gate, address, look, shutdown, _directory: directory }
    }

    pub(crate) fn tickets(&self) -> TicketingServiceClient<Channel> {
        TicketingServiceClient::new(self.channel.clone())
    }

    pub(crate) fn operations(&self) -> OperationsServiceClient<Channel> {
        OperationsServiceClient::new(self.channel.clone())
    }

    /// Stops in order; true if everything ended in time.
    pub(crate) async fn stop(&self) -> bool {
        self.shutdown.begin();
        self.shutdown.finish(Duration::from_secs(20)).await
    }
}

/// A PostgreSQL database of one test's own: its URL. `None` where there is no server, which CI must
/// bring.
pub(crate) fn postgres(name: &str) -> Option<String> {
    let url = variable("AUTOMATGLPI_TEST_POSTGRES_URL");
    assert!(url.is_some() || variable("CI").is_none(), "CI must bring a PostgreSQL");
    let url = url?;
    let name = format!("{name}_{}", std::process::id());
    psql(&url, &format!("CREATE DATABASE {name}"));
    let (server, _) = url.rsplit_once('/')?;
    Some(format!("{server}/{name}"))
}

/// Runs a statement on the database of that URL.
pub(crate) fn psql(url: &str, statement: &str) {
    let done = std::process::Command::new("psql").args([url, "-qAtc", statement]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[expect(clippy::disallowed_methods, reason = "how the test run is told of its surroundings")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Settings for a server beside that sandbox: any port, short times.
pub(crate) fn settings(sandbox: &Sandbox, store: &str) -> Vec<(String, String)> {
    [
        ("GLPI_URL", sandbox.url().as_str()),
        ("GLPI_APP_TOKEN", "sandbox-app-token"),
        ("GLPI_USER_TOKEN", "sandbox-user-token"),
        ("GLPI_REQUEST_TIMEOUT", "500ms"),
        ("GLPI_CONNECT_TIMEOUT", "250ms"),
        ("GLPI_SLOWEST_REQUEST", "900ms"),
        ("AUTOMATGLPI_GRPC_LISTEN", "127.0.0.1:0"),
        ("AUTOMATGLPI_SERVER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("AUTOMATGLPI_STORE", store),
        // Tests call faster than people.
        ("AUTOMATGLPI_CLIENT_RATE", "none"),
        ("AUTOMATGLPI_SOURCE_RATE", "none"),
    ]
    .into_iter()
    .map(|(name, value)| pair(name, value))
    .collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

pub(crate) fn call(key: &str, description: &str) -> CreateTicketRequest {
    CreateTicketRequest {
        description: description.into(),
        idempotency_key: key.into(),
        ..CreateTicketRequest::default()
    }
}
