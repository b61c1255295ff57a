//! Payload → request of the contract. Pure.

use prost_types::Timestamp;
use spoken::Language;
use ticketing_proto::v1::{self, CallContext, Caller, CreateTicketRequest, Detail};

use super::{
    names::{FieldNames, Known},
    payload::Node,
    scale::{self, Heard},
    sheet::{Line, Sheet},
};

/// The limits of the contract, in characters.
mod longest {
    pub(super) const DESCRIPTION: usize = 60_000;
    pub(super) const SUBJECT: usize = 1_000;
    pub(super) const SHORT: usize = 255;
    pub(super) const NUMBER: usize = 64;
    pub(super) const LABEL: usize = 100;
    pub(super) const VALUE: usize = 4_000;
    pub(super) const DETAILS: usize = 50;
}

/// What a payload asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    /// The ticket, without an idempotency key.
    pub(crate) ticket: CreateTicketRequest,
    /// Whether it is a problem apart from the one reported earlier in the call.
    pub(crate) another_problem: bool,
}

/// Why a payload makes no ticket. Either way nothing is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing says what is wrong.
    NoProblem,
    /// More text than the contract takes, and none may be lost.
    TooLong,
}

/// Translates a payload. The language is known also when it is refused.
pub(crate) fn translate(
    fields: Vec<(String, Node)>,
    names: &FieldNames,
    default: &Language,
) -> (Language, Result<Wish, Refusal>) {
    let mut sheet = Sheet::sort(fields, names);
    let language = language(&mut sheet, default);
    let wish = wish(sheet, &language);
    (language, wish)
}

fn wish(mut sheet: Sheet, language: &Language) -> Result<Wish, Refusal> {
    let description = sheet.take(Known::Description);
    let subject = text(&mut sheet, Known::Subject, longest::SUBJECT);
    let description = description
        .filter(|line| says_something(&line.value))
        .or_else(|| (!subject.is_empty()).then(|| line("subject", &subject)))
        .ok_or(Refusal::NoProblem)?;
    let description = shorten(&mut sheet, description);

    let caller = Caller {
        name: name(&mut sheet),
        department: text(&mut sheet, Known::Department, longest::SHORT),
        email: text(&mut sheet, Known::Email, longest::SHORT),
        phone: text(&mut sheet, Known::Phone, longest::NUMBER),
        login: text(&mut sheet, Known::Login, longest::SHORT),
    };
    let call = CallContext {
        call_id: call_id(&mut sheet),
        agent_id: text(&mut sheet, Known::AgentId, longest::SHORT),
        from_number: text(&mut sheet, Known::FromNumber, longest::NUMBER),
        to_number: text(&mut sheet, Known::ToNumber, longest::NUMBER),
        start_time: parsed(&mut sheet, Known::StartTime, moment),
    };
    let another_problem = parsed(&mut sheet, Known::AnotherProblem, yes_or_no).unwrap_or(false);
    let ticket = CreateTicketRequest {
        subject,
        description,
        urgency: place(&mut sheet, Known::Urgency, scale::level),
        impact: place(&mut sheet, Known::Impact, scale::level),
        priority: place(&mut sheet, Known::Priority, scale::priority),
        r#type: place(&mut sheet, Known::Type, scale::kind),
        category_id: parsed(&mut sheet, Known::CategoryId, id),
        location_id: parsed(&mut sheet, Known::LocationId, id),
        entity_id: parsed(&mut sheet, Known::EntityId, |text| text.parse().ok()),
        source: v1::Source::Phone.into(),
        caller: (caller != Caller::default()).then_some(caller),
        call: (call != CallContext::default()).then_some(call),
        language: language.as_str().to_owned(),
        idempotency_key: String::new(),
        idempotency_window: None,
        // Last, when all that could not be used has been put back.
        details: details(sheet.rest()).ok_or(Refusal::TooLong)?,
    };
    Ok(Wish { ticket, another_problem })
}

