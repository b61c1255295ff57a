//! How long callers waited, as percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Waits in nanoseconds, to three digits, up to a minute.
const LONGEST: u64 = 60_000_000_000;

/// Takes down what happens to callers.
#[derive(Debug)]
pub(super) struct Recorder {
    waits: Histogram<u64>,
    failures: u64,
    first_failure: Option<String>,
}

/// What happened to them. Times are in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    pub(super) calls: u64,
    pub(super) seconds: f64,
    pub(super) calls_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    pub(super) errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_error: Option<String>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        let waits = Histogram::new_with_bounds(1, LONGEST, 3).expect("these bounds are valid");
        Self { waits, failures: 0, first_failure: None }
    }

    pub(super) fn answered(&mut self, after: Duration) {
        self.waits.saturating_record(u64::try_from(after.as_nanos()).unwrap_or(LONGEST).max(1));
    }

    pub(super) fn failed(&mut self, why: String) {
        self.failures += 1;
        self.first_failure.get_or_insert(why);
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures
    }

    /// Takes over what another has taken down.
    pub(super) fn add(&mut self, other: Self) {
        let Self { waits, failures, first_failure } = other;
        self.waits.add(waits).expect("all have the same bounds");
        self.failures += failures;
        self.first_failure = self.first_failure.take().or(first_failure);
    }

    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 calls and nanoseconds")]
    pub(super) fn finish(self, within: Duration) -> Figures {
        let Self { waits, failures, first_failure } = self;
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        let seconds = within.as_secs_f64();
        Figures {
            calls: waits.len(),
            seconds,
            calls_per_second: if seconds > 0.0 { waits.len() as f64 / seconds } else { 0.0 },
            p50_ms: ms(waits.value_at_quantile(0.5)),
            p90_ms: ms(waits.value_at_quantile(0.9)),
            p99_ms: ms(waits.value_at_quantile(0.99)),
            max_ms: ms(waits.max()),
            errors: failures,
            first_error: first_failure,
        }
    }
}

/// A duration as figures have it.
pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_callers_together() {
        let mut all = Recorder::new();
        for half in [1..=50, 51..=100] {
            let mut one = Recorder::new();
            half.for_each(|wait| one.answered(Duration::from_millis(wait)));
            all.add(one);
        }
        let figures = all.finish(Duration::from_secs(2));
        assert_eq!((figures.calls, figures.errors), (100, 0));
        let near = |value: f64, wanted: f64| (value - wanted).abs() < wanted / 500.0;
        assert!(near(figures.calls_per_second, 50.0), "{figures:?}");
        assert!(near(figures.p50_ms, 50.0) && near(figures.p99_ms, 99.0), "{figures:?}");
        assert!(near(figures.max_ms, 100.0), "{figures:?}");
    }

    #[test]
    fn the_first_failure_is_kept() {
        let mut all = Recorder::new();
        let mut one = Recorder::new();
        one.failed("first".to_owned());
        one.failed("second".to_owned());
        all.add(one);
        let figures = all.finish(Duration::ZERO);
        assert_eq!((figures.errors, figures.calls), (2, 0));
        assert_eq!(figures.first_error.as_deref(), Some("first"));
    }
}
