//! Where the servers listen, and how they are found.

use super::{Setting, plain};

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
    "Address of `/healthz`, `/readyz` and `/metrics`. Keep it inside.",
);

/// Address of health and metrics of a server alone.
pub const AUTOMATGLPI_SERVER_ADMIN_LISTEN: Setting = plain(
    "AUTOMATGLPI_SERVER_ADMIN_LISTEN",
    Some("127.0.0.1:9465"),
    "As `AUTOMATGLPI_ADMIN_LISTEN`, for a gRPC server that runs alone (`automatglpi server`).",
);

/// Where a gateway finds the server.
pub const AUTOMATGLPI_GRPC_URL: Setting = plain(
    "AUTOMATGLPI_GRPC_URL",
    Some("http://127.0.0.1:50051"),
    "Where a gateway of its own, and `automatglpi outbox`, find the gRPC server.",
);

/// Certificate of the web gateway.
pub const AUTOMATGLPI_HTTP_TLS_CERT_FILE: Setting = plain(
    "AUTOMATGLPI_HTTP_TLS_CERT_FILE",
    None,
    "PEM file with the web gateway's certificate chain: it then speaks HTTPS. Read again when it changes.",
);

/// Key of the web gateway.
pub const AUTOMATGLPI_HTTP_TLS_KEY_FILE: Setting = plain(
    "AUTOMATGLPI_HTTP_TLS_KEY_FILE",
    None,
    "PEM file with the private key of that certificate.",
);

/// Certificate of the gRPC server.
pub const AUTOMATGLPI_GRPC_TLS_CERT_FILE: Setting = plain(
    "AUTOMATGLPI_GRPC_TLS_CERT_FILE",
    None,
    "PEM file with the gRPC server's certificate chain: it then speaks TLS. Read again when it changes.",
);

/// Key of the gRPC server.
pub const AUTOMATGLPI_GRPC_TLS_KEY_FILE: Setting = plain(
    "AUTOMATGLPI_GRPC_TLS_KEY_FILE",
    None,
    "PEM file with the private key of that certificate.",
);

/// Authority of client certificates.
pub const AUTOMATGLPI_GRPC_CLIENT_CA_FILE: Setting = plain(
    "AUTOMATGLPI_GRPC_CLIENT_CA_FILE",
    None,
    "PEM file of the authority whose client certificates the gRPC server accepts (mTLS); clients are named by `certificate=` in `AUTOMATGLPI_CLIENTS`.",
);

/// Whether client certificates are required.
pub const AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES: Setting = plain(
    "AUTOMATGLPI_GRPC_CLIENT_CERTIFICATES",
    Some("optional"),
    "With a client authority: `optional`, or `required` to turn away connections without a certificate.",
);

/// Authority of the gRPC server.
pub const AUTOMATGLPI_GRPC_CA_FILE: Setting = plain(
    "AUTOMATGLPI_GRPC_CA_FILE",
    None,
    "PEM file of a private certificate authority to trust for an `https://` `AUTOMATGLPI_GRPC_URL`, besides the machine's.",
);

/// Whether the contract is told.
pub const AUTOMATGLPI_GRPC_REFLECTION: Setting = plain(
    "AUTOMATGLPI_GRPC_REFLECTION",
    Some("clients"),
    "Who may ask the gRPC server for its contract (reflection): `clients` or `off`.",
);

/// Whether health is told.
pub const AUTOMATGLPI_GRPC_HEALTH: Setting = plain(
    "AUTOMATGLPI_GRPC_HEALTH",
    Some("open"),
    "Who may ask the gRPC server for its health: `open` for everybody, or `clients`.",
);
