//! A ticket as GLPI stores it.

use serde::Serialize;
use serde_json::Value;

use crate::text;

/// A ticket as GLPI holds it.
///
/// Texts are in their stored form, in which `<`, `>` and `&` are `&#60;`,
/// `&#62;` and `&#38;`; [`Ticket::raw_name`] and [`Ticket::raw_content`] undo
/// that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ticket {
    /// The number the ticket is known by.
    pub id: u64,
    /// Counts tickets in order of creation; ids may be chosen by clients.
    pub order: u64,
    /// The title, at most 255 characters.
    pub name: String,
    /// What is wrong, mostly HTML.
    pub content: String,
    /// 1 new, 2 assigned, 5 solved, …
    pub status: i64,
    /// 1 to 5.
    pub urgency: i64,
    /// 1 to 5.
    pub impact: i64,
    /// 1 to 6, but any number is stored.
    pub priority: i64,
    /// GLPI's `type`: 1 incident, 2 request, but any number is stored.
    pub kind: i64,
    /// GLPI's `itilcategories_id`; may lead nowhere. 0: none.
    pub category: i64,
    /// GLPI's `locations_id`; may lead nowhere. 0: none.
    pub location: i64,
    /// GLPI's `entities_id`.
    pub entity: u64,
    /// GLPI's `requesttypes_id`; may lead nowhere.
    pub request_type: i64,
    /// The user whose session created it.
    pub recipient: u64,
    /// Who asked for help.
    pub requesters: Vec<Actor>,
    /// Who is to help.
    pub assigned: Vec<Actor>,
    /// Who wants to know.
    pub observers: Vec<Actor>,
    /// The same for groups.
    pub groups: Vec<GroupActor>,
    /// Opening date, `YYYY-MM-DD HH:MM:SS` in the server's zone.
    pub date: String,
    /// When the row was inserted.
    pub date_creation: String,
    /// When it was last changed.
    pub date_mod: String,
    /// Whether it is in the trash.
    pub deleted: bool,
}

/// A user, or a person known by an e-mail address, with a part in a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The id of the link, unique among all tickets.
    pub row: u64,
    /// 0 for a person who is no user.
    pub user: u64,
    /// Whether they get notifications.
    pub notify: bool,
    /// GLPI's `alternative_email`.
    pub email: String,
}

/// A group with a part in a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GroupActor {
    /// The id of the link, unique among all tickets.
    pub row: u64,
    /// The group.
    pub group: u64,
    /// Its part.
    pub role: Role,
}

/// A part in a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asked for help.
    Requester,
    /// Is to help.
    Assigned,
    /// Wants to know.
    Observer,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Requester, Self::Assigned, Self::Observer];

    /// GLPI's `type` of an actor.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Requester => 1,
            Self::Assigned => 2,
            Self::Observer => 3,
        }
    }

    pub(crate) fn key(self) -> &'static str {
        // As in `_users_id_requester`.
        match self {
            Self::Requester => "requester",
            Self::Assigned => "assign",
            Self::Observer => "observer",
        }
    }
}

/// The columns of a ticket in GLPI's order.
pub(crate) const COLUMNS: [&str; 43] = [
    "id",
    "entities_id",
    "name",
    "date",
    "closedate",
    "solvedate",
    "takeintoaccountdate",
    "date_mod",
    "users_id_lastupdater",
    "status",
    "users_id_recipient",
    "requesttypes_id",
    "content",
    "urgency",
    "impact",
    "priority",
    "itilcategories_id",
    "type",
    "global_validation",
    "slas_id_ttr",
    "slas_id_tto",
    "slalevels_id_ttr",
    "time_to_resolve",
    "time_to_own",
    "begin_waiting_date",
    "sla_waiting_duration",
    "ola_waiting_duration",
    "olas_id_tto",
    "olas_id_ttr",
    "olalevels_id_ttr",
    "ola_tto_begin_date",
    "ola_ttr_begin_date",
    "internal_time_to_resolve",
    "internal_time_to_own",
    "waiting_duration",
    "close_delay_stat",
    "solve_delay_stat",
    "takeintoaccount_delay_stat",
    "actiontime",
    "is_deleted",
    "locations_id",
    "validation_percent",
    "date_creation",
];

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Text(&'a str),
    Number(i64),
    Null,
}

impl Cell<'_> {
    pub(crate) fn value(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Number(number) => number.into(),
            Self::Null => Value::Null,
        }
    }
}

pub(crate) fn id_cell(id: u64) -> Cell<'static> {
    Cell::Number(i64::try_from(id).unwrap_or(i64::MAX))
}

impl Ticket {
    /// The title as it was sent, cut to what was stored.
    pub fn raw_name(&self) -> String {
        text::decode(&self.name)
    }

    /// The content as it was sent.
    pub fn raw_content(&self) -> String {
        text::decode(&self.content)
    }

    /// The value of a column of `glpi_tickets`, `None` if there is no such column.
    pub(crate) fn column(&self, name: &str) -> Option<Cell<'_>> {
        Some(match name {
            "id" => id_cell(self.id),
            "entities_id" => id_cell(self.entity),
            "name" => Cell::Text(&self.name),
            "date" => Cell::Text(&self.date),
            "date_mod" => Cell::Text(&self.date_mod),
            "date_creation" => Cell::Text(&self.date_creation),
            "users_id_lastupdater" | "users_id_recipient" => id_cell(self.recipient),
            "status" => Cell::Number(self.status),
            "requesttypes_id" => Cell::Number(self.request_type),
            "content" => Cell::Text(&self.content),
            "urgency" => Cell::Number(self.urgency),
            "impact" => Cell::Number(self.impact),
            "priority" => Cell::Number(self.priority),
            "itilcategories_id" => Cell::Number(self.category),
            "locations_id" => Cell::Number(self.location),
            "type" => Cell::Number(self.kind),
            "global_validation" => Cell::Number(1),
            "is_deleted" => Cell::Number(i64::from(self.deleted)),
            "closedate"
            | "solvedate"
            | "takeintoaccountdate"
            | "time_to_resolve"
            | "time_to_own"
            | "begin_waiting_date"
            | "ola_tto_begin_date"
            | "ola_ttr_begin_date"
            | "internal_time_to_resolve"
            | "internal_time_to_own" => Cell::Null,
            other if COLUMNS.contains(&other) => Cell::Number(0),
            _ => return None,
        })
    }

    pub(crate) fn actors(&self, role: Role) -> &[Actor] {
        match role {
            Role::Requester => &self.requesters,
            Role::Assigned => &self.assigned,
            Role::Observer => &self.observers,
        }
    }

    pub(crate) fn actors_mut(&mut self, role: Role) -> &mut Vec<Actor> {
        match role {
            Role::Requester => &mut self.requesters,
            Role::Assigned => &mut self.assigned,
            Role::Observer => &mut self.observers,
        }
    }

    pub(crate) fn has_party(&self, user: u64) -> bool {
        let acts = |role: &Role| self.actors(*role).iter().any(|actor| actor.user == user);
        self.recipient == user || Role::ALL.iter().any(acts)
    }
}
