//! One thread writes. All operations that wait when it is free go into one transaction, so that
//! one sync to the disk serves them all.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    file::{self, OutboxFile},
    rows::execute,
};
use crate::outbox::{StoreError, row::unavailable};

/// Operations that may wait for the thread; further callers wait for a place.
const QUEUE: usize = 1024;

/// Operations in one transaction: bounds how long the first of them waits for its answer.
const LARGEST_BATCH: usize = 256;

/// Between two attempts to find room on a full disk.
const RENEW_AFTER: Duration = Duration::from_secs(1);

/// A log of this size is worth a warning: SQLite keeps it below 4 MB by itself while nobody reads
/// an older state.
const LARGE_LOG_BYTES: u64 = 64 << 20;

/// Takes the write lock at once: a deferred transaction could fail half-way.
const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const SAVEPOINT: &str = "SAVEPOINT operation";
const RELEASE: &str = "RELEASE operation";
const UNDO: &str = "ROLLBACK TO operation";

/// The way to the thread that writes.
#[derive(Debug)]
pub(super) struct Writer(Mutex<Option<Thread>>);

#[derive(Debug)]
struct Thread {
    orders: mpsc::Sender<Order>,
    handle: JoinHandle<Result<(), StoreError>>,
}

enum Order {
    /// An operation, to be answered once it is on disk.
    Operate(Box<dyn Operation>),
    /// Empty the log: something was erased, and the log still holds it. Tell whoever waits for it
    /// whether that was done.
    WriteOut(Option<oneshot::Sender<bool>>),
    /// Try whether the disk has room again.
    RenewReserve(oneshot::Sender<bool>),
    /// What is done from time to time.
    Upkeep(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(file: Arc<OutboxFile>, connection: Connection) -> Result<Self, StoreError> {
        let (orders, received) = mpsc::channel(QUEUE);
        let worker =
            Worker { file, connection: Some(connection), changed: true, reserve_tried: None };
        let handle = std::thread::Builder::new()
            .name("outbox-writer".into())
            .spawn(move || worker.run(received))
            .map_err(unavailable)?;
        Ok(Self(Mutex::new(Some(Thread { orders, handle }))))
    }

    /// Runs an operation in the next transaction; answers once that is on disk.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let call = Call { work: Some(work), result: None, reply };
        self.order(Order::Operate(Box::new(call))).await?;
        answer.await.map_err(unavailable)?
    }

    /// Empties the log soon.
    pub(super) async fn write_out(&self) -> Result<(), StoreError> {
        self.order(Order::WriteOut(None)).await
    }

    /// Empties the log; `false`: another program reads an older state, and it stays.
    pub(super) async fn write_out_now(&self) -> Result<bool, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::WriteOut(Some(reply))).await?;
        answer.await.map_err(unavailable)
    }

    /// Makes older copies of the file recognisable, and empties the log if nobody reads it.
    pub(super) async fn upkeep(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Upkeep(reply)).await?;
        answer.await.map_err(unavailable)
    }

    /// Whether the disk has room again.
    pub(super) async fn renew_reserve(&self) -> Result<bool, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::RenewReserve(reply)).await?;
        answer.await.map_err(unavailable)
    }

    async fn order(&self, order: Order) -> Result<(), StoreError> {
        let orders = self.thread().as_ref().map(|thread| thread.orders.clone());
        let orders = orders.ok_or_else(|| unavailable("the outbox is closed"))?;
        orders.send(order).await.map_err(|_ended| unavailable("the outbox's writer has ended"))
    }

    /// Does what was ordered, then closes the file.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let Some(thread) = self.thread().take() else { return Ok(()) };
        tokio::task::spawn_blocking(|| thread.end()).await.map_err(unavailable)?
    }

    fn thread(&self) -> std::sync::MutexGuard<'_, Option<Thread>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Thread {
    fn end(self) -> Result<(), StoreError> {
        drop(self.orders);
        self.handle.join().unwrap_or_else(|_panic| Err(unavailable("the outbox's writer has died")))
    }
}

/// Whoever drops the outbox may open the file again at once.
impl Drop for Writer {
    fn drop(&mut self) {
        let thread = self.thread().take();
        if let Some(Err(error)) = thread.map(Thread::end) {
            tracing::error!(%error, "the outbox did not close cleanly");
        }
    }
}

/// What the thread owns. The file's lock goes last.
struct Worker {
    connection: Option<Connection>,
    file: Arc<OutboxFile>,
    /// Something was committed since the file's epoch last turned.
    changed: bool,
    /// When the disk was last found to have no room again.
    reserve_tried: Option<Instant>,
}

impl Worker {
    fn run(mut self, mut orders: mpsc::Receiver<Order>) -> Result<(), StoreError> {
        while let Some(first) = orders.blocking_recv() {
            let mut batch = Vec::new();
            let mut write_out = false;
            let mut waiting = Vec::new();
            let mut upkeep = None;
            let mut next = Some(first);
            while let Some(order) = next {
                match order {
                    Order::Operate(operation) => batch.push(operation),
                    Order::WriteOut(reply) => {
                        write_out = true;
                        waiting.extend(reply);
                    }
                    Order::RenewReserve(reply) => {
                        let _caller_left = reply.send(self.renew_reserve());
                    }
                    Order::Upkeep(reply) => upkeep = Some(reply),
                }
                next = if batch.len() < LARGEST_BATCH { orders.try_recv().ok() } else { None };
            }
            if !batch.is_empty() {
                self.commit(batch);
            }
            if write_out {
                let done = self.write_out();
                for reply in waiting {
                    let _caller_left = reply.send(done);
                }
            }
            if let Some(reply) = upkeep {
                self.upkeep();
                let _caller_left = reply.send(());
            }
        }
        self.close()
    }

