//! `automatglpi gateway`: webhooks and JSON alone.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use http_gateway::{Config, Gateway};
use service_kit::{Shutdown, config::Source, telemetry};

use crate::output;

pub(crate) async fn run(config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let source = Source::from_process(config)?;
    let config = Config::from_source(&source);
    let log = telemetry::Config::from_source(&source);
    source.finish()?;
    telemetry::init(&log)?;

    let shutdown = Shutdown::new();
    shutdown.on_signals().context("cannot listen for signals")?;
    let gateway = Gateway::bind(config).await?;
    let (http, admin) = (gateway.local_addr()?, gateway.admin_addr()?);
    output::talk(&format!("ready: http://{http} admin http://{admin}"));
    tokio::select! {
        ended = gateway.run(shutdown.clone()) => ended?,
        () = shutdown.hard().cancelled() => bail!("ended at once; some calls were not answered"),
    }
    Ok(ExitCode::SUCCESS)
}
