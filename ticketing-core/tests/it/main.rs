//! The real client, courier and outbox against a GLPI that misbehaves over HTTP.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod certificate;
mod check;
mod delivery;
mod fairness;
mod idempotency;
mod personal_data;
mod world;
