//! GLPI's JSON, private to this module tree.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::ticket::NewTicket;

/// GLPI's present values of a ticket, as numbers in its own scales.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TicketView {
    /// 1 to 5.
    pub urgency: u32,
    /// 1 to 5.
    pub impact: u32,
    /// 1 to 6.
    pub priority: u32,
    /// 1 incident, 2 request.
    #[serde(rename = "type")]
    pub kind: u32,
    /// 1 new, 2 assigned, 3 planned, 4 waiting, 5 solved, 6 closed.
    pub status: u32,
}

/// The body of `POST /Ticket`. What is unset is left out: GLPI takes `""` for an error and `0` for
/// a value. Never an `id`: GLPI would use it.
pub(super) fn ticket_input(
    ticket: &NewTicket,
    title: &str,
    content: &str,
    default_entity: Option<u32>,
) -> Value {
    let numbers = [
        ("urgency", ticket.urgency.map(|level| level as u32)),
        ("impact", ticket.impact.map(|level| level as u32)),
        ("priority", ticket.priority.map(|priority| priority as u32)),
        ("type", ticket.kind.map(|kind| kind as u32)),
        ("itilcategories_id", ticket.category),
        ("locations_id", ticket.location),
        ("entities_id", ticket.entity.or(default_entity)),
        ("requesttypes_id", ticket.source.map(|source| source as u32)),
    ];
    let mut input = Map::new();
    input.insert("name".into(), title.into());
    input.insert("content".into(), content.into());
    for (field, number) in numbers {
        if let Some(number) = number {
            input.insert(field.into(), number.into());
        }
    }
    json!({ "input": input })
}

/// The body of `POST /ITILFollowup`.
pub(super) fn followup_input(ticket: u32, content: &str) -> Value {
    json!({ "input": { "itemtype": "Ticket", "items_id": ticket, "content": content } })
}

/// The token in an answer to `initSession`. GLPI gives an empty one when it cannot store sessions.
pub(super) fn session_token(answer: &Answer) -> Option<SecretString> {
    let Answer::Json { status: 200, body } = answer else { return None };
    let token = body.get("session_token")?.as_str()?;
    (!token.is_empty()).then(|| SecretString::from(token))
}
