//! Lists: which rows, in which order, which part of them.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::call::Ask;
use crate::answer::Answer;
use crate::text::{self, Pattern};
use crate::ticket::{Cell, id_cell};

/// The last row that a client who names no range gets: one more than
/// GLPI's `list_limit` of 20.
const DEFAULT_LAST: usize = 20;

/// A row of a table, its columns in order.
#[derive(Clone, Debug)]
pub(super) struct Row(pub(super) Vec<(String, Value)>);

impl Row {
    pub(super) fn of<const N: usize>(columns: [(&str, Value); N]) -> Self {
        Self(columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(super) fn set(&mut self, column: &str, value: Value) {
        if let Some((_, old)) = self.0.iter_mut().find(|(name, _)| name == column) {
            *old = value;
        }
    }

    pub(super) fn get(&self, column: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    /// With its texts as they were sent.
    pub(super) fn decoded(self) -> Self {
        let decode = |(name, value)| match value {
            Value::String(text) => (name, Value::String(text::decode(&text))),
            value => (name, value),
        };
        Self(self.0.into_iter().map(decode).collect())
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// What is listed.
pub(super) struct Table<'a> {
    pub(super) itemtype: &'a str,
    pub(super) sql: &'a str,
    pub(super) columns: &'a [&'a str],
}

/// `GET /Itemtype` with `searchText`, `sort`, `order`, `range` and `only_id`.
pub(super) fn answer<T>(
    ask: &Ask<'_>,
    table: &Table<'_>,
    mut records: Vec<T>,
    column: impl for<'r> Fn(&'r T, &str) -> Option<Cell<'r>>,
    row: impl Fn(&T) -> Row,
) -> Answer {
    let range = match Range::wanted(ask) {
        Ok(range) => range,
        Err(answer) => return answer,
    };
    let sort = ask.call.text("sort").unwrap_or("id");
    if !table.columns.contains(&sort) {
        let text = format!("sort param is not a field of {}", table.sql);
        return ask.error_saying(400, "ERROR", &text);
    }
    if let Some(Value::Object(wanted)) = ask.call.parameters.get("searchText") {
        // An unknown column is an SQL error that nobody catches.
        if !wanted.keys().all(|name| table.columns.contains(&name.as_str())) {
            return Answer::empty();
        }
        for (name, value) in wanted {
            let pattern = Pattern::new(value.as_str().unwrap_or_default());
            let mut scratch = String::new();
            records.retain(|record| match column(record, name).unwrap_or(Cell::Null) {
                Cell::Null => false,
                Cell::Text(text) => pattern.matches(text, &mut scratch),
                Cell::Number(number) => pattern.matches(&number.to_string(), &mut scratch),
            });
        }
    }
    if sort != "id" {
        records.sort_by_cached_key(|record| sort_key(column(record, sort).unwrap_or(Cell::Null)));
    }
    if ask.call.text("order").is_some_and(|order| order.eq_ignore_ascii_case("DESC")) {
        records.reverse();
    }
    let total = records.len();
    if range.start > total {
        return beyond(ask, total);
    }
    let shown: Vec<_> = records.iter().skip(range.start).take(range.length).collect();
    let count = shown.len();
    let rows: Vec<_> = if ask.call.flag("only_id", false) {
        let id = |record: &&T| column(record, "id").unwrap_or(Cell::Null).value();
        shown.iter().map(|record| Row::of([("id", id(record))])).collect()
    } else {
        shown.into_iter().map(row).collect()
    };
    let status = if count < total { 206 } else { 200 };
    range.describe(Answer::json(status, &rows), table.itemtype, count, total)
}

/// Rows that were made already.
pub(super) fn of_rows(ask: &Ask<'_>, itemtype: &str, rows: Vec<Row>) -> Answer {
    let columns: Vec<String> = match rows.first() {
        Some(row) => row.0.iter().map(|(name, _)| name.clone()).collect(),
        None => vec!["id".to_owned()],
    };
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let sql = format!("glpi_{}s", itemtype.to_ascii_lowercase());
    let table = Table { itemtype, sql: &sql, columns: &columns };
    let finish = |row: &Row| if ask.call.raw_texts { row.clone().decoded() } else { row.clone() };
    answer(ask, &table, rows, row_cell, finish)
}

fn row_cell<'a>(row: &'a Row, name: &str) -> Option<Cell<'a>> {
    Some(match row.get(name)? {
        Value::String(text) => Cell::Text(text),
        Value::Number(number) => match number.as_u64() {
            Some(number) => id_cell(number),
            None => Cell::Number(number.as_i64().unwrap_or(0)),
        },
        _ => Cell::Null,
    })
}

/// Orders as the database does: nothing first, numbers by value, texts folded.
pub(super) fn sort_key(cell: Cell<'_>) -> (i64, Cow<'static, str>) {
    match cell {
        Cell::Null => (i64::MIN, Cow::Borrowed("")),
        Cell::Number(number) => (number, Cow::Borrowed("")),
        Cell::Text(text) => (0, Cow::Owned(text::fold(text))),
    }
}

/// The part of a list that a client wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) start: usize,
    pub(super) length: usize,
}

impl Range {
    pub(super) fn wanted(ask: &Ask<'_>) -> Result<Self, Answer> {
        let Some(range) = ask.call.parameters.get("range") else {
            return Ok(Self { start: 0, length: DEFAULT_LAST + 1 });
        };
        let parsed = range.as_str().and_then(|range| {
            let (start, last) = range.split_once('-')?;
            Some((start.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
        });
        let Some((start, last)) = parsed else {
            let text = "range must be in format : [start-end] with integers";
            return Err(ask.error_saying(400, "ERROR", text));
        };
        Ok(Self { start, length: last.saturating_add(1).saturating_sub(start) })
    }

    /// `0-1/86`, and `0--1/0` when there is nothing.
    pub(super) fn content_range(self, count: usize, total: usize) -> String {
        let last = i128::try_from(self.start + count).unwrap_or(0) - 1;
        format!("{}-{last}/{total}", self.start)
    }

    /// Adds the headers about the range; an empty list has no `Content-Range`.
    pub(super) fn describe(
        self,
        answer: Answer,
        itemtype: &str,
        count: usize,
        total: usize,
    ) -> Answer {
        let answer = answer.with("accept-range", format!("{itemtype} 1000"));
        if count == 0 {
            return answer;
        }
        answer.with("content-range", self.content_range(count, total))
    }
}

pub(super) fn beyond(ask: &Ask<'_>, total: usize) -> Answer {
    let text = format!("Provided range exceed total count of data: {total}");
    ask.error_saying(400, "ERROR_RANGE_EXCEED_TOTAL", &text)
}
