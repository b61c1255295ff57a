//! Requests of the contract → the domain's types, or every wrong field at once.

use jiff::{SignedDuration, Timestamp};
use ticketing_core::ticket::{
    CallContext, Caller, Detail, Level, NewFollowup, NewTicket, Priority, Reference, Source,
    TicketKind,
};
use ticketing_proto::v1;
use tonic_types::FieldViolation;

/// The limits of the contract, in characters.
mod longest {
    pub(super) const DESCRIPTION: usize = 60_000;
    pub(super) const SUBJECT: usize = 1_000;
    pub(super) const SHORT: usize = 255;
    pub(super) const NUMBER: usize = 64;
    pub(super) const LANGUAGE: usize = 35;
    pub(super) const LABEL: usize = 100;
    pub(super) const VALUE: usize = 4_000;
    pub(super) const DETAILS: usize = 50;
}

/// What makes a repeat recognisable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) key: Option<String>,
    pub(crate) window: Option<SignedDuration>,
}

/// A request to open a ticket, parsed. `language` is what tickets are labelled in.
pub(crate) fn ticket(
    request: v1::CreateTicketRequest,
    language: &str,
) -> Result<(NewTicket, Repeat), Vec<FieldViolation>> {
    let mut check = Check::default();
    let caller = request.caller.unwrap_or_default();
    let call = request.call.unwrap_or_default();
    let ticket = NewTicket {
        caller: Caller {
            name: check.line("caller.name", &caller.name, longest::SHORT),
            department: check.line("caller.department", &caller.department, longest::SHORT),
            email: check.line("caller.email", &caller.email, longest::SHORT),
            phone: check.line("caller.phone", &caller.phone, longest::NUMBER),
            login: check.line("caller.login", &caller.login, longest::SHORT),
        },
        subject: check.line("subject", &request.subject, longest::SUBJECT),
        description: check.required("description", &request.description, longest::DESCRIPTION),
        urgency: check.choice("urgency", request.urgency, urgency),
        impact: check.choice("impact", request.impact, impact),
        priority: check.choice("priority", request.priority, priority),
        kind: check.choice("type", request.r#type, kind),
        category: check.id("category_id", request.category_id),
        location: check.id("location_id", request.location_id),
        entity: request.entity_id,
        source: check.choice("source", request.source, source),
        call: CallContext {
            call_id: check.line("call.call_id", &call.call_id, longest::SHORT),
            agent_id: check.line("call.agent_id", &call.agent_id, longest::SHORT),
            from_number: check.line("call.from_number", &call.from_number, longest::NUMBER),
            to_number: check.line("call.to_number", &call.to_number, longest::NUMBER),
            started: check.moment("call.start_time", call.start_time),
        },
        details: check.details(&request.details),
        language: language.to_owned(),
    };
    check.text("language", &request.language, longest::LANGUAGE);
    let repeat = Repeat {
        key: check.key(&request.idempotency_key),
        window: check.window(request.idempotency_window),
    };
    check.finish((ticket, repeat))
}

/// A request to add a follow-up, parsed.
pub(crate) fn followup(
    request: &v1::AddFollowupRequest,
) -> Result<(Reference, NewFollowup, Repeat), Vec<FieldViolation>> {
    let mut check = Check::default();
    let reference = check.reference("reference", &request.reference);
    let followup = NewFollowup {
        text: check.required("text", &request.text, longest::DESCRIPTION),
        details: check.details(&request.details),
    };
    check.text("language", &request.language, longest::LANGUAGE);
    let repeat = Repeat { key: check.key(&request.idempotency_key), window: None };
    match reference {
        Some(reference) => check.finish((reference, followup, repeat)),
        None => Err(check.violations),
    }
}

/// A reference, parsed.
pub(crate) fn reference(text: &str) -> Result<Reference, Vec<FieldViolation>> {
    Reference::parse(text)
        .map_err(|error| vec![FieldViolation::new("reference", error.to_string())])
}

/// What a `GetTicketRequest` names.
#[derive(Debug)]
pub(crate) enum Named {
    Reference(Reference),
    Ticket(u32),
}

/// A request to read a ticket, parsed.
pub(crate) fn named(request: &v1::GetTicketRequest) -> Result<Named, Vec<FieldViolation>> {
    let mut check = Check::default();
    let named = match &request.by {
        Some(v1::get_ticket_request::By::Reference(text)) => {
            check.reference("reference", text).map(Named::Reference)
        }
        Some(v1::get_ticket_request::By::TicketId(0)) => {
            check.wrong("ticket_id", "GLPI numbers tickets from 1");
            None
        }
        Some(v1::get_ticket_request::By::TicketId(id)) => Some(Named::Ticket(*id)),
        None => {
            check.wrong("by", "give a reference or a ticket_id");
            None
        }
    };
    named.ok_or(check.violations)
}

/// Collects what is wrong, so that all of it can be told at once.
#[derive(Default)]
struct Check {
    violations: Vec<FieldViolation>,
}

impl Check {
    fn wrong(&mut self, field: &str, description: impl Into<String>) {
        self.violations.push(FieldViolation::new(field, description));
    }

    /// Cleaned text; `None` if nothing is left of it.
    fn text(&mut self, field: &str, text: &str, longest: usize) -> Option<String> {
        let text = clean(text);
        let length = text.chars().count();
        if length > longest {
            self.wrong(field, format!("is {length} characters long; at most {longest} are taken"));
        }
        (!text.is_empty()).then_some(text)
    }

    /// As [`Self::text`], on one line: a name with a line break would look like a field of ours.
    fn line(&mut self, field: &str, text: &str, longest: usize) -> Option<String> {
        let text = self.text(field, text, longest)?;
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn required(&mut self, field: &str, text: &str, longest: usize) -> String {
        self.text(field, text, longest).unwrap_or_else(|| {
            self.wrong(field, "is required and must not be blank");
            String::new()
        })
    }

    fn required_line(&mut self, field: &str, text: &str, longest: usize) -> String {
        let text = self.required(field, text, longest);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn choice<T>(
        &mut self,
        field: &str,
        number: i32,
        parse: impl Fn(i32) -> Result<Option<T>, &'static str>,
    ) -> Option<T> {
        parse(number).unwrap_or_else(|choices| {
            self.wrong(field, format!("{number} is not a value of it; it takes {choices}"));
            None
        })
    }

    fn id(&mut self, field: &str, id: Option<u32>) -> Option<u32> {
        if id == Some(0) {
            self.wrong(field, "0 is no id of GLPI's; leave it out instead");
        }
        id
    }

    fn reference(&mut self, field: &str, text: &str) -> Option<Reference> {
        match Reference::parse(text) {
            Ok(reference) => Some(reference),
            Err(error) => {
                self.wrong(field, error.to_string());
                None
            }
        }
    }

    fn moment(&mut self, field: &str, moment: Option<prost_types::Timestamp>) -> Option<Timestamp> {
        let moment = moment?;
        let parsed = Timestamp::new(moment.seconds, moment.nanos).ok();
        if parsed.is_none() {
            self.wrong(field, "is not a time between the years 1 and 9999");
        }
        parsed
    }

    fn key(&mut self, key: &str) -> Option<String> {
        if key.len() > longest::SHORT || !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.wrong("idempotency_key", "takes at most 255 printable ASCII characters");
        }
        (!key.is_empty()).then(|| key.to_owned())
    }

    fn window(&mut self, window: Option<prost_types::Duration>) -> Option<SignedDuration> {
        let window = window?;
        if window.seconds < 1 || !(0..1_000_000_000).contains(&window.nanos) {
            self.wrong("idempotency_window", "must be at least 1 s");
        }
        Some(SignedDuration::from_secs(window.seconds))
    }

    fn details(&mut self, details: &[v1::Detail]) -> Vec<Detail> {
        if details.len() > longest::DETAILS {
            self.wrong("details", format!("at most {} are taken", longest::DETAILS));
            return Vec::new();
        }
        let mut parsed = Vec::with_capacity(details.len());
        for (index, detail) in details.iter().enumerate() {
            let field = |name: &str| format!("details[{index}].{name}");
            parsed.push(Detail {
                label: self.required_line(&field("label"), &detail.label, longest::LABEL),
                value: self.required(&field("value"), &detail.value, longest::VALUE),
            });
        }
        parsed
    }

    fn finish<T>(self, parsed: T) -> Result<T, Vec<FieldViolation>> {
        if self.violations.is_empty() { Ok(parsed) } else { Err(self.violations) }
    }
}

/// Removes control characters but for line breaks and tabs: they have no meaning in a ticket, and
/// NUL is refused by PostgreSQL.
///
/// Characters that turn the direction of text around go too, since they make a technician read
/// something else than was said; the marks that Arabic and Hebrew need stay.
fn clean(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let turns_around = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept: String = unix
        .chars()
        .filter(|c| !c.is_control() && !turns_around(*c) || matches!(c, '\n' | '\t'))
        .collect();
    kept.trim().to_owned()
}

type Choice<T> = Result<Option<T>, &'static str>;

fn level(number: i32, choices: &'static str) -> Choice<Level> {
    Ok(Some(match number {
        0 => return Ok(None),
        1 => Level::VeryLow,
        2 => Level::Low,
        3 => Level::Medium,
        4 => Level::High,
        5 => Level::VeryHigh,
        _ => return Err(choices),
    }))
}

fn urgency(number: i32) -> Choice<Level> {
    level(number, "URGENCY_VERY_LOW (1) to URGENCY_VERY_HIGH (5)")
}

fn impact(number: i32) -> Choice<Level> {
    level(number, "IMPACT_VERY_LOW (1) to IMPACT_VERY_HIGH (5)")
}

fn priority(number: i32) -> Choice<Priority> {
    Ok(Some(match number {
        0 => return Ok(None),
        1 => Priority::VeryLow,
        2 => Priority::Low,
        3 => Priority::Medium,
        4 => Priority::High,
        5 => Priority::VeryHigh,
        6 => Priority::Major,
        _ => return Err("PRIORITY_VERY_LOW (1) to PRIORITY_MAJOR (6)"),
    }))
}

fn kind(number: i32) -> Choice<TicketKind> {
    Ok(Some(match number {
        0 => return Ok(None),
        1 => TicketKind::Incident,
        2 => TicketKind::Request,
        _ => return Err("TICKET_TYPE_INCIDENT (1) or TICKET_TYPE_REQUEST (2)"),
    }))
}

fn source(number: i32) -> Choice<Source> {
    Ok(Some(match number {
        0 => return Ok(None),
        1 => Source::Helpdesk,
        2 => Source::Email,
        3 => Source::Phone,
        4 => Source::Direct,
        5 => Source::Written,
        6 => Source::Other,
        _ => return Err("SOURCE_HELPDESK (1) to SOURCE_OTHER (6)"),
    }))
}

/// The source of that name in a client's configuration, such as `phone`.
pub(crate) fn source_named(name: &str) -> Option<Source> {
    let named = v1::Source::from_str_name(&format!("SOURCE_{}", name.to_uppercase()))?;
    source(named.into()).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(violations: &[FieldViolation]) -> Vec<&str> {
        violations.iter().map(|violation| violation.field.as_str()).collect()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let request = v1::CreateTicketRequest {
            description: " \n".into(),
            urgency: 9,
            category_id: Some(0),
            caller: Some(v1::Caller { name: "x".repeat(256), ..v1::Caller::default() }),
            idempotency_key: "é".into(),
            details: vec![v1::Detail { label: "a".into(), value: String::new() }],
            ..v1::CreateTicketRequest::default()
        };
        let violations = ticket(request, "fr").unwrap_err();
        assert_eq!(
            fields(&violations),
            [
                "caller.name",
                "description",
                "urgency",
                "category_id",
                "details[0].value",
                "idempotency_key"
            ]
        );
    }

    #[test]
    fn what_is_unset_stays_unset() {
        let request = v1::CreateTicketRequest { description: "panne".into(), ..Default::default() };
        let (ticket, repeat) = ticket(request, "fr").unwrap();
        assert_eq!(ticket.caller, Caller::default());
        assert_eq!((ticket.urgency, ticket.impact, ticket.priority), (None, None, None));
        assert_eq!((ticket.category, ticket.location, ticket.entity), (None, None, None));
        assert_eq!(repeat, Repeat::default());
    }

    #[test]
    fn control_characters_go_and_line_breaks_stay() {
        assert_eq!(clean(" a\u{0}b\r\nc\rd\te\u{1b}[0m \n"), "ab\nc\nd\te[0m");
        assert_eq!(clean("\u{202e}abc\u{2066}\u{200f}"), "abc\u{200f}");
    }

    #[test]
    fn a_name_with_a_line_break_forges_no_field() {
        let caller = v1::Caller { name: "Eve\nCatégorie : faux".into(), ..v1::Caller::default() };
        let request = v1::CreateTicketRequest {
            description: "a\nb".into(),
            caller: Some(caller),
            ..Default::default()
        };
        let (ticket, _) = ticket(request, "fr").unwrap();
        assert_eq!(ticket.caller.name.unwrap(), "Eve Catégorie : faux");
        assert_eq!(ticket.description, "a\nb");
    }

    #[test]
    fn a_ticket_is_named_by_reference_or_number() {
        use v1::get_ticket_request::By;
        let by = |by| v1::GetTicketRequest { by, ..Default::default() };
        assert!(matches!(named(&by(Some(By::TicketId(7)))), Ok(Named::Ticket(7))));
        let spoken = By::Reference("482 917 305".into());
        assert!(matches!(named(&by(Some(spoken))), Ok(Named::Reference(_))));
        for wrong in [None, Some(By::TicketId(0)), Some(By::Reference("12".into()))] {
            assert!(named(&by(wrong)).is_err());
        }
    }
}
