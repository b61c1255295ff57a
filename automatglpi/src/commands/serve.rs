//! `automatglpi serve`: all that one machine needs, in one process.

use std::{path::Path, process::ExitCode};

use service_kit::config::Source;

use super::server::with_state_directory;
use crate::{
    cli::StateDirectory,
    one_process::{Addresses, Config, Pair},
    output,
    service_manager::{self, Vitals},
    signals,
};

pub(crate) async fn run(
    config_file: Option<&Path>,
    options: StateDirectory,
) -> anyhow::Result<ExitCode> {
    let source = with_state_directory(Source::from_process(config_file)?, &options);
    let config = Config::read(&source)?;
    let shutdown = signals::listen()?;
    let pair = signals::before_the_first(&shutdown, Box::pin(Pair::bind(config))).await?;
    let Addresses { http, grpc, admin } = pair.addresses()?;
    signals::reload(pair.reload()?, config_file, &shutdown)?;
    output::ready(&source, &[("http", http), ("grpc", grpc), ("admin", admin)]);
    service_manager::ready(&shutdown, Vitals { admin: Some(admin), outbox: Some(pair.pulse()) });
    signals::before_the_second(&shutdown, pair.run(shutdown.clone())).await?;
    Ok(ExitCode::SUCCESS)
}
