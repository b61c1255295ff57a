//! A sandbox, a server and a gateway, wired up and answering.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use service_kit::settings::{self, Setting};
use ticketing_proto::v1::{self, operations_service_client::OperationsServiceClient};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::process::{LOOK_EVERY, Process, READY_WITHIN, address};

/// No call and no question may take longer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(super) const APP_TOKEN: &str = "bench-app-token";
pub(super) const USER_TOKEN: &str = "bench-user-token";

const GATEWAY_TOKEN: &str = "bench-gateway";

/// A free port of this machine, and nobody else's business.
const ANY_PORT: &str = "127.0.0.1:0";

/// Where the server records requests.
#[derive(Debug, Clone)]
pub(super) enum Store {
    /// A file, new in each world.
    Sqlite,
    /// A database, the same in all worlds.
    Postgres(SecretString),
}

/// What a world is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup<'a> {
    pub(super) store: &'a Store,
    /// Worlds live in directories below it.
    pub(super) directory: &'a Path,
    /// GLPI's own time for a ticket.
    pub(super) glpi_ms: u64,
    /// Requests to GLPI at once.
    pub(super) callers: u32,
}

/// Three processes. Killed when dropped.
#[derive(Debug)]
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) server: Server,
    pub(super) gateway: Gateway,
    directory: tempfile::TempDir,
    server_settings: Vec<(Setting, String)>,
}

/// A GLPI in memory, and its control endpoints.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) process: Process,
    http: reqwest::Client,
    /// Without a slash at the end.
    pub(super) url: String,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) process: Process,
    pub(super) channel: Channel,
    address: SocketAddr,
    /// From its start until it said that it serves.
    pub(super) ready_after: Duration,
}

#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) process: Process,
    /// Without a slash at the end.
    pub(super) url: String,
    /// From its start until it said that it is ready.
    pub(super) ready_after: Duration,
}

impl Store {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

impl Setup<'_> {
    /// For whoever watches.
    pub(super) fn describe(&self) -> String {
        let Self { store, glpi_ms, callers, directory: _ } = self;
        let (store, s) = (store.name(), if *callers == 1 { "" } else { "s" });
        format!("{store}, {callers} caller{s} (GLPI_MAX_IN_FLIGHT={callers}), GLPI at {glpi_ms} ms")
    }
}

impl World {
    /// Starts all three and waits until a ticket could be made.
    pub(super) async fn start(setup: &Setup<'_>) -> anyhow::Result<Self> {
        Self::with(setup, &[]).await
    }

    /// As [`Self::start`], with these clients and no others; the gateway is known by a token.
    pub(super) async fn guarded(setup: &Setup<'_>, clients: &str) -> anyhow::Result<Self> {
        let access = [
            (settings::AUTOMATGLPI_CLIENTS, clients.to_owned()),
            (settings::AUTOMATGLPI_GRPC_TOKEN, GATEWAY_TOKEN.to_owned()),
        ];
        Self::with(setup, &access).await
    }

    async fn with(setup: &Setup<'_>, access: &[(Setting, String)]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir_in(setup.directory)?;
        let sandbox = Sandbox::start(directory.path()).await?;
        sandbox.works_in(setup.glpi_ms).await?;
        let mut server_settings = server_settings(setup, &sandbox, directory.path());
        server_settings.extend_from_slice(access);
        let server = Server::start(&server_settings, directory.path()).await?;
        let gateway = Gateway::start(server.address, access, directory.path()).await?;
        Ok(Self { sandbox, server, gateway, directory, server_settings })
    }

    /// Kills the server as a crash would and starts it again, at another port: the gateway no
    /// longer finds it.
    pub(super) async fn restart_server(&mut self) -> anyhow::Result<()> {
        self.server.process.kill().await?;
        self.server = Server::start(&self.server_settings, self.directory.path()).await?;
        Ok(())
    }

    /// Ends all three.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let Self { mut sandbox, mut server, mut gateway, directory, server_settings: _ } = self;
        gateway.process.kill().await?;
        server.process.kill().await?;
        sandbox.process.kill().await?;
        directory.close().context("cannot remove a temporary directory")
    }
}

/// Makes sure that nothing in the store could be taken for a measurement, or worse, be delivered
/// to the sandbox as if that were its GLPI.
pub(super) async fn require_empty(setup: &Setup<'_>) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(setup.directory)?;
    let mut sandbox = Sandbox::start(directory.path()).await?;
    // So nothing is delivered while we look.
    sandbox.goes_down().await?;
    let settings = server_settings(setup, &sandbox, directory.path());
    let mut server = Server::start(&settings, directory.path()).await?;
    let rows: u64 = server.status().await?.counts.iter().map(|count| count.count).sum();
    server.process.kill().await?;
    sandbox.process.kill().await?;
    if rows > 0 {
        bail!("the database of --postgres holds {rows} requests: name an empty one");
    }
    Ok(())
}

