//! Adding, changing and deleting, one item or several at once.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::call::{Ask, Twist};
use crate::answer::Answer;
use crate::coerce::{self, Refusal};
use crate::message::Message;
use crate::seed;
use crate::sessions::Visitor;
use crate::text;
use crate::ticket::Ticket;

/// What a client is told of one item added.
#[derive(Debug, Serialize)]
pub(super) struct Added {
    pub(super) id: u64,
    pub(super) message: String,
}

/// Adds what stands in `input`: an object, or a list of them one by one.
///
/// Nothing is undone: an exception in the middle of a list leaves what came
/// before it, and hides it behind an empty answer.
pub(super) fn add(
    ask: &Ask<'_>,
    itemtype: &str,
    add: impl Fn(&Map<String, Value>) -> Result<Added, Refusal>,
) -> Answer {
    let add = |input: &Map<String, Value>| {
        if !ask.may_create() {
            return Err(Refusal::Said(Message::NoRight));
        }
        let added = add(input)?;
        if ask.twist == Twist::Duplicate {
            add(input)?;
        }
        Ok(added)
    };
    let url = |id: u64| format!("{}/{itemtype}/{id}", ask.premises.api_url);
    match ask.input() {
        Err(answer) => answer,
        Ok(Input::One(input)) => match add(&input) {
            Ok(added) => Answer::json(201, &added).with("location", url(added.id)),
            Err(Refusal::Uncaught) => Answer::empty(),
            Err(refusal) => Answer::json(400, &("ERROR_GLPI_ADD", ask.text_of(&refusal))),
        },
        Ok(Input::Several(inputs)) => {
            let mut ids = Vec::new();
            let mut results = Vec::new();
            for input in &inputs {
                let Value::Object(input) = input else { return Answer::empty() };
                match add(input) {
                    Ok(added) => {
                        ids.push(added.id);
                        results.push(json!(added));
                    }
                    Err(Refusal::Uncaught) => return Answer::empty(),
                    Err(refusal) => {
                        results.push(json!({ "id": false, "message": ask.text_of(&refusal) }));
                    }
                }
            }
            if ids.is_empty() {
                return Answer::json(400, &("ERROR_GLPI_ADD", results));
            }
            if ids.len() < inputs.len() {
                return Answer::json(207, &("ERROR_GLPI_PARTIAL_ADD", results));
            }
            let links: Vec<_> = ids.into_iter().map(url).collect();
            Answer::json(201, &results).with("link", links.join(","))
        }
    }
}

/// `PUT /Ticket/:id`, or several that name their ids themselves.
pub(super) fn update(ask: &Ask<'_>, visitor: &Visitor, id: Option<&&str>) -> Answer {
    change(ask, "ERROR_GLPI_UPDATE", "ERROR_GLPI_PARTIAL_UPDATE", id, |id, input| {
        let world = &ask.premises.world;
        let Some(ticket) = world.ticket(id) else { return Err(None) };
        if !visitor.sees(&ticket) {
            return Err(Some(Message::NoRight));
        }
        world.change_ticket(id, |ticket| lay_over(ticket, input));
        Ok(())
    })
}

/// `DELETE /Ticket/:id`: to the trash, or for good with `force_purge`.
pub(super) fn delete(ask: &Ask<'_>, visitor: &Visitor, id: Option<&&str>) -> Answer {
    let for_good = ask.call.flag("force_purge", false);
    change(ask, "ERROR_GLPI_DELETE", "ERROR_GLPI_PARTIAL_DELETE", id, |id, _| {
        let world = &ask.premises.world;
        let Some(ticket) = world.ticket(id) else { return Err(Some(Message::ItemNotFound)) };
        if !visitor.sees(&ticket) || visitor.user.profile.sees_only_its_own() {
            return Err(Some(Message::NoRight));
        }
        if for_good {
            world.purge_ticket(id);
        } else {
            world.change_ticket(id, |ticket| ticket.deleted = true);
        }
        Ok(())
    })
}

