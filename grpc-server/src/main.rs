//! Serves the contract, configured by the environment alone.

use anyhow::Context as _;
use grpc_server::{Config, Server};
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
    let server = Server::bind(config).await?;
    let address = server.local_addr()?;
    let reload = Reload::new().with(server.gate().reloading(address));
    reload.on_hangup(None, &shutdown).context("cannot listen for signals")?;
    tracing::info!(address = %address, "serving the contract");
    server.run(shutdown).await?;
    Ok(())
}