fn server_settings(
    setup: &Setup<'_>,
    sandbox: &Sandbox,
    directory: &Path,
) -> Vec<(Setting, String)> {
    let store = match setup.store {
        Store::Sqlite => format!("sqlite:{}", directory.join("outbox.db").display()),
        Store::Postgres(url) => url.expose_secret().to_owned(),
    };
    vec![
        (settings::GLPI_URL, sandbox.url.clone()),
        (settings::GLPI_APP_TOKEN, APP_TOKEN.to_owned()),
        (settings::GLPI_USER_TOKEN, USER_TOKEN.to_owned()),
        (settings::GLPI_MAX_IN_FLIGHT, setup.callers.to_string()),
        (settings::AUTOMATGLPI_STORE, store),
        (settings::AUTOMATGLPI_GRPC_LISTEN, ANY_PORT.to_owned()),
        (settings::AUTOMATGLPI_SERVER_ADMIN_LISTEN, ANY_PORT.to_owned()),
    ]
}

/// What the sandbox knows to be true.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Truth {
    requests_total: u64,
}

impl Sandbox {
    async fn start(directory: &Path) -> anyhow::Result<Self> {
        let arguments =
            ["--listen", ANY_PORT, "--app-token", APP_TOKEN, "--user-token", USER_TOKEN];
        let mut process = Process::start("sandbox", &arguments, &[], directory)?;
        let address = address(&process.ready_line().await?, "glpi ")?;
        let http = http_client()?;
        Ok(Self { process, http, url: format!("http://{address}") })
    }

    /// From now on a ticket takes that long, and nothing else is wrong.
    pub(super) async fn works_in(&self, glpi_ms: u64) -> anyhow::Result<()> {
        let faults = format!("{}/sandbox/faults", self.url);
        self.http.delete(&faults).send().await?.error_for_status()?;
        if glpi_ms > 0 {
            let latency = json!({"on": "create_ticket", "kind": "latency", "ms": glpi_ms});
            self.http.post(&faults).json(&latency).send().await?.error_for_status()?;
        }
        Ok(())
    }

    /// From now on it is in maintenance, until it is told to work again.
    pub(super) async fn goes_down(&self) -> anyhow::Result<()> {
        let maintenance = json!({"on": "any", "kind": "maintenance"});
        let faults = format!("{}/sandbox/faults", self.url);
        self.http.post(faults).json(&maintenance).send().await?.error_for_status()?;
        Ok(())
    }

    /// From now on nothing answers there.
    pub(super) async fn dies(&mut self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    /// Requests to GLPI's API so far.
    pub(super) async fn requests(&self) -> anyhow::Result<u64> {
        let state = self.http.get(format!("{}/sandbox/state", self.url)).send().await?;
        Ok(state.json::<Truth>().await?.requests_total)
    }
}

impl Server {
    async fn start(settings: &[(Setting, String)], directory: &Path) -> anyhow::Result<Self> {
        let mut process = Process::start("server", &[], settings, directory)?;
        let address = address(&process.ready_line().await?, "grpc ")?;
        let channel = Endpoint::from_shared(format!("http://{address}"))?
            .tcp_nodelay(true)
            .timeout(ANSWER_WITHIN)
            .connect_lazy();
        let mut health = HealthClient::new(channel.clone());
        loop {
            let answer = health.check(HealthCheckRequest::default()).await;
            if answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
                break;
            }
            patience(&process)?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let ready_after = process.started.elapsed();
        Ok(Self { process, channel, address, ready_after })
    }

    /// How its outbox stands.
    pub(super) async fn status(&self) -> anyhow::Result<v1::Status> {
        let mut operations = OperationsServiceClient::new(self.channel.clone());
        let answer = operations.get_status(v1::GetStatusRequest {}).await?.into_inner();
        answer.status.context("the server's answer holds no status")
    }
}

impl Gateway {
    async fn start(
        server: SocketAddr,
        access: &[(Setting, String)],
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let mut settings = vec![
            (settings::AUTOMATGLPI_GRPC_URL, format!("http://{server}")),
            (settings::AUTOMATGLPI_HTTP_LISTEN, ANY_PORT.to_owned()),
            (settings::AUTOMATGLPI_ADMIN_LISTEN, ANY_PORT.to_owned()),
        ];
        settings.extend_from_slice(access);
        let mut process = Process::start("gateway", &[], &settings, directory)?;
        let line = process.ready_line().await?;
        let (listen, admin) = (address(&line, "http ")?, address(&line, "admin ")?);
        let http = http_client()?;
        let readiness = format!("http://{admin}/readyz");
        loop {
            let answer = http.get(&readiness).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            patience(&process)?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let ready_after = process.started.elapsed();
        Ok(Self { process, url: format!("http://{listen}"), ready_after })
    }
}

fn patience(process: &Process) -> anyhow::Result<()> {
    if process.started.elapsed() > READY_WITHIN {
        bail!(
            "a process does not become ready:
{}",
            process.last_words()
        );
    }
    Ok(())
}

/// Connections are kept, as those of voice platforms and of the server are.
pub(super) fn http_client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).tcp_nodelay(true).no_proxy();
    Ok(client.build()?)
}
