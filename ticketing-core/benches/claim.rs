//! What taking rows to work on costs, beside many that wait and many that are done.
//!
//! ```console
//! scripts/postgres cargo bench -p ticketing-core --bench claim
//! ```
//! Without a PostgreSQL in `AUTOMATGLPI_TEST_POSTGRES_URL` SQLite alone is measured.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may panic, and prints")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ticketing_core::{
    outbox::{Claim, Lease, Outbox, Work, postgres::PostgresOutbox, sqlite::SqliteOutbox},
    ticket::NewTicket,
};
use tokio::time::Instant;

/// Claims measured per cell.
const CLAIMS: usize = 400;

/// What lies in the outbox.
struct Cell {
    waiting: u32,
    clients: u32,
    delivered: u32,
}

const CELLS: [Cell; 4] = [
    Cell { waiting: 5_000, clients: 1, delivered: 0 },
    Cell { waiting: 100_000, clients: 1, delivered: 0 },
    Cell { waiting: 100_000, clients: 100, delivered: 0 },
    Cell { waiting: 5_000, clients: 1, delivered: 1_000_000 },
];

#[tokio::main]
async fn main() {
    println!(
        "| store | waiting | clients | delivered | 1 row: p50 / p99, ms | 6 rows: p50 / p99, ms |"
    );
    println!("|---|---|---|---|---|---|");
    for cell in CELLS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outbox.db");
        let outbox = SqliteOutbox::open(&path).await.unwrap();
        rusqlite::Connection::open(&path).unwrap().execute_batch(&cell.in_sqlite()).unwrap();
        cell.measure("SQLite", &outbox).await;
        outbox.close().await.unwrap();
    }
    #[expect(clippy::disallowed_methods, reason = "where a server is, as for the tests")]
    let Ok(server) = std::env::var("AUTOMATGLPI_TEST_POSTGRES_URL") else { return };
    for cell in CELLS {
        let schema = format!("bench_{}", fastrand::u64(..));
        administer(&server, &format!("CREATE SCHEMA {schema}")).await;
        let url = format!("{server}?options=-csearch_path%3D{schema}");
        let outbox = PostgresOutbox::connect(&url).await.unwrap();
        administer(&server, &format!("SET search_path = {schema}; {}", cell.in_postgres())).await;
        administer(&server, &format!("VACUUM ANALYZE {schema}.outbox")).await;
        cell.measure("PostgreSQL", &outbox).await;
        outbox.close().await.unwrap();
        administer(&server, &format!("DROP SCHEMA {schema} CASCADE")).await;
    }
}

impl Cell {
    async fn measure(&self, store: &str, outbox: &dyn Outbox) {
        let Self { waiting, clients, delivered } = self;
        let one = claims(outbox, 1).await;
        let six = claims(outbox, 6).await;
        println!("| {store} | {waiting} | {clients} | {delivered} | {one} | {six} |");
    }

    fn in_sqlite(&self) -> String {
        let numbers = |most: u32| {
            format!(
                "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n LIMIT {most}) "
            )
        };
        let reference = "printf('FIRST%02d-%03d-%03d', n / 1000000, n / 1000 % 1000, n % 1000)";
        let (delivered, waiting) = self.inserts(reference, "zeroblob(32)");
        format!(
            "BEGIN; {}{delivered}; {}{waiting}; COMMIT",
            numbers(self.delivered),
            numbers(self.waiting)
        )
    }

    fn in_postgres(&self) -> String {
        let numbers = |most: u32| {
            format!("WITH n AS (SELECT n FROM generate_series(0, {most}::int - 1) AS n) ")
        };
        let digits = "'FIRST' || lpad(n::text, 8, '0')";
        let reference = format!("regexp_replace({digits}, '(...)(...)(...)', '\\1-\\2-\\3')");
        let (delivered, waiting) = self.inserts(&reference, "decode(repeat('00', 32), 'hex')");
        format!("{}{delivered}; {}{waiting}", numbers(self.delivered), numbers(self.waiting))
    }

    /// Rows delivered, without words, and rows that wait since a second each.
    fn inserts(&self, reference: &str, digest: &str) -> (String, String) {
        let work = serde_json::to_string(&Work::Ticket(NewTicket::saying("panne"))).unwrap();
        let columns = "INSERT INTO outbox (reference, client, fingerprint, work, state, attempts, \
                       doubts, lookups, accepted_at, due_at, settled_at, glpi_id)";
        let first = |digit: &str| reference.replace("FIRST", digit);
        let (earlier, later) = (first("1"), first("2"));
        let clients = self.clients;
        (
            format!(
                "{columns} SELECT {earlier}, 'done', {digest}, NULL, 'delivered', 1, 0, 0, n, n, \
                 n, n + 1 FROM n WHERE n < {}",
                self.delivered
            ),
            format!(
                "{columns} SELECT {later}, 'client ' || (n % {clients}), {digest}, '{work}', \
                 'waiting', 1, 0, 0, n, n, NULL, NULL FROM n"
            ),
        )
    }
}

async fn claims(outbox: &dyn Outbox, limit: u32) -> String {
    let mut took: Vec<Duration> = Vec::with_capacity(CLAIMS);
    for _ in 0..CLAIMS {
        let now = Timestamp::from_second(1_795_507_200).unwrap();
        let lease = Lease { token: fastrand::i64(..), until: now + SignedDuration::from_mins(2) };
        let doubt_wait = SignedDuration::from_mins(1);
        let began = Instant::now();
        let rows = outbox.claim(Claim { now, lease, doubt_wait, limit }).await.unwrap();
        took.push(began.elapsed());
        assert_eq!(rows.len(), limit as usize);
    }
    took.sort_unstable();
    let milliseconds = |at: usize| took[at].as_secs_f64() * 1000.0;
    format!("{:.2} / {:.2}", milliseconds(CLAIMS / 2), milliseconds(CLAIMS * 99 / 100))
}

async fn administer(server: &str, statements: &str) {
    let (client, connection) =
        tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    let working = async move { client.batch_execute(statements).await };
    let (done, ended) = tokio::join!(working, connection);
    ended.unwrap();
    done.unwrap();
}
