//! The outbox in PostgreSQL: several replicas of the service on one database.
//!
//! - `server` makes connections, and refuses a server that may lose what it has committed.
//! - `rows`, `leases`, `erasure` and `notices` are the operations, mostly one of the `statements` each.
//! - `wakeups` tells replicas of one another's rows.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Alarm, Claim, Draft, Entry, Erasure, Filter, Inserted, Lease, Notice, NoticeDraft,
    NoticeOutcome, Outbox, Settlement, Stats, StoreError, row::unavailable,
};
use crate::ticket::Reference;

mod claim;
mod epoch;
mod erasure;
mod expired;
mod leases;
#[cfg(test)]
mod load;
mod notices;
mod rows;
mod server;
mod statements;
mod wakeups;

use claim::Marks;
use server::Server;

/// How long an operation may take, connecting included. Longer than the server's own time-outs, so
/// that a server which answers at all answers first.
const DEADLINE: Duration = Duration::from_secs(20);

/// An outbox in a PostgreSQL database.
///
/// While the server is away operations end in [`StoreError::Unavailable`]; when it is back, so is
/// the outbox.
#[derive(Debug)]
pub struct PostgresOutbox {
    server: Server,
    pool: Pool,
    marks: Arc<Marks>,
    /// A row without a lease has been recorded.
    recorded: Arc<Notify>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl PostgresOutbox {
    /// Connects by a URL such as `postgres://user:password@host/database`, and brings the tables
    /// up to date; replicas may start together.
    ///
    /// `sslmode=require` demands TLS; by default it is used if the server offers it. Certificates
    /// are verified against the system's. A server that may lose what it has committed
    /// (`fsync=off`, `synchronous_commit=off`, a standby) is refused as [`StoreError::Unusable`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let server = Server::parse(url)?;
        let pool = server.pool().await?;
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let recorded = Arc::new(Notify::new());
        tasks.spawn(wakeups::give(pool.clone(), Arc::clone(&recorded), stopping.clone()));
        Ok(Self { server, pool, marks: Arc::default(), recorded, tasks, stopping })
    }

    /// Hints that a row may wait: of this replica and of others. Best effort, many may come as one,
    /// and some without a reason; polling stays the truth. Costs a connection until dropped.
    pub fn wakeups(&self) -> watch::Receiver<()> {
        let (hints, receiver) = watch::channel(());
        self.tasks.spawn(wakeups::take(self.server.clone(), hints, self.stopping.clone()));
        receiver
    }

    /// Runs an operation in a task of its own: a caller who leaves must not leave a connection in
    /// the middle of something.
    async fn apart<T: Send + 'static>(
        &self,
        operation: impl Future<Output = statements::Result<T>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let running = self.tasks.spawn(tokio::time::timeout(DEADLINE, operation));
        running.await.map_err(unavailable)?.map_err(unavailable)?.map_err(StoreError::Unavailable)
    }
}

