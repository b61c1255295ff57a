//! What PostgreSQL alone promises: several replicas on one database, and a server that goes away.

use std::time::Duration;

use tokio::task::JoinSet;

use super::*;
use crate::outbox::StoreError;

#[tokio::test]
async fn replicas_that_start_together_migrate_once() {
    let Some(store) = Store::in_a_schema().await else { return };
    store.tamper("DROP TABLE outbox, outbox_schema, notice, alarm, epoch").await;
    let url = store.url();
    let mut replicas = JoinSet::new();
    for _ in 0..6 {
        let url = url.clone();
        replicas.spawn(async move { PostgresOutbox::connect(&url).await.unwrap() });
    }
    let replicas = replicas.join_all().await;
    replicas[0].insert(draft(), None, at(0)).await.unwrap();
    assert_eq!(replicas[5].stats().await.unwrap().rows[0], 1);
    for replica in replicas {
        replica.close().await.unwrap();
    }
    store.examine(async |_| {}).await;
}

#[tokio::test]
async fn tables_of_a_later_version_are_refused() {
    let Some(store) = Store::in_a_schema().await else { return };
    store.tamper("UPDATE outbox_schema SET version = 99").await;
    let error = PostgresOutbox::connect(&store.url()).await.unwrap_err();
    assert!(error.to_string().contains("later version"), "{error}");
    store.examine(async |_| {}).await;
}

#[tokio::test]
async fn a_server_that_may_lose_commits_is_refused() {
    let Some(store) = Store::in_a_schema().await else { return };
    let url = format!("{}%20-csynchronous_commit%3Doff", store.url());
    let error = PostgresOutbox::connect(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("synchronous_commit=off"), "{error}");
    store.examine(async |_| {}).await;
}

#[tokio::test]
async fn a_replica_hears_of_another_ones_rows() {
    let Some(store) = Store::in_a_schema().await else { return };
    let other = PostgresOutbox::connect(&store.url()).await.unwrap();
    let mut hints = other.wakeups();
    heard(&mut hints).await; // It listens from now on.
    store.record(draft(), None, at(0)).await;
    heard(&mut hints).await;
    other.close().await.unwrap();
    store.examine(async |_| {}).await;
}

#[tokio::test]
async fn a_cut_connection_is_made_again() {
    let Some(store) = Store::in_a_schema().await else { return };
    let outbox = PostgresOutbox::connect(&store.url()).await.unwrap();
    let mut hints = outbox.wakeups();
    heard(&mut hints).await;
    outbox.insert(draft(), None, at(0)).await.unwrap();

    store.cut_connections().await;
    // A call may meet a dead connection, each only once; nobody has to restart anything.
    let mut failed = 0;
    while outbox.insert(draft(), None, at(1)).await.is_err() {
        failed += 1;
        assert!(failed <= 8, "more calls failed than there were connections");
    }
    heard(&mut hints).await;
    outbox.close().await.unwrap();
    store.examine(async |_| {}).await;
}

async fn heard(hints: &mut tokio::sync::watch::Receiver<()>) {
    tokio::time::timeout(Duration::from_secs(20), hints.changed()).await.unwrap().unwrap();
}

#[tokio::test]
async fn rows_of_a_database_that_was_replaced_are_looked_up() {
    let Some(mut store) = Store::in_a_schema().await else { return };
    let waiting = store.record(draft(), None, at(0)).await;
    let parked = store.row_in(State::Parked).await;
    let delivered = store.row_in(State::Delivered).await;
    store.restart().await;
    assert_eq!(store.entry(&waiting.reference).await, waiting, "the same server, the same table");

    // What a dump from elsewhere, or a standby that took over, would say.
    store.tamper("UPDATE epoch SET name = '7205759403792-00000001-16384'").await;
    // A living replica finds it out with its next connection.
    store.cut_connections().await;
    while store.outbox.find(&waiting.reference).await.is_err() {}
    let found = store.entry(&waiting.reference).await;
    assert_eq!((found.state, found.doubts, found.first_send_at), (State::InDoubt, 1, Some(at(0))));
    assert!(found.last_send_at > Some(at(0)), "up to now");
    let found = store.entry(&parked.reference).await;
    assert_eq!((found.state, found.doubts), (State::Parked, 1));
    assert_eq!(store.entry(&delivered.reference).await, delivered);

    store.restart().await;
    assert_eq!(store.entry(&waiting.reference).await.doubts, 1, "once is enough");
    store.examine(async |_| {}).await;
}
