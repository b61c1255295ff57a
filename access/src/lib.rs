//! Who may call, from where, and how much.
//!
//! Each listener has a [`Door`]. A call goes through it in three steps: [`Door::knock`] looks at the
//! address, [`Door::identify`] finds out which [`Client`] it is, [`Door::admit`] checks its role and
//! its limits and gives it a place. What the door goes by, the [`Rules`], can be changed while it
//! is in use.

mod client;
mod door;
mod limits;
mod networks;
mod rules;
mod signature;
mod token;

pub use client::{BadClient, Client, Name, Role};
pub use door::{Caller, Credentials, Door, Pass, Refusal};
pub use limits::Rate;
pub use networks::Networks;
pub use rules::{Rules, Surface};
pub use signature::{BadSignature, SignatureKey};
pub use token::{Digest, NewToken};
