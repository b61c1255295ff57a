//! A sandbox, a server and a gateway, wired up and answering.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
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
    process: Process,
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
        let directory = tempfile::tempdir_in(setup.directory)?;
        let sandbox = Sandbox::start(directory.path()).await?;
        sandbox.works_in(setup.glpi_ms).await?;
        let server_settings = server_settings(setup, &sandbox, directory.path());
        let server = Server::start(&server_settings, directory.path()).await?;
        let gateway = Gateway::start(server.address, directory.path()).await?;
        Ok(Self { sandbox, server, gateway, directory, server_settings })
    }

    /// Kills the server as a crash would and starts it again, at another port.
    pub(super) async fn restart_server(&mut self) -> anyhow::Result<()> {
        let again = Server::start_after(&mut self.server, &self.server_settings, &self.directory);
        self.server = again.await?;
        Ok(())
    }

    /// Ends all three.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let Self { sandbox, server, gateway, directory, server_settings: _ } = self;
        gateway.process.kill().await?;
        server.process.kill().await?;
        sandbox.process.kill().await?;
        directory.close().context("cannot remove a temporary directory")
    }
}
