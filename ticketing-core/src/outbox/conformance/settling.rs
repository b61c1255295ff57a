//! How work ends: every settlement from every state, and never by a stale hand.

use super::*;

on_every_store! {
    delivered_ends_a_send_and_a_look_up,
    a_retry_forgets_sends_that_were_never_in_doubt,
    a_retry_remembers_sends_that_were_ever_in_doubt,
    a_doubt_is_counted_and_looked_up_when_due,
    a_look_up_that_finds_nothing_is_counted,
    a_new_doubt_starts_the_look_ups_anew,
    a_look_up_without_an_answer_counts_for_nothing,
    parked_keeps_the_reason,
    a_released_send_is_as_before,
    a_released_look_up_is_as_before,
    sending_again_needs_a_lease_in_doubt,
    a_settlement_that_does_not_fit_the_state_changes_nothing,
    a_wrong_token_changes_nothing,
    a_lost_lease_changes_nothing,
    delivered_is_terminal,
}

fn every_settlement() -> [Settlement; 7] {
    [
        Settlement::Delivered { glpi_id: 99 },
        Settlement::Retry { due: at(200), reason: "unreachable".into() },
        Settlement::Doubt { due: at(200), reason: "reset".into() },
        Settlement::NotFound { due: at(200) },
        Settlement::LookupFailed { due: at(200), reason: "503".into() },
        Settlement::Parked { reason: "no rights".into() },
        Settlement::Released,
    ]
}

async fn delivered_ends_a_send_and_a_look_up(store: &mut Store) {
    let sending = store.row_in(State::Sending).await;
    store.settle(&sending.reference, 1, Settlement::Delivered { glpi_id: 41 }, at(11)).await;
    let looked_up = store.row_being_looked_up().await;
    store.settle(&looked_up.reference, 2, Settlement::Delivered { glpi_id: 42 }, at(101)).await;
    for (before, glpi_id, settled_at) in [(sending, 41, at(11)), (looked_up, 42, at(101))] {
        let expected = Entry {
            state: State::Delivered,
            lease: None,
            glpi_id: Some(glpi_id),
            settled_at: Some(settled_at),
            reason: None,
            ..before
        };
        assert_eq!(store.entry(&expected.reference).await, expected);
    }
}

async fn a_retry_forgets_sends_that_were_never_in_doubt(store: &mut Store) {
    let sending = store.row_in(State::Sending).await;
    let retry = Settlement::Retry { due: at(33), reason: "refused".into() };
    store.settle(&sending.reference, 1, retry, at(11)).await;
    let expected = Entry {
        state: State::Waiting,
        lease: None,
        due_at: at(33),
        first_send_at: None,
        last_send_at: None,
        reason: Some("refused".into()),
        ..sending
    };
    assert_eq!(store.entry(&expected.reference).await, expected);
}

async fn a_retry_remembers_sends_that_were_ever_in_doubt(store: &mut Store) {
    let entry = store.row_being_looked_up().await;
    assert!(store.outbox.begin_send(&entry.reference, 2, at(105)).await.unwrap());
    let retry = Settlement::Retry { due: at(133), reason: "refused".into() };
    store.settle(&entry.reference, 2, retry, at(111)).await;
    let expected = Entry {
        state: State::Waiting,
        lease: None,
        attempts: 2,
        due_at: at(133),
        last_send_at: Some(at(105)),
        reason: Some("refused".into()),
        ..entry
    };
    assert_eq!(store.entry(&expected.reference).await, expected);
}

async fn a_doubt_is_counted_and_looked_up_when_due(store: &mut Store) {
    let sending = store.row_in(State::Sending).await;
    let doubt = Settlement::Doubt { due: at(71), reason: "reset".into() };
    store.settle(&sending.reference, 1, doubt, at(11)).await;
    let expected = Entry {
        state: State::InDoubt,
        lease: None,
        doubts: 1,
        due_at: at(71),
        reason: Some("reset".into()),
        ..sending
    };
    assert_eq!(store.entry(&expected.reference).await, expected);
    assert_eq!(store.claim(claim(70, lease(2, 130))).await, []);
    assert_eq!(store.claim(claim(71, lease(2, 131))).await.len(), 1);
}

async fn a_look_up_that_finds_nothing_is_counted(store: &mut Store) {
    let entry = store.row_being_looked_up().await;
    store.settle(&entry.reference, 2, Settlement::NotFound { due: at(110) }, at(101)).await;
    let expected = Entry { lease: None, lookups: 1, due_at: at(110), ..entry };
    assert_eq!(store.entry(&expected.reference).await, expected);
}

async fn a_new_doubt_starts_the_look_ups_anew(store: &mut Store) {
    let reference = store.row_being_looked_up().await.reference;
    store.settle(&reference, 2, Settlement::NotFound { due: at(110) }, at(101)).await;
    assert_eq!(store.claim(claim(110, lease(3, 170))).await.len(), 1);
    assert!(store.outbox.begin_send(&reference, 3, at(111)).await.unwrap());
    store.settle(&reference, 3, doubt(141), at(112)).await;
    let entry = store.entry(&reference).await;
    assert_eq!((entry.attempts, entry.doubts, entry.lookups), (2, 2, 0));
    assert_eq!((entry.first_send_at, entry.last_send_at), (Some(at(0)), Some(at(111))));
}

async fn a_look_up_without_an_answer_counts_for_nothing(store: &mut Store) {
    let entry = store.row_being_looked_up().await;
    let failed = Settlement::LookupFailed { due: at(110), reason: "503".into() };
    store.settle(&entry.reference, 2, failed, at(101)).await;
    let expected = Entry { lease: None, due_at: at(110), reason: Some("503".into()), ..entry };
    assert_eq!(store.entry(&expected.reference).await, expected);
}

