//! What SQLite alone promises: one process, commits that are on disk, disks that fail.

use std::{fmt::Write as _, path::PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::outbox::{
    Filter, State, Work,
    conformance::{at, draft, lease, ticket},
};

mod syncs;

struct Disk {
    directory: TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("outbox.db")
    }

    async fn open(&self) -> SqliteOutbox {
        SqliteOutbox::open(&self.path()).await.unwrap()
    }

    /// Everything the outbox keeps on disk.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = std::fs::read(self.path()).unwrap();
        bytes.extend(std::fs::read(self.path().with_extension("db-wal")).unwrap_or_default());
        bytes
    }

    /// The files as they are this moment: what a host that dies now would leave.
    fn copy(&self) -> Self {
        let copy = Self::new();
        for name in ["outbox.db", "outbox.db-wal"] {
            std::fs::copy(self.directory.path().join(name), copy.directory.path().join(name))
                .unwrap();
        }
        copy
    }
}

async fn record(outbox: &SqliteOutbox, draft: Draft) -> Result<Entry, StoreError> {
    match outbox.insert(draft, Some(lease(1, 60)), at(0)).await? {
        Inserted::New(entry) => Ok(entry),
        other => panic!("{other:?}"),
    }
}

/// A request of about 40 kB, of which a few dozen fill the log.
fn large_draft() -> Draft {
    Draft { work: Work::Ticket(ticket(&"mot ".repeat(10_000))), ..draft() }
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_has_closed() {
    let disk = Disk::new();
    let first = disk.open().await;
    let refused = SqliteOutbox::open(&disk.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
    assert!(refused.to_string().contains("outbox.db"), "{refused}");
    first.close().await.unwrap();

    let second = disk.open().await;
    SqliteOutbox::open(&disk.path()).await.unwrap_err();
    drop(second);
    disk.open().await.close().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_process_is_refused_through_a_link_as_well() {
    let disk = Disk::new();
    let _first = disk.open().await;
    let link = disk.directory.path().join("link.db");
    std::os::unix::fs::symlink(disk.path(), &link).unwrap();
    let refused = SqliteOutbox::open(&link).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
}

#[tokio::test]
async fn whatever_is_answered_is_in_the_files() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    // The log is emptied often, so that some copies are taken right afterwards.
    let often = |connection: &Connection| {
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 60, |_| Ok(()))
    };
    outbox.writer.run(often).await.unwrap();
    for number in 1..40 {
        let entry = record(&outbox, large_draft()).await.unwrap();
        let recorded = disk.copy();
        let delivered = Settlement::Delivered { glpi_id: number };
        assert!(outbox.settle(&entry.reference, 1, delivered, Vec::new(), at(1)).await.unwrap());
        let settled = disk.copy();

        let booted = recorded.open().await;
        let found = booted.find(&entry.reference).await.unwrap().unwrap();
        // A copy of a row being sent is looked up first.
        assert_eq!((&found.work, found.state), (&entry.work, State::InDoubt));
        let booted = settled.open().await;
        let found = booted.find(&entry.reference).await.unwrap().unwrap();
        assert_eq!((found.state, found.glpi_id), (State::Delivered, Some(number)));
    }
}

#[tokio::test]
async fn nothing_of_a_caller_is_left_in_the_files_once_erased() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    let mut name = String::new();
    for number in 0_u32..300 {
        name = format!("Marguerite Yourcenar {number}");
        let text = format!("{name} ").repeat(usize::try_from(number * 7 % 400).unwrap() + 1);
        let work = Work::Ticket(ticket(&text));
        let entry = record(&outbox, Draft { work, ..draft() }).await.unwrap();
        let delivered = Settlement::Delivered { glpi_id: number };
        assert!(
            outbox
                .settle(&entry.reference, 1, delivered, Vec::new(), at(i64::from(number)))
                .await
                .unwrap()
        );
    }
    assert!(contains(&disk.bytes(), &name), "it is there to be erased");

    for _ in 0..10 {
        assert_eq!(outbox.erase_settled_before(at(1000), 30).await.unwrap(), 30);
    }
    outbox.next_due().await.unwrap(); // After the log has been emptied.
    assert!(!contains(&disk.bytes(), "Marguerite"));
    outbox.close().await.unwrap();
    assert!(!contains(&disk.bytes(), "Marguerite"));
}

