//! Clients take turns.

use super::*;

on_every_store! {
    clients_take_turns_and_each_gets_its_oldest,
    one_long_queue_does_not_delay_a_short_one,
    turns_go_on_from_claim_to_claim,
    a_client_that_comes_late_gets_its_turn,
    many_clients_are_all_served_before_any_is_served_twice,
    clients_with_nothing_due_are_passed_over,
    a_row_that_is_due_before_those_taken_is_not_forgotten,
    a_client_without_a_name_has_its_turn,
}

fn draft_of(client: &str) -> Draft {
    Draft { client: client.into(), ..draft() }
}

async fn record_many(store: &Store, client: &str, rows: i64) -> Vec<Reference> {
    let mut recorded = Vec::new();
    for seconds in 0..rows {
        recorded.push(store.record(draft_of(client), None, at(seconds)).await.reference);
    }
    recorded
}

/// The clients of the next so many rows, all claimed at that second.
async fn served(store: &Store, now: i64, limit: u32) -> Vec<String> {
    let claimed = store.claim(Claim { limit, ..claim(now, lease(1, 900)) }).await;
    claimed.into_iter().map(|entry| entry.client).collect()
}

async fn clients_take_turns_and_each_gets_its_oldest(store: &mut Store) {
    let a = record_many(store, "a", 4).await;
    let b = record_many(store, "b", 2).await;
    let c = record_many(store, "c", 1).await;
    let claimed = store.claim(Claim { limit: 6, ..claim(10, lease(1, 90)) }).await;
    let order = [&a[0], &b[0], &c[0], &a[1], &b[1], &a[2]];
    assert_eq!(references(&claimed), order);
    assert_eq!(references(&store.claim(claim(10, lease(2, 90))).await), [&a[3]]);
    assert_eq!(store.claim(claim(10, lease(3, 90))).await, []);
}

async fn one_long_queue_does_not_delay_a_short_one(store: &mut Store) {
    record_many(store, "long", 300).await;
    record_many(store, "short", 10).await;
    let mut first = Vec::new();
    for _ in 0..10 {
        first.extend(served(store, 400, 2).await);
    }
    assert_eq!(first.len(), 20);
    assert_eq!(first.iter().filter(|client| *client == "short").count(), 10);
    // The rest is the long one's, all of it.
    assert_eq!(served(store, 400, 1000).await.len(), 290);
}

async fn turns_go_on_from_claim_to_claim(store: &mut Store) {
    for client in ["a", "b", "c"] {
        record_many(store, client, 6).await;
    }
    let mut order = String::new();
    // Whether clients are looked up anew in between or not.
    for now in [10, 10, 20, 20, 30, 40, 40] {
        order.push_str(&served(store, now, 1).await.join(""));
    }
    order.push_str(&served(store, 50, 2).await.join(""));
    order.push_str(&served(store, 50, 4).await.join(""));
    order.push_str(&served(store, 60, 3).await.join(""));
    order.push_str(&served(store, 60, 2).await.join(""));
    assert_eq!(order, "abc".repeat(6));
}

async fn a_client_that_comes_late_gets_its_turn(store: &mut Store) {
    record_many(store, "early", 100).await;
    for _ in 0..5 {
        assert_eq!(served(store, 200, 2).await, ["early", "early"]);
    }
    record_many(store, "late", 3).await;
    assert_eq!(served(store, 201, 2).await, ["late", "early"], "after a second at the latest");
    assert_eq!(served(store, 201, 4).await, ["late", "early", "late", "early"]);
    record_many(store, "later", 1).await;
    let mut next = Vec::new();
    while !next.contains(&"later".to_owned()) {
        next.extend(served(store, 201, 1).await);
    }
    assert!(next.len() <= 17, "after some claims at the latest, not {}", next.len());
    assert_eq!(served(store, 201, 2).await, ["early", "early"]);
}

async fn many_clients_are_all_served_before_any_is_served_twice(store: &mut Store) {
    for number in 0..120 {
        record_many(store, &format!("client {number}"), 2).await;
    }
    for _ in 0..2 {
        let mut names = std::collections::HashSet::new();
        for _ in 0..24 {
            names.extend(served(store, 10, 5).await);
        }
        assert_eq!(names.len(), 120);
    }
    assert_eq!(served(store, 10, 5).await, [""; 0]);
}

async fn clients_with_nothing_due_are_passed_over(store: &mut Store) {
    store.record(draft_of("a"), None, at(50)).await;
    record_many(store, "b", 3).await;
    let doubtful = store.record(draft_of("c"), Some(lease(1, 60)), at(0)).await;
    store.settle(&doubtful.reference, 1, doubt(100), at(5)).await;
    // Due by an operator's word, but sent too lately to be looked up.
    assert!(store.outbox.retry(&doubtful.reference, at(10)).await.unwrap());
    store.record(draft_of("d"), Some(lease(1, 600)), at(0)).await;
    assert_eq!(served(store, 20, 2).await, ["b", "b"]);
    assert_eq!(served(store, 20, 2).await, ["b"]);
    assert_eq!(served(store, 50, 5).await, ["c", "a"]);
}

async fn a_row_that_is_due_before_those_taken_is_not_forgotten(store: &mut Store) {
    for seconds in 10..20 {
        store.record(draft(), None, at(seconds)).await;
    }
    assert_eq!(store.claim(Claim { limit: 4, ..claim(30, lease(1, 90)) }).await.len(), 4);
    let earlier = store.record(draft(), None, at(5)).await;
    let others = Claim { limit: 4, ..claim(31, lease(2, 90)) };
    assert_eq!(store.claim(others).await[0].reference, earlier.reference);
}

async fn a_client_without_a_name_has_its_turn(store: &mut Store) {
    record_many(store, "", 3).await;
    record_many(store, "a", 3).await;
    assert_eq!(served(store, 10, 1).await, [""]);
    assert_eq!(served(store, 11, 1).await, ["a"]);
    assert_eq!(served(store, 12, 4).await, ["", "a", "", "a"]);
}
