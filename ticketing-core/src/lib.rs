//! Tickets, the outbox that never loses one, and GLPI.

pub mod clock;
pub mod outbox;
pub mod ticket;
