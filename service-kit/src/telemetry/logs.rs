//! Log lines on standard error, text or JSON.

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, FilterFn, LevelFilter, ParseError},
    fmt, reload,
};

use super::spans;

/// What a filter should look like.
pub(super) const EXPECTED: &str = "a level or filter such as info,tonic=warn";

/// A filter that cannot be used; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BadFilter {
    /// It is not a filter at all.
    #[error("the log filter should be {EXPECTED}")]
    Syntax(#[source] ParseError),
    /// A bare word that is no level.
    #[error("{0:?} is no log level: error, warn, info, debug, trace or off")]
    Level(String),
    /// Logging has ended.
    #[error("nothing is logged any more")]
    Ended(#[source] reload::Error),
}

/// Changes what is logged.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    filter: reload::Handle<EnvFilter, Registry>,
    text: Arc<Mutex<String>>,
}

/// Our crates. Others are never logged below `info`: what they say there quotes requests, such as
/// the parameters of SQL statements, and those are personal.
pub const OURS: &[&str] = &[
    "access",
    "automatglpi",
    "glpi_sandbox",
    "grpc_server",
    "http_gateway",
    "listener",
    "meters",
    "notices",
    "receiver_sandbox",
    "service_kit",
    "spoken",
    "ticketing_core",
    "ticketing_proto",
];

/// Of the one line that no filter holds back.
const CHANGE: &str = "service_kit::log_filter";

/// Whether this comes from one of our crates.
pub(super) fn is_ours(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    OURS.contains(&root)
}

/// Reads a filter. A bare word must be a level: `tracing` would take a mistyped one for the name of
/// a module, and log nothing else.
pub(super) fn parse(filter: &str) -> Result<EnvFilter, BadFilter> {
    let unclear = filter
        .split(',')
        .find(|part| !part.contains(['=', '[']) && part.trim().parse::<LevelFilter>().is_err());
    if let Some(word) = unclear {
        return Err(BadFilter::Level(word.trim().to_owned()));
    }
    EnvFilter::try_new(filter).map_err(BadFilter::Syntax)
}

/// The layer that writes lines, and the handle that changes its filter.
pub(super) fn layer(
    filter: EnvFilter,
    json: bool,
) -> (Box<dyn Layer<Registry> + Send + Sync>, Handle) {
    let text = Arc::new(Mutex::new(filter.to_string()));
    let (filter, handle) = reload::Layer::new(filter);
    // With a hint, else every disabled event of every crate would be asked about.
    let fit = FilterFn::new(fits_a_line).with_max_level_hint(LevelFilter::TRACE);
    let change = FilterFn::new(|metadata| metadata.target() == CHANGE);
    let filter = filter.or(change.with_max_level_hint(LevelFilter::WARN)).and(fit);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let layer = if json {
        lines.json().with_span_list(false).with_filter(filter).boxed()
    } else {
        lines.with_filter(filter).boxed()
    };
    (layer, Handle { filter: handle, text })
}

/// Of spans, lines show only the call's: the others are there for traces.
fn fits_a_line(metadata: &Metadata<'_>) -> bool {
    if metadata.is_span() {
        return metadata.name() == spans::CALL;
    }
    is_ours(metadata) || *metadata.level() <= Level::INFO
}

impl Handle {
    pub(super) fn set(&self, filter: &str) -> Result<(), BadFilter> {
        let parsed = parse(filter)?;
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        // Before it takes effect, and whatever either of them holds back: whoever makes a service
        // silent shall leave a trace.
        if *text != filter {
            let from = text.as_str();
            tracing::warn!(target: CHANGE, from, to = filter, "the log filter was changed");
        }
        self.filter.reload(parsed).map_err(BadFilter::Ended)?;
        filter.clone_into(&mut text);
        Ok(())
    }

    pub(super) fn current(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
