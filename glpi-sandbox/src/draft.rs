//! How GLPI makes a ticket from what a client sends.

use serde_json::{Map, Value};

use crate::coerce::{self, Refusal};
use crate::message::Message;
use crate::seed::{self, Profile};
use crate::text;
use crate::ticket::{Actor, GroupActor, Role, Ticket};

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
pub(crate) fn read(
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
        return Err(Refusal::Said(Message::MandatoryFields));
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
            .and_then(coerce::number)
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
