//! The contract's service: one short method per rpc.

use std::time::Duration;

use access::Caller;
use meters::calls::Outcome;
use service_kit::line::Notes;
use spoken::{Language, Sentence};
use ticketing_core::{
    glpi::{self, TicketView},
    outbox::{Entry, State, Work},
    ticket::{Level, Priority, TicketKind},
    ticketing::{Answer, Request as Recording, Scope, Ticketing, Took},
};
use ticketing_proto::v1::{self, ticketing_service_server::TicketingService};
use tonic::{Request, Response, Status};

use crate::{
    auth,
    convert::{self, Named, Repeat},
    deadline, status,
};

/// Turns calls of the contract into requests to [`Ticketing`].
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) ticketing: Ticketing,
    /// The longest a caller waits for GLPI.
    pub(crate) answer_within: Duration,
    /// For requests that name none, and for the labels in tickets.
    pub(crate) language: Language,
}

/// Reading a ticket is worth less patience than making one: what we know is an answer too.
const VIEW_WITHIN: Duration = Duration::from_millis(1500);

#[tonic::async_trait]
impl TicketingService for Service {
    async fn create_ticket(
        &self,
        request: Request<v1::CreateTicketRequest>,
    ) -> Result<Response<v1::CreateTicketResponse>, Status> {
        let answer_within = self.patience(&request);
        let caller = auth::caller(&request)?;
        let notes = notes(&request);
        let request = request.into_inner();
        let language = self.language(&request.language);
        let (mut ticket, repeat) =
            convert::ticket(request, self.language.as_str()).map_err(status::invalid)?;
        ticket.source =
            ticket.source.or_else(|| caller.client().source().and_then(convert::source_named));

        let recording = recording(&caller, repeat, answer_within);
        let answer = self.ticketing.create(recording, ticket).await;
        let Answer { entry, replayed, took } = answer.map_err(|error| told(&error))?;
        note(&notes, &entry, took);
        Ok(Response::new(v1::CreateTicketResponse {
            ticket: Some(ticket_message(&entry, None)),
            outcome: outcome(entry.state).into(),
            replayed,
            message: Some(localized(&language, sentence(&entry))),
        }))
    }

    async fn get_ticket(
        &self,
        request: Request<v1::GetTicketRequest>,
    ) -> Result<Response<v1::GetTicketResponse>, Status> {
        let view_within = self.patience(&request).min(VIEW_WITHIN);
        let scope = scope(&*auth::caller(&request)?);
        let notes = notes(&request);
        let request = request.into_inner();
        let language = self.language(&request.language);
        let entry = match convert::named(&request).map_err(status::invalid)? {
            Named::Reference(reference) => self.ticketing.find(&reference, &scope).await,
            Named::Ticket(id) => self.ticketing.find_by_ticket(id, &scope).await,
        };
        let entry = entry.map_err(|error| told(&error))?;
        notes.reference(entry.reference.as_str());
        let view = match ticket_number(&entry) {
            Some(id) => self.ticketing.view(id, view_within).await,
            None => None,
        };
        Ok(Response::new(v1::GetTicketResponse {
            ticket: Some(ticket_message(&entry, view.as_ref())),
            outcome: outcome(entry.state).into(),
            message: Some(localized(&language, sentence(&entry))),
        }))
    }

    async fn add_followup(
        &self,
        request: Request<v1::AddFollowupRequest>,
    ) -> Result<Response<v1::AddFollowupResponse>, Status> {
        let answer_within = self.patience(&request);
        let caller = auth::caller(&request)?;
        let notes = notes(&request);
        let request = request.into_inner();
        let language = self.language(&request.language);
        let (on, followup, repeat) = convert::followup(&request).map_err(status::invalid)?;

        let recording = recording(&caller, repeat, answer_within);
        let answer = self.ticketing.add_followup(recording, &on, &scope(&caller), followup).await;
        let Answer { entry, replayed, took } = answer.map_err(|error| told(&error))?;
        note(&notes, &entry, took);
        let ticket = match &entry.parent {
            Some(ticket) => {
                let found = self.ticketing.find(ticket, &Scope::All).await;
                found.map_err(|error| told(&error))?
            }
            None => entry.clone(),
        };
        Ok(Response::new(v1::AddFollowupResponse {
            ticket: Some(ticket_message(&ticket, None)),
            outcome: outcome(entry.state).into(),
            replayed,
            message: Some(localized(&language, sentence(&entry))),
        }))
    }
}

impl Service {
    /// As long as the client still waits, and no longer than configured.
    fn patience<T>(&self, request: &Request<T>) -> Duration {
        deadline::of(request.metadata())
            .map_or(self.answer_within, |deadline| deadline.min(self.answer_within))
    }

    fn language(&self, wanted: &str) -> Language {
        Language::choose(Some(wanted).filter(|wanted| !wanted.is_empty()), &self.language)
    }
}

