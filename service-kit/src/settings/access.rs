//! Who may call, and how much.

use super::{Setting, plain, secret};

/// Token of the web gateway.
pub const AUTOMATGLPI_WEBHOOK_TOKEN: Setting = secret(
    "AUTOMATGLPI_WEBHOOK_TOKEN",
    None,
    "Bearer token that callers of the web gateway must send.",
);

/// Token of the gRPC server.
pub const AUTOMATGLPI_GRPC_TOKEN: Setting = secret(
    "AUTOMATGLPI_GRPC_TOKEN",
    None,
    "Bearer token that clients of the gRPC server must send; the gateway sends it too.",
);

/// Named clients.
pub const AUTOMATGLPI_CLIENTS: Setting = secret(
    "AUTOMATGLPI_CLIENTS",
    None,
    "Named clients, one per line; see [Clients](#clients). Usually kept in a file that `AUTOMATGLPI_CLIENTS_FILE` names.",
);

/// Where calls may come from.
pub const AUTOMATGLPI_ALLOW_FROM: Setting = plain(
    "AUTOMATGLPI_ALLOW_FROM",
    None,
    "Addresses from which the web gateway takes calls, such as `203.0.113.0/24,2001:db8::/32`; unset: from everywhere.",
);

/// Proxies that are believed.
pub const AUTOMATGLPI_TRUSTED_PROXIES: Setting = plain(
    "AUTOMATGLPI_TRUSTED_PROXIES",
    None,
    "Addresses of reverse proxies whose `X-Forwarded-For` is believed, such as `127.0.0.1,10.0.0.0/8`; unset: none.",
);

/// Calls a client may make.
pub const AUTOMATGLPI_CLIENT_RATE: Setting = plain(
    "AUTOMATGLPI_CLIENT_RATE",
    Some("100/s"),
    "Calls a client may make, such as `20/s` or `100/m`, unless its own line says `rate=`; `none` for no limit. Twice as many are taken in a burst.",
);

/// Calls an address may make.
pub const AUTOMATGLPI_SOURCE_RATE: Setting = plain(
    "AUTOMATGLPI_SOURCE_RATE",
    Some("200/s"),
    "The same for an address (a network of IPv6 `/64`), before it is asked who it is.",
);

/// Calls at once.
pub const AUTOMATGLPI_MAX_CALLS: Setting = plain(
    "AUTOMATGLPI_MAX_CALLS",
    Some("512"),
    "Calls at once, on each of gateway and server; a single client gets at most half of them. More are refused at once, with the time to try again.",
);

/// Connections at once.
pub const AUTOMATGLPI_MAX_CONNECTIONS: Setting = plain(
    "AUTOMATGLPI_MAX_CONNECTIONS",
    Some("4096"),
    "Connections at once on each listener; a single address that is no trusted proxy gets at most a quarter of them.",
);

/// Requests that may wait.
pub const AUTOMATGLPI_MAX_BACKLOG: Setting = plain(
    "AUTOMATGLPI_MAX_BACKLOG",
    Some("1000000"),
    "Requests that may wait for GLPI; more are refused until there is room, so that the disk does not fill.",
);
