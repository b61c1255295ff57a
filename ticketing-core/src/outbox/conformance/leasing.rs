//! Taking rows to work on, and taking them from those who have died.

use super::*;
use crate::outbox::Filter;

on_every_store! {
    clients_take_turns_however_long_their_backlogs_are,
    a_claim_takes_due_rows_the_earliest_first,
    a_claim_takes_no_more_than_its_limit,
    a_claim_leaves_what_is_not_due_leased_or_settled,
    a_claimed_row_is_being_sent,
    a_claimed_row_in_doubt_stays_in_doubt,
    a_claim_stamps_only_the_first_open_send_as_first,
    an_expired_send_is_in_doubt_and_never_waiting,
    an_expired_send_waits_before_it_is_looked_up,
    an_expired_look_up_is_taken_over_at_once,
    a_lease_lasts_until_its_moment,
    an_operator_cannot_make_a_row_in_doubt_wait_less,
    a_follow_up_waits_for_its_parent,
    a_follow_up_of_nothing_waits,
    a_damaged_row_is_parked_and_hides_none_behind_it,
    only_a_store_that_knows_it_is_alone_ends_all_leases,
    the_next_due_moment_is_the_earliest_of_all,
    nothing_is_due_when_nothing_is_open,
}

async fn a_claim_takes_due_rows_the_earliest_first(store: &mut Store) {
    let late = store.record(draft(), None, at(30)).await;
    let early = store.record(draft(), None, at(10)).await;
    let early_too = store.record(draft(), None, at(10)).await;
    let middle = store.record(draft(), None, at(20)).await;
    let claimed = store.claim(claim(30, lease(1, 90))).await;
    let order = [early, early_too, middle, late];
    assert_eq!(references(&claimed), references(&order));
}

async fn a_claim_takes_no_more_than_its_limit(store: &mut Store) {
    for seconds in 0..5 {
        store.record(draft(), None, at(seconds)).await;
    }
    for (token, expected) in [(1, 2), (2, 2), (3, 1), (4, 0)] {
        let limited = Claim { limit: 2, ..claim(10, lease(token, 90)) };
        assert_eq!(store.claim(limited).await.len(), expected);
    }
    assert_eq!(store.claim(Claim { limit: 0, ..claim(10, lease(5, 90)) }).await, []);
}

async fn a_claim_leaves_what_is_not_due_leased_or_settled(store: &mut Store) {
    for state in [State::Sending, State::Delivered, State::Parked, State::Discarded] {
        store.row_in(state).await;
    }
    let waiting = store.row_in(State::Waiting).await;
    assert_eq!(waiting.due_at, at(10));
    assert_eq!(store.claim(claim(9, lease(2, 90))).await, []);
    let claimed = store.claim(claim(10, lease(2, 90))).await;
    assert_eq!(references(&claimed), [&waiting.reference]);
    assert_eq!(store.claim(claim(10, lease(3, 90))).await, []);
}

async fn a_claimed_row_is_being_sent(store: &mut Store) {
    let waiting = store.record(draft(), None, at(0)).await;
    let claimed = store.claim(claim(5, lease(2, 90))).await.remove(0);
    let expected = Entry {
        state: State::Sending,
        lease: Some(lease(2, 90)),
        attempts: 1,
        first_send_at: Some(at(5)),
        last_send_at: Some(at(5)),
        ..waiting
    };
    assert_eq!(claimed, expected);
    assert_eq!(store.entry(&claimed.reference).await, expected);
}

async fn a_claimed_row_in_doubt_stays_in_doubt(store: &mut Store) {
    let doubtful = store.row_in(State::InDoubt).await;
    let claimed = store.claim(claim(100, lease(2, 160))).await.remove(0);
    assert_eq!(claimed, Entry { lease: Some(lease(2, 160)), ..doubtful });
}

async fn a_claim_stamps_only_the_first_open_send_as_first(store: &mut Store) {
    // Sent at 0 s, in doubt, looked up, sent again at 100 s, certainly not applied: the first send
    // is still open to doubt.
    let entry = store.row_being_looked_up().await;
    assert!(store.outbox.begin_send(&entry.reference, 2, at(100)).await.unwrap());
    let retry = Settlement::Retry { due: at(110), reason: "refused".into() };
    store.settle(&entry.reference, 2, retry, at(101)).await;
    let claimed = store.claim(claim(120, lease(3, 200))).await.remove(0);
    assert_eq!(claimed.state, State::Sending);
    assert_eq!((claimed.first_send_at, claimed.last_send_at), (Some(at(0)), Some(at(120))));
    assert_eq!((claimed.attempts, claimed.doubts), (3, 1));
}

