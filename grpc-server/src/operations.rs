//! The operators' service: what waits in the outbox, and what to do about it.

use std::{pin::Pin, time::Duration};

use jiff::SignedDuration;
use ticketing_core::{
    clock::{Clock, SystemClock},
    outbox::{Entry, Erasure, Filter, State},
    person::{Link, Person},
    ticket::Reference,
    ticketing::{Erased, Hit, Reach, Scope, Ticketing},
};
use ticketing_proto::v1::{self, operations_service_server::OperationsService};
use tokio_stream::{Stream, StreamExt as _, wrappers::IntervalStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_types::FieldViolation;

use crate::{convert, service, status};

/// Turns operators' calls into requests to [`Ticketing`].
#[derive(Debug, Clone)]
pub(crate) struct Operations {
    pub(crate) ticketing: Ticketing,
    /// Ends the watchers' streams.
    pub(crate) stopping: CancellationToken,
}

const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

/// Characters of a name or address by which a caller is found.
const LONGEST_CALLER: usize = 255;

/// Watchers are told at most this often.
const WATCH_EVERY: Duration = Duration::from_secs(1);

#[tonic::async_trait]
impl OperationsService for Operations {
    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let request = request.into_inner();
        let filter = filter(&request).map_err(status::invalid)?;
        let limit = filter.limit;
        let entries = self.ticketing.list(filter).await.map_err(|error| service::told(&error))?;
        let full = u32::try_from(entries.len()).is_ok_and(|count| count == limit);
        let last = entries.last().filter(|_| full).map(|entry| entry.reference.to_string());
        Ok(Response::new(v1::ListEntriesResponse {
            entries: entries.iter().map(|entry| message(entry, request.include_content)).collect(),
            next_page_token: last.unwrap_or_default(),
        }))
    }

    async fn get_entry(
        &self,
        request: Request<v1::GetEntryRequest>,
    ) -> Result<Response<v1::GetEntryResponse>, Status> {
        let request = request.into_inner();
        let entry = self.find(&request.reference).await?;
        let entry = Some(message(&entry, request.include_content));
        Ok(Response::new(v1::GetEntryResponse { entry }))
    }

    async fn retry_entry(
        &self,
        request: Request<v1::RetryEntryRequest>,
    ) -> Result<Response<v1::RetryEntryResponse>, Status> {
        let entry = self.find(&request.into_inner().reference).await?;
        let done = self.ticketing.retry(&entry.reference).await;
        let entry = self.after(&entry.reference, done).await?;
        tracing::info!(reference = entry.reference, "an operator made it due");
        Ok(Response::new(v1::RetryEntryResponse { entry: Some(entry) }))
    }

    async fn discard_entry(
        &self,
        request: Request<v1::DiscardEntryRequest>,
    ) -> Result<Response<v1::DiscardEntryResponse>, Status> {
        let entry = self.find(&request.into_inner().reference).await?;
        let done = self.ticketing.discard(&entry.reference).await;
        let entry = self.after(&entry.reference, done).await?;
        tracing::info!(reference = entry.reference, "an operator gave it up");
        Ok(Response::new(v1::DiscardEntryResponse { entry: Some(entry) }))
    }

    async fn find_caller(
        &self,
        request: Request<v1::FindCallerRequest>,
    ) -> Result<Response<v1::FindCallerResponse>, Status> {
        let request = request.into_inner();
        let (person, after) =
            caller(&request.caller, &request.page_token).map_err(status::invalid)?;
        let found = self.ticketing.find_caller(&person, after).await;
        let found = found.map_err(|error| service::told(&error))?;
        let include = request.include_content;
        let mentioning = found.rows.iter().filter(|hit| hit.link == Link::Mentioned);
        Ok(Response::new(v1::FindCallerResponse {
            mentioning_references: mentioning.map(|hit| hit.entry.reference.to_string()).collect(),
            entries: found.rows.iter().map(|Hit { entry, .. }| message(entry, include)).collect(),
            next_page_token: found.next.map(|last| last.to_string()).unwrap_or_default(),
        }))
    }

    async fn erase_caller(
        &self,
        request: Request<v1::EraseCallerRequest>,
    ) -> Result<Response<v1::EraseCallerResponse>, Status> {
        let request = request.into_inner();
        let (person, after) =
            caller(&request.caller, &request.page_token).map_err(status::invalid)?;
        let reach = Reach { open: request.also_waiting, mentioned: request.also_mentioning };
        let erased = self.ticketing.erase_caller(&person, reach, after).await;
        let erased = erased.map_err(|error| service::told(&error))?;
        let scrubbed = self.ticketing.scrub().await.map_err(|error| service::told(&error))?;
        for Erased { entry, erasure } in &erased.rows {
            let reference = &entry.reference;
            if let Some(erasure) = erasure {
                tracing::info!(%reference, ?erasure, "erased because the caller asked for it");
            }
        }
        Ok(Response::new(v1::EraseCallerResponse {
            traces_left: !scrubbed && !erased.rows.is_empty(),
            entries: erased.rows.iter().map(erased_message).collect(),
            next_page_token: erased.next.map(|last| last.to_string()).unwrap_or_default(),
        }))
    }

    type WatchStatusStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchStatusResponse, Status>> + Send>>;

    async fn watch_status(
        &self,
        _request: Request<v1::WatchStatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let this = self.clone();
        let mut last = None;
        let changes = IntervalStream::new(tokio::time::interval(WATCH_EVERY))
            .then(move |_tick| {
                let this = this.clone();
                async move { this.status().await }
            })
            .filter_map(move |status| match status {
                Ok(status) if last.as_ref() == Some(&status) => None,
                Ok(status) => {
                    last = Some(status.clone());
                    Some(Ok(v1::WatchStatusResponse { status: Some(status) }))
                }
                Err(status) => Some(Err(status)),
            });
        // A stream that outlived the server's last call would keep it from stopping.
        let until_stop =
            futures_util::StreamExt::take_until(changes, self.stopping.clone().cancelled_owned());
        Ok(Response::new(Box::pin(until_stop)))
    }

    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Ok(Response::new(v1::GetStatusResponse { status: Some(self.status().await?) }))
    }
}

