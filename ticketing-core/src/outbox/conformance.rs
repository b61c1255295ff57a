//! One suite for all stores: what [`Outbox`] promises, a case per sentence.
//!
//! PostgreSQL is tested if `AUTOMATGLPI_TEST_POSTGRES_URL` names a server; each case makes a schema
//! of its own there. Without it those cases pass and say so, but fail where `CI` is set.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::{
    Claim, Draft, Entry, Inserted, Key, Lease, NoticeDraft, Outbox, Settlement, State, Work,
    postgres::PostgresOutbox, sqlite::SqliteOutbox,
};
use crate::ticket::{CallContext, Caller, Detail, NewFollowup, NewTicket, Reference};

/// Makes a test of each case for each store.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::super::Store::in_a_file().await.examine(super::$case).await;
            }
        )+}

        mod on_postgres {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(store) = super::super::Store::in_a_schema().await {
                    store.examine(super::$case).await;
                }
            }
        )+}
    };
}

mod concurrency;
mod erasing;
mod leasing;
mod notices;
mod operators;
mod recording;
mod replicas;
mod settling;
mod turns;

/// A store with nothing in it.
pub(super) struct Store {
    pub(super) outbox: Arc<dyn Outbox>,
    place: Place,
}

enum Place {
    File(TempDir),
    Schema { server: String, name: String },
}

impl Store {
    async fn in_a_file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let outbox =
            Arc::new(SqliteOutbox::open(&directory.path().join("outbox.db")).await.unwrap());
        Self { outbox, place: Place::File(directory) }
    }

    #[expect(clippy::disallowed_methods, reason = "only these tests know where a server is")]
    pub(super) async fn in_a_schema() -> Option<Self> {
        let Ok(server) = std::env::var("AUTOMATGLPI_TEST_POSTGRES_URL") else {
            let needed = std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false");
            assert!(!needed, "AUTOMATGLPI_TEST_POSTGRES_URL must name a PostgreSQL server in CI");
            println!("not tested: AUTOMATGLPI_TEST_POSTGRES_URL names no PostgreSQL server");
            return None;
        };
        let name = format!("outbox_{}", fastrand::u64(..));
        administer(&server, &format!("CREATE SCHEMA {name}")).await;
        let outbox = Arc::new(PostgresOutbox::connect(&url(&server, &name)).await.unwrap());
        Some(Self { outbox, place: Place::Schema { server, name } })
    }

    pub(super) async fn examine(mut self, case: impl AsyncFnOnce(&mut Self)) {
        case(&mut self).await;
        self.outbox.close().await.unwrap();
        if let Place::Schema { server, name } = &self.place {
            administer(server, &format!("DROP SCHEMA {name} CASCADE")).await;
        }
    }

    /// Closes the store and opens it again.
    async fn restart(&mut self) {
        self.outbox.close().await.unwrap();
        self.outbox = match &self.place {
            Place::File(directory) => {
                Arc::new(SqliteOutbox::open(&directory.path().join("outbox.db")).await.unwrap())
            }
            Place::Schema { server, name } => {
                Arc::new(PostgresOutbox::connect(&url(server, name)).await.unwrap())
            }
        };
    }

    /// Runs statements behind the store's back.
    async fn tamper(&self, statements: &str) {
        match &self.place {
            Place::File(directory) => {
                let connection = rusqlite::Connection::open(directory.path().join("outbox.db"));
                connection.unwrap().execute_batch(statements).unwrap();
            }
            Place::Schema { server, name } => {
                administer(server, &format!("SET search_path = {name}; {statements}")).await;
            }
        }
    }

    /// Ends every connection to this store's schema, at the server's end.
    async fn cut_connections(&self) {
        if let Place::Schema { server, name } = &self.place {
            let cut = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = '{name}'"
            );
            administer(server, &cut).await;
        }
    }

    fn knows_it_is_alone(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// The URL of this store's own schema, if it is a PostgreSQL.
    pub(super) fn url(&self) -> String {
        match &self.place {
            Place::File(_) => unreachable!("a file has no URL"),
            Place::Schema { server, name } => url(server, name),
        }
    }

    pub(super) async fn record(&self, draft: Draft, lease: Option<Lease>, now: Timestamp) -> Entry {
        match self.outbox.insert(draft, lease, now).await.unwrap() {
            Inserted::New(entry) => entry,
            other => panic!("{other:?}"),
        }
    }

    async fn entry(&self, reference: &Reference) -> Entry {
        self.outbox.find(reference).await.unwrap().unwrap()
    }

    async fn claim(&self, claim: Claim) -> Vec<Entry> {
        self.outbox.claim(claim).await.unwrap()
    }

    pub(super) async fn settle(
        &self,
        reference: &Reference,
        token: i64,
        how: Settlement,
        now: Timestamp,
    ) {
        assert!(self.outbox.settle(reference, token, how, Vec::new(), now).await.unwrap());
    }

    /// A row recorded at 0 s, brought to that state by 10 s, without a lease unless it needs one:
    /// then under token 1 until 60 s.
    async fn row_in(&self, state: State) -> Entry {
        let reference = self.record(draft(), Some(lease(1, 60)), at(0)).await.reference;
        let how = match state {
            State::Sending => return self.entry(&reference).await,
            State::Waiting => Settlement::Retry { due: at(10), reason: "refused".into() },
            State::InDoubt | State::Discarded => doubt(10),
            State::Delivered => Settlement::Delivered { glpi_id: fastrand::u32(1..) },
            State::Parked => Settlement::Parked { reason: "no such category".into() },
        };
        self.settle(&reference, 1, how, at(10)).await;
        if state == State::Discarded {
            assert!(self.outbox.discard(&reference, at(10)).await.unwrap());
        }
        self.entry(&reference).await
    }

    /// A row in doubt since 10 s, leased under token 2 until 160 s.
    async fn row_being_looked_up(&self) -> Entry {
        let reference = self.row_in(State::InDoubt).await.reference;
        let claimed = self.claim(claim(100, lease(2, 160))).await;
        claimed.into_iter().find(|entry| entry.reference == reference).unwrap()
    }
}

