//! Reads the configuration again at SIGHUP.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Shutdown,
    config::{ConfigError, Source},
};

/// What takes effect once the whole configuration has turned out to be right.
pub type Change = Box<dyn FnOnce() + Send>;

type Part = Box<dyn Fn(&Source) -> Change + Send + Sync>;

/// Where reading again has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The configuration is about to be read.
    Begins,
    /// It was read, and took effect or was refused.
    Ended,
}

/// What can be changed while a process runs: tokens, limits, the log level. All of it, or, if
/// anything is wrong, nothing.
#[derive(Default)]
pub struct Reload(Vec<Part>);

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reload({} parts)", self.0.len())
    }
}

impl Reload {
    /// Nothing can be changed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also changes what this reads. It notes in the source what is wrong.
    #[must_use]
    pub fn with(mut self, part: impl Fn(&Source) -> Change + Send + Sync + 'static) -> Self {
        self.0.push(Box::new(part));
        self
    }

    /// Reads the configuration again at each SIGHUP from now on, `config` being the file of
    /// `--config`, and tells whoever manages the process. The environment of a process does not
    /// change, so that only files can.
    pub fn on_hangup(
        self,
        config: Option<&Path>,
        shutdown: &Shutdown,
        tell: impl Fn(Phase) + Send + 'static,
    ) -> io::Result<()> {
        let mut hangups = signal(SignalKind::hangup())?;
        let config: Option<PathBuf> = config.map(Path::to_owned);
        let stop = shutdown.soft().clone();
        shutdown.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = hangups.recv() => {}
                }
                tell(Phase::Begins);
                let read = Source::from_process(config.as_deref());
                match read.and_then(|source| self.apply(&source)) {
                    Ok(()) => tracing::info!("the configuration was read again"),
                    Err(ConfigError(problems)) => {
                        let problems = problems.join("; ");
                        tracing::error!(problems, "the configuration stays as it was");
                    }
                }
                tell(Phase::Ended);
            }
        });
        Ok(())
    }

    fn apply(&self, source: &Source) -> Result<(), ConfigError> {
        let changes: Vec<Change> = self.0.iter().map(|part| part(source)).collect();
        source.finish()?;
        for change in changes {
            change();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::settings;

    #[test]
    fn either_all_is_changed_or_nothing() {
        let changed = Arc::new(AtomicUsize::new(0));
        let part = |setting: settings::Setting| {
            let changed = Arc::clone(&changed);
            move |source: &Source| -> Change {
                source.duration(&setting);
                let changed = Arc::clone(&changed);
                Box::new(move || {
                    changed.fetch_add(1, Ordering::Relaxed);
                })
            }
        };
        let reload = Reload::new()
            .with(part(settings::AUTOMATGLPI_ANSWER_WITHIN))
            .with(part(settings::AUTOMATGLPI_RETENTION));
        let source = |text: &str| {
            Source::new([("AUTOMATGLPI_RETENTION".to_owned(), text.to_owned())], None).unwrap()
        };
        assert!(reload.apply(&source("soon")).is_err());
        assert_eq!(changed.load(Ordering::Relaxed), 0);
        reload.apply(&source("1d")).unwrap();
        assert_eq!(changed.load(Ordering::Relaxed), 2);
    }
}
