//! Serves webhooks and JSON, configured by the environment alone.

use anyhow::Context as _;
use http_gateway::{Config, Gateway};
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
    let gateway = Gateway::bind(config).await?;
    let address = gateway.local_addr()?;
    let reload = Reload::new()
        .with(telemetry::reloading)
        .with(gateway.gate().reloading(address))
        .with(gateway.certificate());
    reload.on_hangup(None, &shutdown, |_phase| {}).context("cannot listen for signals")?;
    tracing::info!(
        %address,
        admin = %gateway.admin_addr()?,
        "serving webhooks"
    );
    let ended = gateway.run(shutdown).await;
    telemetry::finish().await;
    Ok(ended?)
}