async fn an_expired_send_is_in_doubt_and_never_waiting(store: &mut Store) {
    let sending = store.row_in(State::Sending).await;
    assert_eq!(store.claim(claim(60, lease(2, 120))).await.len(), 1, "its wait ended at 30 s");
    let taken = store.entry(&sending.reference).await;
    assert!(taken.reason.is_some());
    let expected = Entry {
        state: State::InDoubt,
        lease: Some(lease(2, 120)),
        doubts: 1,
        due_at: at(DOUBT_WAIT),
        reason: taken.reason.clone(),
        ..sending
    };
    assert_eq!(taken, expected);
}

async fn an_expired_send_waits_before_it_is_looked_up(store: &mut Store) {
    let reference = store.record(draft(), Some(lease(1, 10)), at(0)).await.reference;
    for seconds in [10, 29] {
        assert_eq!(store.claim(claim(seconds, lease(2, 120))).await, []);
        let entry = store.entry(&reference).await;
        assert_eq!((entry.state, entry.lease), (State::InDoubt, None));
        assert_eq!((entry.doubts, entry.lookups, entry.due_at), (1, 0, at(30)));
    }
    let claimed = store.claim(claim(30, lease(2, 120))).await;
    assert_eq!(references(&claimed), [&reference]);
}

async fn an_expired_look_up_is_taken_over_at_once(store: &mut Store) {
    let entry = store.row_being_looked_up().await;
    assert_eq!(store.claim(claim(159, lease(3, 220))).await, []);
    let taken = store.claim(claim(160, lease(3, 220))).await.remove(0);
    assert_eq!(taken, Entry { lease: Some(lease(3, 220)), ..entry });
}

async fn a_lease_lasts_until_its_moment(store: &mut Store) {
    let entry = store.row_in(State::Sending).await;
    store.claim(claim(59, lease(2, 120))).await;
    assert_eq!(store.entry(&entry.reference).await, entry);
    // Expired, but nobody took it: what its holder knows still counts.
    store.settle(&entry.reference, 1, Settlement::Delivered { glpi_id: 1 }, at(90)).await;
}

async fn an_operator_cannot_make_a_row_in_doubt_wait_less(store: &mut Store) {
    let reference = store.record(draft(), Some(lease(1, 60)), at(0)).await.reference;
    store.settle(&reference, 1, doubt(30), at(5)).await;
    assert!(store.outbox.retry(&reference, at(6)).await.unwrap());
    assert_eq!(store.claim(claim(29, lease(2, 120))).await, []);
    assert_eq!(store.claim(claim(30, lease(2, 120))).await.len(), 1);
}

async fn a_follow_up_waits_for_its_parent(store: &mut Store) {
    let parent = store.row_in(State::Sending).await;
    let first = store.record(followup_of(&parent.reference), None, at(1)).await;
    let second = store.record(followup_of(&parent.reference), None, at(2)).await;
    let stranger = store.row_in(State::Sending).await;
    let others = store.record(followup_of(&stranger.reference), None, at(2)).await;
    assert_eq!(first.parent_ticket, None);
    assert_eq!(store.claim(claim(5, lease(2, 90))).await, []);
    assert_eq!(store.outbox.next_due().await.unwrap(), Some(at(60)), "the parents' leases");

    store.settle(&parent.reference, 1, Settlement::Delivered { glpi_id: 42 }, at(6)).await;
    assert_eq!(store.outbox.next_due().await.unwrap(), Some(at(1)));
    let claimed = store.claim(claim(7, lease(2, 90))).await;
    assert_eq!(references(&claimed), [&first.reference, &second.reference]);
    assert!(claimed.iter().all(|entry| entry.parent_ticket == Some(42)));
    assert_eq!(store.entry(&others.reference).await, others);
}

async fn a_follow_up_of_nothing_waits(store: &mut Store) {
    store.record(followup_of(&Reference::draw()), None, at(0)).await;
    assert_eq!(store.claim(claim(5, lease(2, 90))).await, []);
    assert_eq!(store.outbox.next_due().await.unwrap(), None);
}

