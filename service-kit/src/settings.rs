//! Every setting of the product, by one name everywhere.

/// One setting: an environment variable, and a key of the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Name of the environment variable.
    pub name: &'static str,
    /// What holds when it is unset.
    pub default: Option<&'static str>,
    /// Its value is never shown; it may also be read from the file that `<name>_FILE` names.
    pub secret: bool,
    /// What it means, in one line.
    pub meaning: &'static str,
}

impl Setting {
    /// The key in the configuration file: `AUTOMATGLPI_X` is `x`, `GLPI_X` is `x` in `[glpi]`.
    pub fn file_key(&self) -> (Option<&'static str>, String) {
        match self.name.strip_prefix("AUTOMATGLPI_") {
            Some(rest) => (None, rest.to_lowercase()),
            None => (Some("glpi"), self.name.trim_start_matches("GLPI_").to_lowercase()),
        }
    }
}

const fn plain(
    name: &'static str,
    default: Option<&'static str>,
    meaning: &'static str,
) -> Setting {
    Setting { name, default, secret: false, meaning }
}

const fn secret(
    name: &'static str,
    default: Option<&'static str>,
    meaning: &'static str,
) -> Setting {
    Setting { name, default, secret: true, meaning }
}

/// GLPI's address.
pub const GLPI_URL: Setting =
    plain("GLPI_URL", None, "GLPI's base URL, with or without `/apirest.php`. Required.");
/// Token of GLPI's API client.
pub const GLPI_APP_TOKEN: Setting =
    secret("GLPI_APP_TOKEN", None, "App-Token of the API client in GLPI. Required.");
/// Token of the user that owns the tickets.
pub const GLPI_USER_TOKEN: Setting =
    secret("GLPI_USER_TOKEN", None, "API token of the GLPI user that opens the tickets. Required.");
/// Entity of tickets that name none.
pub const GLPI_ENTITY: Setting = plain(
    "GLPI_ENTITY",
    None,
    "Id of the entity for tickets that name none; unset: the user's own.",
);
/// A private certificate authority.
pub const GLPI_CA_FILE: Setting = plain(
    "GLPI_CA_FILE",
    None,
    "PEM file of a private certificate authority to trust for GLPI, besides the machine's.",
);
/// Requests to GLPI at once.
pub const GLPI_MAX_IN_FLIGHT: Setting = plain(
    "GLPI_MAX_IN_FLIGHT",
    Some("8"),
    "Requests to GLPI at once; a quarter of them is kept for callers on the line.",
);
/// Time to connect.
pub const GLPI_CONNECT_TIMEOUT: Setting =
    plain("GLPI_CONNECT_TIMEOUT", Some("2s"), "How long connecting to GLPI may take.");
/// Time for a request.
pub const GLPI_REQUEST_TIMEOUT: Setting =
    plain("GLPI_REQUEST_TIMEOUT", Some("10s"), "How long one request to GLPI may take.");
/// Time GLPI may go on without its client.
pub const GLPI_SLOWEST_REQUEST: Setting = plain(
    "GLPI_SLOWEST_REQUEST",
    Some("60s"),
    "How long GLPI may go on with a request whose client has left; waited before a doubtful ticket is looked up. Set it above PHP's `max_execution_time`.",
);
/// Address of the web gateway.
pub const AUTOMATGLPI_HTTP_LISTEN: Setting = plain(
    "AUTOMATGLPI_HTTP_LISTEN",
    Some("127.0.0.1:8080"),
    "Address of the web gateway. Beyond loopback a webhook token is required.",
);
/// Address of the contract.
pub const AUTOMATGLPI_GRPC_LISTEN: Setting = plain(
    "AUTOMATGLPI_GRPC_LISTEN",
    Some("127.0.0.1:50051"),
    "Address of the gRPC server. Beyond loopback a gRPC token is required.",
);
/// Address of health and metrics.
pub const AUTOMATGLPI_ADMIN_LISTEN: Setting = plain(
    "AUTOMATGLPI_ADMIN_LISTEN",
    Some("127.0.0.1:9464"),
    "Address of `/healthz` and `/readyz`. Keep it inside.",
);
/// Where a gateway finds the server.
pub const AUTOMATGLPI_GRPC_URL: Setting = plain(
    "AUTOMATGLPI_GRPC_URL",
    Some("http://127.0.0.1:50051"),
    "Where a gateway of its own, and `automatglpi outbox`, find the gRPC server.",
);
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
/// Log filter.
pub const AUTOMATGLPI_LOG: Setting = plain(
    "AUTOMATGLPI_LOG",
    Some("info"),
    "What is logged: `error`, `warn`, `info`, `debug`, or a filter such as `info,ticketing_core=debug`.",
);
/// Log format.
pub const AUTOMATGLPI_LOG_FORMAT: Setting =
    plain("AUTOMATGLPI_LOG_FORMAT", Some("text"), "`text` or `json`.");
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

/// All settings, in the order of the documentation.
pub const ALL: &[Setting] = &[
    GLPI_URL,
    GLPI_APP_TOKEN,
    GLPI_USER_TOKEN,
    GLPI_ENTITY,
    GLPI_CA_FILE,
    GLPI_MAX_IN_FLIGHT,
    GLPI_CONNECT_TIMEOUT,
    GLPI_REQUEST_TIMEOUT,
    GLPI_SLOWEST_REQUEST,
    AUTOMATGLPI_HTTP_LISTEN,
    AUTOMATGLPI_GRPC_LISTEN,
    AUTOMATGLPI_ADMIN_LISTEN,
    AUTOMATGLPI_GRPC_URL,
    AUTOMATGLPI_WEBHOOK_TOKEN,
    AUTOMATGLPI_GRPC_TOKEN,
    AUTOMATGLPI_STORE,
    AUTOMATGLPI_ANSWER_WITHIN,
    AUTOMATGLPI_LANGUAGE,
    AUTOMATGLPI_MAX_AGE,
    AUTOMATGLPI_RETENTION,
    AUTOMATGLPI_LOG,
    AUTOMATGLPI_LOG_FORMAT,
    AUTOMATGLPI_SHUTDOWN_WITHIN,
    AUTOMATGLPI_FIELDS,
    AUTOMATGLPI_CONFIG,
];
