//! What callers said: found and erased when they ask for it, and erased in time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meters::store::Operation;

use super::{Error, Ticketing};
use crate::{
    outbox::{Entry, Erasure, Filter, StoreError, Work, measured},
    person::{Link, Person},
    ticket::Reference,
};

/// How long what callers said is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Of delivered and discarded requests, from that moment on.
    pub settled: SignedDuration,
    /// Of parked requests, which are given up then; `None`: for ever.
    pub parked: Option<SignedDuration>,
}

/// A person's requests, found so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// In the order of recording, each ticket before its follow-ups; a follow-up that mentions the
    /// person while its ticket does not stands alone. May be empty though there is more to look
    /// through.
    pub rows: Vec<T>,
    /// Where to go on; `None`: all has been looked through.
    pub next: Option<Reference>,
}

/// A row that has to do with a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The row.
    pub entry: Entry,
    /// What it has to do with the person; of a follow-up, what its ticket has.
    pub link: Link,
}

/// What became of a row that a caller asked to erase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The row, as it stood before.
    pub entry: Entry,
    /// What became of it; `None`: it only mentions the person and was left as it is.
    pub erasure: Option<Erasure>,
}

/// What is erased besides settled and parked requests of the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach {
    /// Those that have still to be delivered.
    pub open: bool,
    /// Those that only mention the person.
    pub mentioned: bool,
}

/// Rows looked at in one go, none of them held longer than that.
const PAGE: u32 = 500;

/// Pages looked at per call: bounds how long it takes. A large store needs several calls.
const PAGES: usize = 20;

/// Rows erased in one transaction.
const ERASED_AT_ONCE: u32 = 500;

/// Between two looks for rows that have been kept long enough.
const EVERY: Duration = Duration::from_mins(10);

impl Ticketing {
    /// Requests of a person, or that mention one, that still hold what was said, in any state, after
    /// that row.
    ///
    /// There is no index for it: rows are read in the order of recording, some thousands per call.
    pub async fn find_caller(
        &self,
        person: &Person,
        mut after: Option<Reference>,
    ) -> Result<Found<Hit>, Error> {
        let mut rows = Vec::new();
        for _ in 0..PAGES {
            let filter = Filter { after: after.take(), limit: PAGE, ..Filter::default() };
            let page = self.list(filter).await?;
            let full = u32::try_from(page.len()).is_ok_and(|count| count == PAGE);
            after = page.last().filter(|_| full).map(|entry| entry.reference.clone());
            for entry in page {
                let found =
                    entry.work.as_ref().and_then(|work| Some((work, person.in_work(work)?)));
                let Some((work, link)) = found else { continue };
                if matches!(work, Work::Ticket(_)) {
                    let followups = self.outbox.followups(&entry.reference).await;
                    rows.push(Hit { entry, link });
                    let followups = followups.map_err(Error::Store)?.into_iter();
                    let telling = followups.filter(|followup| followup.work.is_some());
                    rows.extend(telling.map(|entry| Hit { entry, link }));
                } else if !self.is_found_by_its_ticket(person, &entry).await? {
                    rows.push(Hit { entry, link });
                }
            }
            if after.is_none() {
                break;
            }
        }
        Ok(Found { rows, next: after })
    }

    /// Whether a follow-up is found by its ticket.
    async fn is_found_by_its_ticket(
        &self,
        person: &Person,
        followup: &Entry,
    ) -> Result<bool, Error> {
        let Some(parent) = &followup.parent else { return Ok(false) };
        let ticket = self.outbox.find(parent).await.map_err(Error::Store)?;
        let work = ticket.and_then(|ticket| ticket.work);
        Ok(work.is_some_and(|work| person.in_work(&work).is_some()))
    }

    /// Erases what a person said, after that row: from settled and parked requests, which are given
    /// up, and from others as far as `reach` goes. Requests being sent stay.
    pub async fn erase_caller(
        &self,
        person: &Person,
        reach: Reach,
        after: Option<Reference>,
    ) -> Result<Found<Erased>, Error> {
        let found = self.find_caller(person, after).await?;
        let mut rows = Vec::new();
        for Hit { entry, link } in found.rows {
            let erasure = if link == Link::Called || reach.mentioned {
                let now = self.clock.now();
                let erasing = self.outbox.erase(&entry.reference, reach.open, now).await;
                Some(erasing.map_err(Error::Store)?)
            } else {
                None
            };
            rows.push(Erased { entry, erasure });
        }
        Ok(Found { rows, next: found.next })
    }

    /// Removes what erased rows left behind in the store's files. `false`: some may still be there.
    pub async fn scrub(&self) -> Result<bool, Error> {
        self.outbox.scrub().await.map_err(Error::Store)
    }

    /// How many parked requests will be given up within `soon`, by their age.
    pub async fn expiring_parked(
        &self,
        retention: SignedDuration,
        soon: SignedDuration,
    ) -> Result<u64, Error> {
        let before = self.ago(retention.saturating_sub(soon));
        self.outbox.count_parked_before(before).await.map_err(Error::Store)
    }

    pub(super) async fn erase_old_rows(self, retention: Retention) {
        loop {
            match self.erase_some_old_rows(retention).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "personal data could not be erased"),
            }
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// `true`: there may be more.
    async fn erase_some_old_rows(&self, retention: Retention) -> Result<bool, StoreError> {
        let settled = self.ago(retention.settled);
        let erasing = self.outbox.erase_settled_before(settled, ERASED_AT_ONCE);
        let erased = measured(Operation::Erase, erasing).await?;
        let mut given_up = 0;
        if let Some(parked) = retention.parked {
            let (before, now) = (self.ago(parked), self.clock.now());
            let erasing = self.outbox.erase_parked_before(before, ERASED_AT_ONCE, now);
            given_up = measured(Operation::Erase, erasing).await?;
            if given_up > 0 {
                tracing::warn!(given_up, "parked requests were kept long enough and are given up");
            }
        }
        Ok(erased.max(given_up) >= u64::from(ERASED_AT_ONCE))
    }

    fn ago(&self, span: SignedDuration) -> Timestamp {
        self.clock.now().saturating_sub(span).unwrap_or(Timestamp::MIN)
    }
}
