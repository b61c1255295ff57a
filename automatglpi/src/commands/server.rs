//! `automatglpi server`: the contract alone.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use grpc_server::{Config, Server};
use service_kit::{Shutdown, config::Source, settings, telemetry};

use crate::{cli::StateDirectory, output};

/// The outbox in the state directory.
const OUTBOX_FILE: &str = "outbox.db";

pub(crate) async fn run(
    config: Option<&Path>,
    options: StateDirectory,
) -> anyhow::Result<ExitCode> {
    let source = with_state_directory(Source::from_process(config)?, &options);
    let config = Config::from_source(&source);
    let log = telemetry::Config::from_source(&source);
    source.finish()?;
    telemetry::init(&log)?;

    let shutdown = Shutdown::new();
    shutdown.on_signals().context("cannot listen for signals")?;
    let server = Server::bind(config).await?;
    output::talk(&format!("ready: grpc://{}", server.local_addr()?));
    tokio::select! {
        ended = server.run(shutdown.clone()) => ended?,
        () = shutdown.hard().cancelled() => {
            bail!("ended at once; requests to GLPI under way are looked up at the next start")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Keeps the outbox in the state directory, if there is one and no store is set.
pub(crate) fn with_state_directory(source: Source, options: &StateDirectory) -> Source {
    let StateDirectory { state_directory } = options;
    let store = &settings::AUTOMATGLPI_STORE;
    let is_set = source
        .effective()
        .iter()
        .any(|setting| setting.name == store.name && setting.origin != "default");
    match state_directory {
        Some(directory) if !is_set => {
            let file = directory.join(OUTBOX_FILE);
            source.with(store, format!("sqlite:{}", file.display()))
        }
        Some(_) | None => source,
    }
}
