//! How the servers take connections safely from the internet.
//!
//! A [`Door`] listens, and lets in as many as there is [room](Guards) for. Each connection gets a
//! task of its own, in which it must be done with its TLS handshake and with its first request in
//! time, and ends when it is idle. Handlers find out who is at the other end by the request's
//! extension [`Peer`]. [`Tls`] holds the certificate, and takes its successor while the door is
//! open. Within the process, an [`Inside`] leads to the same services without a socket. Health and metrics
//! have a door of their own, of [`admin`].

pub mod admin;
mod config;
mod connection;
mod descriptors;
mod door;
mod guards;
mod inside;
mod peer;
mod room;
mod tls;

pub use config::Config;
pub use door::{Door, OpenError, Protocols};
pub use guards::Guards;
pub use inside::Inside;
pub use peer::{CertificateNames, Peer};
pub use room::Traffic;
pub use tls::{ClientCertificates, Files, Tls, TlsError};
