//! `automatglpi gateway`: webhooks and JSON alone.

use std::{path::Path, process::ExitCode};

use http_gateway::{Config, Gateway};
use service_kit::{Reload, config::Source, telemetry};

use crate::{
    output,
    service_manager::{self, Vitals},
    signals,
};

pub(crate) async fn run(config_file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let source = Source::from_process(config_file)?;
    let config = Config::from_source(&source);
    let log = telemetry::Config::from_source(&source);
    source.finish()?;
    telemetry::init(&log)?;

    let shutdown = signals::listen()?;
    let gateway = Gateway::bind(config).await?;
    let (http, admin) = (gateway.local_addr()?, gateway.admin_addr()?);
    signals::reload(
        Reload::new()
            .with(telemetry::reloading)
            .with(gateway.gate().reloading(http))
            .with(gateway.certificate()),
        config_file,
        &shutdown,
    )?;
    output::ready(&source, &[("http", http), ("admin", admin)]);
    service_manager::ready(&shutdown, Vitals { admin: Some(admin), outbox: None });
    let serving = Box::pin(async { Ok(gateway.run(shutdown.clone()).await?) });
    signals::before_the_second(&shutdown, serving).await?;
    Ok(ExitCode::SUCCESS)
}
