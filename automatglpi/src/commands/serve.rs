//! `automatglpi serve`: all that one machine needs, in one process.

use std::{path::Path, process::ExitCode};

use service_kit::config::Source;

use super::server::with_state_directory;
use crate::{
    cli::StateDirectory,
    one_process::{Addresses, Config, Pair},
    output,
};

pub(crate) async fn run(
    config: Option<&Path>,
    options: StateDirectory,
) -> anyhow::Result<ExitCode> {
    let source = with_state_directory(Source::from_process(config)?, &options);
    let pair = Pair::bind(Config::read(&source)?).await?;
    let Addresses { http, grpc, admin } = pair.addresses()?;
    output::talk(&format!("ready: http://{http} grpc://{grpc} admin http://{admin}"));
    pair.run().await?;
    Ok(ExitCode::SUCCESS)
}
