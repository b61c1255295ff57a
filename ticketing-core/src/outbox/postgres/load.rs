//! What PostgreSQL does under load while somebody holds an old snapshot, such as a dump under way:
//! dead rows cannot be removed, and must not be read by every claim.

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use super::claim::{CLAIM, EXPIRE, NEXT_DUE};
use crate::outbox::{
    Claim, Settlement,
    conformance::{Store, at, draft, lease},
    turns::{BEGINNING, Mark},
};

#[tokio::test]
async fn a_claim_reads_no_more_while_an_old_snapshot_is_held() {
    let Some(store) = Store::in_a_schema().await else { return };
    let (shell, connection) = tokio_postgres::connect(&store.url(), NoTls).await.unwrap();
    let mut shells = JoinSet::new();
    shells.spawn(connection);
    shell
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT COUNT(*) FROM outbox")
        .await
        .unwrap();

    let before = pages_read(&store, BEGINNING).await;
    // Calls as they come: none of them ever waits.
    for number in 0..1_500 {
        let entry = store.record(draft(), Some(lease(1, 60)), at(0)).await;
        let delivered = Settlement::Delivered { glpi_id: number };
        store.settle(&entry.reference, 1, delivered, at(1)).await;
    }
    let calls = pages_read(&store, BEGINNING).await;
    // Their leases have ended since, all at the front of their index.
    let leases = lease_pages_read(&store, Timestamp::MIN).await;
    let leases_once_sought = lease_pages_read(&store, at(60)).await;
    // A backlog, drained.
    for _ in 0..300 {
        store.record(draft(), None, at(0)).await;
    }
    let mut drained = 0;
    while drained < 300 {
        let doubt_wait = SignedDuration::from_secs(30);
        let claim = Claim { now: at(5), lease: lease(2, 60), doubt_wait, limit: 6 };
        for entry in store.outbox.claim(claim).await.unwrap() {
            let delivered = Settlement::Delivered { glpi_id: 1 };
            store.settle(&entry.reference, 2, delivered, at(6)).await;
            drained += 1;
        }
    }
    let backlog = pages_read(&store, BEGINNING).await;
    let goes_on = pages_read(&store, (at(0).as_millisecond(), i64::MAX)).await;
    println!(
        "pages read by a claim: {before}, after 1,500 calls {calls}, after a backlog of 300 {backlog}, \
         where it goes on {goes_on}; to expire leases and to find the next: {leases:?}, once sought \
         {leases_once_sought:?}"
    );
    assert!(leases.iter().all(|pages| *pages > 50), "nothing dead was in the way: {leases:?}");
    assert!(leases_once_sought.iter().all(|pages| *pages <= 10), "{leases_once_sought:?}");
    assert!(calls <= before + 4, "a call leaves nothing that a claim reads");
    assert!(backlog > 200, "nothing dead was in the way: {backlog}");
    assert!(goes_on <= before + 4, "{goes_on}");

    shell.batch_execute("COMMIT").await.unwrap();
    drop(shell);
    shells.join_all().await;
    store.examine(async |_| {}).await;
}

/// Pages that a claim of due rows after that mark touches.
async fn pages_read(store: &Store, after: Mark) -> u64 {
    let (now, sent_before) = (at(5).as_millisecond(), at(-30).as_millisecond());
    let due = CLAIM
        .replace("$1", &now.to_string())
        .replace("$2", "2")
        .replace("$3", &at(60).as_millisecond().to_string())
        .replace("$4", &sent_before.to_string())
        .replace("$5", "6")
        .replace("$6", "'{gateway}'")
        .replace("$7", &format!("'{{{}}}'", after.0))
        .replace("$8", &format!("'{{{}}}'", after.1))
        .replace("$9", "6");
    pages_of(store, &due, "outbox_due_by_client").await
}

/// Pages that the search for leases that expired, and for the next to, touches at 70 s, if there is
/// none up to that moment.
async fn lease_pages_read(store: &Store, expired_to: Timestamp) -> [u64; 2] {
    let from = expired_to.as_millisecond().to_string();
    let now = at(70).as_millisecond().to_string();
    let expire =
        EXPIRE.replace("$1", &now).replace("$2", "0").replace("$3", "''").replace("$4", &from);
    let next = NEXT_DUE.replace("$1", &from);
    [pages_of(store, &expire, "outbox_lease").await, pages_of(store, &next, "outbox_lease").await]
}

/// Pages that a statement touches by way of an index; whatever it changes is undone.
async fn pages_of(store: &Store, statement: &str, index: &str) -> u64 {
    let (client, connection) = tokio_postgres::connect(&store.url(), NoTls).await.unwrap();
    let mut shells = JoinSet::new();
    shells.spawn(connection);
    client.batch_execute("SET enable_seqscan = off; BEGIN").await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {statement}");
    let explained = client.query(&explain, &[]).await.unwrap();
    let lines: Vec<String> = explained.iter().map(|row| row.get(0)).collect();
    assert!(lines.iter().any(|line| line.contains(index)), "{lines:#?}");
    drop(client);
    shells.join_all().await;
    let buffers = lines.iter().find_map(|line| line.trim().strip_prefix("Buffers: shared "));
    let numbers = buffers.unwrap_or_default().split(' ').filter_map(|part| part.split_once('='));
    numbers.filter_map(|(_kind, count)| count.parse::<u64>().ok()).sum()
}