/// The further words of a call whose first ticket is known: everything that could differ from what
/// was said before. A follow-up has no fields of its own, so all of it becomes lines.
pub(crate) fn followup(ticket: CreateTicketRequest) -> Result<(String, Vec<Detail>), Refusal> {
    let CreateTicketRequest {
        subject,
        description,
        caller,
        urgency,
        impact,
        priority,
        r#type,
        category_id,
        location_id,
        entity_id,
        call,
        details,
        // The same for the whole call, or no words of the caller.
        source: _,
        language: _,
        idempotency_key: _,
        idempotency_window: _,
    } = ticket;
    let Caller { name, department, email, phone, login } = caller.unwrap_or_default();
    let CallContext { call_id: _, agent_id, from_number, to_number, start_time: _ } =
        call.unwrap_or_default();
    let subject = if subject == description { String::new() } else { subject };
    let place = |place: i32| if place == 0 { String::new() } else { place.to_string() };
    let id = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
    let said = [
        ("subject", subject),
        ("caller_name", name),
        ("department", department),
        ("email", email),
        ("phone", phone),
        ("login", login),
        ("from_number", from_number),
        ("to_number", to_number),
        ("agent_id", agent_id),
        ("urgency", place(urgency)),
        ("impact", place(impact)),
        ("priority", place(priority)),
        ("type", place(r#type)),
        ("category_id", id(category_id)),
        ("location_id", id(location_id)),
        ("entity_id", id(entity_id)),
    ];
    let said = said.iter().filter(|(_, value)| !value.is_empty());
    let mut lines: Vec<Line> = said.map(|(label, value)| line(label, value)).collect();
    lines.extend(details.into_iter().map(|Detail { label, value }| Line { label, value }));
    let details = self::details(lines).ok_or(Refusal::TooLong)?;
    Ok((description, details))
}

/// Dots, blanks that no one sees and the like are nothing a technician could work on.
fn says_something(text: &str) -> bool {
    text.chars().any(|c| c.is_alphanumeric() || c > '\u{1f000}')
}

fn line(label: &str, value: &str) -> Line {
    Line { label: label.to_owned(), value: value.to_owned() }
}

fn language(sheet: &mut Sheet, default: &Language) -> Language {
    parsed(sheet, Known::Language, |text| text.parse().ok()).unwrap_or_else(|| default.clone())
}

/// A text field, or nothing if it is too long: then it stays as a line.
fn text(sheet: &mut Sheet, known: Known, longest: usize) -> String {
    parsed(sheet, known, |text| (length(text) <= longest).then(|| text.to_owned()))
        .unwrap_or_default()
}

/// A field, or nothing if it makes no sense: then it stays as a line.
fn parsed<T>(sheet: &mut Sheet, known: Known, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let line = sheet.take(known)?;
    let parsed = parse(&line.value);
    if parsed.is_none() {
        sheet.keep(line);
    }
    parsed
}

fn place(sheet: &mut Sheet, known: Known, hear: impl Fn(&str) -> Heard) -> i32 {
    let place = parsed(sheet, known, |text| match hear(text) {
        Heard::At(place) => Some(place),
        Heard::Unsaid => Some(0),
        Heard::Nonsense => None,
    });
    place.unwrap_or_default()
}

/// First name and name in one, unless the name has it already.
fn name(sheet: &mut Sheet) -> String {
    let first = text(sheet, Known::FirstName, longest::SHORT);
    let name = text(sheet, Known::Name, longest::SHORT);
    let both = format!("{first} {name}");
    if first.is_empty() || name.contains(&first) {
        name
    } else if length(&both) <= longest::SHORT {
        both.trim().to_owned()
    } else {
        sheet.keep(line("first_name", &first));
        name
    }
}

/// What a language model writes into `call_id` when it knows none. Taken for ids
/// they would make one call of all calls, and follow-ups of all tickets.
const NO_CALL_IDS: &[&str] = &[
    "0",
    "1",
    "-",
    "n/a",
    "na",
    "nan",
    "nil",
    "none",
    "unknown",
    "inconnu",
    "anonymous",
    "string",
    "call_id",
    "callid",
    "id",
    "test",
    "example",
];

fn call_id(sheet: &mut Sheet) -> String {
    parsed(sheet, Known::CallId, |text| is_call_id(text).then(|| text.to_owned()))
        .unwrap_or_default()
}

/// Platforms' ids are one word of letters and digits; what has blanks or brackets was left unfilled.
fn is_call_id(text: &str) -> bool {
    let is_unfilled = text.contains(|c: char| c.is_whitespace() || "[]<>{}".contains(c));
    let is_nothing = text.chars().all(|c| c == '0' || !c.is_alphanumeric());
    let is_made_up = NO_CALL_IDS.contains(&text.to_ascii_lowercase().as_str());
    length(text) <= longest::SHORT && !is_unfilled && !is_nothing && !is_made_up
}

/// An id of GLPI's, from 1 up.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&id| id != 0)
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "yes" | "oui" | "vrai" => Some(true),
        "false" | "0" | "no" | "non" | "faux" => Some(false),
        _ => None,
    }
}

