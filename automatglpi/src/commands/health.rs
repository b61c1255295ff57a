//! `automatglpi health`: can tickets be recorded now?

use std::{path::Path, process::ExitCode};

use service_kit::{config::Source, settings};

use crate::{cli::Health, health, output};

pub(crate) async fn run(config: Option<&Path>, options: Health) -> anyhow::Result<ExitCode> {
    let source = Source::from_process(config)?;
    let admin = source.addr(if options.server {
        &settings::AUTOMATGLPI_SERVER_ADMIN_LISTEN
    } else {
        &settings::AUTOMATGLPI_ADMIN_LISTEN
    });
    source.finish()?;
    let health::Answer { is_ready, said } = health::ask(admin).await?;
    output::data(&output::escaped(&said));
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
