//! The body of `POST /v1/tickets`: strict, and every mistake told at once.

use prost_types::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use ticketing_proto::v1::{self, CreateTicketRequest};
use utoipa::ToSchema;

use crate::problem::FieldError;

/// A ticket to open. Lengths are in characters.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what `parse` reads")]
#[schema(as = NewTicket)]
pub(crate) struct NewTicket {
    /// Who asks.
    caller: Option<NewCaller>,
    /// Default: the first words of the description.
    #[schema(max_length = 1000, example = "Imprimante bloquée")]
    subject: Option<String>,
    /// What is wrong, in the caller's words; line breaks are kept.
    #[schema(min_length = 1, max_length = 60000, example = "Imprimante bloquée\nrien ne sort")]
    description: String,
    /// Default: GLPI's own.
    urgency: Option<Level>,
    /// Default: GLPI's own.
    impact: Option<Level>,
    /// Default: computed by GLPI from urgency and impact.
    priority: Option<Priority>,
    /// Default: GLPI's own.
    r#type: Option<TicketType>,
    /// GLPI's id of the category.
    #[schema(minimum = 1)]
    category_id: Option<u32>,
    /// GLPI's id of the location.
    #[schema(minimum = 1)]
    location_id: Option<u32>,
    /// GLPI's id of the entity; 0 is the root entity. Default: as configured.
    entity_id: Option<u32>,
    /// The channel it came through. Default: GLPI's own.
    source: Option<Source>,
    /// The phone call behind it.
    call: Option<NewCall>,
    /// Language of the answer's `message` (BCP 47). Default: `Accept-Language`.
    #[schema(max_length = 35, example = "fr")]
    language: Option<String>,
    /// Anything else worth keeping.
    #[schema(max_items = 50)]
    details: Option<Vec<NewDetail>>,
}

/// Who asks; all of it optional.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what `parse` reads")]
pub(crate) struct NewCaller {
    #[schema(max_length = 255, example = "Marie Dupont")]
    name: Option<String>,
    #[schema(max_length = 255, example = "Comptabilité")]
    department: Option<String>,
    #[schema(max_length = 255)]
    email: Option<String>,
    #[schema(max_length = 64)]
    phone: Option<String>,
    /// Login name in GLPI.
    #[schema(max_length = 255)]
    login: Option<String>,
}

/// The phone call behind a ticket; all of it optional.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what `parse` reads")]
pub(crate) struct NewCall {
    #[schema(max_length = 255)]
    call_id: Option<String>,
    #[schema(max_length = 255)]
    agent_id: Option<String>,
    #[schema(max_length = 64)]
    from_number: Option<String>,
    #[schema(max_length = 64)]
    to_number: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    start_time: Option<jiff::Timestamp>,
}

/// One labelled line of the ticket.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what `parse` reads")]
pub(crate) struct NewDetail {
    #[schema(min_length = 1, max_length = 100, example = "Étage")]
    label: String,
    #[schema(min_length = 1, max_length = 4000, example = "2")]
    value: String,
}

/// A place on GLPI's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    VeryLow = 1,
    Low,
    Medium,
    High,
    VeryHigh,
}

/// A place in the order of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    VeryLow = 1,
    Low,
    Medium,
    High,
    VeryHigh,
    Major,
}

/// What kind of ticket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TicketType {
    Incident = 1,
    Request,
}

/// The channel a ticket came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    Helpdesk = 1,
    Email,
    Phone,
    Direct,
    Written,
    Other,
}

/// Reads a body: the request with whatever could be read, and everything wrong with it. Lengths are
/// the server's to judge. The error is a body that is no JSON object at all.
pub(crate) fn parse(body: &[u8]) -> Result<(CreateTicketRequest, Vec<FieldError>), String> {
    let fields: Map<String, Value> = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err("the body should be a JSON object".to_owned()),
        Err(error) => return Err(format!("the body is not valid JSON: {error}")),
    };
    let mut errors = Vec::new();
    let mut ticket = Fields { path: String::new(), left: fields, errors: &mut errors };
    let request = CreateTicketRequest {
        caller: ticket.object("caller", caller),
        subject: ticket.text("subject"),
        description: ticket.required_text("description"),
        urgency: ticket.take("urgency").map_or(0, |level: Level| level as i32),
        impact: ticket.take("impact").map_or(0, |level: Level| level as i32),
        priority: ticket.take("priority").map_or(0, |priority: Priority| priority as i32),
        r#type: ticket.take("type").map_or(0, |kind: TicketType| kind as i32),
        category_id: ticket.take("category_id"),
        location_id: ticket.take("location_id"),
        entity_id: ticket.take("entity_id"),
        source: ticket.take("source").map_or(0, |source: Source| source as i32),
        call: ticket.object("call", call),
        language: ticket.text("language"),
        details: ticket.details(),
        // A header's business.
        idempotency_key: String::new(),
        idempotency_window: None,
    };
    ticket.finish();
    Ok((request, errors))
}

