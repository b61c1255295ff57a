//! Tickets, the outbox that never loses one, and GLPI.
