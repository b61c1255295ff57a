//! What went wrong, told to people and to scripts.

use std::process::ExitCode;

use service_kit::{config::ConfigError, telemetry};

use crate::output;

/// Something failed.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
const WRONG: u8 = 2;

/// The error, then its causes, one per line.
pub(crate) fn tell(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some errors repeat their cause.
        if !told.last().is_some_and(|outer| outer.contains(&cause)) {
            told.push(cause);
        }
    }
    told.join("\n  because: ").lines().map(output::escaped).collect::<Vec<_>>().join("\n")
}

/// 2 for what the configuration can mend, 1 for all else.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_configuration = error.chain().any(|cause| {
        cause.is::<ConfigError>()
            || cause.is::<telemetry::Error>()
            || cause.is::<ticketing_core::glpi::ConfigError>()
            || cause.is::<notices::ConfigError>()
            || cause.downcast_ref().is_some_and(server_is_misconfigured)
            || cause.downcast_ref().is_some_and(gateway_is_misconfigured)
    });
    ExitCode::from(if is_configuration { WRONG } else { FAILED })
}

fn server_is_misconfigured(error: &grpc_server::Error) -> bool {
    use grpc_server::Error;
    match error {
        Error::Unguarded(_) | Error::Tls(_) | Error::Glpi(_) | Error::Notices(_) => true,
        Error::Listen(..) | Error::ListenAdmin(..) | Error::Store(_) | Error::Reflection(_) => {
            false
        }
    }
}

fn gateway_is_misconfigured(error: &http_gateway::Error) -> bool {
    use http_gateway::Error;
    match error {
        Error::Unguarded(_) | Error::GrpcUrl(_) | Error::GrpcToken | Error::Tls(_) => true,
        Error::Listen { .. } => false,
    }
}