/// Changes items one by one. The result leaves out the ids that do not exist.
fn change(
    ask: &Ask<'_>,
    failed: &str,
    partial: &str,
    id: Option<&&str>,
    change: impl Fn(u64, &Map<String, Value>) -> Result<(), Option<Message>>,
) -> Answer {
    let from_path = id.and_then(|id| id.parse::<u64>().ok());
    let inputs = match (ask.input(), from_path) {
        (Ok(Input::One(input)), _) => vec![Value::Object(input)],
        (Ok(Input::Several(inputs)), _) => inputs,
        (Err(_), Some(_)) => vec![json!({})],
        (Err(answer), None) => return answer,
    };
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for input in &inputs {
        let Value::Object(input) = input else { return Answer::empty() };
        let own = coerce::ids(input.get("id")).first().copied();
        let id = from_path.or(own).unwrap_or(0);
        match change(id, input) {
            Ok(()) => results.push(json!({ id.to_string(): true, "message": "" })),
            Err(message) => failures.push(message),
        }
    }
    match failures.first() {
        None => Answer::json(200, &results),
        Some(message) if results.is_empty() => {
            Answer::json(400, &(failed, message.map(|message| ask.language.say(message))))
        }
        Some(_) => Answer::json(207, &(partial, results)),
    }
}

fn lay_over(ticket: &mut Ticket, input: &Map<String, Value>) {
    let number = |name: &str| input.get(name).and_then(coerce::number);
    if let Ok(name) = coerce::text(input.get("name"))
        && input.contains_key("name")
    {
        ticket.name = text::first_characters(&text::encode(&name), 255);
    }
    if let Ok(content) = coerce::text(input.get("content"))
        && input.contains_key("content")
    {
        ticket.content = text::encode(&content);
    }
    for (name, column) in [
        ("urgency", &mut ticket.urgency),
        ("impact", &mut ticket.impact),
        ("status", &mut ticket.status),
        ("type", &mut ticket.kind),
        ("itilcategories_id", &mut ticket.category),
        ("locations_id", &mut ticket.location),
        ("requesttypes_id", &mut ticket.request_type),
    ] {
        if let Some(value) = number(name) {
            *column = value;
        }
    }
    if number("urgency").is_some() || number("impact").is_some() {
        ticket.priority = coerce::priority(ticket.urgency, ticket.impact);
    }
    if let Some(priority) = number("priority") {
        ticket.priority = priority;
    }
}

/// Writing what the sandbox only reads.
pub(super) fn elsewhere(ask: &Ask<'_>, itemtype: &str) -> Answer {
    if itemtype != "User" && seed::items(itemtype).is_none() {
        return ask.unknown_resource();
    }
    ask.undocumented(400, "ERROR_GLPI_ADD", Message::NoRight)
}

/// What stood in `input`.
pub(super) enum Input {
    One(Map<String, Value>),
    Several(Vec<Value>),
}

impl Ask<'_> {
    pub(super) fn input(&self) -> Result<Input, Answer> {
        let is_form = self.call.is_form();
        match self.call.parameters.get("input") {
            Some(_) if self.call.input_from_query => Err(Answer::empty()),
            Some(Value::Array(list)) => Ok(Input::Several(list.clone())),
            Some(Value::Object(fields)) if is_form && fields.values().all(Value::is_object) => {
                Ok(Input::Several(fields.values().cloned().collect()))
            }
            Some(Value::Object(fields)) => Ok(Input::One(fields.clone())),
            _ => Err(self.error(400, "ERROR_BAD_ARRAY", Message::BadArray)),
        }
    }

    fn text_of(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::Sql(text) => text.clone(),
            Refusal::Said(message) => self.language.say(*message).to_owned(),
            Refusal::Silent | Refusal::Uncaught => String::new(),
        }
    }
}