impl Operations {
    async fn find(&self, reference: &str) -> Result<Entry, Status> {
        let reference = convert::reference(reference).map_err(status::invalid)?;
        self.ticketing.find(&reference, &Scope::All).await.map_err(|error| service::told(&error))
    }

    /// The entry after an operator's order, or why the order was not carried out.
    async fn after(
        &self,
        reference: &Reference,
        done: Result<bool, ticketing_core::ticketing::Error>,
    ) -> Result<v1::Entry, Status> {
        let done = done.map_err(|error| service::told(&error))?;
        let entry = self
            .ticketing
            .find(reference, &Scope::All)
            .await
            .map_err(|error| service::told(&error))?;
        if done { Ok(message(&entry, false)) } else { Err(status::wrong_state(entry.state)) }
    }

    async fn status(&self) -> Result<v1::Status, Status> {
        let stats = self.ticketing.stats().await.map_err(|error| service::told(&error))?;
        let counts = State::ALL
            .into_iter()
            .zip(stats.rows)
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| v1::StateCount { state: state_number(state).into(), count })
            .collect();
        Ok(v1::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            glpi_answers: self.ticketing.expects_glpi_to_answer(),
            counts,
            oldest_open_time: stats.oldest_open.map(service::moment),
        })
    }
}

fn filter(request: &v1::ListEntriesRequest) -> Result<Filter, Vec<FieldViolation>> {
    let mut violations = Vec::new();
    let state = state_of(request.state).unwrap_or_else(|| {
        violations.push(FieldViolation::new("state", "is not an EntryState"));
        None
    });
    if request.page_size > LARGEST_PAGE {
        let limit = format!("at most {LARGEST_PAGE} entries are given at once");
        violations.push(FieldViolation::new("page_size", limit));
    }
    let after = (!request.page_token.is_empty()).then(|| Reference::parse(&request.page_token));
    if let Some(Err(_)) = after {
        violations.push(FieldViolation::new("page_token", "comes from the previous answer"));
    }
    let min_age = request.min_age.map(|age| SignedDuration::from_secs(age.seconds));
    if !violations.is_empty() {
        return Err(violations);
    }
    let now = SystemClock.now();
    Ok(Filter {
        state,
        accepted_before: min_age.map(|age| now.saturating_sub(age).unwrap_or(now)),
        after: after.and_then(Result::ok),
        limit: if request.page_size == 0 { DEFAULT_PAGE } else { request.page_size },
    })
}

