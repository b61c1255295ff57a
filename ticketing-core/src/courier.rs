//! Delivers outbox rows to GLPI, one lease at a time.
//!
//! A row is worked on by at most one courier at a time. If this process dies in the middle, the
//! lease expires and whoever takes the row next looks the ticket up before sending it again, so a
//! caller never ends with two tickets.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use meters::{
    outbox::{self, Settled},
    store::Operation,
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    announce::news::News,
    clock::Clock,
    glpi::{Found, Glpi, ReadError, Written},
    outbox::{Claim, Entry, Lease, Outbox, Settlement, State, StoreError, Work, measured},
};

pub mod breaker;
pub mod decision;
mod places;

use breaker::Breaker;
use decision::{AfterLookUp, Policy, Step};
use places::Places;

/// How a courier works.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Requests to GLPI at once. Default: 8, the PHP workers of a small GLPI.
    pub max_in_flight: usize,
    /// How long a row is leased. Must exceed the longest request to GLPI (with its log-in) by the
    /// clock skew between hosts, or a row still in flight could be sent twice. Default: 2 minutes.
    pub lease: SignedDuration,
    /// Requests that may wait for GLPI; more are refused while GLPI is down. Default: a million, at
    /// about a kilobyte each.
    pub max_backlog: u64,
    /// The times it goes by.
    pub policy: Policy,
    /// Failures in a row that open the breaker. Default: 5.
    pub failures_to_open: u32,
    /// How long the breaker stays open before a probe. Default: 5 s.
    pub breaker_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_in_flight: 8,
            max_backlog: 1_000_000,
            lease: SignedDuration::from_mins(2),
            policy: Policy::default(),
            failures_to_open: 5,
            breaker_pause: Duration::from_secs(5),
        }
    }
}

/// Carries rows from the outbox to GLPI.
#[derive(Debug)]
pub struct Courier {
    outbox: Arc<dyn Outbox>,
    glpi: Arc<Glpi>,
    clock: Arc<dyn Clock>,
    news: Arc<News>,
    settings: Settings,
    breaker: Breaker,
    places: Places,
    wake: Notify,
}

/// Even with an empty outbox the store is asked this often: another replica may have left work.
const POLL: Duration = Duration::from_secs(1);

/// Between two looks at the outbox there is at least this, whatever is due.
const SOON: Duration = Duration::from_millis(10);

impl Courier {
    /// A courier between an outbox and a GLPI.
    pub(crate) fn new(
        outbox: Arc<dyn Outbox>,
        glpi: Arc<Glpi>,
        clock: Arc<dyn Clock>,
        news: Arc<News>,
        settings: Settings,
    ) -> Self {
        let places = Places::new(settings.max_in_flight);
        let most_in_flight = places.backlog_size();
        Self {
            outbox,
            glpi,
            clock,
            news,
            settings,
            breaker: Breaker::new(
                settings.failures_to_open,
                settings.breaker_pause,
                most_in_flight,
            ),
            places,
            wake: Notify::new(),
        }
    }

    /// GLPI is believed to work: a caller may wait for it.
    pub fn expects_glpi_to_answer(&self) -> bool {
        self.breaker.is_closed()
    }

    /// How long GLPI has been failing; `None` while it is believed to work.
    pub(crate) fn down_for(&self) -> Option<Duration> {
        self.breaker.open_for()
    }

    /// GLPI answered sensibly at most that long ago.
    pub(crate) fn heard_within(&self, time: Duration) -> bool {
        self.breaker.heard_within(time)
    }

    /// Asks GLPI whether it is there, on one of the places for requests. An answer is good news for
    /// callers too; a failure is left to them to find out.
    pub(crate) async fn ask_glpi(&self) -> bool {
        let Some(_place) = self.places.one().await else { return false };
        match self.glpi.greet().await {
            Ok(()) => {
                self.breaker.succeeded();
                true
            }
            Err(ReadError(reason)) => {
                tracing::warn!(reason, "GLPI does not answer when asked whether it is there");
                false
            }
        }
    }

    /// A lease from now on.
    pub fn lease(&self) -> Lease {
        let until = self.clock.now().saturating_add(self.settings.lease);
        Lease { token: fastrand::i64(..), until: until.unwrap_or(Timestamp::MAX) }
    }

    /// Says that a row without a lease has been recorded.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Delivers a row recorded under our lease for a caller who is on the line; gives it back to
    /// the outbox if no place at GLPI is free within `patience`. Returns the row as it stands
    /// then.
    pub async fn deliver_fresh(&self, entry: Entry, patience: Duration) -> Entry {
        let Ok(Some(_place)) = tokio::time::timeout(patience, self.places.one()).await else {
            let entry = self.release(entry).await;
            self.wake();
            return entry;
        };
        self.attempt(entry).await
    }

