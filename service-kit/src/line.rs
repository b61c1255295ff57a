//! One line in the log for each call, and its place in the metrics, however it ends.
//!
//! Whoever takes a call begins a [`Line`], puts its [`Notes`] into the request's extensions, and
//! runs the rest in its span. Whoever learns something on the way notes it: authentication the
//! client, the handler the reference and the outcome. The line is written when the answer leaves,
//! or when the caller does.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::HeaderMap;
use meters::calls::{self, Outcome, Surface};
use tokio::time::Instant;
use tracing::Span;

use crate::telemetry::spans;

/// What is learnt about a call on its way. Cheap to clone; all clones are the same notes.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    client: Option<String>,
    reference: Option<String>,
    outcome: Option<Outcome>,
    recorded: Option<Duration>,
    delivered: Option<Duration>,
}

/// A call that is being served. Writes its line when dropped.
#[derive(Debug)]
pub struct Line {
    surface: Surface,
    name: String,
    started: Instant,
    span: Span,
    notes: Notes,
    end: Option<(String, Outcome)>,
}

impl Notes {
    /// Who called: a configured name, never what a stranger says.
    pub fn client(&self, name: &str) {
        self.lock().client = Some(name.to_owned());
    }

    /// Which request it is about.
    pub fn reference(&self, reference: &str) {
        self.lock().reference = Some(reference.to_owned());
    }

    /// What the caller is told; goes before what its status says.
    pub fn outcome(&self, outcome: Outcome) {
        self.lock().outcome = Some(outcome);
    }

    /// How long it took until the request was on disk.
    pub fn recorded(&self, took: Duration) {
        self.lock().recorded = Some(took);
    }

    /// How long it took from there until GLPI had answered and that was on disk.
    pub fn delivered(&self, took: Duration) {
        self.lock().delivered = Some(took);
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Begins with the request's head. `name` is for people and must not be made of what a stranger
    /// sends.
    pub fn begin(surface: Surface, name: String, headers: &HeaderMap, request_id: &str) -> Self {
        let span = spans::call(&name, headers, request_id);
        let (started, notes) = (Instant::now(), Notes::default());
        Self { surface, name, started, span, notes, end: None }
    }

    /// For the request's extensions.
    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// What the handler is to be run in.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// The answer leaves with this status, which means `outcome` if nothing better is noted.
    pub fn end(mut self, status: impl Display, outcome: Outcome) {
        self.end = Some((status.to_string(), outcome));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _within = self.span.enter();
        let took = self.started.elapsed();
        let noted = std::mem::take(&mut *self.notes.lock());
        let (status, outcome) = match self.end.take() {
            Some((status, outcome)) => (Some(status), noted.outcome.unwrap_or(outcome)),
            // Nobody waits for an answer any more; what was recorded is delivered all the same.
            None => (None, Outcome::Gone),
        };
        let client = noted.client.unwrap_or_default();
        tracing::info!(
            call = self.name,
            status,
            outcome = outcome.as_str(),
            reference = noted.reference,
            client = Some(client.as_str()).filter(|client| !client.is_empty()),
            recorded_ms = noted.recorded.map(milliseconds),
            glpi_ms = noted.delivered.map(milliseconds),
            took_ms = milliseconds(took),
            "answered"
        );
        calls::answered(self.surface, &client, outcome, took);
    }
}

/// To a tenth: most calls take a few.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
