//! Finds what was written before, by the reference in its footer.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use meters::glpi::Operation;
use serde_json::Value;

use super::{Glpi, ReadError, answer::Answer, layout, measured::measured};
use crate::ticket::Reference;

/// When a request may have been applied: from the first doubtful send to the last one plus the time
/// GLPI may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First send.
    pub from: Timestamp,
    /// Last send, plus the slowest insert.
    pub until: Timestamp,
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// One ticket or follow-up of this id.
    One(u32),
    /// Several, the smallest id first: a double that a person should see.
    Several(Vec<u32>),
}

/// GLPI compares dates in its own time zone, which may be up to 14 h from UTC, and its clock may be
/// off. The window only bounds the cost of the search, so it may be wide.
const MARGIN: SignedDuration = SignedDuration::from_hours(26);

/// Search options of Ticket: content and opening date.
const CONTENT: &str = "21";
const OPENING_DATE: &str = "15";

impl Glpi {
    /// Looks for the ticket that carries the reference, in the trash too.
    pub async fn find_ticket(
        &self,
        reference: &Reference,
        window: Window,
    ) -> Result<Found, ReadError> {
        let searching = async {
            let mut ids = self.search_tickets(reference, window, "0").await?;
            ids.extend(self.search_tickets(reference, window, "1").await?);
            Ok(Found::of(ids))
        };
        measured(Operation::LookUp, searching).await
    }

    /// Looks for the follow-up of a ticket that carries the reference.
    pub async fn find_followup(
        &self,
        ticket: u32,
        reference: &Reference,
    ) -> Result<Found, ReadError> {
        measured(Operation::LookUp, self.search_followups(ticket, reference)).await
    }

    async fn search_followups(
        &self,
        ticket: u32,
        reference: &Reference,
    ) -> Result<Found, ReadError> {
        let path = format!("Ticket/{ticket}/ITILFollowup");
        let query = [("range", "0-999"), ("get_hateoas", "false")];
        match self.read(&path, &query).await? {
            Answer::Json { status: 200 | 206, body: Value::Array(followups) } => {
                let mark = layout::mark(reference);
                let ids = followups
                    .iter()
                    .filter(|followup| {
                        followup["content"].as_str().is_some_and(|text| text.contains(&mark))
                    })
                    .filter_map(|followup| as_id(&followup["id"]))
                    .collect();
                Ok(Found::of(ids))
            }
            Answer::Error { status: 404, .. } => Ok(Found::Nothing),
            other => Err(ReadError(other.describe())),
        }
    }

    async fn search_tickets(
        &self,
        reference: &Reference,
        window: Window,
        is_deleted: &str,
    ) -> Result<Vec<u32>, ReadError> {
        let mark = layout::mark(reference);
        let (from, until) = (date(window.from - MARGIN), date(window.until + MARGIN));
        let query = [
            ("criteria[0][field]", CONTENT),
            ("criteria[0][searchtype]", "contains"),
            ("criteria[0][value]", &mark),
            ("criteria[1][link]", "AND"),
            ("criteria[1][field]", OPENING_DATE),
            ("criteria[1][searchtype]", "morethan"),
            ("criteria[1][value]", &from),
            ("criteria[2][link]", "AND"),
            ("criteria[2][field]", OPENING_DATE),
            ("criteria[2][searchtype]", "lessthan"),
            ("criteria[2][value]", &until),
            ("forcedisplay[0]", "2"),
            ("sort", "2"),
            ("order", "ASC"),
            ("range", "0-9"),
            ("is_deleted", is_deleted),
        ];
        match self.read("search/Ticket", &query).await? {
            Answer::Json { status: 200 | 206, body } => rows(&body),
            other => Err(ReadError(other.describe())),
        }
    }
}

impl Found {
    fn of(mut ids: Vec<u32>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        match ids.as_slice() {
            [] => Self::Nothing,
            [id] => Self::One(*id),
            _ => Self::Several(ids),
        }
    }
}

/// The ids in a search answer. GLPI leaves `data` out when there is nothing, so the count decides:
/// an answer without one says nothing, not "nothing found".
fn rows(body: &Value) -> Result<Vec<u32>, ReadError> {
    let senseless = || ReadError("GLPI's search answered something else than a result".into());
    let total = body.get("totalcount").and_then(Value::as_u64).ok_or_else(senseless)?;
    let Some(data) = body.get("data") else {
        return if total == 0 { Ok(Vec::new()) } else { Err(senseless()) };
    };
    let rows = data.as_array().ok_or_else(senseless)?;
    rows.iter().map(|row| as_id(&row["2"]).ok_or_else(senseless)).collect()
}

fn as_id(value: &Value) -> Option<u32> {
    let id = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u32::try_from(id).ok()
}

/// GLPI's form of a date.
fn date(moment: Timestamp) -> String {
    moment.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_result_has_a_count_and_no_data() {
        let empty = json!({"totalcount":0,"count":0,"sort":["1"],"content-range":"0--1/0"});
        assert_eq!(rows(&empty), Ok(vec![]));
    }

    #[test]
    fn an_answer_without_a_count_is_not_an_empty_result() {
        for body in
            [json!({}), json!([]), json!({"totalcount": 2}), json!({"totalcount":1,"data":[{}]})]
        {
            assert!(rows(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn the_smallest_id_comes_first() {
        assert_eq!(Found::of(vec![9, 7, 9]), Found::Several(vec![7, 9]));
    }
}
