//! What a process tells of itself: log lines, metrics, traces. Never personal data or secrets.
//!
//! - `logs`: to standard error, one line per event; the filter can be changed while running.
//! - `numbers`: metrics, rendered for Prometheus on the admin port.
//! - `traces`: W3C trace context, and OTLP export to a collector if one is configured.
//! - [`spans`]: a call followed through one process, and on to the next.

use std::sync::{Arc, OnceLock};

use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{config::Source, reload::Change, settings};

mod logs;
mod numbers;
pub mod spans;
mod traces;

pub use logs::{BadFilter, OURS};

/// What is told and how.
#[derive(Debug, Clone)]
pub struct Config {
    filter: String,
    json: bool,
    /// The collector of traces, as `http://HOST:4317`; `None`: none.
    otlp_url: Option<String>,
}

/// Telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("telemetry cannot be set up: {0}")]
pub struct Error(String);

/// Reaches into the running telemetry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    logs: logs::Handle,
    numbers: numbers::Handle,
    traces: traces::Provider,
}

/// One process, one telemetry: what is logged and counted is global anyway.
static RUNNING: OnceLock<Handle> = OnceLock::new();

impl Config {
    /// Reads it; what is wrong is noted in the source.
    pub fn from_source(source: &Source) -> Self {
        let filter = source.required_text(&settings::AUTOMATGLPI_LOG);
        if logs::parse(&filter).is_err() {
            source.wrong(&settings::AUTOMATGLPI_LOG, logs::EXPECTED);
        }
        let format = source.required_text(&settings::AUTOMATGLPI_LOG_FORMAT);
        if !matches!(format.as_str(), "text" | "json") {
            source.wrong(&settings::AUTOMATGLPI_LOG_FORMAT, "text or json");
        }
        let otlp_url = source.text(&settings::AUTOMATGLPI_OTLP_URL);
        if otlp_url.as_deref().is_some_and(|url| !traces::is_collector(url)) {
            source.wrong(&settings::AUTOMATGLPI_OTLP_URL, "http://HOST:PORT or https://HOST:PORT");
        }
        Self { filter, json: format == "json", otlp_url }
    }
}

/// Begins to log, count and trace. Once per process; within a runtime if traces are exported.
pub fn init(config: &Config) -> Result<Handle, Error> {
    let wrong = |error: &dyn std::error::Error| Error(chain(error));
    let filter = logs::parse(&config.filter).map_err(|error| wrong(&error))?;
    let (log_layer, logs) = logs::layer(filter, config.json);
    let traces =
        traces::Provider::new(config.otlp_url.as_deref()).map_err(|error| wrong(&error))?;
    tracing_subscriber::registry()
        .with(log_layer)
        .with(traces.layer())
        .try_init()
        .map_err(|error| wrong(&error))?;
    let numbers = numbers::Handle::install().map_err(|error| wrong(&error))?;
    let handle = Handle(Arc::new(Inner { logs, numbers, traces }));
    Ok(RUNNING.get_or_init(|| handle).clone())
}

/// The telemetry of this process; `None` before [`init`].
pub fn running() -> Option<&'static Handle> {
    RUNNING.get()
}

/// The part of the configuration that may change while the process runs, for
/// [`Reload::with`](crate::Reload::with): the log filter.
pub fn reloading(source: &Source) -> Change {
    let filter = Config::from_source(source).filter;
    Box::new(move || {
        // It has been read already, so it can only be that nothing is logged any more.
        if let Some(Err(error)) = running().map(|telemetry| telemetry.set_filter(&filter)) {
            tracing::error!(%error, "the log filter stays as it was");
        }
    })
}

/// Sends what is still to be sent, for a second at most, and never fails: the last thing a process
/// does. Afterwards no more traces are exported.
pub async fn finish() {
    if let Some(Handle(inner)) = running() {
        inner.traces.finish().await;
    }
}

impl Handle {
    /// Logs by this filter from now on, as written in `AUTOMATGLPI_LOG`. A bad one changes nothing.
    pub fn set_filter(&self, filter: &str) -> Result<(), BadFilter> {
        self.0.logs.set(filter)
    }

    /// The filter in force.
    pub fn filter(&self) -> String {
        self.0.logs.current()
    }

    /// All metrics in Prometheus' text format.
    pub fn metrics(&self) -> String {
        self.0.numbers.render()
    }
}

/// An error with its causes, for one log line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
