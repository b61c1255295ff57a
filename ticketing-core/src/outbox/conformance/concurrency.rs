//! Many at once, callers who leave, and restarts.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::*;
use crate::outbox::Filter;

on_every_store! {
    parallel_claims_never_give_one_row_twice,
    a_thousand_requests_at_once_are_all_there,
    one_key_used_twenty_times_at_once_names_one_row,
    a_follow_up_recorded_during_the_delivery_of_its_parent_is_told,
    callers_who_leave_harm_nobody,
    a_restart_keeps_everything,
    a_closed_store_answers_that_it_is,
}

async fn parallel_claims_never_give_one_row_twice(store: &mut Store) {
    const ROWS: usize = 200;
    for _ in 0..ROWS {
        store.record(draft(), None, at(0)).await;
    }
    let mut couriers = JoinSet::new();
    for courier in 0..8 {
        let outbox = Arc::clone(&store.outbox);
        couriers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let some = Claim { limit: 3, ..claim(10, lease(courier, 500)) };
                let entries = outbox.claim(some).await.unwrap();
                if entries.is_empty() {
                    return taken;
                }
                taken.extend(entries.into_iter().map(|entry| entry.reference));
            }
        });
    }
    let taken: Vec<Reference> = couriers.join_all().await.into_iter().flatten().collect();
    // A claim that finds all it could take locked by others may come back empty; rows are left over
    // then, never doubled.
    let left = store.claim(Claim { limit: 1000, ..claim(10, lease(9, 500)) }).await.len();
    assert_eq!(taken.len() + left, ROWS);
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), taken.len());
}

async fn a_thousand_requests_at_once_are_all_there(store: &mut Store) {
    let mut inserts = JoinSet::new();
    for _ in 0..1000 {
        let outbox = Arc::clone(&store.outbox);
        inserts.spawn(async move { outbox.insert(draft(), None, at(0)).await.unwrap() });
    }
    let mut answered = HashSet::new();
    for inserted in inserts.join_all().await {
        match inserted {
            Inserted::New(entry) => assert!(answered.insert(entry.reference)),
            other => panic!("{other:?}"),
        }
    }
    let listed = store.outbox.list(Filter { limit: 2000, ..Filter::default() }).await.unwrap();
    assert_eq!(listed.into_iter().map(|entry| entry.reference).collect::<HashSet<_>>(), answered);
}

async fn one_key_used_twenty_times_at_once_names_one_row(store: &mut Store) {
    for (round, window) in [None, Some(SignedDuration::from_secs(1))].into_iter().enumerate() {
        let digest = u8::try_from(round).unwrap();
        // With a window, the key of an earlier row has just passed: all try to take it over.
        let earlier = draft_with_key("gateway", digest, Some(SignedDuration::from_secs(1)));
        store.record(earlier, None, at(0)).await;
        let mut inserts = JoinSet::new();
        for _ in 0..20 {
            let outbox = Arc::clone(&store.outbox);
            let draft = draft_with_key("gateway", digest, window);
            inserts.spawn(async move { outbox.insert(draft, None, at(1)).await.unwrap() });
        }
        let mut new = 0;
        let mut named = HashSet::new();
        for inserted in inserts.join_all().await {
            match inserted {
                Inserted::New(entry) => {
                    new += 1;
                    named.insert(entry.reference);
                }
                Inserted::Existing(entry) => {
                    named.insert(entry.reference);
                }
                Inserted::ReferenceTaken | Inserted::ParentDiscarded => {
                    panic!("a new reference, no parent")
                }
            }
        }
        assert_eq!((new, named.len()), (1, 1));
    }
}

async fn a_follow_up_recorded_during_the_delivery_of_its_parent_is_told(store: &mut Store) {
    for number in 1..50 {
        let parent = store.row_in(State::Sending).await.reference;
        let delivered = Settlement::Delivered { glpi_id: number };
        let (followup, ()) = tokio::join!(
            store.record(followup_of(&parent), None, at(5)),
            store.settle(&parent, 1, delivered, at(5))
        );
        assert_eq!(store.entry(&followup.reference).await.parent_ticket, Some(number));
    }
}

async fn callers_who_leave_harm_nobody(store: &mut Store) {
    let mut callers = JoinSet::new();
    for number in 0..300 {
        let outbox = Arc::clone(&store.outbox);
        let caller = callers.spawn(async move {
            let entry = match outbox.insert(draft(), Some(lease(1, 60)), at(0)).await.unwrap() {
                Inserted::New(entry) => entry,
                other => panic!("{other:?}"),
            };
            let delivered = Settlement::Delivered { glpi_id: 1 };
            outbox.settle(&entry.reference, 1, delivered, Vec::new(), at(1)).await.unwrap();
        });
        for _ in 0..number % 7 {
            tokio::task::yield_now().await;
        }
        if number % 3 > 0 {
            caller.abort();
        }
    }
    while callers.join_next().await.is_some() {}
    // As many at once as there could be connections, and more: all of them work.
    let mut others = JoinSet::new();
    for _ in 0..32 {
        let outbox = Arc::clone(&store.outbox);
        others.spawn(async move { outbox.insert(draft(), None, at(2)).await.unwrap() });
    }
    others.join_all().await;
    assert_eq!(store.outbox.stats().await.unwrap().rows[0], 32);
}

async fn a_restart_keeps_everything(store: &mut Store) {
    let mut rows = Vec::new();
    for state in State::ALL {
        rows.push(store.row_in(state).await);
    }
    store.restart().await;
    for entry in &rows {
        assert_eq!(&store.entry(&entry.reference).await, entry);
    }
    let recorded_after = store.record(draft_with_key("gateway", 1, None), None, at(20)).await;
    store.restart().await;
    let all = store.outbox.list(Filter { limit: 10, ..Filter::default() }).await.unwrap();
    rows.push(recorded_after);
    assert_eq!(all, rows);
}

async fn a_closed_store_answers_that_it_is(store: &mut Store) {
    store.outbox.close().await.unwrap();
    store.outbox.insert(draft(), None, at(0)).await.unwrap_err();
    store.outbox.find(&Reference::draw()).await.unwrap_err();
    store.outbox.close().await.unwrap();
}
