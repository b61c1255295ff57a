//! What every process needs: configuration source, telemetry, shutdown.

pub mod config;
pub mod line;
mod pulse;
pub mod reload;
pub mod settings;
mod shutdown;
pub mod telemetry;

pub use pulse::Pulse;
pub use reload::{Phase, Reload};
pub use shutdown::Shutdown;

/// Chooses the TLS provider for the whole process. Call it first in `main` and in tests: the crates
/// are built without a default, so that there is only one.
pub fn install_tls_provider() {
    // Fails only if one is installed already, which is as good.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
}