fn caller(fields: &mut Fields<'_>) -> v1::Caller {
    v1::Caller {
        name: fields.text("name"),
        department: fields.text("department"),
        email: fields.text("email"),
        phone: fields.text("phone"),
        login: fields.text("login"),
    }
}

fn call(fields: &mut Fields<'_>) -> v1::CallContext {
    let moment =
        |at: jiff::Timestamp| Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() };
    v1::CallContext {
        call_id: fields.text("call_id"),
        agent_id: fields.text("agent_id"),
        from_number: fields.text("from_number"),
        to_number: fields.text("to_number"),
        start_time: fields.take("start_time").map(moment),
    }
}

/// A JSON object from which fields are taken until none is left, noting what is wrong.
struct Fields<'a> {
    path: String,
    left: Map<String, Value>,
    errors: &'a mut Vec<FieldError>,
}

impl Fields<'_> {
    /// The field, if it is there and not null.
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.left.remove(name).filter(|value| !value.is_null())?;
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(name, error.to_string());
                None
            }
        }
    }

    fn text(&mut self, name: &str) -> String {
        self.take(name).unwrap_or_default()
    }

    fn required_text(&mut self, name: &str) -> String {
        let is_there = self.left.get(name).is_some_and(|value| !value.is_null());
        if !is_there {
            self.wrong(name, "is required");
        }
        self.text(name)
    }

    fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields<'_>) -> T) -> Option<T> {
        let left = self.take(name)?;
        let path = format!("{}{name}.", self.path);
        let mut inner = Fields { path, left, errors: self.errors };
        let read = read(&mut inner);
        inner.finish();
        Some(read)
    }

    fn details(&mut self) -> Vec<v1::Detail> {
        let items: Vec<Value> = self.take("details").unwrap_or_default();
        let mut details = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let name = format!("details[{index}]");
            self.left.insert(name.clone(), item);
            details.extend(self.object(&name, |detail| v1::Detail {
                label: detail.required_text("label"),
                value: detail.required_text("value"),
            }));
        }
        details
    }

    fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        let field = format!("{}{name}", self.path);
        self.errors.push(FieldError { field, detail: detail.into() });
    }

    /// What is left is unknown.
    fn finish(self) {
        for (name, _) in self.left {
            let field = format!("{}{name}", self.path);
            self.errors.push(FieldError { field, detail: "is no field of a ticket".to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_ticket_is_read() {
        let body = r#"{"caller":{"name":"Marie","login":"m"},"subject":"s","description":"d",
            "urgency":"very_high","impact":"low","priority":"major","type":"request",
            "category_id":3,"entity_id":0,"source":"other","language":"en",
            "call":{"call_id":"c","start_time":"2026-11-24T10:00:00Z"},
            "details":[{"label":"l","value":"v"}],"location_id":null}"#;
        let (ticket, errors) = parse(body.as_bytes()).unwrap();
        assert_eq!(errors, []);
        assert_eq!((ticket.urgency, ticket.impact, ticket.priority), (5, 2, 6));
        assert_eq!((ticket.r#type, ticket.source), (2, 6));
        assert_eq!((ticket.category_id, ticket.location_id), (Some(3), None));
        assert_eq!(ticket.call.unwrap().start_time.unwrap().seconds, 1_795_514_400);
        assert_eq!(ticket.details[0].value, "v");
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let body = r#"{"urgency":4,"type":"panne","category_id":-1,"caller":{"nom":"x","name":1},
            "details":[{"label":"l"},7],"colour":"red"}"#;
        let (_, errors) = parse(body.as_bytes()).unwrap();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let expected = [
            "caller.name",
            "caller.nom",
            "description",
            "urgency",
            "type",
            "category_id",
            "details[0].value",
            "details[1]",
            "colour",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_is_no_object_is_no_ticket() {
        for body in ["", "[]", "\"x\"", "{", "\u{0}"] {
            assert!(parse(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
