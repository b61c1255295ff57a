//! What operators see and do, and what is left of old rows.

use super::*;
use crate::outbox::{Filter, Stats};

on_every_store! {
    a_retry_makes_open_and_parked_rows_due,
    a_retried_row_that_was_ever_doubtful_is_looked_up_first,
    a_discarded_row_is_given_up_for_good,
    follow_ups_are_given_up_with_their_ticket,
    operators_cannot_touch_a_row_that_is_leased_or_settled,
    erasing_takes_what_callers_said_and_leaves_the_rest,
    erasing_takes_the_oldest_first_and_no_more_than_its_limit,
    an_erased_row_still_recognises_repeats,
    lists_come_in_pages_in_the_order_of_recording,
    lists_can_be_narrowed,
    a_list_after_an_unknown_row_is_empty,
    statistics_count_every_state,
    a_ticket_is_found_by_its_number,
}

async fn a_retry_makes_open_and_parked_rows_due(store: &mut Store) {
    for state in [State::Waiting, State::InDoubt, State::Parked] {
        let before = store.row_in(state).await;
        assert!(store.outbox.retry(&before.reference, at(70)).await.unwrap());
        let expected = Entry {
            state: if state == State::Parked { State::Waiting } else { state },
            due_at: at(70),
            settled_at: None,
            // Of a refused send nothing is open to doubt.
            first_send_at: before.first_send_at.filter(|_| state == State::InDoubt),
            last_send_at: before.last_send_at.filter(|_| state == State::InDoubt),
            ..before
        };
        assert_eq!(store.entry(&expected.reference).await, expected);
    }
    assert_eq!(store.claim(claim(70, lease(2, 130))).await.len(), 3);
}

async fn a_retried_row_that_was_ever_doubtful_is_looked_up_first(store: &mut Store) {
    let entry = store.row_being_looked_up().await;
    store.settle(&entry.reference, 2, Settlement::NotFound { due: at(110) }, at(101)).await;
    store.claim(claim(110, lease(3, 170))).await;
    let parked = Settlement::Parked { reason: "no rights".into() };
    store.settle(&entry.reference, 3, parked, at(111)).await;
    assert!(store.outbox.retry(&entry.reference, at(120)).await.unwrap());
    let retried = store.entry(&entry.reference).await;
    assert_eq!((retried.state, retried.due_at), (State::InDoubt, at(120)));
    assert_eq!((retried.doubts, retried.lookups), (1, 0), "it needs two look-ups again");
}

async fn a_discarded_row_is_given_up_for_good(store: &mut Store) {
    for state in [State::Waiting, State::InDoubt, State::Parked] {
        let before = store.row_in(state).await;
        assert!(store.outbox.discard(&before.reference, at(20)).await.unwrap());
        let expected = Entry { state: State::Discarded, settled_at: Some(at(20)), ..before };
        assert_eq!(store.entry(&expected.reference).await, expected);
    }
    assert_eq!(store.claim(claim(1000, lease(2, 1100))).await, []);
    assert_eq!(store.outbox.next_due().await.unwrap(), None);
}

async fn follow_ups_are_given_up_with_their_ticket(store: &mut Store) {
    let ticket = store.row_in(State::Parked).await.reference;
    let stranger = store.row_in(State::Parked).await.reference;
    let first = store.record(followup_of(&ticket), None, at(20)).await;
    let second = store.record(followup_of(&ticket), None, at(21)).await;
    let others = store.record(followup_of(&stranger), None, at(22)).await;
    assert!(store.outbox.discard(&first.reference, at(30)).await.unwrap());
    assert_eq!(store.entry(&ticket).await.state, State::Parked, "not the other way round");

    assert!(store.outbox.discard(&ticket, at(31)).await.unwrap());
    assert!(!store.outbox.discard(&ticket, at(32)).await.unwrap());
    for (before, settled_at) in [(first, at(30)), (second, at(31))] {
        let settled_at = Some(settled_at);
        let expected = Entry { state: State::Discarded, settled_at, ..before };
        assert_eq!(store.entry(&expected.reference).await, expected);
    }
    assert_eq!(store.entry(&others.reference).await, others);
}

async fn operators_cannot_touch_a_row_that_is_leased_or_settled(store: &mut Store) {
    let looked_up = store.row_being_looked_up().await;
    let sending = store.row_in(State::Sending).await;
    let delivered = store.row_in(State::Delivered).await;
    let discarded = store.row_in(State::Discarded).await;
    for entry in [looked_up, sending, delivered, discarded] {
        assert!(!store.outbox.retry(&entry.reference, at(105)).await.unwrap());
        assert!(!store.outbox.discard(&entry.reference, at(105)).await.unwrap());
        assert_eq!(store.entry(&entry.reference).await, entry);
    }
    assert!(!store.outbox.retry(&Reference::draw(), at(105)).await.unwrap());
    assert!(!store.outbox.discard(&Reference::draw(), at(105)).await.unwrap());
}

async fn erasing_takes_what_callers_said_and_leaves_the_rest(store: &mut Store) {
    let mut rows = Vec::new();
    for state in State::ALL {
        rows.push(store.row_in(state).await);
    }
    assert_eq!(store.outbox.erase_settled_before(at(10), 100).await.unwrap(), 0, "settled at 10 s");
    assert_eq!(store.outbox.erase_settled_before(at(11), 100).await.unwrap(), 2);
    assert_eq!(store.outbox.erase_settled_before(at(11), 100).await.unwrap(), 0);
    for before in rows {
        let erased = matches!(before.state, State::Delivered | State::Discarded);
        let work = if erased { None } else { before.work.clone() };
        assert_eq!(store.entry(&before.reference).await, Entry { work, ..before });
    }
}

