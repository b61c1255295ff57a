//! The process itself.

use crate::metric::Metric;

/// The build.
pub const BUILD: Metric = Metric::gauge(
    "automatglpi_build_info",
    &["version"],
    "Always 1; its label tells which version runs.",
);

/// When the process began.
pub const STARTED: Metric = Metric::gauge(
    "automatglpi_process_start_time_seconds",
    &[],
    "When the process began, as a Unix time.",
);

/// Whether requests can be recorded.
pub const RECORDING: Metric = Metric::gauge(
    "automatglpi_recording",
    &[],
    "1 while the outbox answers in time, so that requests can be recorded, else 0.",
);

/// The process began then, in seconds since 1970, and is this version.
pub fn started(unix_seconds: f64, version: &str) {
    STARTED.level(&[]).set(unix_seconds);
    BUILD.level(&[version]).set(1.0);
}

/// Whether requests can be recorded now.
pub fn recording(possible: bool) {
    RECORDING.level(&[]).set(f64::from(u8::from(possible)));
}
