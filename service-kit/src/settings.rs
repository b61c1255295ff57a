//! Every setting of the product, by one name everywhere.

mod access;
mod glpi;
mod listeners;
mod notify;
mod service;

pub use access::*;
pub use glpi::*;
pub use listeners::*;
pub use notify::*;
pub use service::*;

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

/// All settings, in the order of the documentation.
pub const ALL: &[Setting] = &[
    GLPI_URL,
    GLPI_APP_TOKEN,
    GLPI_USER_TOKEN,
    GLPI_ENTITY,
    GLPI_CA_FILE,
    GLPI_TLS_VERIFY,
    GLPI_MAX_IN_FLIGHT,
    GLPI_CONNECT_TIMEOUT,
    GLPI_REQUEST_TIMEOUT,
    GLPI_SLOWEST_REQUEST,
    AUTOMATGLPI_HTTP_LISTEN,
    AUTOMATGLPI_GRPC_LISTEN,
    AUTOMATGLPI_ADMIN_LISTEN,
    AUTOMATGLPI_SERVER_ADMIN_LISTEN,
    AUTOMATGLPI_GRPC_URL,
    AUTOMATGLPI_HTTP_TLS_CERT_FILE,
    AUTOMATGLPI_HTTP_TLS_KEY_FILE,
    AUTOMATGLPI_GRPC_TLS_CERT_FILE,
    AUTOMATGLPI_GRPC_TLS_KEY_FILE,
    AUTOMATGLPI_GRPC_CLIENT_CA_FILE,
    AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES,
    AUTOMATGLPI_GRPC_CA_FILE,
    AUTOMATGLPI_GRPC_REFLECTION,
    AUTOMATGLPI_GRPC_HEALTH,
    AUTOMATGLPI_WEBHOOK_TOKEN,
    AUTOMATGLPI_GRPC_TOKEN,
    AUTOMATGLPI_CLIENTS,
    AUTOMATGLPI_ALLOW_FROM,
    AUTOMATGLPI_TRUSTED_PROXIES,
    AUTOMATGLPI_CLIENT_RATE,
    AUTOMATGLPI_SOURCE_RATE,
    AUTOMATGLPI_MAX_CALLS,
    AUTOMATGLPI_MAX_CONNECTIONS,
    AUTOMATGLPI_MAX_BACKLOG,
    AUTOMATGLPI_STORE,
    AUTOMATGLPI_ANSWER_WITHIN,
    AUTOMATGLPI_LANGUAGE,
    AUTOMATGLPI_MAX_AGE,
    AUTOMATGLPI_RETENTION,
    AUTOMATGLPI_PARKED_RETENTION,
    AUTOMATGLPI_LOG,
    AUTOMATGLPI_LOG_FORMAT,
    AUTOMATGLPI_OTLP_URL,
    AUTOMATGLPI_SHUTDOWN_WITHIN,
    AUTOMATGLPI_FIELDS,
    AUTOMATGLPI_CONFIG,
    AUTOMATGLPI_NOTIFY,
    AUTOMATGLPI_NOTIFY_CREATED,
    AUTOMATGLPI_NOTIFY_UNREACHABLE_AFTER,
    AUTOMATGLPI_NOTIFY_BACKLOG,
    AUTOMATGLPI_NOTIFY_ALLOW,
    AUTOMATGLPI_SLACK_WEBHOOK_URL,
    AUTOMATGLPI_TEAMS_WEBHOOK_URL,
    AUTOMATGLPI_NOTIFY_WEBHOOK_URL,
    AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET,
    AUTOMATGLPI_SMTP_URL,
    AUTOMATGLPI_MAIL_FROM,
    AUTOMATGLPI_MAIL_TO,
];
