//! A ticket as `/v1` shows it.

use serde::Serialize;
use spoken::{Language, Sentence, say};
use ticketing_proto::v1::{self, CreateTicketResponse, GetTicketResponse};
use utoipa::ToSchema;

use super::request::{Level, Priority, TicketType};

/// A ticket, as far as it is known here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketView {
    /// Short, speakable name of the request, given at once and never reused.
    #[schema(example = "482-917-305")]
    reference: String,
    /// GLPI's number; null until GLPI has it.
    #[schema(example = 1234)]
    ticket_id: Option<u32>,
    /// What became of it so far.
    outcome: OutcomeView,
    /// Whether this repeats an earlier answer.
    replayed: bool,
    /// As sent to GLPI; empty once personal data has been erased.
    title: String,
    /// Null where GLPI's default was left to decide.
    urgency: Option<Level>,
    /// As urgency.
    impact: Option<Level>,
    /// As urgency.
    priority: Option<Priority>,
    /// As urgency.
    r#type: Option<TicketType>,
    /// GLPI's status, 1 (new) to 6 (closed); null where GLPI did not say.
    status: Option<u32>,
    /// When it was recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    create_time: Option<jiff::Timestamp>,
    /// When GLPI had it.
    #[schema(value_type = Option<String>, format = DateTime)]
    deliver_time: Option<jiff::Timestamp>,
    /// One sentence to speak to the caller.
    #[schema(example = "Ticket #1234 créé avec succès")]
    message: String,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeView {
    /// GLPI has it.
    Created,
    /// Recorded; GLPI will have it as soon as it can.
    Queued,
    /// Recorded, but GLPI refused it: a person has to look at it.
    Parked,
    /// An operator decided that it shall not be sent.
    Discarded,
}

impl TicketView {
    /// A ticket that was just asked for.
    pub(crate) fn of_new(answer: CreateTicketResponse, language: &Language) -> Self {
        let outcome = outcome(answer.outcome());
        let ticket = answer.ticket.unwrap_or_default();
        let told = answer.message.map(|message| message.message);
        let created = ticket.id.map(|ticket| Sentence::Created { ticket });
        let message = message(told, outcome, created, &ticket.reference, language);
        Self { replayed: answer.replayed, ..Self::new(ticket, outcome, message) }
    }

    /// A ticket that was asked about.
    pub(crate) fn of_known(answer: GetTicketResponse, language: &Language) -> Self {
        let outcome = outcome(answer.outcome());
        let ticket = answer.ticket.unwrap_or_default();
        let told = answer.message.map(|message| message.message);
        let exists = ticket.id.map(|ticket| Sentence::Exists { ticket });
        let message = message(told, outcome, exists, &ticket.reference, language);
        Self::new(ticket, outcome, message)
    }

    /// What it is called in a path: its reference, which it always has.
    pub(crate) fn name(&self) -> &str {
        &self.reference
    }

    fn new(ticket: v1::Ticket, outcome: OutcomeView, message: String) -> Self {
        Self {
            outcome,
            replayed: false,
            urgency: level(ticket.urgency),
            impact: level(ticket.impact),
            priority: priority(ticket.priority()),
            r#type: kind(ticket.r#type()),
            reference: ticket.reference,
            ticket_id: ticket.id,
            title: ticket.title,
            status: ticket.status,
            create_time: ticket.create_time.and_then(moment),
            deliver_time: ticket.deliver_time.and_then(moment),
            message,
        }
    }
}

/// The server's own sentence if it sent one.
fn message(
    told: Option<String>,
    outcome: OutcomeView,
    delivered: Option<Sentence<'_>>,
    reference: &str,
    language: &Language,
) -> String {
    if let Some(told) = told.filter(|told| !told.is_empty()) {
        return told;
    }
    let sentence = match (outcome, delivered) {
        (OutcomeView::Created, Some(delivered)) => delivered,
        (OutcomeView::Created | OutcomeView::Queued, _) => Sentence::Queued { reference },
        (OutcomeView::Parked, _) => Sentence::Parked { reference },
        (OutcomeView::Discarded, _) => Sentence::Discarded { reference },
    };
    say(language, sentence)
}

fn outcome(outcome: v1::Outcome) -> OutcomeView {
    match outcome {
        v1::Outcome::Created => OutcomeView::Created,
        v1::Outcome::Queued | v1::Outcome::Unspecified => OutcomeView::Queued,
        v1::Outcome::Parked => OutcomeView::Parked,
        v1::Outcome::Discarded => OutcomeView::Discarded,
    }
}

/// Urgency and impact share one scale.
fn level(place: i32) -> Option<Level> {
    match v1::Urgency::try_from(place).unwrap_or_default() {
        v1::Urgency::Unspecified => None,
        v1::Urgency::VeryLow => Some(Level::VeryLow),
        v1::Urgency::Low => Some(Level::Low),
        v1::Urgency::Medium => Some(Level::Medium),
        v1::Urgency::High => Some(Level::High),
        v1::Urgency::VeryHigh => Some(Level::VeryHigh),
    }
}

fn priority(priority: v1::Priority) -> Option<Priority> {
    match priority {
        v1::Priority::Unspecified => None,
        v1::Priority::VeryLow => Some(Priority::VeryLow),
        v1::Priority::Low => Some(Priority::Low),
        v1::Priority::Medium => Some(Priority::Medium),
        v1::Priority::High => Some(Priority::High),
        v1::Priority::VeryHigh => Some(Priority::VeryHigh),
        v1::Priority::Major => Some(Priority::Major),
    }
}

fn kind(kind: v1::TicketType) -> Option<TicketType> {
    match kind {
        v1::TicketType::Unspecified => None,
        v1::TicketType::Incident => Some(TicketType::Incident),
        v1::TicketType::Request => Some(TicketType::Request),
    }
}

fn moment(moment: prost_types::Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(moment.seconds, moment.nanos).ok()
}