async fn parked_keeps_the_reason(store: &mut Store) {
    let parked = || Settlement::Parked { reason: "no such category".into() };
    let sending = store.row_in(State::Sending).await;
    store.settle(&sending.reference, 1, parked(), at(11)).await;
    let looked_up = store.row_being_looked_up().await;
    store.settle(&looked_up.reference, 2, parked(), at(101)).await;
    for (before, settled_at) in [(sending, at(11)), (looked_up, at(101))] {
        let expected = Entry {
            state: State::Parked,
            lease: None,
            settled_at: Some(settled_at),
            reason: Some("no such category".into()),
            ..before
        };
        assert_eq!(store.entry(&expected.reference).await, expected);
    }
}

async fn a_released_send_is_as_before(store: &mut Store) {
    let waiting = store.record(draft(), None, at(0)).await;
    store.claim(claim(5, lease(1, 60))).await;
    store.settle(&waiting.reference, 1, Settlement::Released, at(6)).await;
    assert_eq!(store.entry(&waiting.reference).await, Entry { due_at: at(6), ..waiting });
}

async fn a_released_look_up_is_as_before(store: &mut Store) {
    let entry = store.row_being_looked_up().await;
    store.settle(&entry.reference, 2, Settlement::Released, at(101)).await;
    let expected = Entry { lease: None, due_at: at(101), ..entry };
    assert_eq!(store.entry(&expected.reference).await, expected);
}

async fn sending_again_needs_a_lease_in_doubt(store: &mut Store) {
    let begin = async |reference: &Reference, token| {
        store.outbox.begin_send(reference, token, at(105)).await.unwrap()
    };
    let looked_up = store.row_being_looked_up().await;
    assert!(!begin(&looked_up.reference, 3).await, "another's token");
    assert!(begin(&looked_up.reference, 2).await);
    let expected =
        Entry { state: State::Sending, attempts: 2, last_send_at: Some(at(105)), ..looked_up };
    assert_eq!(store.entry(&expected.reference).await, expected);
    assert!(!begin(&expected.reference, 2).await, "a second time");
    for state in State::ALL {
        let entry = store.row_in(state).await;
        assert!(!begin(&entry.reference, 1).await, "{state:?}");
        assert_eq!(store.entry(&entry.reference).await, entry);
    }
    assert!(!begin(&Reference::draw(), 1).await);
}

async fn a_settlement_that_does_not_fit_the_state_changes_nothing(store: &mut Store) {
    use Settlement::{Doubt, LookupFailed, NotFound, Retry};
    for how in every_settlement() {
        let sending = store.row_in(State::Sending).await;
        let fits = !matches!(how, NotFound { .. } | LookupFailed { .. });
        let done = store
            .outbox
            .settle(&sending.reference, 1, how.clone(), Vec::new(), at(20))
            .await
            .unwrap();
        assert_eq!(done, fits, "{how:?} while being sent");
        assert_eq!(store.entry(&sending.reference).await == sending, !fits);

        let looked_up = store.row_being_looked_up().await;
        let fits = !matches!(how, Retry { .. } | Doubt { .. });
        let done = store
            .outbox
            .settle(&looked_up.reference, 2, how.clone(), Vec::new(), at(101))
            .await
            .unwrap();
        assert_eq!(done, fits, "{how:?} while being looked up");
        assert_eq!(store.entry(&looked_up.reference).await == looked_up, !fits);
    }
}

async fn a_wrong_token_changes_nothing(store: &mut Store) {
    let sending = store.row_in(State::Sending).await;
    let looked_up = store.row_being_looked_up().await;
    let unleased = store.row_in(State::Waiting).await;
    for (entry, token) in [(&sending, 0), (&looked_up, 1), (&unleased, 1), (&unleased, 0)] {
        let before = store.entry(&entry.reference).await;
        for how in every_settlement() {
            let done = store
                .outbox
                .settle(&entry.reference, token, how, Vec::new(), at(101))
                .await
                .unwrap();
            assert!(!done);
        }
        assert_eq!(store.entry(&entry.reference).await, before);
    }
    for how in every_settlement() {
        assert!(!store.outbox.settle(&Reference::draw(), 1, how, Vec::new(), at(1)).await.unwrap());
    }
}

async fn a_lost_lease_changes_nothing(store: &mut Store) {
    // A courier slept through its lease; another took the row and looks it up.
    let entry = store.row_in(State::Sending).await;
    let taken = store.claim(claim(60, lease(2, 120))).await.remove(0);
    assert_eq!(taken.reference, entry.reference);
    for how in every_settlement() {
        assert!(!store.outbox.settle(&entry.reference, 1, how, Vec::new(), at(61)).await.unwrap());
    }
    assert!(!store.outbox.begin_send(&entry.reference, 1, at(61)).await.unwrap());
    assert_eq!(store.entry(&entry.reference).await, taken);
}

async fn delivered_is_terminal(store: &mut Store) {
    let delivered = store.row_in(State::Delivered).await;
    for how in every_settlement() {
        assert!(
            !store.outbox.settle(&delivered.reference, 1, how, Vec::new(), at(20)).await.unwrap()
        );
    }
    assert!(!store.outbox.begin_send(&delivered.reference, 1, at(20)).await.unwrap());
    assert!(!store.outbox.retry(&delivered.reference, at(20)).await.unwrap());
    assert!(!store.outbox.discard(&delivered.reference, at(20)).await.unwrap());
    store.outbox.expire_leases(at(20)).await.unwrap();
    assert_eq!(store.claim(claim(1000, lease(2, 1100))).await, []);
    assert_eq!(store.entry(&delivered.reference).await, delivered);
}