/// RFC 3339, or seconds or milliseconds since 1970.
fn moment(text: &str) -> Option<Timestamp> {
    let moment = match text.parse::<i64>() {
        // The seconds reach this in the year 5138, the milliseconds did in 1973.
        Ok(number) if number > 100_000_000_000 => jiff::Timestamp::from_millisecond(number),
        Ok(number) => jiff::Timestamp::from_second(number),
        Err(_) => text.parse(),
    };
    let moment = moment.ok()?;
    Some(Timestamp { seconds: moment.as_second(), nanos: moment.subsec_nanosecond() })
}

/// The description up to its limit; what is beyond it stays as a line.
fn shorten(sheet: &mut Sheet, description: Line) -> String {
    let Line { label, value } = description;
    match value.char_indices().nth(longest::DESCRIPTION) {
        None => value,
        Some((end, _)) => {
            let (head, tail) = value.split_at(end);
            let label = if label.is_empty() { "description".to_owned() } else { label };
            sheet.keep(Line { label, value: tail.to_owned() });
            head.to_owned()
        }
    }
}

/// Lays lines out as details; `None` if they are too much for one ticket.
fn details(lines: Vec<Line>) -> Option<Vec<Detail>> {
    let mut details: Vec<Detail> = lines.into_iter().flat_map(split).collect();
    if details.len() > longest::DETAILS {
        // Half of them keep their place; the others share the second half.
        let rest = details.split_off(longest::DETAILS / 2);
        details.extend(pack(rest));
    }
    (details.len() <= longest::DETAILS).then_some(details)
}

/// One line as details: a long value takes several.
fn split(line: Line) -> impl Iterator<Item = Detail> {
    let Line { label, value } = line;
    let label = super::sheet::clean(&label);
    let (label, value) = match label.char_indices().nth(longest::LABEL) {
        None if label.is_empty() => ("-".to_owned(), value),
        None => (label, value),
        // A long name may be somebody's words: it is kept in full.
        Some((end, _)) => (label.split_at(end).0.to_owned(), format!("{label}: {value}")),
    };
    chunks(&value).into_iter().map(move |value| Detail { label: label.clone(), value })
}

/// Several details in one, a line each, as many as fit.
fn pack(details: Vec<Detail>) -> Vec<Detail> {
    let mut blocks: Vec<String> = Vec::new();
    for Detail { label, value } in details {
        for line in chunks(&format!("{label}: {value}")) {
            match blocks.last_mut() {
                Some(block) if length(block) + 1 + length(&line) <= longest::VALUE => {
                    block.push('\n');
                    block.push_str(&line);
                }
                _ => blocks.push(line),
            }
        }
    }
    blocks.into_iter().map(|value| Detail { label: "…".to_owned(), value }).collect()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Pieces of at most a detail's length; blank ones are left out.
fn chunks(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(longest::VALUE)
        .map(|piece| piece.iter().collect::<String>())
        .filter(|piece| !piece.trim().is_empty())
        .collect()
}

#[cfg(test)]
mod tests;
