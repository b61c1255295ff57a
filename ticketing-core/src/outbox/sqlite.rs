//! The outbox in a SQLite file beside the service: one process, nothing to set up.
//!
//! - `file` opens it so that a commit is on disk, and keeps other processes out.
//! - `epoch` notices when it was put back from a copy, which `backup` makes; `place` keeps it off
//!   network disks.
//! - `reserve` is room on the disk for when there is none.
//! - `writer` is the one thread that writes, many operations to a transaction.
//! - `reader` reads beside it.
//! - `rows`, `leases`, `erasure` and `notices` are the operations, mostly one SQL statement each.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    Alarm, Claim, Draft, Entry, Erasure, Filter, Inserted, Lease, Notice, NoticeDraft,
    NoticeOutcome, Outbox, Settlement, Stats, StoreError, row::unavailable, turns::Turns,
};
use crate::{
    clock::{Clock as _, SystemClock},
    ticket::Reference,
};

mod backup;
#[cfg(test)]
mod durability;
mod epoch;
mod erasure;
mod file;
pub(crate) mod leases;
mod notices;
mod place;
mod reader;
mod reserve;
pub(crate) mod rows;
mod writer;

pub use backup::{back_up, restore};
#[cfg(test)]
pub(crate) use epoch::doubt_everything;
use file::OutboxFile;
#[cfg(test)]
pub(crate) use file::migrate;
use reader::Reader;
use reserve::Reserve;
use writer::Writer;

/// An outbox in a file.
///
/// When the disk is full or fails, operations end in [`StoreError::Unavailable`] and the next ones
/// try anew: once there is room again, so is the outbox. A reserve of some megabytes is kept on the
/// disk and given up when it is full, for recording how requests end; none is recorded meanwhile.
#[derive(Debug)]
pub struct SqliteOutbox {
    // Declared, hence dropped, before the writer, which closes the file for good.
    reader: Reader,
    writer: Writer,
    turns: Arc<Mutex<Turns>>,
    reserve: Arc<Reserve>,
}