/// The person a request is about, and where it goes on.
fn caller(
    text: &str,
    page_token: &str,
) -> Result<(Person, Option<Reference>), Vec<FieldViolation>> {
    let mut violations = Vec::new();
    let person = Some(text).filter(|text| text.chars().count() <= LONGEST_CALLER);
    let person = person.and_then(Person::parse);
    if person.is_none() {
        let wanted = "a name, phone number, e-mail address or login of up to 255 characters";
        violations.push(FieldViolation::new("caller", wanted));
    }
    let after = (!page_token.is_empty()).then(|| Reference::parse(page_token)).transpose();
    if after.is_err() {
        violations.push(FieldViolation::new("page_token", "comes from the previous answer"));
    }
    match (person, after) {
        (Some(person), Ok(after)) => Ok((person, after)),
        (None, _) | (_, Err(_)) => Err(violations),
    }
}

fn erased_message(Erased { entry, erasure }: &Erased) -> v1::ErasedEntry {
    let erasure = match erasure {
        // A row that is gone altogether is erased.
        Some(Erasure::Erased | Erasure::Unknown) => v1::Erasure::Erased,
        Some(Erasure::StillOpen) => v1::Erasure::StillOpen,
        Some(Erasure::BeingSent) => v1::Erasure::BeingSent,
        None => v1::Erasure::Mentions,
    };
    v1::ErasedEntry { entry: Some(message(entry, false)), erasure: erasure.into() }
}

fn message(entry: &Entry, include_content: bool) -> v1::Entry {
    let content = entry.work.as_ref().filter(|_| include_content);
    let is_open = matches!(entry.state, State::Waiting | State::InDoubt);
    v1::Entry {
        reference: entry.reference.to_string(),
        client: entry.client.clone(),
        state: state_number(entry.state).into(),
        parent_reference: entry.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        glpi_id: entry.glpi_id,
        attempts: entry.attempts,
        doubts: entry.doubts,
        reason: entry.reason.clone().unwrap_or_default(),
        create_time: Some(service::moment(entry.accepted_at)),
        due_time: is_open.then(|| service::moment(entry.due_at)),
        settle_time: entry.settled_at.map(service::moment),
        // Serialising these plain types cannot fail.
        content_json: content
            .map(|work| serde_json::to_string(work).unwrap_or_default())
            .unwrap_or_default(),
    }
}

fn state_number(state: State) -> v1::EntryState {
    match state {
        State::Waiting => v1::EntryState::Waiting,
        State::Sending => v1::EntryState::Sending,
        State::InDoubt => v1::EntryState::InDoubt,
        State::Delivered => v1::EntryState::Delivered,
        State::Parked => v1::EntryState::Parked,
        State::Discarded => v1::EntryState::Discarded,
    }
}

/// The state a filter names; `Some(None)` for all, `None` if there is no such state.
#[expect(clippy::option_option, reason = "absent and unknown are different answers")]
fn state_of(number: i32) -> Option<Option<State>> {
    if number == i32::from(v1::EntryState::Unspecified) {
        return Some(None);
    }
    State::ALL.into_iter().find(|state| i32::from(state_number(*state)) == number).map(Some)
}