async fn a_damaged_row_is_parked_and_hides_none_behind_it(store: &mut Store) {
    let damaged = store.record(draft(), None, at(0)).await;
    let emptied = store.record(draft(), None, at(0)).await;
    let sound = store.record(draft(), None, at(1)).await;
    let name = &damaged.reference;
    store.tamper(&format!("UPDATE outbox SET work = '{{' WHERE reference = '{name}'")).await;
    let name = &emptied.reference;
    store.tamper(&format!("UPDATE outbox SET work = NULL WHERE reference = '{name}'")).await;

    let claimed = store.claim(claim(5, lease(2, 90))).await;
    assert_eq!(references(&claimed), [&sound.reference]);
    for reference in [&damaged.reference, &emptied.reference] {
        let parked = store.entry(reference).await;
        assert_eq!((parked.state, parked.lease), (State::Parked, None));
        assert_eq!((parked.settled_at, &parked.work), (Some(at(5)), &None));
        assert!(parked.reason.unwrap().contains("damaged"));
    }
    let all = store.outbox.list(Filter { limit: 10, ..Default::default() }).await;
    assert_eq!(all.unwrap().len(), 3);
}

async fn only_a_store_that_knows_it_is_alone_ends_all_leases(store: &mut Store) {
    let sending = store.row_in(State::Sending).await;
    let looked_up = store.row_being_looked_up().await;
    // That claim found the first lease expired; give it another.
    assert_eq!(store.entry(&sending.reference).await.state, State::InDoubt);
    let fresh = store.record(draft(), Some(lease(7, 500)), at(110)).await;
    store.outbox.expire_leases(at(120)).await.unwrap();
    let claimed = store.claim(claim(145, lease(8, 300))).await;
    if store.knows_it_is_alone() {
        let fresh = store.entry(&fresh.reference).await;
        assert_eq!(
            (fresh.state, fresh.doubts, fresh.lease),
            (State::InDoubt, 1, Some(lease(8, 300)))
        );
        assert!(references(&claimed).contains(&&looked_up.reference));
    } else {
        assert_eq!(claimed, []);
        assert_eq!(store.entry(&fresh.reference).await, fresh);
    }
}

async fn the_next_due_moment_is_the_earliest_of_all(store: &mut Store) {
    let next = async || store.outbox.next_due().await.unwrap();
    let leased = store.record(draft(), Some(lease(1, 60)), at(0)).await;
    assert_eq!(next().await, Some(at(60)), "its lease may expire");
    let waiting = store.record(draft(), None, at(40)).await;
    assert_eq!(next().await, Some(at(40)));
    assert!(store.outbox.discard(&waiting.reference, at(41)).await.unwrap());
    assert_eq!(next().await, Some(at(60)));
    store.settle(&leased.reference, 1, doubt(75), at(42)).await;
    assert_eq!(next().await, Some(at(75)));
    store.claim(claim(80, lease(2, 140))).await;
    assert_eq!(next().await, Some(at(140)));
}

async fn nothing_is_due_when_nothing_is_open(store: &mut Store) {
    assert_eq!(store.outbox.next_due().await.unwrap(), None);
    for state in [State::Delivered, State::Parked, State::Discarded] {
        store.row_in(state).await;
    }
    assert_eq!(store.outbox.next_due().await.unwrap(), None);
}

async fn clients_take_turns_however_long_their_backlogs_are(store: &mut Store) {
    // The large backlog is the older one.
    for _ in 0..300 {
        store.record(Draft { client: "large".into(), ..draft() }, None, at(0)).await;
    }
    for _ in 0..10 {
        store.record(Draft { client: "small".into(), ..draft() }, None, at(1)).await;
    }
    store.record(Draft { client: String::new(), ..draft() }, None, at(2)).await;
    let mut delivered = 0;
    for token in 0.. {
        let some = Claim { limit: 6, ..claim(10, lease(token, 500)) };
        let taken = store.claim(some).await;
        assert_eq!(taken.len(), 6, "no place stays empty");
        delivered += taken.len();
        let left = Filter { state: Some(State::Waiting), limit: 400, ..Filter::default() };
        let left = store.outbox.list(left).await.unwrap();
        if left.iter().all(|entry| entry.client == "large") {
            break;
        }
    }
    assert!(delivered <= 30, "the small backlog waited for {delivered} rows");
    let one = Claim { limit: 1, ..claim(10, lease(0, 500)) };
    let first = store.claim(one).await;
    assert_eq!(first[0].client, "large");
    // Of one client the earliest due come first.
    let mut last = first[0].reference.clone();
    for token in 0..9 {
        let entry = store.claim(Claim { limit: 1, ..claim(10, lease(token, 500)) }).await.remove(0);
        let after = Filter { after: Some(last), limit: 1, ..Filter::default() };
        assert_eq!(store.outbox.list(after).await.unwrap()[0].reference, entry.reference);
        last = entry.reference;
    }
}