async fn administer(server: &str, statements: &str) {
    let (client, connection) =
        tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    // Dropping the client ends the connection.
    let working = async move { client.batch_execute(statements).await };
    let (done, ended) = tokio::join!(working, connection);
    ended.unwrap();
    done.unwrap();
}

fn url(server: &str, schema: &str) -> String {
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}application_name={schema}&options=-csearch_path%3D{schema}")
}

/// So many seconds after the beginning of the tests' time.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_507_200 + seconds).unwrap()
}

pub(super) fn lease(token: i64, until: i64) -> Lease {
    Lease { token, until: at(until) }
}

/// How long a row in doubt waits in these tests, in seconds.
const DOUBT_WAIT: i64 = 30;

fn claim(now: i64, lease: Lease) -> Claim {
    let doubt_wait = SignedDuration::from_secs(DOUBT_WAIT);
    Claim { now: at(now), lease, doubt_wait, limit: 100 }
}

fn doubt(due: i64) -> Settlement {
    Settlement::Doubt { due: at(due), reason: "time-out".into() }
}

/// A row whose reference no other one of this process has: drawn ones meet now and then.
pub(super) fn draft() -> Draft {
    static NEXT: AtomicU32 = AtomicU32::new(100_000_000);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    Draft {
        reference: Reference::parse(&number).unwrap(),
        client: "gateway".into(),
        key: None,
        fingerprint: [7; 32],
        parent: None,
        work: Work::Ticket(ticket("The printer on the second floor is on fire")),
    }
}

fn draft_with_key(client: &str, digest: u8, window: Option<SignedDuration>) -> Draft {
    let key = Some(Key { digest: [digest; 32], window });
    Draft { client: client.into(), key, ..draft() }
}

fn followup_of(parent: &Reference) -> Draft {
    let details = vec![Detail { label: "Room".into(), value: "204".into() }];
    let work = Work::Followup(NewFollowup { text: "It is out now".into(), details });
    Draft { parent: Some(parent.clone()), work, ..draft() }
}

pub(super) fn ticket(description: &str) -> NewTicket {
    NewTicket {
        caller: Caller { name: Some("Marie Dupont".into()), ..Caller::default() },
        subject: Some("Fire".into()),
        description: description.into(),
        urgency: None,
        impact: None,
        priority: None,
        kind: None,
        category: Some(7),
        location: None,
        entity: Some(0),
        source: None,
        call: CallContext { call_id: Some("call-1".into()), ..CallContext::default() },
        details: Vec::new(),
        language: "fr".into(),
    }
}

fn references(entries: &[Entry]) -> Vec<&Reference> {
    entries.iter().map(|entry| &entry.reference).collect()
}
