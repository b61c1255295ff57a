//! Receivers of notices, in memory and as nasty as real ones: for tests.
//!
//! [`Receiver`] takes posts over HTTP, [`MailServer`] takes mail over SMTP. Both tell what arrived,
//! and answer as a test wants. They share no code with the clients.

#![expect(clippy::missing_panics_doc, reason = "a test that cannot go on may panic")]

mod mail;
mod post;

pub use mail::{Authority, Mail, MailServer, Manners};
pub use post::{Answer, Post, Receiver, ok, status};
