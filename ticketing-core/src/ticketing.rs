//! The front door: a request goes in, is recorded, and is answered while the caller is on the line.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use meters::store::Operation;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    announce::{self, announcer::Announcer, news::News, watcher::Watcher},
    backlog::Backlog,
    clock::Clock,
    courier::{self, Courier, Settings},
    glpi::{Glpi, TicketView},
    outbox::{
        Digest, Draft, Entry, Filter, Inserted, Key, Outbox, State, Stats, StoreError, Work,
        measured,
    },
    ticket::{NewFollowup, NewTicket, Reference},
};

mod personal_data;

pub use personal_data::{Erased, Found, Hit, Reach, Retention};

/// Records requests and delivers them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ticketing {
    outbox: Arc<dyn Outbox>,
    courier: Arc<Courier>,
    glpi: Arc<Glpi>,
    clock: Arc<dyn Clock>,
    news: Arc<News>,
    telling: Arc<announce::Settings>,
    tasks: TaskTracker,
    backlog: Arc<Backlog>,
    stopping: CancellationToken,
    /// Rows recorded under a lease and not yet delivered. Beyond its size new rows go to the
    /// backlog at once, so that memory stays bounded however long GLPI hangs.
    on_the_line: Arc<tokio::sync::Semaphore>,
}

/// Who asks, and what makes a repeat recognisable.
#[derive(Debug, Clone)]
pub struct Request {
    /// The client's name; keys are scoped by it.
    pub client: String,
    /// Same key and content: the same ticket.
    pub key: Option<String>,
    /// How long the key protects; `None`: for ever.
    pub key_window: Option<SignedDuration>,
    /// How long the caller waits for GLPI.
    pub answer_within: Duration,
}

/// Whose requests may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// This client's.
    Of(String),
}

impl Scope {
    fn has(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Of(client) => entry.client == *client,
        }
    }
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The row, as far as it is known.
    pub entry: Entry,
    /// It repeats an earlier answer; nothing was recorded now.
    pub replayed: bool,
    /// How long the caller waited for what.
    pub took: Took,
}

/// How long the stages of a call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Until the request was on disk, or known to be.
    pub recorded: Duration,
    /// From there until GLPI had answered and that was on disk; `None` if nothing was sent while
    /// the caller waited, or not to its end.
    pub delivered: Option<Duration>,
}

