//! Metrics, kept for Prometheus to fetch.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use meters::{Kind, Metric};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Values of histograms are collected this often, so that they do not pile up when nobody fetches
/// them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Renders what was counted.
#[derive(Debug, Clone)]
pub(super) struct Handle(PrometheusHandle);

impl Handle {
    /// Begins to count, for the whole process.
    pub(super) fn install() -> Result<Self, BuildError> {
        let builder = meters::ALL.iter().try_fold(PrometheusBuilder::new(), with_bounds)?;
        let this = Self(builder.install_recorder()?);
        meters::describe();
        #[expect(clippy::disallowed_methods, reason = "a process begins at the machine's own time")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        meters::process::started(now.as_secs_f64(), env!("CARGO_PKG_VERSION"));
        let upkeep = this.0.clone();
        // A thread, because not every process that counts has a runtime; it ends with the process.
        thread::Builder::new()
            .name("metrics-upkeep".into())
            .spawn(move || {
                loop {
                    thread::sleep(UPKEEP_EVERY);
                    upkeep.run_upkeep();
                }
            })
            .map_err(|error| BuildError::FailedToCreateRuntime(error.to_string()))?;
        Ok(this)
    }

    pub(super) fn render(&self) -> String {
        self.0.render()
    }
}

fn with_bounds(
    builder: PrometheusBuilder,
    metric: &Metric,
) -> Result<PrometheusBuilder, BuildError> {
    match metric.kind {
        Kind::Histogram(bounds) => {
            builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
        }
        Kind::Counter | Kind::Gauge => Ok(builder),
    }
}