async fn erasing_takes_the_oldest_first_and_no_more_than_its_limit(store: &mut Store) {
    let mut references = Vec::new();
    for seconds in [30, 10, 20] {
        let entry = store.record(draft(), Some(lease(1, 60)), at(0)).await;
        let delivered = Settlement::Delivered { glpi_id: 1 };
        store.settle(&entry.reference, 1, delivered, at(seconds)).await;
        references.push(entry.reference);
    }
    assert_eq!(store.outbox.erase_settled_before(at(100), 2).await.unwrap(), 2);
    assert!(store.entry(&references[0]).await.work.is_some());
    assert_eq!(store.outbox.erase_settled_before(at(100), 2).await.unwrap(), 1);
}

async fn an_erased_row_still_recognises_repeats(store: &mut Store) {
    let first = store.record(draft_with_key("gateway", 1, None), Some(lease(1, 60)), at(0)).await;
    store.settle(&first.reference, 1, Settlement::Delivered { glpi_id: 42 }, at(1)).await;
    let day_31 = at(31 * 24 * 60 * 60);
    assert_eq!(store.outbox.erase_settled_before(day_31, 10).await.unwrap(), 1);
    let repeat = draft_with_key("gateway", 1, None);
    match store.outbox.insert(repeat, None, day_31).await.unwrap() {
        Inserted::Existing(entry) => {
            assert_eq!((entry.glpi_id, entry.fingerprint), (Some(42), [7; 32]));
        }
        other => panic!("{other:?}"),
    }
    assert!(store.outbox.find_delivered(42).await.unwrap().is_some());
}

async fn lists_come_in_pages_in_the_order_of_recording(store: &mut Store) {
    let mut recorded = Vec::new();
    // The clock was set back once: the order is that of recording all the same.
    for seconds in [5, 6, 2, 3, 7] {
        recorded.push(store.record(draft(), None, at(seconds)).await);
    }
    let mut listed: Vec<Entry> = Vec::new();
    loop {
        let after = listed.last().map(|entry| entry.reference.clone());
        let page =
            store.outbox.list(Filter { after, limit: 2, ..Filter::default() }).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, recorded);
}

async fn lists_can_be_narrowed(store: &mut Store) {
    for state in State::ALL {
        store.row_in(state).await;
    }
    for state in State::ALL {
        let filter = Filter { state: Some(state), limit: 10, ..Filter::default() };
        let page = store.outbox.list(filter).await.unwrap();
        assert_eq!(page.iter().map(|entry| entry.state).collect::<Vec<_>>(), [state]);
        let after = Some(page[0].reference.clone());
        let filter = Filter { state: Some(state), after, limit: 10, ..Filter::default() };
        assert_eq!(store.outbox.list(filter).await.unwrap(), []);
    }
    let late = store.record(draft(), None, at(50)).await;
    let before = |moment| Filter { accepted_before: Some(moment), limit: 10, ..Filter::default() };
    assert_eq!(store.outbox.list(before(at(0))).await.unwrap(), []);
    assert_eq!(store.outbox.list(before(at(50))).await.unwrap().len(), 6);
    let narrow = Filter { state: Some(State::Waiting), ..before(at(51)) };
    let page = store.outbox.list(narrow).await.unwrap();
    assert_eq!((page.len(), &page[1]), (2, &late));
    assert_eq!(store.outbox.list(Filter::default()).await.unwrap(), [], "a limit of none");
}

async fn a_list_after_an_unknown_row_is_empty(store: &mut Store) {
    store.record(draft(), None, at(0)).await;
    let after = Some(Reference::draw());
    let page = store.outbox.list(Filter { after, limit: 10, ..Filter::default() }).await.unwrap();
    assert_eq!(page, [], "from the start would make a reader of pages go in circles");
}

async fn statistics_count_every_state(store: &mut Store) {
    assert_eq!(store.outbox.stats().await.unwrap(), Stats::default());
    for (count, state) in State::ALL.into_iter().enumerate() {
        for _ in 0..count {
            store.row_in(state).await;
        }
    }
    let stats = store.outbox.stats().await.unwrap();
    assert_eq!((stats.rows, stats.oldest_open), ([0, 1, 2, 3, 4, 5], Some(at(0))));
    let parked = Filter { state: Some(State::Parked), limit: 10, ..Filter::default() };
    let parked = store.outbox.list(parked).await.unwrap();
    assert_eq!(stats.oldest_parked, parked.iter().filter_map(|entry| entry.settled_at).min());

    let left = store.outbox.left_to_do().await.unwrap();
    assert_eq!(left, Stats { rows: [0, 1, 2, 0, 4, 0], ..stats });
}

async fn a_ticket_is_found_by_its_number(store: &mut Store) {
    let ticket = store.row_in(State::Delivered).await;
    let number = ticket.glpi_id.unwrap();
    // GLPI numbers follow-ups on their own: one may have a ticket's number.
    let followup = store.record(followup_of(&ticket.reference), Some(lease(1, 60)), at(20)).await;
    let other = number.wrapping_add(1);
    for glpi_id in [number, other] {
        let done = Settlement::Delivered { glpi_id };
        store.outbox.settle(&followup.reference, 1, done, Vec::new(), at(21)).await.unwrap();
        assert_eq!(store.outbox.find_delivered(number).await.unwrap().as_ref(), Some(&ticket));
        assert_eq!(store.outbox.find_delivered(other).await.unwrap(), None);
    }
}
