//! `search/Ticket` and `search/User`

use std::borrow::Borrow;

use serde_json::{Value, json};

use super::call::Ask;
use super::criteria::{self, Criterion};
use super::fields::{self, Field, Found};
use super::list::{self, Range, Row};
use crate::answer::Answer;
use crate::message::Message;
use crate::seed;
use crate::sessions::Visitor;
use crate::text;
use crate::ticket::Cell;

/// `search/:itemtype`
pub(super) fn answer(ask: &Ask<'_>, visitor: &Visitor, itemtype: &str) -> Answer {
    let found = match itemtype {
        "Ticket" => tickets(ask, visitor),
        "User" => users(ask, visitor),
        _ => return ask.unknown_resource(),
    };
    found.unwrap_or_else(|answer| answer)
}

fn tickets(ask: &Ask<'_>, visitor: &Visitor) -> Result<Answer, Answer> {
    let criteria = criteria::read(ask, fields::TICKET)?;
    let deleted = ask.call.flag("is_deleted", false);
    // Numbers and dates are judged under the lock, texts after it.
    let mut found = ask.premises.world.select(|ticket| {
        ticket.deleted == deleted && visitor.sees(ticket) && criteria::may_hold(&criteria, ticket)
    });
    let mut scratch = String::new();
    found.retain(|ticket| criteria::all_hold(&criteria, ticket, &mut scratch));
    let columns = Columns { first: &[2, 1, 80], default: &[12, 19, 15, 3, 4, 5, 7, 18] };
    shown(ask, "Ticket", fields::TICKET, &criteria, &columns, found)
}

fn users(ask: &Ask<'_>, visitor: &Visitor) -> Result<Answer, Answer> {
    if visitor.user.profile.sees_only_its_own() {
        return Err(ask.no_right());
    }
    let criteria = criteria::read(ask, fields::USER)?;
    let mut scratch = String::new();
    let mut found: Vec<&'static seed::User> = seed::USERS.iter().collect();
    found.retain(|user| criteria::all_hold(&criteria, user, &mut scratch));
    let columns = Columns { first: &[1], default: &[34, 5, 6, 8] };
    shown(ask, "User", fields::USER, &criteria, &columns, found)
}

/// What GLPI shows without being asked.
struct Columns {
    /// Always, and first.
    first: &'static [u32],
    /// Only if the client does not say what else to show.
    default: &'static [u32],
}

fn shown<T, R: Borrow<T>>(
    ask: &Ask<'_>,
    itemtype: &str,
    fields: &[Field<T>],
    criteria: &[Criterion<'_, T>],
    columns: &Columns,
    mut found: Vec<R>,
) -> Result<Answer, Answer> {
    let range = Range::wanted(ask)?;
    let field = |id: u32| fields.iter().find(|field| field.id == id);
    let bad_field = || ask.error(400, "ERROR", Message::BadField);

    let sorted_by = ask.call.parameters.get("sort").and_then(first_number);
    let sort = field(sorted_by.unwrap_or(1)).ok_or_else(bad_field)?;
    let order = ask.call.parameters.get("order").and_then(first_text).unwrap_or("ASC");
    let order = order.to_ascii_uppercase();
    found.sort_by_cached_key(|record| sort_key(&(sort.value)(record.borrow())));
    if order == "DESC" {
        found.reverse();
    }

    let total = found.len();
    if range.start > total {
        return Err(list::beyond(ask, total));
    }
    let asked_for = match ask.call.parameters.get("forcedisplay") {
        Some(Value::Object(ids)) => ids.values().filter_map(number).collect(),
        _ => columns.default.to_vec(),
    };
    let of_criteria = criteria.iter().map(|criterion| criterion.field.id);
    let mut ids: Vec<u32> = Vec::new();
    for id in columns.first.iter().copied().chain(asked_for).chain(of_criteria) {
        if !ids.contains(&id) && field(id).is_some() {
            ids.push(id);
        }
    }
    let value =
        |record: &T, id: u32| field(id).map_or(Value::Null, |field| (field.value)(record).shown());
    let row = |record: &R| {
        Row(ids.iter().map(|id| (id.to_string(), value(record.borrow(), *id))).collect())
    };
    let rows: Vec<Row> = found.iter().skip(range.start).take(range.length).map(row).collect();
    let count = rows.len();

    // Numbers if the client named a field, a text if it did not.
    let sort_shown = match sorted_by {
        Some(id) => json!([id]),
        None => json!(["1"]),
    };
    let mut body = Row::of([
        ("totalcount", total.into()),
        ("count", count.into()),
        ("sort", sort_shown),
        ("order", json!([order])),
    ]);
    if count > 0 {
        body.0.push(("data".to_owned(), data(ask, rows)));
    }
    body.0.push(("content-range".to_owned(), range.content_range(count, total).into()));
    let status = if count < total { 206 } else { 200 };
    Ok(range.describe(Answer::json(status, &body), itemtype, count, total))
}

fn data(ask: &Ask<'_>, rows: Vec<Row>) -> Value {
    let finish = |row: Row| if ask.call.raw_texts { row.decoded() } else { row };
    json!(rows.into_iter().map(finish).collect::<Vec<_>>())
}

fn sort_key(found: &Found<'_>) -> (i64, String) {
    let cell = match found {
        Found::Text(text) => Cell::Text(text),
        Found::Date(date) => Cell::Text(date),
        Found::Number(number) | Found::Choice(number) => Cell::Number(*number),
        Found::Other(_, name) => name.map_or(Cell::Null, Cell::Text),
        Found::Several(all) => {
            return (0, all.first().map(|(_, words, _)| text::fold(words)).unwrap_or_default());
        }
        Found::Nothing => Cell::Null,
    };
    let (number, text) = list::sort_key(cell);
    (number, text.into_owned())
}

/// A scalar, or the first of a list.
fn first_text(value: &Value) -> Option<&str> {
    match value {
        Value::Object(list) => list.values().next()?.as_str(),
        value => value.as_str(),
    }
}

fn first_number(value: &Value) -> Option<u32> {
    first_text(value)?.parse().ok()
}

fn number(value: &Value) -> Option<u32> {
    value.as_str()?.parse().ok()
}
