//! A GLPI 10 in memory, served over HTTP, as nasty as a real one.
//!
//! The sandbox answers GLPI's legacy REST API (`apirest.php`) the way a GLPI
//! 10.0.12 server was recorded answering it: 200 with an empty body for an
//! uncaught exception, 400 for a refused right, ids accepted that exist
//! nowhere, requesters dropped without a word. It shares no code with the
//! client it tests, so one wrong belief cannot hide on both sides.
//!
//! Trouble is scripted with [`Fault`]s, from the test ([`Sandbox::inject`]) or
//! over HTTP (`POST /sandbox/faults`). What truly happened is read from the
//! sandbox itself ([`Sandbox::tickets`], `GET /sandbox/state`), never through
//! the API under test.
//!
//! | path | what |
//! |---|---|
//! | `/apirest.php/…` | GLPI's API |
//! | `/` | a page that shows the tickets as GLPI would display them |
//! | `/sandbox/faults` | `GET`, `POST` (one fault or a list, added), `DELETE` |
//! | `/sandbox/state` | the ground truth: tickets, follow-ups, sessions, counts |
//! | `/sandbox/requests` | the last 10,000 API requests |

mod answer;
mod api;
mod board;
mod coerce;
mod control;
mod draft;
mod faults;
mod ledger;
mod message;
mod pages;
mod parameters;
mod sandbox;
mod seed;
mod server;
mod sessions;
mod state;
mod text;
mod ticket;

pub use faults::{Fault, Kind, Operation};
pub use ledger::Request;
pub use message::Language;
pub use sandbox::{Options, Sandbox};
pub use state::Followup;
pub use ticket::{Actor, GroupActor, Role, Ticket};
