//! SIGTERM and SIGINT: the first ends in order, the second at once. SIGHUP reads the configuration again.

use std::path::Path;

use anyhow::{Context as _, bail};
use service_kit::{Reload, Shutdown};

use crate::service_manager;

/// Begins to listen for signals. Before anything is begun that must be ended.
pub(crate) fn listen() -> anyhow::Result<Shutdown> {
    let shutdown = Shutdown::new();
    shutdown.on_signals().context("cannot listen for signals")?;
    Ok(shutdown)
}

/// Gets ready, unless a signal comes first: nothing has been promised yet.
pub(crate) async fn before_the_first<T>(
    shutdown: &Shutdown,
    ready: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        ready = ready => ready,
        () = shutdown.soft().cancelled() => bail!("ended before it was ready"),
    }
}

/// Serves, which ends in order by itself, unless a second signal comes first.
pub(crate) async fn before_the_second(
    shutdown: &Shutdown,
    serving: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let stopping = async {
        shutdown.soft().cancelled().await;
        service_manager::stopping();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // The first: whatever ends fast has begun to stop before.
        biased;
        () = stopping => Ok(()),
        ended = serving => ended,
        () = shutdown.hard().cancelled() => {
            bail!("ended at once; what was under way is looked up at the next start")
        }
    }
}

/// Reads the configuration again at SIGHUP, which must not end the process.
pub(crate) fn reload(
    reload: Reload,
    config: Option<&Path>,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let tell = service_manager::reloading;
    reload.on_hangup(config, shutdown, tell).context("cannot listen for signals")
}
