//! GLPI, and how it is talked to.

use super::{Setting, plain, secret};

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
    "PEM file of a private certificate authority to trust for GLPI, and for the mail server and webhooks that people are told by, besides the machine's.",
);

/// Whether GLPI's certificate is verified.
pub const GLPI_TLS_VERIFY: Setting = plain(
    "GLPI_TLS_VERIFY",
    Some("yes"),
    "`no` takes any certificate of GLPI: anybody on the way can then read and change tickets. Said at each start. Rather name the authority in `GLPI_CA_FILE`.",
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