#[tokio::test]
async fn nothing_of_a_caller_is_left_in_the_files_once_the_caller_asked_for_it() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    let mut references = Vec::new();
    for number in 0_u32..40 {
        let text = "Marguerite Yourcenar ".repeat(usize::try_from(number * 37 % 900).unwrap() + 1);
        let draft = Draft { work: Work::Ticket(ticket(&text)), ..draft() };
        let entry = record(&outbox, draft).await.unwrap();
        let how = match number % 3 {
            0 => Settlement::Delivered { glpi_id: number },
            1 => Settlement::Parked { reason: "no right".into() },
            _ => Settlement::Retry { due: at(9), reason: "down".into() },
        };
        let event = format!("parked:{}", entry.reference);
        let told = NoticeDraft { event, channel: "mail".into(), body: text.into() };
        assert!(outbox.settle(&entry.reference, 1, how, vec![told], at(5)).await.unwrap());
        references.push(entry.reference);
    }
    assert!(contains(&disk.bytes(), "Marguerite"), "it is there to be erased");
    for reference in &references {
        assert_eq!(outbox.erase(reference, true, at(20)).await.unwrap(), Erasure::Erased);
    }
    assert!(outbox.scrub().await.unwrap());
    assert!(!contains(&disk.bytes(), "Marguerite"));

    let shell = Connection::open(disk.path()).unwrap();
    shell.execute_batch("BEGIN; SELECT * FROM outbox").unwrap();
    record(&outbox, draft()).await.unwrap();
    assert!(!outbox.scrub().await.unwrap(), "another program reads an older state");
}

/// Yesterday's copy says that a row waits which has been delivered since.
#[tokio::test]
async fn rows_of_a_copy_put_back_are_looked_up_over_all_the_time_since() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    let waiting = match outbox.insert(draft(), None, at(0)).await.unwrap() {
        Inserted::New(entry) => entry,
        other => panic!("{other:?}"),
    };
    let parked = record(&outbox, draft()).await.unwrap().reference;
    let refused = Settlement::Parked { reason: "no right".into() };
    assert!(outbox.settle(&parked, 1, refused, Vec::new(), at(5)).await.unwrap());
    let delivered = record(&outbox, draft()).await.unwrap().reference;
    let done = Settlement::Delivered { glpi_id: 1 };
    assert!(outbox.settle(&delivered, 1, done, Vec::new(), at(5)).await.unwrap());
    let told = NoticeDraft { event: "x".into(), channel: "slack".into(), body: "y".into() };
    outbox.raise_alarm("x", vec![told], at(5)).await.unwrap();
    let copy = disk.directory.path().join("yesterday.db");
    back_up(&disk.path(), &copy).unwrap();
    assert!(back_up(&disk.path(), &copy).is_err(), "no copy is overwritten");

    let since = record(&outbox, draft()).await.unwrap().reference;
    let refused = restore(&disk.path(), &copy).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
    outbox.close().await.unwrap();
    let kept = restore(&disk.path(), &copy).unwrap().unwrap();

    let outbox = SqliteOutbox::open_at(&disk.path(), at(1000)).await.unwrap();
    assert_eq!(outbox.find(&since).await.unwrap(), None, "what was recorded since is lost");
    let found = outbox.find(&waiting.reference).await.unwrap().unwrap();
    assert_eq!((found.state, found.doubts, found.lookups), (State::InDoubt, 1, 0));
    assert_eq!((found.first_send_at, found.last_send_at), (Some(at(0)), Some(at(1000))));
    assert_eq!(outbox.find(&delivered).await.unwrap().unwrap().state, State::Delivered);
    assert!(outbox.retry(&parked, at(1001)).await.unwrap());
    let retried = outbox.find(&parked).await.unwrap().unwrap();
    assert_eq!((retried.state, retried.last_send_at), (State::InDoubt, Some(at(1000))));
    let notices = outbox.claim_notices(at(1000), lease(9, 2000), 9).await.unwrap();
    assert!(notices[0].interrupted, "it may have been told");
    outbox.close().await.unwrap();

    let refused = restore(&disk.path(), &copy).unwrap_err().to_string();
    assert!(refused.contains("before-restore is still kept"), "{refused}");
    let again = SqliteOutbox::open_at(&disk.path(), at(2000)).await.unwrap();
    assert_eq!(again.find(&waiting.reference).await.unwrap().unwrap().doubts, 1, "once is enough");
    let before = SqliteOutbox::open(&kept).await.unwrap();
    assert!(before.find(&since).await.unwrap().is_some(), "nothing is thrown away");
}

