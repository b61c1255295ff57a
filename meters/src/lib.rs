//! Every number the product shows of itself, by one name everywhere.
//!
//! Whoever sees something happen calls the function named after it; nobody else spells a metric's
//! name. [`ALL`] lists them with their meaning, and `docs/metrics.md`, the dashboard and the alert
//! rules are checked against it.
//!
//! Labels take values from closed sets, or from the configuration (the names of clients): never
//! from a request, so that no stranger can make the list grow. Nothing here is personal.
//!
//! Without a recorder, as in most tests, every function does nothing.

pub mod calls;
pub mod doors;
pub mod glpi;
mod metric;
pub mod notices;
pub mod outbox;
pub mod process;
pub mod store;

pub use metric::{Kind, Metric, describe};

/// All metrics, in the order of the documentation.
pub const ALL: &[Metric] = &[
    calls::CALLS,
    calls::CALL_SECONDS,
    doors::CONNECTIONS,
    doors::REFUSED_CONNECTIONS,
    doors::RATE_LIMITED,
    doors::SHED,
    doors::CERTIFICATE_EXPIRY,
    store::STORE_SECONDS,
    store::STORE_ERRORS,
    store::STORE_LOG_BYTES,
    outbox::ROWS,
    outbox::OLDEST_OPEN_SECONDS,
    outbox::OLDEST_PARKED_SECONDS,
    outbox::PARKED_RETENTION_SECONDS,
    outbox::SETTLED,
    outbox::DELIVERY_SECONDS,
    glpi::REQUESTS,
    glpi::REQUEST_SECONDS,
    glpi::SESSIONS,
    glpi::BREAKER_OPEN,
    glpi::DOUBLED,
    notices::NOTICES,
    process::BUILD,
    process::STARTED,
    process::RECORDING,
];