fn recording(caller: &Caller, repeat: Repeat, answer_within: Duration) -> Recording {
    let Repeat { key, window } = repeat;
    Recording { client: caller.name().to_string(), key, key_window: window, answer_within }
}

/// A client sees what it made; operators see everything.
fn scope(caller: &Caller) -> Scope {
    if caller.sees_all() { Scope::All } else { Scope::Of(caller.name().to_string()) }
}

/// What this call's line in the log shall say; nobody reads those of a call without one.
fn notes<T>(request: &Request<T>) -> Notes {
    request.extensions().get::<Notes>().cloned().unwrap_or_default()
}

fn note(notes: &Notes, entry: &Entry, took: Took) {
    notes.reference(entry.reference.as_str());
    notes.outcome(match entry.state {
        State::Waiting | State::Sending | State::InDoubt => Outcome::Queued,
        State::Delivered => Outcome::Created,
        State::Parked => Outcome::Parked,
        State::Discarded => Outcome::Discarded,
    });
    notes.recorded(took.recorded);
    if let Some(delivered) = took.delivered {
        notes.delivered(delivered);
    }
}

/// Logs what only an operator can mend, once, and tells the client the rest.
pub(crate) fn told(error: &ticketing_core::ticketing::Error) -> Status {
    if let ticketing_core::ticketing::Error::Store(cause) = error {
        let cause = service_kit::telemetry::chain(cause);
        tracing::error!(cause, "a request could not be recorded or read");
    }
    status::of(error)
}

fn outcome(state: State) -> v1::Outcome {
    match state {
        State::Waiting | State::Sending | State::InDoubt => v1::Outcome::Queued,
        State::Delivered => v1::Outcome::Created,
        State::Parked => v1::Outcome::Parked,
        State::Discarded => v1::Outcome::Discarded,
    }
}

/// GLPI's number of the ticket a row is about.
fn ticket_number(entry: &Entry) -> Option<u32> {
    if entry.parent.is_some() { entry.parent_ticket } else { entry.glpi_id }
}

fn sentence(entry: &Entry) -> Sentence<'_> {
    let is_followup = entry.parent.is_some();
    let reference = entry.reference.as_str();
    match (entry.state, ticket_number(entry)) {
        (State::Delivered, Some(ticket)) if is_followup => Sentence::FollowupAdded { ticket },
        (State::Delivered, Some(ticket)) => Sentence::Created { ticket },
        (State::Parked, _) if is_followup => Sentence::FollowupParked { reference },
        (State::Parked, _) => Sentence::Parked { reference },
        (State::Discarded, _) => Sentence::Discarded { reference },
        (State::Delivered | State::Waiting | State::Sending | State::InDoubt, _) if is_followup => {
            let reference = entry.parent.as_ref().unwrap_or(&entry.reference).as_str();
            Sentence::FollowupQueued { reference }
        }
        (State::Delivered | State::Waiting | State::Sending | State::InDoubt, _) => {
            Sentence::Queued { reference }
        }
    }
}

fn localized(language: &Language, sentence: Sentence<'_>) -> tonic_types::pb::LocalizedMessage {
    tonic_types::pb::LocalizedMessage {
        locale: language.as_str().to_owned(),
        message: spoken::say(language, sentence),
    }
}

/// The ticket as GLPI has it if it told us, else as it was sent.
fn ticket_message(entry: &Entry, view: Option<&TicketView>) -> v1::Ticket {
    let sent = match &entry.work {
        Some(Work::Ticket(ticket)) => Some(ticket),
        Some(Work::Followup(_)) | None => None,
    };
    let number = |viewed: Option<u32>, sent: Option<u32>| {
        i32::try_from(viewed.or(sent).unwrap_or_default()).unwrap_or_default()
    };
    let level = |level: Level| level as u32;
    let priority = |priority: Priority| priority as u32;
    let kind = |kind: TicketKind| kind as u32;
    v1::Ticket {
        reference: entry.parent.as_ref().unwrap_or(&entry.reference).to_string(),
        id: ticket_number(entry),
        title: sent.map(glpi::title).unwrap_or_default(),
        urgency: number(view.map(|v| v.urgency), sent.and_then(|s| s.urgency).map(level)),
        impact: number(view.map(|v| v.impact), sent.and_then(|s| s.impact).map(level)),
        priority: number(view.map(|v| v.priority), sent.and_then(|s| s.priority).map(priority)),
        r#type: number(view.map(|v| v.kind), sent.and_then(|s| s.kind).map(kind)),
        status: view.map(|view| view.status),
        create_time: Some(moment(entry.accepted_at)),
        deliver_time: entry.settled_at.filter(|_| entry.state == State::Delivered).map(moment),
    }
}

/// A moment in the contract's form.
pub(crate) fn moment(moment: jiff::Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: moment.as_second(), nanos: moment.subsec_nanosecond() }
}
