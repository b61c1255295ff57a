//! Webhooks and JSON turned into calls of the contract.
mod webhook;