    /// Works off the backlog until `stop`, then returns; attempts under way go on in `tasks`.
    pub async fn run(self: Arc<Self>, tasks: TaskTracker, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.start_backlog(&tasks).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(error = chain(&error), "cannot read the outbox");
                    POLL
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Claims as many due rows as may be sent now and starts on them; says how long to wait.
    async fn start_backlog(self: &Arc<Self>, tasks: &TaskTracker) -> Result<Duration, StoreError> {
        // Freed on the way out, unless a row takes it.
        let mut kept = self.places.kept();
        let places = self.places.for_backlog(self.breaker.backlog_allowance());
        if places.is_empty() {
            // A probe that is due has to wait for a place; whoever leaves one wakes us.
            let probe = self.breaker.probe_at().map_or(POLL, |at| at - Instant::now());
            return Ok(probe.clamp(SOON, POLL));
        }
        let limit = u32::try_from(places.len()).unwrap_or(u32::MAX);
        let claim = Claim {
            now: self.clock.now(),
            lease: self.lease(),
            doubt_wait: self.settings.policy.slowest_request,
            limit,
        };
        let entries = measured(Operation::Claim, self.outbox.claim(claim)).await?;
        if entries.is_empty() {
            return self.until_next_due().await;
        }
        for (entry, backlog_place) in entries.into_iter().zip(places) {
            self.breaker.begin();
            let (courier, kept) = (Arc::clone(self), kept.take());
            tasks.spawn(async move {
                let place = match kept {
                    Some(place) => Some(place),
                    None => courier.places.one_for_backlog().await,
                };
                if let Some(place) = place {
                    tell_delivered(&courier.attempt(entry).await);
                    courier.places.keep(place);
                }
                drop(backlog_place);
                courier.wake();
            });
        }
        Ok(POLL)
    }

    async fn until_next_due(&self) -> Result<Duration, StoreError> {
        let Some(due) = self.outbox.next_due().await? else { return Ok(POLL) };
        let wait = Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default();
        // A row that is due but was not claimed waits for its parent, or is another replica's.
        Ok(wait.clamp(SOON, POLL))
    }

    /// One attempt on a row under our lease: look up if need be, send if need be, record how it
    /// ended. Returns the row as it stands then, as far as it is known.
    async fn attempt(&self, entry: Entry) -> Entry {
        let (reference, attempt) = (&entry.reference, entry.attempts);
        let span = tracing::info_span!("deliver", %reference, attempt);
        self.look_up_and_send(entry).instrument(span).await
    }

    async fn look_up_and_send(&self, entry: Entry) -> Entry {
        let Some(work) = entry.work.clone() else { return self.park_unreadable(entry).await };
        if let Step::LookUp(window) = self.settings.policy.first_step(&entry) {
            let found = match &work {
                Work::Ticket(_) => self.glpi.find_ticket(&entry.reference, window).await,
                Work::Followup(_) => {
                    let Some(ticket) = entry.parent_ticket else {
                        return self.release(entry).await;
                    };
                    self.glpi.find_followup(ticket, &entry.reference).await
                }
            };
            self.note_look_up(&entry, &found);
            let now = self.clock.now();
            match self.settings.policy.after_look_up(&entry, found, now, jitter()) {
                AfterLookUp::Settle(settlement) => return self.settle(entry, settlement).await,
                AfterLookUp::SendAgain => {
                    if !self.may_send_again(&entry).await {
                        return entry;
                    }
                }
            }
        }
        if !self.lease_outlasts_a_request(&entry) {
            return self.release(entry).await;
        }
        let written = match &work {
            Work::Ticket(ticket) => {
                self.glpi.create_ticket(ticket, &entry.reference, entry.accepted_at).await
            }
            Work::Followup(followup) => {
                let Some(ticket) = entry.parent_ticket else { return self.release(entry).await };
                self.glpi.add_followup(ticket, followup, &entry.reference).await
            }
        };
        self.note_written(&entry, &written);
        let now = self.clock.now();
        let settlement = self.settings.policy.after_send(&entry, written, now, jitter());
        self.settle(entry, settlement).await
    }

    /// The lease is checked in the store right before a request leaves again.
    async fn may_send_again(&self, entry: &Entry) -> bool {
        let Some(lease) = entry.lease else { return false };
        let begun = self.outbox.begin_send(&entry.reference, lease.token, self.clock.now());
        match measured(Operation::BeginSend, begun).await {
            Ok(ours) => ours,
            Err(error) => {
                tracing::error!(reference = %entry.reference, error = chain(&error), "cannot check the lease");
                false
            }
        }
    }

    /// A row that waited long for its place, or a process that was frozen meanwhile, must not send
    /// on a lease that others may take before the answer is in.
    fn lease_outlasts_a_request(&self, entry: &Entry) -> bool {
        let half = self.settings.lease / 2;
        entry.lease.is_some_and(|lease| lease.until.duration_since(self.clock.now()) > half)
    }

    async fn release(&self, entry: Entry) -> Entry {
        self.breaker.abandoned();
        self.settle(entry, Settlement::Released).await
    }

    async fn park_unreadable(&self, entry: Entry) -> Entry {
        self.breaker.abandoned();
        let reason = "the row holds nothing to send: it was erased or damaged".to_owned();
        self.settle(entry, Settlement::Parked { reason }).await
    }

    async fn settle(&self, entry: Entry, settlement: Settlement) -> Entry {
        let Some(lease) = entry.lease else { return entry };
        let (outbox, now) = (&self.outbox, self.clock.now());
        let notices = self.news.of_settlement(&entry, &settlement, now);
        let is_told = !notices.is_empty();
        let settling =
            outbox.settle(&entry.reference, lease.token, settlement.clone(), notices, now);
        let settled = measured(Operation::Settle, settling).await;
        count(&entry, &settlement, &settled, now);
        match settled {
            Ok(true) => {
                if is_told {
                    self.news.recorded();
                }
                after(entry, settlement, now)
            }
            Ok(false) => {
                tracing::warn!(reference = %entry.reference, "another courier took the row over");
                entry
            }
            // The lease expires and the row is looked up: nothing is lost and nothing doubled.
            Err(error) => {
                let error = chain(&error);
                tracing::error!(reference = %entry.reference, error, "cannot record how a delivery ended");
                entry
            }
        }
    }

    fn note_written(&self, entry: &Entry, written: &Written) {
        let (reference, attempt) = (&entry.reference, entry.attempts);
        match written {
            Written::Done(_) => self.breaker.succeeded(),
            Written::Refused(reason) => {
                // A right that was taken away refuses every call: better that they wait behind the
                // breaker than that all of them are parked.
                self.breaker.failed(reason);
                tracing::error!(%reference, reason, "GLPI refused it; parked for an operator");
            }
            Written::Unreachable(reason) => {
                self.breaker.failed(reason);
                tracing::warn!(%reference, attempt, reason, "not delivered; will be sent again");
            }
            Written::Unknown(reason) => {
                self.breaker.failed(reason);
                tracing::warn!(%reference, attempt, reason, "sent without a clear answer; will be looked up");
            }
        }
    }

    fn note_look_up(&self, entry: &Entry, found: &Result<Found, ReadError>) {
        let reference = &entry.reference;
        match found {
            Ok(Found::Several(ids)) => {
                self.breaker.succeeded();
                tracing::error!(%reference, tickets = ?ids, "GLPI has it more than once; keep the first, merge the others");
            }
            Ok(Found::One(_) | Found::Nothing) => self.breaker.succeeded(),
            Err(ReadError(reason)) => {
                self.breaker.failed(reason);
                tracing::warn!(%reference, reason, "could not be looked up; stays in doubt");
            }
        }
    }
}

/// Says that a row is delivered, where no caller is told: the line of a call tells it otherwise.
pub(crate) fn tell_delivered(entry: &Entry) {
    if entry.state == State::Delivered {
        let (reference, attempt) = (&entry.reference, entry.attempts);
        tracing::info!(%reference, ticket = entry.glpi_id, attempt, "delivered to GLPI");
    }
}

fn count(
    entry: &Entry,
    settlement: &Settlement,
    settled: &Result<bool, StoreError>,
    now: Timestamp,
) {
    outbox::settled(match (settled, settlement) {
        (Err(_), _) => Settled::Unsettled,
        (Ok(false), _) => Settled::LostLease,
        (Ok(true), Settlement::Delivered { .. }) => {
            let age = now.duration_since(entry.accepted_at);
            outbox::delivered_after(Duration::try_from(age).unwrap_or_default());
            Settled::Delivered
        }
        (Ok(true), Settlement::Retry { .. }) => Settled::Retry,
        (
            Ok(true),
            Settlement::Doubt { .. }
            | Settlement::NotFound { .. }
            | Settlement::LookupFailed { .. },
        ) => Settled::Doubt,
        (Ok(true), Settlement::Parked { .. }) => Settled::Parked,
        (Ok(true), Settlement::Released) => Settled::Released,
    });
}

/// The row as the store has it after that settlement, as far as callers are told of it.
fn after(mut entry: Entry, settlement: Settlement, now: Timestamp) -> Entry {
    entry.lease = None;
    match settlement {
        Settlement::Delivered { glpi_id } => {
            entry.state = State::Delivered;
            entry.glpi_id = Some(glpi_id);
            entry.settled_at = Some(now);
        }
        Settlement::Parked { reason } => {
            entry.state = State::Parked;
            entry.reason = Some(reason);
            entry.settled_at = Some(now);
        }
        Settlement::Doubt { .. }
        | Settlement::NotFound { .. }
        | Settlement::LookupFailed { .. } => entry.state = State::InDoubt,
        Settlement::Released if entry.state == State::InDoubt => {}
        Settlement::Retry { .. } | Settlement::Released => entry.state = State::Waiting,
    }
    entry
}

fn jitter() -> f64 {
    0.5 + fastrand::f64() / 2.0
}

/// An error with its causes, for one log line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
