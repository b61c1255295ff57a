//! The outbox's file, copied and put back, without a server in between.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use grpc_server::config::Store;
use service_kit::config::Source;
use ticketing_core::outbox::{StoreError, sqlite};

use crate::{cli::StateDirectory, commands::server::with_state_directory, output};

pub(super) fn back_up(
    config: Option<&Path>,
    directory: &StateDirectory,
    to: &Path,
) -> anyhow::Result<ExitCode> {
    let outbox = file(config, directory, "pg_dump makes a copy of it while the service runs")?;
    sqlite::back_up(&outbox, to)?;
    output::talk(&format!("{} is a copy of {}", to.display(), outbox.display()));
    output::talk("it holds what callers said: keep it as long, and as safe, as the outbox itself");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn restore(
    config: Option<&Path>,
    directory: &StateDirectory,
    from: &Path,
) -> anyhow::Result<ExitCode> {
    let outbox = file(
        config,
        directory,
        "pg_restore puts a dump back; at its next start the service finds that out by itself",
    )?;
    let kept = match sqlite::restore(&outbox, from) {
        Ok(kept) => kept,
        Err(StoreError::InUse { path }) => bail!("{path} is in use: stop the service first"),
        Err(error) => return Err(error.into()),
    };
    output::talk(&format!("{} is what {} holds", outbox.display(), from.display()));
    if let Some(kept) = kept {
        output::talk(&format!(
            "what was there before is kept as {}; delete it when it is no longer needed",
            kept.display()
        ));
    }
    output::talk("requests recorded since the copy was made are lost to this outbox");
    output::talk(
        "at the next start what is not known to be delivered is looked up before it is sent",
    );
    Ok(ExitCode::SUCCESS)
}

/// The outbox's file; for PostgreSQL, what to do instead.
fn file(
    config: Option<&Path>,
    directory: &StateDirectory,
    instead: &str,
) -> anyhow::Result<PathBuf> {
    let source = with_state_directory(Source::from_process(config)?, directory);
    let store = Store::from_source(&source);
    // Of the configuration nothing else matters here.
    match store {
        Store::Sqlite(path) if !path.as_os_str().is_empty() => Ok(path),
        Store::Sqlite(_) => {
            source.finish()?;
            bail!("AUTOMATGLPI_STORE names no file")
        }
        Store::Postgres(_) => bail!("the outbox is in PostgreSQL: {instead}"),
    }
}
