//! Entries and the outbox's state, as they are shown.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use ticketing_proto::v1;

use crate::tables;

/// An entry, with the contract's names.
#[derive(Debug, Serialize)]
pub(super) struct EntryView {
    pub(super) reference: String,
    pub(super) client: String,
    pub(super) state: &'static str,
    pub(super) parent_reference: Option<String>,
    pub(super) glpi_id: Option<u32>,
    pub(super) attempts: u32,
    pub(super) doubts: u32,
    pub(super) reason: Option<String>,
    pub(super) create_time: Option<Timestamp>,
    pub(super) due_time: Option<Timestamp>,
    pub(super) settle_time: Option<Timestamp>,
    /// What was asked, if it was to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Value>,
    /// Why it was found, if a caller was searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<Found>,
}

/// What an entry has to do with the caller who was searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Found {
    Called,
    Mentioned,
}

impl Found {
    pub(super) fn new(mentions: bool) -> Self {
        if mentions { Self::Mentioned } else { Self::Called }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Called => "called",
            Self::Mentioned => "mentioned",
        }
    }
}

/// How the service stands.
#[derive(Debug, Serialize)]
pub(super) struct StatusView {
    version: String,
    glpi_answers: bool,
    counts: serde_json::Map<String, Value>,
    oldest_open_time: Option<Timestamp>,
}

/// What became of an entry that was to be erased.
#[derive(Debug, Serialize)]
pub(super) struct ErasedView {
    reference: String,
    /// Where it stood before.
    state: &'static str,
    erasure: &'static str,
}

impl From<v1::ErasedEntry> for ErasedView {
    fn from(erased: v1::ErasedEntry) -> Self {
        let erasure = match erased.erasure() {
            v1::Erasure::Unspecified => "unknown",
            v1::Erasure::Erased => "erased",
            v1::Erasure::StillOpen => "still_open",
            v1::Erasure::BeingSent => "being_sent",
            v1::Erasure::Mentions => "mentions",
        };
        let entry = erased.entry.unwrap_or_default();
        Self { state: state_name(entry.state()), reference: entry.reference, erasure }
    }
}

impl fmt::Display for ErasedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let became = match self.erasure {
            "erased" => "is erased",
            "still_open" => "has still to be delivered and was not erased",
            "being_sent" => "is being sent and was not erased",
            "mentions" => "only mentions that caller and was not erased",
            other => other,
        };
        write!(f, "{} {became}", self.reference)
    }
}

impl From<v1::Entry> for EntryView {
    fn from(entry: v1::Entry) -> Self {
        let state = state_name(entry.state());
        let filled = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            state,
            reference: entry.reference,
            client: entry.client,
            parent_reference: filled(entry.parent_reference),
            glpi_id: entry.glpi_id,
            attempts: entry.attempts,
            doubts: entry.doubts,
            reason: filled(entry.reason),
            create_time: entry.create_time.and_then(moment),
            due_time: entry.due_time.and_then(moment),
            settle_time: entry.settle_time.and_then(moment),
            content: filled(entry.content_json)
                .map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
            found: None,
        }
    }
}

impl From<v1::Status> for StatusView {
    fn from(status: v1::Status) -> Self {
        let counts = status.counts.iter();
        Self {
            counts: counts
                .map(|count| (state_name(count.state()).to_owned(), count.count.into()))
                .collect(),
            version: status.version,
            glpi_answers: status.glpi_answers,
            oldest_open_time: status.oldest_open_time.and_then(moment),
        }
    }
}

/// One line, for watching.
impl fmt::Display for StatusView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.glpi_answers { "GLPI answers" } else { "GLPI does not answer" })?;
        for (state, count) in &self.counts {
            write!(f, ", {count} {state}")?;
        }
        if let Some(oldest) = self.oldest_open_time {
            write!(f, ", oldest open since {}", shown(oldest))?;
        }
        Ok(())
    }
}

/// Entries as a table.
pub(super) fn list(entries: Vec<EntryView>, with_content: bool) -> String {
    let mut headings = vec![
        "reference",
        "client",
        "state",
        "glpi",
        "attempts",
        "recorded",
        "due or settled",
        "reason",
    ];
    let searched = entries.iter().any(|entry| entry.found.is_some());
    if searched {
        headings.push("found as");
    }
    if with_content {
        headings.push("content");
    }
    let rows = entries.into_iter().map(|entry| {
        let when = entry.due_time.or(entry.settle_time);
        let mut row = vec![
            entry.reference,
            entry.client,
            entry.state.to_owned(),
            entry.glpi_id.map(|id| format!("#{id}")).unwrap_or_default(),
            entry.attempts.to_string(),
            entry.create_time.map(shown).unwrap_or_default(),
            when.map(shown).unwrap_or_default(),
            entry.reason.unwrap_or_default(),
        ];
        if searched {
            row.push(entry.found.map(Found::as_str).unwrap_or_default().to_owned());
        }
        if with_content {
            row.push(entry.content.map(|content| content.to_string()).unwrap_or_default());
        }
        row
    });
    tables::table(&headings, rows)
}

/// One entry, line by line, without its content.
pub(super) fn one(entry: &EntryView) -> String {
    let time = |moment: Option<Timestamp>| moment.map(shown);
    let lines = [
        ("reference", Some(entry.reference.clone())),
        ("client", Some(entry.client.clone())),
        ("state", Some(entry.state.to_owned())),
        ("adds to", entry.parent_reference.clone()),
        ("glpi", entry.glpi_id.map(|id| format!("#{id}"))),
        ("attempts", Some(entry.attempts.to_string())),
        ("doubts", Some(entry.doubts.to_string())),
        ("reason", entry.reason.clone()),
        ("recorded", time(entry.create_time)),
        ("due", time(entry.due_time)),
        ("settled", time(entry.settle_time)),
    ];
    tables::pairs(lines.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// The outbox's state, line by line.
pub(super) fn status(status: &StatusView) -> String {
    let StatusView { version, glpi_answers, counts, oldest_open_time } = status;
    let answers = if *glpi_answers { "yes" } else { "no: callers hear that they are recorded" };
    let counts = counts.iter().map(|(state, count)| (state.as_str(), count.to_string()));
    let oldest = oldest_open_time.map_or_else(|| "none".to_owned(), shown);
    let head = [("version", version.clone()), ("glpi answers", answers.to_owned())];
    tables::pairs(head.into_iter().chain(counts).chain([("oldest open", oldest)]))
}

/// Seconds are enough for people.
fn shown(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn moment(moment: prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(moment.seconds, moment.nanos).ok()
}

fn state_name(state: v1::EntryState) -> &'static str {
    match state {
        v1::EntryState::Unspecified => "unknown",
        v1::EntryState::Waiting => "waiting",
        v1::EntryState::Sending => "sending",
        v1::EntryState::InDoubt => "in_doubt",
        v1::EntryState::Delivered => "delivered",
        v1::EntryState::Parked => "parked",
        v1::EntryState::Discarded => "discarded",
    }
}
