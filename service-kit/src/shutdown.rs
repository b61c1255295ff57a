//! Stops a process in order: no new work, finish what is under way, give up after a deadline.

use std::{io, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tells every task of a process when to stop, and waits for them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
}

impl Shutdown {
    /// Nothing is stopping yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins at the first SIGTERM or SIGINT; the second ends everything at once.
    pub fn on_signals(&self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let this = self.clone();
        // Not tracked: it waits for signals as long as the process lives.
        #[expect(clippy::disallowed_methods, reason = "shutdown must not wait for this task")]
        tokio::spawn(async move {
            for stop in [&this.soft, &this.hard] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                stop.cancel();
            }
        });
        Ok(())
    }

    /// Cancelled when shutdown begins: take no new work.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when there is no more time: drop everything.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Begins the shutdown.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// The tasks that shutdown waits for.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Spawns a task that shutdown waits for. It must end on [`Self::soft`].
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// Waits for all tasks until the deadline or the second signal, then cancels [`Self::hard`].
    /// True if all of them ended in time.
    pub async fn finish(&self, deadline: Duration) -> bool {
        self.tracker.close();
        let in_time = tokio::select! {
            () = self.tracker.wait() => true,
            () = self.hard.cancelled() => false,
            () = tokio::time::sleep(deadline) => false,
        };
        self.hard.cancel();
        in_time
    }
}