    /// One transaction; whatever goes wrong with it goes wrong for all of its operations.
    fn commit(&mut self, mut batch: Vec<Box<dyn Operation>>) {
        self.changed = true;
        let committed = self.connection().and_then(|connection| transact(connection, &mut batch));
        let failure = committed.err().map(Arc::new);
        let is_full =
            |error: &Arc<_>| rusqlite::Error::sqlite_error_code(error) == Some(ErrorCode::DiskFull);
        if failure.as_ref().is_some_and(is_full) {
            self.file.reserve.spend();
        }
        if let Some(error) = &failure
            && let Some(broken) = self.connection.take()
        {
            // Nothing is known about this connection any more. Closing it undoes what is open.
            drop(broken);
            tracing::warn!(%error, "the outbox's file failed; it will be opened anew");
        }
        for operation in batch {
            operation.answer(failure.clone());
        }
    }

    fn connection(&mut self) -> rusqlite::Result<&Connection> {
        match self.connection.take() {
            Some(connection) => Ok(self.connection.insert(connection)),
            None => Ok(self.connection.insert(self.file.reconnect()?)),
        }
    }

    fn write_out(&mut self) -> bool {
        let written = self.connection().and_then(file::write_out);
        if let Err(error) = &written {
            tracing::warn!(%error, "erased data stays in the outbox's log until it is next emptied");
        }
        written.is_ok()
    }

    /// Tried now and then only: it writes some megabytes.
    fn renew_reserve(&mut self) -> bool {
        let reserve = Arc::clone(&self.file.reserve);
        let long_ago = self.reserve_tried.is_none_or(|tried| tried.elapsed() >= RENEW_AFTER);
        if reserve.is_spent() && long_ago {
            reserve.renew();
            self.reserve_tried = reserve.is_spent().then(Instant::now);
        }
        !reserve.is_spent()
    }

    fn upkeep(&mut self) {
        self.renew_reserve();
        self.turn_epoch();
        let emptied = self.connection().and_then(file::try_write_out);
        let wal_bytes = self.file.log_bytes();
        meters::store::log_bytes(wal_bytes);
        if emptied.is_err() && wal_bytes > LARGE_LOG_BYTES {
            tracing::warn!(
                wal_bytes,
                "the outbox's log cannot be emptied and grows: another program reads an older state \
                 of the file; end it"
            );
        }
    }

    fn turn_epoch(&mut self) {
        if !self.changed {
            return;
        }
        let file = Arc::clone(&self.file);
        let turned = match self.connection() {
            Ok(connection) => file.turn_epoch(connection),
            Err(error) => Err(std::io::Error::other(error)),
        };
        match turned {
            Ok(()) => self.changed = false,
            Err(error) => {
                tracing::warn!(%error, "a copy of the outbox put back now would pass for it");
            }
        }
    }

    fn close(mut self) -> Result<(), StoreError> {
        self.turn_epoch();
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let written = file::write_out(&connection);
        connection.close().map_err(|(_connection, error)| unavailable(error))?;
        written.map_err(unavailable)
    }
}

/// Runs every operation in a savepoint of its own, so that one poisonous row fails alone, and
/// commits them together. An operation that is alone needs none.
fn transact(connection: &Connection, batch: &mut [Box<dyn Operation>]) -> rusqlite::Result<()> {
    execute(connection, BEGIN, [])?;
    if let [operation] = batch {
        let end = match operation.run(connection) {
            Verdict::Done => COMMIT,
            Verdict::Undo => ROLLBACK,
            Verdict::Abandon(error) => return Err(error),
        };
        return execute(connection, end, []).map(drop);
    }
    for operation in batch {
        execute(connection, SAVEPOINT, [])?;
        match operation.run(connection) {
            Verdict::Done => {}
            Verdict::Undo => {
                execute(connection, UNDO, [])?;
            }
            Verdict::Abandon(error) => return Err(error),
        }
        execute(connection, RELEASE, [])?;
    }
    execute(connection, COMMIT, [])?;
    Ok(())
}

/// An operation with somebody who waits for its end.
trait Operation: Send {
    fn run(&mut self, connection: &Connection) -> Verdict;

    /// Tells the result, unless the transaction failed.
    fn answer(self: Box<Self>, failure: Option<Arc<rusqlite::Error>>);
}

enum Verdict {
    Done,
    /// It failed by itself; the others go on.
    Undo,
    /// The store failed; nothing can go on.
    Abandon(rusqlite::Error),
}

struct Call<F, T> {
    work: Option<F>,
    result: Option<rusqlite::Result<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Operation for Call<F, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Verdict {
        let Some(work) = self.work.take() else { return Verdict::Undo };
        match work(connection) {
            Ok(value) => {
                self.result = Some(Ok(value));
                Verdict::Done
            }
            Err(error) if concerns_only_its_row(&error) && !connection.is_autocommit() => {
                self.result = Some(Err(error));
                Verdict::Undo
            }
            Err(error) => Verdict::Abandon(error),
        }
    }

    fn answer(self: Box<Self>, failure: Option<Arc<rusqlite::Error>>) {
        let result = match (failure, self.result) {
            (Some(error), _) => Err(unavailable(error)),
            (None, Some(result)) => result.map_err(unavailable),
            (None, None) => Err(unavailable("the operation was not run")),
        };
        // A caller who has left loses nothing: the row is found again.
        let _caller_left = self.reply.send(result);
    }
}

/// The values are at fault, not the disk.
fn concerns_only_its_row(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch
        ),
        None => true,
    }
}
