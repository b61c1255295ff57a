//! Watched from outside by `strace`: the system is asked to sync before anything is answered, and
//! what happens if it cannot.
//!
//! A killed process proves nothing here, for the kernel keeps what it wrote; only the calls tell.

use std::{
    collections::HashSet,
    io::Write as _,
    process::{Command, Output},
};

use super::*;

/// Set in a process that is watched, so that the watched parts do nothing in an ordinary run.
const WATCHED: &str = "AUTOMATGLPI_TEST_WATCHED";

fn is_watched() -> bool {
    std::env::var_os(WATCHED).is_some()
}

/// Runs one of the watched parts below under `strace`. `None` where that is not possible; CI must
/// bring it.
fn watch(test: &str, options: &[&str]) -> Option<(Output, String)> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let module = module_path!().split_once("::").map(|(_crate, module)| module).unwrap();
    let output = Command::new("strace")
        .args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync,write"])
        .args(options)
        .arg("-o")
        .arg(trace.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("{module}::{test}")])
        .env(WATCHED, test)
        .output();
    let trace = std::fs::read_to_string(trace.path()).unwrap();
    match output {
        Ok(output) if trace.contains("sync(") => Some((output, trace)),
        other => {
            assert!(std::env::var_os("CI").is_none(), "CI must bring strace: {other:?}");
            println!("not tested: strace cannot watch here: {other:?}");
            None
        }
    }
}

/// A file that the watched process writes to when it has been answered.
const ANSWERS: &str = "answers.txt";

#[tokio::test]
async fn records_one_by_one_and_then_many_at_once() {
    if !is_watched() {
        return;
    }
    let disk = Disk::new();
    let outbox = Arc::new(disk.open().await);
    let mut answers = std::fs::File::create(disk.directory.path().join(ANSWERS)).unwrap();
    for _ in 0..20 {
        record(&outbox, draft()).await.unwrap();
        answers.write_all(b"one\n").unwrap();
    }
    let mut many = JoinSet::new();
    for _ in 0..1000 {
        let outbox = Arc::clone(&outbox);
        many.spawn(async move { record(&outbox, draft()).await.unwrap() });
    }
    many.join_all().await;
    answers.write_all(b"all\n").unwrap();
}

#[test]
fn every_answer_waits_for_a_sync_and_many_share_one() {
    let Some((output, trace)) = watch("records_one_by_one_and_then_many_at_once", &[]) else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let mut syncs = Syncs::default();
    let mut answers = 0;
    for line in trace.lines() {
        syncs.read(line);
        if line.contains(ANSWERS) && line.contains("one\\n") {
            assert!(syncs.take() > 0, "answer {answers} came before its sync");
            answers += 1;
        } else if line.contains(ANSWERS) && line.contains("all\\n") {
            let syncs = syncs.take();
            assert!((1..=200).contains(&syncs), "1000 requests took {syncs} syncs");
        }
    }
    assert_eq!(answers, 20);
}

/// Counts finished syncs of the log in a trace.
#[derive(Default)]
struct Syncs {
    finished: u32,
    /// Threads in the middle of one.
    under_way: HashSet<String>,
}

impl Syncs {
    fn read(&mut self, line: &str) {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let begins = line.contains("sync(") && line.contains("outbox.db-wal>");
        if begins && line.contains("<unfinished") {
            self.under_way.insert(thread.to_owned());
        } else if begins || line.contains("sync resumed>") && self.under_way.remove(thread) {
            self.finished += u32::from(line.ends_with("= 0"));
        }
    }

    fn take(&mut self) -> u32 {
        std::mem::take(&mut self.finished)
    }
}

#[tokio::test]
async fn records_while_a_sync_fails() {
    if !is_watched() {
        return;
    }
    let disk = Disk::new();
    let outbox = disk.open().await;
    // As in service: with a reader about, closing the writer's connection empties no log.
    outbox.stats().await.unwrap();
    let mut answers = std::fs::File::create(disk.directory.path().join(ANSWERS)).unwrap();
    let mut acknowledged = Vec::new();
    let mut failed = 0;
    for _ in 0..20 {
        match record(&outbox, draft()).await {
            Ok(entry) => {
                acknowledged.push(entry);
                answers.write_all(b"one\n").unwrap();
            }
            Err(StoreError::Unavailable(_)) => failed += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(failed, 1);
    outbox.close().await.unwrap();
    let connection = Connection::open(disk.path()).unwrap();
    for entry in acknowledged {
        assert_eq!(rows::find(&connection, &entry.reference).unwrap(), Some(entry));
    }
    println!("survived a failed sync");
}

#[test]
fn a_failed_sync_fails_its_calls_and_the_next_ones_work() {
    // The eighteenth of a thread: the one that writes is the only one to come so far.
    let inject = "inject=fsync,fdatasync:error=EIO:when=18";
    let Some((output, trace)) = watch("records_while_a_sync_fails", &["-e", inject]) else {
        return;
    };
    assert!(trace.contains("EIO"), "{trace}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("survived a failed sync"), "{output:?}\n{trace}");

    // Nothing is answered before the log's pages, of which some may never have reached the disk,
    // are safe in the table's own file.
    let mut after = trace.lines().skip_while(|line| !line.contains("EIO")).skip(1);
    let sync_or_answer = |line: &&str| {
        line.contains(ANSWERS) || line.contains("sync(") && line.contains("outbox.db>")
    };
    let first = after.find(sync_or_answer);
    assert!(first.is_some_and(|line| line.contains("sync(")), "{trace}");
}