/// Why a request was not taken. Nothing was recorded, or nothing is known to have been.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key names a request with other content.
    #[error("the idempotency key was used before with other content")]
    KeyReused {
        /// The request it names.
        reference: Reference,
    },
    /// No such request.
    #[error("no request of that name is known")]
    NotFound,
    /// An operator has given the request up: no ticket will be made of it, and nothing be added.
    #[error("the request was discarded by an operator")]
    Discarded {
        /// The request.
        reference: Reference,
    },
    /// The store cannot commit or read: the same request with the same key may be made again.
    #[error("the outbox store does not answer: nothing was recorded or read")]
    Store(#[source] StoreError),
    /// As many requests wait for GLPI as may.
    #[error("too many requests wait for GLPI already")]
    Full,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Repeats wait for a running request by asking the store this often: it may run in another
/// replica, so there is nothing nearer to wait for.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Requests whose callers wait at once; more are answered as recorded.
const MOST_ON_THE_LINE: usize = 512;

impl Ticketing {
    /// Puts an outbox and a GLPI together. [`Self::start`] begins to deliver, and to tell people
    /// what they asked for.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        glpi: Glpi,
        clock: Arc<dyn Clock>,
        settings: Settings,
        telling: announce::Settings,
    ) -> Self {
        let glpi = Arc::new(glpi);
        let news = Arc::new(News::new(&telling));
        let courier = Courier::new(
            Arc::clone(&outbox),
            Arc::clone(&glpi),
            Arc::clone(&clock),
            Arc::clone(&news),
            settings,
        );
        Self {
            outbox,
            courier: Arc::new(courier),
            glpi,
            clock,
            news,
            telling: Arc::new(telling),
            tasks: TaskTracker::new(),
            backlog: Arc::new(Backlog::new(settings.max_backlog)),
            stopping: CancellationToken::new(),
            on_the_line: Arc::new(tokio::sync::Semaphore::new(MOST_ON_THE_LINE)),
        }
    }

    /// Takes over what an earlier process left and begins to deliver. Personal data that has been
    /// kept long enough is erased from then on.
    pub async fn start(&self, retention: Retention) -> Result<(), StoreError> {
        self.outbox.expire_leases(self.clock.now()).await?;
        let courier = Arc::clone(&self.courier);
        self.tasks.spawn(courier.run(self.tasks.clone(), self.stopping.clone()));
        self.start_telling();
        self.tasks.spawn(self.clone().erase_old_rows(retention));
        self.tasks.spawn(self.clone().keep_the_store_up());
        Ok(())
    }

    /// Begins to send notices and, where they are wanted, to watch.
    fn start_telling(&self) {
        let announcer = Announcer {
            outbox: Arc::clone(&self.outbox),
            clock: Arc::clone(&self.clock),
            channels: Arc::clone(&self.telling.channels),
            news: Arc::clone(&self.news),
        };
        self.tasks.spawn(Arc::new(announcer).run(self.tasks.clone(), self.stopping.clone()));
        if self.telling.channels.is_empty() {
            return;
        }
        let watcher = Watcher::new(
            Arc::clone(&self.outbox),
            Arc::clone(&self.courier),
            Arc::clone(&self.clock),
            Arc::clone(&self.news),
            &self.telling,
        );
        self.tasks.spawn(watcher.run(self.stopping.clone()));
    }

    /// Records a ticket, then waits for GLPI as long as the caller does.
    ///
    /// Dropping the future loses nothing: the work goes on, and a repeat with the same key finds it.
    pub async fn create(&self, request: Request, ticket: NewTicket) -> Result<Answer, Error> {
        self.record(request, Work::Ticket(ticket), None).await
    }

    /// Records a follow-up on an earlier request, then waits for GLPI as long as the caller does.
    pub async fn add_followup(
        &self,
        request: Request,
        on: &Reference,
        scope: &Scope,
        followup: NewFollowup,
    ) -> Result<Answer, Error> {
        let parent = self.find(on, scope).await?;
        // A follow-up on a follow-up belongs to the same ticket.
        let parent = match parent.parent {
            Some(ticket) => self.find(&ticket, &Scope::All).await?,
            None => parent,
        };
        if parent.state == State::Discarded {
            return Err(Error::Discarded { reference: parent.reference });
        }
        let parent = parent.reference;
        self.record(request, Work::Followup(followup), Some(parent)).await
    }

    /// The row of a reference.
    pub async fn find(&self, reference: &Reference, scope: &Scope) -> Result<Entry, Error> {
        let found = measured(Operation::Read, self.outbox.find(reference)).await;
        found.map_err(Error::Store)?.filter(|entry| scope.has(entry)).ok_or(Error::NotFound)
    }

    /// The row that became GLPI's ticket of that number.
    pub async fn find_by_ticket(&self, ticket: u32, scope: &Scope) -> Result<Entry, Error> {
        let found = measured(Operation::Read, self.outbox.find_delivered(ticket)).await;
        found.map_err(Error::Store)?.filter(|entry| scope.has(entry)).ok_or(Error::NotFound)
    }

    /// GLPI's present values of a ticket, if it gives them in time.
    pub async fn view(&self, ticket: u32, within: Duration) -> Option<TicketView> {
        if !self.courier.expects_glpi_to_answer() {
            return None;
        }
        match tokio::time::timeout(within, self.glpi.ticket(ticket)).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => {
                tracing::warn!(%error, ticket, "GLPI does not tell its ticket");
                None
            }
            Err(_elapsed) => None,
        }
    }

    /// Rows for operators, in the order of recording.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Entry>, Error> {
        measured(Operation::Read, self.outbox.list(filter)).await.map_err(Error::Store)
    }

    /// How the outbox stands.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let stats = measured(Operation::Read, self.outbox.stats()).await.map_err(Error::Store)?;
        self.backlog.counted(&stats);
        Ok(stats)
    }

    /// As [`Self::stats`], without counting what is done: cheap enough to be asked often.
    pub async fn left_to_do(&self) -> Result<Stats, Error> {
        let left = measured(Operation::Read, self.outbox.left_to_do()).await;
        let left = left.map_err(Error::Store)?;
        self.backlog.counted(&left);
        Ok(left)
    }

    /// Sends a parked or waiting row now.
    pub async fn retry(&self, reference: &Reference) -> Result<bool, Error> {
        let retrying = self.outbox.retry(reference, self.clock.now());
        let done = measured(Operation::Order, retrying).await.map_err(Error::Store)?;
        self.courier.wake();
        Ok(done)
    }

    /// Gives a row up.
    pub async fn discard(&self, reference: &Reference) -> Result<bool, Error> {
        let discarding = self.outbox.discard(reference, self.clock.now());
        measured(Operation::Order, discarding).await.map_err(Error::Store)
    }

    /// A hint that another replica has recorded something.
    pub fn look_for_work(&self) {
        self.courier.wake();
    }

    /// Whether callers may presently expect a ticket number.
    pub fn expects_glpi_to_answer(&self) -> bool {
        self.courier.expects_glpi_to_answer()
    }

    /// Whether the outbox answers, so that requests can be recorded.
    pub async fn can_record(&self) -> bool {
        self.outbox.next_due().await.is_ok()
    }

    /// Stops taking work, lets requests under way end within `deadline`, gives leases back, ends
    /// GLPI's session and closes the store. Requests still running then are left to the next start,
    /// which looks them up.
    pub async fn stop(&self, deadline: Duration) {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                "requests to GLPI were still running; they will be looked up at the next start"
            );
        }
        self.glpi.close().await;
        if let Err(error) = self.outbox.close().await {
            tracing::error!(%error, "the outbox did not close cleanly");
        }
    }

    /// Runs the insert in a task of our own: a caller who hangs up must not undo it.
    async fn record(
        &self,
        request: Request,
        work: Work,
        parent: Option<Reference>,
    ) -> Result<Answer, Error> {
        if self.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let began = Instant::now();
        let answer_by = began + request.answer_within;
        let this = self.clone();
        let inserting = async move { this.insert(&request, work, parent, answer_by).await };
        let recording = self.tasks.spawn(inserting.in_current_span());
        let (entry, delivery, replayed) =
            recording.await.map_err(|_task_failed| Error::Stopping)??;
        let on_disk = Instant::now();
        let recorded = on_disk - began;

        let Some(delivery) = delivery else {
            // A new row that is not delivered at once has no soon: GLPI is down, or its ticket is
            // not there yet.
            let entry = if replayed { self.wait_for(entry, answer_by).await } else { entry };
            return Ok(Answer { entry, replayed, took: Took { recorded, delivered: None } });
        };
        // The time-out ends the waiting, not the delivery.
        let (entry, delivered) = match tokio::time::timeout_at(answer_by, delivery).await {
            Ok(Ok(entry)) => (entry, Some(on_disk.elapsed())),
            Ok(Err(_)) | Err(_) => (entry, None),
        };
        Ok(Answer { entry, replayed, took: Took { recorded, delivered } })
    }

    async fn insert(
        &self,
        request: &Request,
        work: Work,
        parent: Option<Reference>,
        answer_by: Instant,
    ) -> Result<(Entry, Option<tokio::task::JoinHandle<Entry>>, bool), Error> {
        let fingerprint = fingerprint(&work, parent.as_ref());
        let key = request.key.as_ref().map(|key| Key {
            digest: Sha256::digest(key.as_bytes()).into(),
            window: request.key_window,
        });
        let place = self.place_on_the_line(parent.as_ref()).await?;
        if place.is_none() && self.backlog.is_full() {
            return Err(Error::Full);
        }
        loop {
            let draft = Draft {
                reference: Reference::draw(),
                client: request.client.clone(),
                key,
                fingerprint,
                parent: parent.clone(),
                work: work.clone(),
            };
            let lease = place.as_ref().map(|_| self.courier.lease());
            let inserting = self.outbox.insert(draft, lease, self.clock.now());
            let inserted = measured(Operation::Insert, inserting).await;
            match inserted.map_err(Error::Store)? {
                Inserted::ReferenceTaken => {}
                Inserted::ParentDiscarded => {
                    // Only a follow-up has a parent.
                    let reference = parent.unwrap_or_else(Reference::draw);
                    return Err(Error::Discarded { reference });
                }
                Inserted::Existing(entry) if entry.fingerprint != fingerprint => {
                    let reference = entry.parent.unwrap_or(entry.reference);
                    return Err(Error::KeyReused { reference });
                }
                Inserted::Existing(entry) => return Ok((entry, None, true)),
                Inserted::New(entry) => {
                    let delivery = place.map(|place| self.deliver(entry.clone(), answer_by, place));
                    if delivery.is_none() {
                        self.backlog.grew();
                        self.courier.wake();
                    }
                    return Ok((entry, delivery, false));
                }
            }
        }
    }

    /// A place among the requests that are delivered at once. None while GLPI is down, while too
    /// many wait already, and for a follow-up whose ticket GLPI does not have yet.
    async fn place_on_the_line(
        &self,
        parent: Option<&Reference>,
    ) -> Result<Option<tokio::sync::OwnedSemaphorePermit>, Error> {
        if !self.courier.expects_glpi_to_answer() {
            return Ok(None);
        }
        if let Some(parent) = parent
            && self.find(parent, &Scope::All).await?.state != State::Delivered
        {
            return Ok(None);
        }
        Ok(Arc::clone(&self.on_the_line).try_acquire_owned().ok())
    }

    fn deliver(
        &self,
        entry: Entry,
        answer_by: Instant,
        place: tokio::sync::OwnedSemaphorePermit,
    ) -> tokio::task::JoinHandle<Entry> {
        let courier = Arc::clone(&self.courier);
        let delivering = async move {
            let entry = courier.deliver_fresh(entry, answer_by - Instant::now()).await;
            drop(place);
            if Instant::now() > answer_by {
                courier::tell_delivered(&entry);
            }
            entry
        };
        self.tasks.spawn(delivering.in_current_span())
    }

    /// Waits until a row that somebody else delivers is settled, or until the caller must be
    /// answered, or as long as GLPI is believed to answer at all.
    async fn wait_for(&self, mut entry: Entry, answer_by: Instant) -> Entry {
        while matches!(entry.state, State::Waiting | State::Sending | State::InDoubt)
            && self.courier.expects_glpi_to_answer()
            && Instant::now() + ASK_AGAIN < answer_by
        {
            tokio::time::sleep(ASK_AGAIN).await;
            match self.outbox.find(&entry.reference).await {
                Ok(Some(found)) => entry = found,
                Ok(None) | Err(_) => return entry,
            }
        }
        entry
    }

    /// Lets the store do what it does for itself.
    async fn keep_the_store_up(self) {
        const EVERY: Duration = Duration::from_mins(1);
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            if let Err(error) = self.outbox.upkeep().await {
                tracing::warn!(%error, "the store could not be kept up");
            }
        }
    }
}

/// Digest of the content; a follow-up's includes what it follows.
fn fingerprint(work: &Work, parent: Option<&Reference>) -> Digest {
    let mut hash = Sha256::new();
    // Serialising these plain types cannot fail: no maps with odd keys, no non-finite numbers.
    hash.update(serde_json::to_vec(work).unwrap_or_default());
    hash.update(parent.map(Reference::as_str).unwrap_or_default());
    hash.finalize().into()
}
