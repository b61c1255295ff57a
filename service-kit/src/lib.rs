//! What every process needs: configuration source, telemetry, shutdown.
