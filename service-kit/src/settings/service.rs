//! What is recorded and said, and for how long.

use super::{Setting, plain, secret};

/// Where requests are recorded.
pub const AUTOMATGLPI_STORE: Setting = secret(
    "AUTOMATGLPI_STORE",
    Some("sqlite:automatglpi.db"),
    "Where requests are recorded: `sqlite:PATH` or `postgres://…` (may hold a password).",
);

/// How long a caller waits.
pub const AUTOMATGLPI_ANSWER_WITHIN: Setting = plain(
    "AUTOMATGLPI_ANSWER_WITHIN",
    Some("4s"),
    "How long a caller waits for GLPI before hearing that the request is recorded.",
);

/// Language of callers and tickets.
pub const AUTOMATGLPI_LANGUAGE: Setting = plain(
    "AUTOMATGLPI_LANGUAGE",
    Some("fr"),
    "Language (BCP 47) of answers to requests that name none, and of the labels in tickets.",
);

/// How long a request is tried.
pub const AUTOMATGLPI_MAX_AGE: Setting = plain(
    "AUTOMATGLPI_MAX_AGE",
    None,
    "How long a request is tried before it is parked for an operator; unset: for ever.",
);

/// How long personal data is kept.
pub const AUTOMATGLPI_RETENTION: Setting = plain(
    "AUTOMATGLPI_RETENTION",
    Some("30d"),
    "How long what callers said is kept after delivery.",
);

/// How long parked rows are kept.
pub const AUTOMATGLPI_PARKED_RETENTION: Setting = plain(
    "AUTOMATGLPI_PARKED_RETENTION",
    Some("180d"),
    "How long a parked request is kept before it is given up and what the caller said is erased, after a warning; `0s`: for ever.",
);

/// Log filter.
pub const AUTOMATGLPI_LOG: Setting = plain(
    "AUTOMATGLPI_LOG",
    Some("info"),
    "What is logged: `error`, `warn`, `info`, `debug`, or a filter such as `info,ticketing_core=debug`.",
);

/// Log format.
pub const AUTOMATGLPI_LOG_FORMAT: Setting =
    plain("AUTOMATGLPI_LOG_FORMAT", Some("text"), "`text` or `json`.");

/// Collector of traces.
pub const AUTOMATGLPI_OTLP_URL: Setting = plain(
    "AUTOMATGLPI_OTLP_URL",
    None,
    "OpenTelemetry collector that traces are sent to by OTLP over gRPC, such as `http://127.0.0.1:4317`; unset: none.",
);

/// Patience at shutdown.
pub const AUTOMATGLPI_SHUTDOWN_WITHIN: Setting = plain(
    "AUTOMATGLPI_SHUTDOWN_WITHIN",
    Some("10s"),
    "How long calls under way may take at shutdown.",
);

/// Names of webhook fields.
pub const AUTOMATGLPI_FIELDS: Setting = plain(
    "AUTOMATGLPI_FIELDS",
    None,
    "Further names of webhook fields, such as `nom=caller_name,service=department`.",
);

/// The configuration file.
pub const AUTOMATGLPI_CONFIG: Setting = plain(
    "AUTOMATGLPI_CONFIG",
    None,
    "A TOML file with settings, below the environment. Only in the environment.",
);
