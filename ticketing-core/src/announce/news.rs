//! What becomes a notice, and how it is written down.

use jiff::Timestamp;
use notices::{Event, Filter, Kind, Notice, Subject};
use tokio::sync::Notify;

use super::Settings;
use crate::outbox::{Entry, NoticeDraft, Settlement, Work};

/// Writes notices for whoever settles rows and alarms.
#[derive(Debug)]
pub(crate) struct News {
    kinds: Vec<Kind>,
    subjects: Vec<Subject>,
    created: Filter,
    written: Notify,
}

impl News {
    /// Notices of these subjects for these channels.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            kinds: settings.channels.iter().map(notices::Channel::kind).collect(),
            subjects: settings.subjects.clone(),
            created: settings.created.clone(),
            written: Notify::new(),
        }
    }

    /// What is told of the end of a delivery.
    pub(crate) fn of_settlement(
        &self,
        entry: &Entry,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Vec<NoticeDraft> {
        let reference = entry.reference.to_string();
        let client = entry.client.clone();
        match settlement {
            Settlement::Delivered { glpi_id } => {
                let Some(Work::Ticket(ticket)) = &entry.work else { return Vec::new() };
                let urgency = ticket.urgency.map(|level| level as u8);
                let category = ticket.category;
                if !self.created.takes(urgency, category, &client) {
                    return Vec::new();
                }
                // The outbox finds a row's notices by its name at the end.
                let key = format!("created:{reference}");
                let event = Event::TicketCreated {
                    ticket: *glpi_id,
                    reference,
                    client,
                    urgency,
                    category,
                    title: None,
                };
                self.of(Subject::Created, &key, event, now)
            }
            Settlement::Parked { reason } => {
                // A row that was retried may be parked again, and that is told again.
                let key = format!("parked:{}:{reference}", entry.attempts);
                let event = Event::TicketParked { reference, client, reason: reason.clone() };
                self.of(Subject::Parked, &key, event, now)
            }
            Settlement::Retry { .. }
            | Settlement::Doubt { .. }
            | Settlement::NotFound { .. }
            | Settlement::LookupFailed { .. }
            | Settlement::Released => Vec::new(),
        }
    }

    /// A notice for each channel, if the subject is wanted. Each key is told once, ever.
    pub(crate) fn of(
        &self,
        subject: Subject,
        key: &str,
        event: Event,
        now: Timestamp,
    ) -> Vec<NoticeDraft> {
        if self.kinds.is_empty() || !self.is_wanted(subject) {
            return Vec::new();
        }
        let notice = Notice { timestamp: now, event };
        // Serialising a notice cannot fail: no maps with odd keys, no non-finite numbers.
        let body = serde_json::to_value(&notice).unwrap_or_default();
        let draft = |kind: &Kind| NoticeDraft {
            event: key.to_owned(),
            channel: kind.as_str().to_owned(),
            body: body.clone(),
        };
        self.kinds.iter().map(draft).collect()
    }

    /// Somebody wants to be told of it.
    pub(crate) fn is_wanted(&self, subject: Subject) -> bool {
        self.subjects.contains(&subject)
    }

    /// Says that notices have been recorded.
    pub(crate) fn recorded(&self) {
        self.written.notify_one();
    }

    /// Waits until notices have been recorded.
    pub(crate) async fn waits(&self) {
        self.written.notified().await;
    }
}