impl Drop for PostgresOutbox {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

#[async_trait]
impl Outbox for PostgresOutbox {
    async fn insert(
        &self,
        draft: Draft,
        lease: Option<Lease>,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        let pool = self.pool.clone();
        let inserting = async move { rows::insert(&pool.get().await?, draft, lease, now).await };
        let inserted = self.apart(inserting).await?;
        if lease.is_none() && matches!(inserted, Inserted::New(_)) {
            self.recorded.notify_one();
        }
        Ok(inserted)
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Entry>, StoreError> {
        let (pool, marks) = (self.pool.clone(), Arc::clone(&self.marks));
        self.apart(async move { claim::claim(&pool.get().await?, &marks, &claim).await }).await
    }

    async fn begin_send(
        &self,
        reference: &Reference,
        token: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (pool, reference) = (self.pool.clone(), reference.clone());
        let beginning =
            async move { leases::begin_send(&pool.get().await?, &reference, token, now).await };
        self.apart(beginning).await
    }

    async fn settle(
        &self,
        reference: &Reference,
        token: i64,
        settlement: Settlement,
        told: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (pool, reference) = (self.pool.clone(), reference.clone());
        let settling = async move {
            let mut client = pool.get().await?;
            if told.is_empty() {
                leases::settle(&client, &reference, token, settlement, now).await
            } else {
                leases::settle_and_tell(&mut client, &reference, token, settlement, &told, now)
                    .await
            }
        };
        self.apart(settling).await
    }

    async fn find(&self, reference: &Reference) -> Result<Option<Entry>, StoreError> {
        let (pool, reference) = (self.pool.clone(), reference.clone());
        self.apart(async move { rows::find(&pool.get().await?, &reference).await }).await
    }

    async fn find_delivered(&self, ticket: u32) -> Result<Option<Entry>, StoreError> {
        let pool = self.pool.clone();
        self.apart(async move { rows::find_delivered(&pool.get().await?, ticket).await }).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let (pool, marks) = (self.pool.clone(), Arc::clone(&self.marks));
        self.apart(async move { claim::next_due(&pool.get().await?, &marks).await }).await
    }

    async fn list(&self, filter: Filter) -> Result<Vec<Entry>, StoreError> {
        let pool = self.pool.clone();
        self.apart(async move { rows::list(&pool.get().await?, &filter).await }).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let pool = self.pool.clone();
        let counting = async move { rows::stats(&pool.get().await?, rows::COUNT_BY_STATE).await };
        self.apart(counting).await
    }

    async fn left_to_do(&self) -> Result<Stats, StoreError> {
        let pool = self.pool.clone();
        self.apart(async move { rows::stats(&pool.get().await?, rows::COUNT_LEFT).await }).await
    }

    async fn retry(&self, reference: &Reference, now: Timestamp) -> Result<bool, StoreError> {
        let (pool, reference) = (self.pool.clone(), reference.clone());
        let retrying = async move { rows::retry(&pool.get().await?, &reference, now).await };
        let retried = self.apart(retrying).await?;
        if retried {
            self.recorded.notify_one();
        }
        Ok(retried)
    }

    async fn discard(&self, reference: &Reference, now: Timestamp) -> Result<bool, StoreError> {
        let (pool, reference) = (self.pool.clone(), reference.clone());
        self.apart(async move { rows::discard(&pool.get().await?, &reference, now).await }).await
    }

    async fn erase_settled_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let pool = self.pool.clone();
        let erasing = async move {
            let client = pool.get().await?;
            let erased = erasure::erase_settled_before(&client, before, limit).await?;
            Ok(erased + notices::delete_settled_before(&client, before, limit).await?)
        };
        self.apart(erasing).await
    }

    async fn followups(&self, ticket: &Reference) -> Result<Vec<Entry>, StoreError> {
        let (pool, ticket) = (self.pool.clone(), ticket.clone());
        self.apart(async move { erasure::followups(&pool.get().await?, &ticket).await }).await
    }

    async fn erase(
        &self,
        reference: &Reference,
        also_open: bool,
        now: Timestamp,
    ) -> Result<Erasure, StoreError> {
        let (pool, reference) = (self.pool.clone(), reference.clone());
        let erasing =
            async move { erasure::erase(&mut pool.get().await?, &reference, also_open, now).await };
        self.apart(erasing).await
    }

    /// `false`: old versions of a row stay in the database's files until it is vacuumed.
    async fn scrub(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn erase_parked_before(
        &self,
        before: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let pool = self.pool.clone();
        let erasing = async move {
            erasure::erase_parked_before(&mut pool.get().await?, before, limit, now).await
        };
        self.apart(erasing).await
    }

    async fn count_parked_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        let pool = self.pool.clone();
        let counting =
            async move { erasure::count_parked_before(&pool.get().await?, before).await };
        self.apart(counting).await
    }

    async fn raise_alarm(
        &self,
        name: &str,
        told: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (pool, name) = (self.pool.clone(), name.to_owned());
        let raising =
            async move { notices::raise_alarm(&mut pool.get().await?, &name, &told, now).await };
        self.apart(raising).await
    }

    async fn clear_alarm(
        &self,
        name: &str,
        told: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (pool, name) = (self.pool.clone(), name.to_owned());
        let clearing =
            async move { notices::clear_alarm(&mut pool.get().await?, &name, &told, now).await };
        self.apart(clearing).await
    }

    async fn alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        let pool = self.pool.clone();
        self.apart(async move { notices::alarms(&pool.get().await?).await }).await
    }

    async fn claim_notices(
        &self,
        now: Timestamp,
        lease: Lease,
        limit: u32,
    ) -> Result<Vec<Notice>, StoreError> {
        let pool = self.pool.clone();
        self.apart(async move { notices::claim(&pool.get().await?, now, lease, limit).await }).await
    }

    async fn settle_notice(
        &self,
        id: i64,
        token: i64,
        outcome: NoticeOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let pool = self.pool.clone();
        self.apart(
            async move { notices::settle(&pool.get().await?, id, token, outcome, now).await },
        )
        .await
    }

    /// Does nothing: the server looks after itself.
    async fn upkeep(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Does nothing: other replicas may be alive and hold leases.
    async fn expire_leases(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close();
        Ok(())
    }
}
