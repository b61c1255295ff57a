//! `automatglpi bench`: what a ticket costs on this machine, beside what GLPI alone costs.
//!
//! Nothing here runs in the measuring process: a sandbox, a server and a gateway are started as
//! children of their own ([`process`], [`world`]), so that their memory and start-up are theirs.
//! Each cell is a closed loop ([`load`]) of callers on kept-alive connections (`line`); what is
//! added is told against the floor, a direct POST to GLPI, measured in the same round.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Args, value_parser};
use service_kit::Shutdown;

use crate::{cli::Format, output};

mod backlog;
mod cells;
mod cpu;
mod disk;
mod figures;
mod flood;
mod line;
mod load;
mod outage;
mod process;
mod report;
mod shown;
mod world;

use report::{Machine, Report};
use world::{Setup, Store};

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How long each cell is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often all cells are measured, each time in the other order
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Callers at once, separated by commas; as many requests to GLPI are allowed at once
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1,32", value_parser = value_parser!(u32).range(1..=512))]
    callers: Vec<u32>,
    /// How long GLPI takes for a ticket, in milliseconds, separated by commas
    #[arg(long, value_name = "MILLISECONDS", value_delimiter = ',', default_value = "0,15", value_parser = value_parser!(u64).range(0..=2000))]
    glpi_ms: Vec<u64>,
    /// A PostgreSQL database to measure as well; it must be empty, and what is recorded stays there
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Rows that wait while GLPI is down, to measure start-up, memory and fresh calls with; 0: none
    #[arg(long, value_name = "ROWS", default_value_t = 0, value_parser = value_parser!(u64).range(0..=1_000_000))]
    backlog: u64,
    /// Where the outbox file is kept meanwhile [default: the directory for temporary files]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::new();
    shutdown.on_signals().context("cannot listen for signals")?;
    if cfg!(debug_assertions) {
        output::talk("this is a debug build: only the figures of a release build mean anything");
    }
    let mut report = Report::new(options.format);
    let ended = tokio::select! {
        ended = Box::pin(measure(&options, &mut report)) => ended,
        // Dropping what was started ends it.
        () = shutdown.soft().cancelled() => Err(anyhow::anyhow!("ended before all was measured")),
    };
    report.print();
    ended?;
    match report.failure() {
        Some(failure) => bail!(failure),
        None => Ok(ExitCode::SUCCESS),
    }
}

async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let directory = match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    };
    let directory = directory.context("cannot make a temporary directory")?;
    let directory = directory.path();
    let sync = disk::time_of_a_sync(directory).await?;
    report.machine(Machine::here(sync))?;

    let stores = stores(options);
    for store in &stores {
        world::require_empty(&Setup { store, directory, glpi_ms: 0, callers: 1 }).await?;
    }
    let each = Duration::from_secs(options.seconds);
    for round in 1..=options.rounds {
        for store in &stores {
            for &glpi_ms in &options.glpi_ms {
                for &callers in &options.callers {
                    let setup = Setup { store, directory, glpi_ms, callers };
                    cells::measure(round, &setup, each, report).await?;
                }
            }
        }
    }
    let most_callers = options.callers.iter().copied().max().unwrap_or(1);
    let slowest = options.glpi_ms.iter().copied().max().unwrap_or_default();
    for store in &stores {
        let setup = Setup { store, directory, glpi_ms: slowest, callers: most_callers };
        outage::measure(&setup, each, report).await?;
    }
    for store in &stores {
        let setup = Setup { store, directory, glpi_ms: slowest, callers: most_callers };
        flood::measure(&setup, each, report).await?;
    }
    for store in stores.iter().filter(|_| options.backlog > 0) {
        let setup = Setup { store, directory, glpi_ms: slowest, callers: most_callers };
        backlog::measure(&setup, options.backlog, report).await?;
    }
    Ok(())
}

fn stores(options: &Options) -> Vec<Store> {
    let postgres = options.postgres.clone().map(|url| Store::Postgres(url.into()));
    [Store::Sqlite].into_iter().chain(postgres).collect()
}