impl SqliteOutbox {
    /// Opens the file, or creates it, readable by its owner alone. A file `….lock` beside it is
    /// locked until the outbox is closed or dropped; another process that tries meanwhile gets
    /// [`StoreError::InUse`].
    ///
    /// A file on a network file system is refused: neither its locks nor its syncs can be relied
    /// upon. If the file is not the one that was last written here, but restored or copied, all that
    /// it has not settled is in doubt.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_at(path, SystemClock.now()).await
    }

    async fn open_at(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let opening = tokio::task::spawn_blocking(move || {
            let (file, connection) = OutboxFile::open(&path, now)?;
            let file = Arc::new(file);
            let reader = Reader::new(Arc::clone(&file));
            let reserve = Arc::clone(&file.reserve);
            Ok(Self {
                reader,
                writer: Writer::start(file, connection)?,
                turns: Arc::default(),
                reserve,
            })
        });
        opening.await.map_err(unavailable)?
    }
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn insert(
        &self,
        draft: Draft,
        lease: Option<Lease>,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        if self.reserve.is_spent() && !self.writer.renew_reserve().await? {
            return Err(unavailable("the disk is full"));
        }
        self.writer.run(move |connection| rows::insert(connection, draft, lease, now)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Entry>, StoreError> {
        let turns = Arc::clone(&self.turns);
        let claim = move |connection: &Connection| {
            let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
            leases::claim(connection, &mut turns, &claim)
        };
        self.writer.run(claim).await
    }

    async fn begin_send(
        &self,
        reference: &Reference,
        token: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let reference = reference.clone();
        self.writer
            .run(move |connection| leases::begin_send(connection, &reference, token, now))
            .await
    }

    async fn settle(
        &self,
        reference: &Reference,
        token: i64,
        settlement: Settlement,
        told: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let reference = reference.clone();
        let settle = move |connection: &Connection| {
            let settled = leases::settle(connection, &reference, token, settlement, now)?;
            if settled {
                notices::record(connection, &told, now)?;
            }
            Ok(settled)
        };
        self.writer.run(settle).await
    }

    async fn find(&self, reference: &Reference) -> Result<Option<Entry>, StoreError> {
        let reference = reference.clone();
        self.reader.read(move |connection| rows::find(connection, &reference)).await
    }

    async fn find_delivered(&self, ticket: u32) -> Result<Option<Entry>, StoreError> {
        self.reader.read(move |connection| rows::find_delivered(connection, ticket)).await
    }

    /// Asks the writer: whoever hears an answer also knows that the file can be locked for writing.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.writer.run(leases::next_due).await
    }

    async fn list(&self, filter: Filter) -> Result<Vec<Entry>, StoreError> {
        self.reader.read(move |connection| rows::list(connection, &filter)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.reader.read(|connection| rows::stats(connection, rows::COUNT_BY_STATE)).await
    }

    async fn left_to_do(&self) -> Result<Stats, StoreError> {
        self.reader.read(|connection| rows::stats(connection, rows::COUNT_LEFT)).await
    }

    async fn retry(&self, reference: &Reference, now: Timestamp) -> Result<bool, StoreError> {
        let reference = reference.clone();
        self.writer.run(move |connection| rows::retry(connection, &reference, now)).await
    }

    async fn discard(&self, reference: &Reference, now: Timestamp) -> Result<bool, StoreError> {
        let reference = reference.clone();
        self.writer.run(move |connection| rows::discard(connection, &reference, now)).await
    }

    /// Also empties the log right afterwards, where the erased words would live on.
    async fn erase_settled_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let erase = move |connection: &Connection| {
            let erased = erasure::erase_settled_before(connection, before, limit)?;
            Ok(erased + notices::delete_settled_before(connection, before, limit)?)
        };
        let erased = self.writer.run(erase).await?;
        if erased > 0 {
            self.writer.write_out().await?;
        }
        Ok(erased)
    }

    async fn followups(&self, ticket: &Reference) -> Result<Vec<Entry>, StoreError> {
        let ticket = ticket.clone();
        self.reader.read(move |connection| erasure::followups(connection, &ticket)).await
    }

    async fn erase(
        &self,
        reference: &Reference,
        also_open: bool,
        now: Timestamp,
    ) -> Result<Erasure, StoreError> {
        let reference = reference.clone();
        self.writer
            .run(move |connection| erasure::erase(connection, &reference, also_open, now))
            .await
    }

    /// Erased words are overwritten in the file at once; the log still holds them until it is
    /// emptied, which another program can delay that reads an older state.
    async fn scrub(&self) -> Result<bool, StoreError> {
        self.writer.write_out_now().await
    }

    async fn erase_parked_before(
        &self,
        before: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let erase = move |connection: &Connection| {
            erasure::erase_parked_before(connection, before, limit, now)
        };
        let erased = self.writer.run(erase).await?;
        if erased > 0 {
            self.writer.write_out().await?;
        }
        Ok(erased)
    }

    async fn count_parked_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.reader.read(move |connection| erasure::count_parked_before(connection, before)).await
    }

    async fn raise_alarm(
        &self,
        name: &str,
        told: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer.run(move |connection| notices::raise_alarm(connection, &name, &told, now)).await
    }

    async fn clear_alarm(
        &self,
        name: &str,
        told: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer.run(move |connection| notices::clear_alarm(connection, &name, &told, now)).await
    }

    async fn alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        self.reader.read(notices::alarms).await
    }

    async fn claim_notices(
        &self,
        now: Timestamp,
        lease: Lease,
        limit: u32,
    ) -> Result<Vec<Notice>, StoreError> {
        self.writer.run(move |connection| notices::claim(connection, now, lease, limit)).await
    }

    async fn settle_notice(
        &self,
        id: i64,
        token: i64,
        outcome: NoticeOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .run(move |connection| notices::settle(connection, id, token, outcome, now))
            .await
    }

    /// Makes older copies recognisable, and empties the log if nobody reads it.
    async fn upkeep(&self) -> Result<(), StoreError> {
        self.writer.upkeep().await
    }

    /// The lock proves that whoever held a lease is dead.
    async fn expire_leases(&self, now: Timestamp) -> Result<(), StoreError> {
        let expire = move |connection: &Connection| {
            leases::expire_leases(connection, now)?;
            notices::expire_leases(connection, now)
        };
        self.writer.run(expire).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.reader.close();
        self.writer.close().await
    }
}