#[cfg(unix)]
#[tokio::test]
async fn a_restore_that_died_half_way_can_be_repeated() {
    let disk = Disk::new();
    disk.open().await.close().await.unwrap();
    let copy = disk.directory.path().join("yesterday.db");
    back_up(&disk.path(), &copy).unwrap();
    let kept = disk.directory.path().join("outbox.db.before-restore");
    std::fs::hard_link(disk.path(), &kept).unwrap();
    assert_eq!(restore(&disk.path(), &copy).unwrap(), Some(kept.canonicalize().unwrap()));
}

#[tokio::test]
async fn a_store_that_dies_is_trusted_when_it_starts_again() {
    let disk = Disk::new();
    for _ in 0..3 {
        let outbox = disk.open().await;
        record(&outbox, draft()).await.unwrap();
        outbox.upkeep().await.unwrap();
        assert_eq!(outbox.stats().await.unwrap().rows[2], 0, "nothing is in doubt");
        // Dropped without a word, as a killed process would.
        drop(outbox);
    }
}

#[test]
fn what_is_not_an_outbox_is_not_put_in_its_place() {
    let disk = Disk::new();
    let other = disk.directory.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let text = disk.directory.path().join("notes.txt");
    std::fs::write(&text, "not a database, though it is long enough for one").unwrap();
    for (from, problem) in
        [(&other, "not an outbox"), (&text, "not a SQLite file"), (&disk.path(), "no such file")]
    {
        let error = restore(&disk.path(), from).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(!disk.path().exists());
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn an_operation_that_fails_by_itself_fails_alone() {
    let disk = Disk::new();
    let outbox = Arc::new(disk.open().await);
    let mut calls = JoinSet::new();
    for number in 0..100 {
        let outbox = Arc::clone(&outbox);
        calls.spawn(async move {
            if number % 10 > 0 {
                record(&outbox, draft()).await.unwrap();
                return;
            }
            // Writes one row, then violates a constraint with another.
            let half = |connection: &Connection| {
                rows::insert(connection, draft(), None, at(0))?;
                connection.execute("INSERT INTO outbox (reference) VALUES ('odd')", [])
            };
            outbox.writer.run(half).await.unwrap_err();
        });
    }
    calls.join_all().await;
    assert_eq!(outbox.stats().await.unwrap().rows, [0, 90, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_full_file_fails_calls_and_recovers_without_a_restart() {
    let disk = Disk::new();
    let outbox = Arc::new(disk.open().await);
    let before = record(&outbox, draft()).await.unwrap();
    let pages: u32 = outbox
        .writer
        .run(|connection| connection.query_row("PRAGMA page_count", [], |row| row.get(0)))
        .await
        .unwrap();
    // The limit is the connection's: it ends when the writer opens the file anew.
    let limit =
        move |connection: &Connection| connection.pragma_update(None, "max_page_count", pages + 2);
    outbox.writer.run(limit).await.unwrap();

    let error = record(&outbox, large_draft()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let after = record(&outbox, large_draft()).await.unwrap();
    let all = outbox.list(Filter { limit: 10, ..Filter::default() }).await.unwrap();
    assert_eq!(all, [before, after]);
}

/// Needs the right to mount; elsewhere it says so.
#[tokio::test]
async fn a_full_disk_fails_calls_and_recovers_without_a_restart() {
    let disk = Disk::new();
    let Some(_mounted) = Mounted::small(disk.directory.path()) else {
        println!("not tested: only root may mount a small disk");
        return;
    };
    let ballast = disk.directory.path().join("ballast");
    std::fs::write(&ballast, vec![0; 19_000_000]).unwrap();
    let outbox = disk.open().await;

    let mut acknowledged = Vec::new();
    let error = loop {
        match record(&outbox, large_draft()).await {
            Ok(entry) => acknowledged.push(entry),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1000, "the disk never fills");
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!acknowledged.is_empty());
    // Still full: whatever is answered is true.
    for _ in 0..20 {
        acknowledged.extend(record(&outbox, large_draft()).await);
    }
    for entry in &acknowledged {
        assert_eq!(outbox.find(&entry.reference).await.unwrap().as_ref(), Some(entry));
    }

    // What was acknowledged can still be settled, while callers go on trying.
    for (number, entry) in acknowledged.iter().enumerate() {
        let delivered = Settlement::Delivered { glpi_id: u32::try_from(number + 1).unwrap() };
        assert!(outbox.settle(&entry.reference, 1, delivered, Vec::new(), at(1)).await.unwrap());
        record(&outbox, draft()).await.unwrap_err();
    }

    std::fs::remove_file(ballast).unwrap();
    // Found out at the latest after a minute.
    while record(&outbox, draft()).await.is_err() {}
    acknowledged.push(record(&outbox, large_draft()).await.unwrap());
    outbox.close().await.unwrap();

    let outbox = disk.open().await;
    let mut missing = String::new();
    for entry in &acknowledged {
        if outbox.find(&entry.reference).await.unwrap().is_none() {
            write!(missing, " {}", entry.reference).unwrap();
        }
    }
    assert_eq!(missing, "");
    outbox.close().await.unwrap();
}

/// A disk of 32 MB, while it lives.
struct Mounted(PathBuf);

impl Mounted {
    fn small(at: &Path) -> Option<Self> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
            .arg(at)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a failed test may still have the file open.
        let unmounted = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[tokio::test]
async fn a_file_locked_by_another_program_fails_calls_until_it_is_free() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    let shell = Connection::open(disk.path()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = record(&outbox, draft()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    shell.execute_batch("COMMIT").unwrap();
    record(&outbox, draft()).await.unwrap();
}

#[tokio::test]
async fn a_reader_with_an_old_view_holds_up_nobody() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    record(&outbox, draft()).await.unwrap();
    let shell = Connection::open(disk.path()).unwrap();
    shell.execute_batch("BEGIN; SELECT * FROM outbox").unwrap();
    let count = |connection: &Connection| -> u32 {
        connection.query_row("SELECT COUNT(*) FROM outbox", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&shell), 1);
    for _ in 0..50 {
        record(&outbox, large_draft()).await.unwrap();
    }
    assert_eq!(count(&shell), 1);
    assert_eq!(outbox.stats().await.unwrap().rows[1], 51);
}

#[tokio::test]
async fn the_log_stays_small_while_it_is_read_and_is_emptied_when_idle() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    let log_bytes =
        || std::fs::metadata(disk.path().with_extension("db-wal")).map_or(0, |log| log.len());
    // As `outbox watch` does, only more often.
    for _ in 0..400 {
        record(&outbox, large_draft()).await.unwrap();
        outbox.stats().await.unwrap();
        assert!(log_bytes() < 16 << 20, "{}", log_bytes());
    }
    outbox.upkeep().await.unwrap();
    assert_eq!(log_bytes(), 0);

    // A shell that somebody left open.
    let shell = Connection::open(disk.path()).unwrap();
    shell.execute_batch("BEGIN; SELECT * FROM outbox LIMIT 1").unwrap();
    shell.query_row("SELECT COUNT(*) FROM outbox", [], |_row| Ok(())).unwrap();
    for _ in 0..300 {
        record(&outbox, large_draft()).await.unwrap();
    }
    let begun = tokio::time::Instant::now();
    outbox.upkeep().await.unwrap();
    assert!(begun.elapsed() < file::BUSY_TIMEOUT, "calls would wait as long");
    assert!(log_bytes() > 10 << 20, "the shell keeps it from being emptied");
    drop(shell);
    outbox.upkeep().await.unwrap();
    assert_eq!(log_bytes(), 0);
}

#[tokio::test]
async fn an_operation_that_is_alone_and_fails_is_undone() {
    let disk = Disk::new();
    let outbox = disk.open().await;
    let half = |connection: &Connection| {
        rows::insert(connection, draft(), None, at(0))?;
        connection.execute("INSERT INTO outbox (reference) VALUES ('odd')", [])
    };
    outbox.writer.run(half).await.unwrap_err();
    assert_eq!(outbox.stats().await.unwrap().rows, [0; 6]);
    record(&outbox, draft()).await.unwrap();
}

/// What a claim costs beside 100,000 rows of a backlog and a million delivered ones. Prints it; the
/// bound is generous, since machines differ.
#[test]
fn a_claim_costs_the_same_beside_a_million_rows() {
    let connection = Connection::open_in_memory().unwrap();
    migrate(&connection).unwrap();
    let fill = |from: u32, count: u32, clients: u32, columns: &str, values: &str| {
        let filled = format!(
            "INSERT INTO outbox (reference, client, fingerprint, attempts, doubts, lookups,
                accepted_at, due_at, work, state{columns})
             WITH RECURSIVE n (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM n
                WHERE n < {from} + {count} - 1)
             SELECT printf('%03d-%03d-%03d', n / 1000000, n / 1000 % 1000, n % 1000),
                'client ' || (n % {clients}), zeroblob(32), 0, 0, 0, n, n, NULL{values} FROM n"
        );
        connection.execute_batch(&filled).unwrap();
    };
    let median = |label: &str| {
        let mut took = Vec::new();
        for _ in 0..50 {
            let begun = tokio::time::Instant::now();
            connection.execute_batch("BEGIN").unwrap();
            let claim = Claim {
                now: at(0),
                lease: lease(fastrand::i64(..), 60),
                doubt_wait: jiff::SignedDuration::from_secs(60),
                limit: 6,
            };
            let taken = leases::claim(&connection, &mut Turns::default(), &claim).unwrap();
            took.push(begun.elapsed());
            assert_eq!(taken.len(), 6);
            connection.execute_batch("ROLLBACK").unwrap();
        }
        took.sort_unstable();
        println!("a claim of 6 rows beside {label}: {:?}", took[25]);
        took[25]
    };
    let json = serde_json::to_string(&draft().work).unwrap();
    let waiting = |from, count| {
        fill(from, count, 4, "", ", 'waiting'");
        connection.execute("UPDATE outbox SET work = ?1 WHERE work IS NULL", [&json]).unwrap();
    };
    waiting(0, 100);
    let few = median("100 rows");
    waiting(100, 100_000);
    let backlog = median("a backlog of 100,000");
    fill(200_000, 1_000_000, 4, ", settled_at, glpi_id", ", 'delivered', n, n");
    let all = median("that and a million delivered");
    let bound = few * 10 + std::time::Duration::from_millis(2);
    assert!(backlog < bound && all < bound, "{few:?}, {backlog:?}, {all:?}");
}

#[test]
fn the_hot_statements_read_nothing_but_their_index() {
    let connection = Connection::open_in_memory().unwrap();
    migrate(&connection).unwrap();
    for (statement, index) in [
        (leases::EXPIRE, "outbox_lease"),
        (leases::DUE, "outbox_due_by_client (client=? AND due_at<?)"),
        (leases::NEXT_CLIENT, "outbox_due_by_client"),
        (leases::NO_CLIENT, "outbox_due_by_client"),
        (leases::NEXT_DUE, "outbox_due"),
        (leases::TELL_FOLLOWUPS, "outbox_parent"),
        (rows::DISCARD_FOLLOWUPS, "outbox_parent"),
        (rows::FIND_BY_KEY, "outbox_key"),
        (rows::FIND_DELIVERED, "outbox_ticket"),
        (rows::LIST_IN_STATE, "outbox_state"),
        (rows::OLDEST_OPEN, "outbox_state"),
        (rows::COUNT_LEFT, "outbox_state"),
        (erasure::ERASE_SETTLED, "outbox_erasable"),
        (erasure::ERASE_FOLLOWUPS, "outbox_parent"),
        (erasure::ERASE_WAITING_NOTICES, "notice_due"),
        (erasure::ERASE_NOTICES_BEING_SENT, "notice_lease"),
        (erasure::FOLLOWUPS, "outbox_parent"),
        (erasure::PARKED_BEFORE, "outbox_parked"),
        (erasure::COUNT_PARKED_BEFORE, "outbox_parked"),
        (notices::CLAIM_INTERRUPTED, "notice_lease"),
        (notices::CLAIM_DUE, "notice_due"),
        (notices::DELETE_SETTLED, "notice_settled"),
    ] {
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let steps = explained.raw_query().mapped(|row| row.get::<_, String>("detail"));
        let plan = steps.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("\n");
        assert!(plan.contains(index), "{statement}\n{plan}");
        let whole_table = |step: &str| ["SCAN outbox", "SCAN notice"].contains(&step);
        assert!(!plan.lines().any(whole_table), "{statement}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{statement}\n{plan}");
    }
}
