//! Tells people what happened: a ticket was made, one needs a person, GLPI is gone.
//!
//! A [`Notice`] is something that happened; it holds no word of a caller. [`Channels`] are where it
//! can be told; each says what became of a [`send`](Channel::send) in one of four ways
//! ([`Outcome`]), so that whoever keeps the notices knows which may be sent again. Texts are in
//! `locales/`, one file per language.
//!
//! Addresses that people configure are reached through [`guard`], which lets no request into the
//! networks around this machine unless they are named.

mod channel;
mod event;
mod filter;
pub mod guard;
mod text;

pub use channel::{
    Channel, Channels, Config, ConfigError, Kind, Outcome, UnknownKind, mail, may_be_posted_to,
    webhook,
};
pub use event::{Event, Notice, Subject, UnknownSubject};
pub use filter::{Filter, FilterError};
pub use text::{Letter, letter};
