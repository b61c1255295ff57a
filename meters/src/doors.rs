//! Who knocks at the listeners, and who is turned away before being served.

use crate::metric::Metric;

/// Connections now.
pub const CONNECTIONS: Metric =
    Metric::gauge("automatglpi_connections", &["listener"], "Connections that are open now.");

/// Connections turned away.
pub const REFUSED_CONNECTIONS: Metric = Metric::counter(
    "automatglpi_connections_refused_total",
    &["listener", "reason"],
    "Connections closed before a request was served.",
);

/// Calls over a limit.
pub const RATE_LIMITED: Metric = Metric::counter(
    "automatglpi_rate_limited_total",
    &["surface", "scope"],
    "Calls refused because their client or source made too many.",
);

/// Calls shed.
pub const SHED: Metric = Metric::counter(
    "automatglpi_shed_total",
    &["surface"],
    "Calls refused because too many are being served already.",
);

/// When certificates end.
pub const CERTIFICATE_EXPIRY: Metric = Metric::gauge(
    "automatglpi_certificate_expiry_timestamp_seconds",
    &["listener"],
    "When the certificate that a listener shows ends, as a Unix time.",
);

/// What is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The web gateway.
    Http,
    /// The contract.
    Grpc,
    /// Health and metrics.
    Admin,
}

impl Listener {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
            Self::Admin => "admin",
        }
    }
}

/// Why a connection was closed unserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many as there may be.
    TooMany,
    /// The handshake failed, or took too long.
    Handshake,
    /// Its address is not on the list.
    Address,
    /// It sent nothing in time.
    Silent,
}

impl Refusal {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::Handshake => "handshake",
            Self::Address => "address",
            Self::Silent => "silent",
        }
    }
}

/// Whose limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A named client's.
    Client,
    /// An address's.
    Source,
}

impl Scope {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Source => "source",
        }
    }
}

/// An open connection: counted until dropped.
#[derive(Debug)]
pub struct Connection(Listener);

impl Connection {
    /// Counts one more.
    pub fn open(listener: Listener) -> Self {
        CONNECTIONS.level(&[listener.as_str()]).increment(1.0);
        Self(listener)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        CONNECTIONS.level(&[self.0.as_str()]).decrement(1.0);
    }
}

/// A connection was closed unserved.
pub fn refused(listener: Listener, refusal: Refusal) {
    REFUSED_CONNECTIONS.count(&[listener.as_str(), refusal.as_str()]).increment(1);
}

/// A call was over a limit.
pub fn rate_limited(surface: crate::calls::Surface, scope: Scope) {
    RATE_LIMITED.count(&[surface.as_str(), scope.as_str()]).increment(1);
}

/// A call was shed.
pub fn shed(surface: crate::calls::Surface) {
    SHED.count(&[surface.as_str()]).increment(1);
}

/// A listener shows a certificate that ends then, in seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "exact for the next 200 million years")]
pub fn certificate_until(listener: Listener, unix_seconds: i64) {
    CERTIFICATE_EXPIRY.level(&[listener.as_str()]).set(unix_seconds as f64);
}
