//! Logs to standard error, one line per event, never with personal data or secrets.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{config::Source, settings};

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct Config {
    filter: String,
    json: bool,
}

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("logging cannot be set up: {0}")]
pub struct Error(String);

impl Config {
    /// Reads it; what is wrong is noted in the source.
    pub fn from_source(source: &Source) -> Self {
        let filter = source.required_text(&settings::AUTOMATGLPI_LOG);
        if !is_filter(&filter) {
            source.wrong(&settings::AUTOMATGLPI_LOG, "a level or filter such as info,tonic=warn");
        }
        let format = source.required_text(&settings::AUTOMATGLPI_LOG_FORMAT);
        if !matches!(format.as_str(), "text" | "json") {
            source.wrong(&settings::AUTOMATGLPI_LOG_FORMAT, "text or json");
        }
        Self { filter, json: format == "json" }
    }
}

/// A bare word must be a level: `tracing` would take a mistyped one for the name of a module, and
/// log nothing else.
fn is_filter(filter: &str) -> bool {
    let is_clear =
        |part: &str| part.contains(['=', '[']) || part.trim().parse::<LevelFilter>().is_ok();
    EnvFilter::try_new(filter).is_ok() && filter.split(',').all(is_clear)
}

/// Begins to log. Once per process.
pub fn init(config: &Config) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| Error(error.to_string()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let started = if config.json { builder.json().try_init() } else { builder.try_init() };
    started.map_err(|error| Error(error.to_string()))
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
