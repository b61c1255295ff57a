//! A ticket as stored, and how GLPI makes one from what a client sends.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::coerce::{self, Refusal};
use crate::seed::{self, Profile};
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

    fn key(self) -> &'static str {
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

/// A ticket that only lacks its number, read from a client's `input`.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The id that the client chose; 0 if it left the choice to GLPI.
    pub(crate) wanted_id: u64,
    /// Everything but the ids, which the insert gives out.
    pub(crate) ticket: Ticket,
    /// Whether the client named these; a clone takes the rest from its source.
    pub(crate) given: Map<String, Value>,
}

/// Reads an `input` as GLPI does: almost nothing is refused.
///
/// `entity` has been checked already; `now` stamps the dates.
pub(crate) fn draft(
    input: &Map<String, Value>,
    author: u64,
    profile: Profile,
    entity: u64,
    now: &str,
) -> Result<Draft, Refusal> {
    let field = |name: &str| input.get(name);
    if let Some(template) = field("_tickettemplate").and_then(coerce::number)
        && template > 0
        && coerce::reference(field("itilcategories_id"), 0)? == 0
    {
        return Err(Refusal::Said(crate::message::Message::MandatoryFields));
    }
    let wanted_id = match field("id").and_then(coerce::number).unwrap_or(0) {
        id if id < 0 => {
            return Err(Refusal::Sql("Out of range value for column 'id' at row 1".to_owned()));
        }
        id => id.unsigned_abs(),
    };
    let (name, content) = texts(input)?;
    let urgency = coerce::level(field("urgency"))?;
    let impact = coerce::level(field("impact"))?;
    let computed = coerce::priority(urgency.computed_with, impact.computed_with);
    let priority = if profile.may_set_priority() {
        coerce::integer(field("priority"), "priority", computed)?
    } else {
        computed
    };
    let mut ticket = Ticket {
        id: 0,
        order: 0,
        name,
        content,
        status: coerce::integer(field("status"), "status", 1)?,
        urgency: urgency.stored,
        impact: impact.stored,
        priority,
        kind: coerce::integer(field("type"), "type", 1)?,
        category: coerce::reference(field("itilcategories_id"), 0)?,
        location: coerce::integer(field("locations_id"), "locations_id", 0)?,
        entity,
        request_type: coerce::integer(field("requesttypes_id"), "requesttypes_id", 1)?,
        recipient: author,
        requesters: Vec::new(),
        assigned: Vec::new(),
        observers: Vec::new(),
        groups: Vec::new(),
        date: coerce::date(field("date"))?.unwrap_or_else(|| now.to_owned()),
        date_creation: now.to_owned(),
        date_mod: now.to_owned(),
        deleted: false,
    };
    for role in Role::ALL {
        add_actors(&mut ticket, input, role);
    }
    let given = if wanted_id > 0 { input.clone() } else { Map::new() };
    Ok(Draft { wanted_id, ticket, given })
}

/// Title and content as stored. A blank title is made from the content.
fn texts(input: &Map<String, Value>) -> Result<(String, String), Refusal> {
    let name = coerce::text(input.get("name"))?;
    let content = coerce::text(input.get("content"))?;
    let name = match text::trim_start(&name) {
        "" | "0" => {
            let words = text::words_of_html(&text::decode(&text::encode(&content)));
            text::first_characters(&words, 70)
        }
        name => name.to_owned(),
    };
    let stored_name = text::first_characters(&text::encode(&name), 255);
    Ok((stored_name, text::encode(text::trim_start(&content))))
}

fn add_actors(ticket: &mut Ticket, input: &Map<String, Value>, role: Role) {
    let key = role.key();
    let users = coerce::ids(input.get(&format!("_users_id_{key}")));
    let settings = input.get(&format!("_users_id_{key}_notif"));
    let groups = coerce::ids(input.get(&format!("_groups_id_{key}")));
    // Any assignee moves the ticket on, even a group that does not exist.
    let mut assigned = users.iter().chain(&groups).any(|id| *id > 0);
    for (index, user) in users.into_iter().enumerate() {
        let notify = nth(settings, "use_notification", index)
            .and_then(|value| coerce::number(value))
            .is_none_or(|notify| notify != 0);
        let email = nth(settings, "alternative_email", index).and_then(Value::as_str);
        add_user(ticket, role, user, notify, email.unwrap_or_default());
    }
    for group in groups {
        add_group(ticket, role, group);
    }
    let listed = input.get("_actors").and_then(|actors| actors.get(key)).and_then(Value::as_array);
    for actor in listed.into_iter().flatten() {
        let id = coerce::ids(actor.get("items_id")).first().copied().unwrap_or(0);
        assigned |= id > 0;
        let notify =
            actor.get("use_notification").and_then(coerce::number).is_none_or(|notify| notify != 0);
        let email = actor.get("alternative_email").and_then(Value::as_str).unwrap_or_default();
        match actor.get("itemtype").and_then(Value::as_str) {
            Some("Group") => add_group(ticket, role, id),
            _ => add_user(ticket, role, id, notify, email),
        }
    }
    if role == Role::Assigned && assigned && ticket.status == 1 {
        ticket.status = 2;
    }
}

/// The settings of actors are scalars with a scalar id, lists with a list.
fn nth<'a>(settings: Option<&'a Value>, name: &str, index: usize) -> Option<&'a Value> {
    match settings?.get(name)? {
        Value::Array(list) => list.get(index),
        Value::Object(list) => list.get(&index.to_string()),
        value if index == 0 => Some(value),
        _ => None,
    }
}

/// Unknown users and bad e-mail addresses are dropped without a word.
fn add_user(ticket: &mut Ticket, role: Role, user: u64, notify: bool, email: &str) {
    let known = match user {
        0 => is_email(email),
        id => seed::user_by_id(id).is_some(),
    };
    let twice = user > 0 && ticket.actors(role).iter().any(|actor| actor.user == user);
    if known && !twice {
        ticket.actors_mut(role).push(Actor { row: 0, user, notify, email: email.to_owned() });
    }
}

fn add_group(ticket: &mut Ticket, role: Role, group: u64) {
    if seed::GROUPS.iter().any(|known| known.id == group) {
        ticket.groups.push(GroupActor { row: 0, group, role });
    }
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace)
    })
}
