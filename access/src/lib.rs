//! Who may call, from where, and how much.
//!
//! Each listener has a [`Gate`]. A call goes through it in three steps: [`Gate::knock`] looks at the
//! address, [`Gate::identify`] finds out which [`Client`] it is, [`Gate::admit`] checks its role and
//! its limits and gives it a place. What the gate goes by, the [`Rules`], can be changed while it
//! is in use.

mod client;
mod gate;
mod limits;
mod networks;
mod rules;
mod signature;
mod token;

pub use client::{BadClient, Client, Name, Role};
pub use gate::{Caller, Credentials, Gate, Pass, Refusal};
pub use limits::Rate;
pub use networks::{Networks, says_forwarded, source};
pub use rules::{Rules, Surface};
pub use signature::{BadSignature, SignatureKey};
pub use token::{Digest, NewToken};
