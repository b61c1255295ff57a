//! What a door puts up with.

use std::time::Duration;

use access::Networks;

/// The bounds of one listener. Connections that pass them are closed; others don't notice.
#[derive(Debug, Clone)]
pub struct Guards {
    /// Connections at once. Those above are closed as soon as they are accepted. Default: 4096.
    pub connections: usize,
    /// Of these, connections from one address, or from one /64 of IPv6, which is what a single
    /// customer is given. Default: 1024.
    pub connections_per_source: usize,
    /// Reverse proxies: they bring everybody's connections, and only the whole is counted.
    pub trusted_proxies: Networks,
    /// How long the TLS handshake may take. Default: 5 s.
    pub handshake: Duration,
    /// How long the head of the first request may take after that; in HTTP/2 with what comes
    /// before. Who sends none is gone, or means harm. Default: 10 s.
    pub first_head: Duration,
    /// How long a connection may wait for its next request. Longer than clients commonly keep
    /// theirs, since a request sent while we hang up would fail. Default: 90 s.
    pub idle: Duration,
    /// How long a connection may take to end after it was told to. Default: 2 s.
    pub farewell: Duration,
    /// Requests at once on one HTTP/2 connection. Default: 100.
    pub streams: u32,
    /// How large the head of a request may be; 431 above. At least 8 KiB. Default: 16 KiB.
    pub head_bytes: u32,
    /// How often the other end of a silent HTTP/2 connection is asked for a sign of life, so that
    /// dead ones don't pile up. Default: 30 s.
    pub keepalive_every: Duration,
    /// How long that sign may take. Default: 10 s.
    pub keepalive_within: Duration,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_source: 1024,
            trusted_proxies: Networks::default(),
            handshake: Duration::from_secs(5),
            first_head: Duration::from_secs(10),
            idle: Duration::from_secs(90),
            farewell: Duration::from_secs(2),
            streams: 100,
            head_bytes: 16 * 1024,
            keepalive_every: Duration::from_secs(30),
            keepalive_within: Duration::from_secs(10),
        }
    }
}
