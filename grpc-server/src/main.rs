//! Serves the contract, configured by the environment alone.

use anyhow::Context as _;
use grpc_server::{Alone, Config};
use service_kit::{Reload, Shutdown, config::Source, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service_kit::install_tls_provider();
    let source = Source::from_process(None)?;
    let config = Config::from_source(&source);
    let log = telemetry::Config::from_source(&source);
    source.finish()?;
    telemetry::init(&log)?;

    let shutdown = Shutdown::new();
    shutdown.on_signals().context("cannot listen for signals")?;
    let alone = Alone::bind(config).await?;
    let (address, admin) = (alone.server().local_addr()?, alone.admin_addr()?);
    let reload = Reload::new()
        .with(telemetry::reloading)
        .with(alone.server().gate().reloading(address))
        .with(alone.server().certificate());
    reload.on_hangup(None, &shutdown, |_phase| {}).context("cannot listen for signals")?;
    tracing::info!(%address, %admin, "serving the contract");
    let ended = alone.run(shutdown).await;
    telemetry::finish().await;
    Ok(ended?)
}
