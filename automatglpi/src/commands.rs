//! One file per command.

pub(crate) mod bench;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod gateway;
pub(crate) mod health;
pub(crate) mod notify;
pub(crate) mod outbox;
pub(crate) mod reference;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod token;
