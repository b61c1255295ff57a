//! What is erased because a caller asks for it, and what is given up by its age.

use serde_json::json;

use super::*;
use crate::outbox::{Erasure, NoticeOutcome};

on_every_store! {
    settled_and_parked_rows_are_erased,
    open_rows_are_erased_only_if_asked_for,
    a_row_somebody_works_on_is_not_erased,
    follow_ups_that_can_never_be_delivered_are_erased_with_their_ticket,
    follow_ups_of_a_delivered_ticket_stay,
    a_tickets_follow_ups_are_found,
    notices_about_an_erased_row_lose_their_body,
    parked_rows_are_given_up_by_their_age,
    nothing_is_added_to_a_ticket_that_is_given_up,
    a_follow_up_recorded_while_its_ticket_is_given_up_does_not_wait_for_ever,
}

const REASON: &str = "erased at the caller's request";

impl Store {
    async fn erase(&self, reference: &Reference, also_open: bool) -> Erasure {
        self.outbox.erase(reference, also_open, at(500)).await.unwrap()
    }
}

fn given_up(before: Entry) -> Entry {
    Entry {
        work: None,
        state: State::Discarded,
        settled_at: Some(at(500)),
        reason: Some(REASON.into()),
        ..before
    }
}

async fn settled_and_parked_rows_are_erased(store: &mut Store) {
    for state in [State::Delivered, State::Discarded, State::Parked] {
        let before = store.row_in(state).await;
        assert_eq!(store.erase(&before.reference, false).await, Erasure::Erased);
        let expected = match state {
            State::Parked => given_up(before),
            _ => Entry { work: None, ..before },
        };
        assert_eq!(store.entry(&expected.reference).await, expected);
        assert_eq!(store.erase(&expected.reference, true).await, Erasure::Erased, "harmless");
        assert_eq!(store.entry(&expected.reference).await, expected);
    }
    assert_eq!(store.erase(&Reference::draw(), true).await, Erasure::Unknown);
}

async fn open_rows_are_erased_only_if_asked_for(store: &mut Store) {
    for state in [State::Waiting, State::InDoubt] {
        let before = store.row_in(state).await;
        assert_eq!(store.erase(&before.reference, false).await, Erasure::StillOpen);
        assert_eq!(store.entry(&before.reference).await, before);
        assert_eq!(store.erase(&before.reference, true).await, Erasure::Erased);
        let expected = given_up(before);
        assert_eq!(store.entry(&expected.reference).await, expected);
    }
    assert_eq!(store.claim(claim(1000, lease(2, 1100))).await, []);
}

async fn a_row_somebody_works_on_is_not_erased(store: &mut Store) {
    let looked_up = store.row_being_looked_up().await;
    let sending = store.row_in(State::Sending).await;
    for before in [looked_up, sending] {
        assert_eq!(store.erase(&before.reference, true).await, Erasure::BeingSent);
        assert_eq!(store.entry(&before.reference).await, before);
    }
}

async fn follow_ups_that_can_never_be_delivered_are_erased_with_their_ticket(store: &mut Store) {
    for state in [State::Parked, State::Waiting] {
        let ticket = store.row_in(state).await.reference;
        let followup = store.record(followup_of(&ticket), None, at(20)).await;
        let given_up_before = store.record(followup_of(&ticket), None, at(21)).await;
        assert!(store.outbox.discard(&given_up_before.reference, at(22)).await.unwrap());
        let stranger = store.row_in(State::Parked).await.reference;
        let others = store.record(followup_of(&stranger), None, at(23)).await;

        assert_eq!(store.erase(&ticket, true).await, Erasure::Erased);
        let expected = given_up(followup);
        assert_eq!(store.entry(&expected.reference).await, expected);
        let earlier = store.entry(&given_up_before.reference).await;
        assert_eq!((earlier.work, earlier.settled_at, earlier.reason), (None, Some(at(22)), None));
        assert_eq!(store.entry(&others.reference).await, others);
    }
}

async fn follow_ups_of_a_delivered_ticket_stay(store: &mut Store) {
    let ticket = store.row_in(State::Delivered).await.reference;
    let followup = store.record(followup_of(&ticket), None, at(20)).await;
    assert_eq!(store.erase(&ticket, true).await, Erasure::Erased);
    assert_eq!(store.entry(&followup.reference).await, followup, "it can still be delivered");
}

async fn a_tickets_follow_ups_are_found(store: &mut Store) {
    let ticket = store.row_in(State::Delivered).await.reference;
    let stranger = store.row_in(State::Delivered).await.reference;
    let mut followups = Vec::new();
    for seconds in 20..23 {
        followups.push(store.record(followup_of(&ticket), None, at(seconds)).await);
        store.record(followup_of(&stranger), None, at(seconds)).await;
    }
    assert_eq!(store.outbox.followups(&ticket).await.unwrap(), followups);
    assert_eq!(store.outbox.followups(&Reference::draw()).await.unwrap(), []);
}

async fn notices_about_an_erased_row_lose_their_body(store: &mut Store) {
    let notice =
        |event: String| NoticeDraft { event, channel: "mail".into(), body: json!("Marie") };
    let mut references = Vec::new();
    for state in [State::Parked, State::Parked, State::Parked] {
        let reference = store.row_in(state).await.reference;
        let event = format!("parked:{reference}");
        store.outbox.raise_alarm(&event, vec![notice(event.clone())], at(10)).await.unwrap();
        references.push(reference);
    }
    let sending = store.outbox.claim_notices(at(10), lease(1, 700), 1).await.unwrap();
    assert_eq!(sending[0].event, format!("parked:{}", references[0]));
    for reference in &references[..2] {
        assert_eq!(store.erase(reference, false).await, Erasure::Erased);
    }
    // Fails for each body that is left of these two.
    let left = "INSERT INTO alarm SELECT body, NULL FROM notice
        WHERE body IS NOT NULL AND event <> 'parked:";
    store.tamper(&format!("{left}{}'", references[2])).await;
    let left = store.outbox.claim_notices(at(600), lease(2, 700), 9).await.unwrap();
    let events: Vec<&str> = left.iter().map(|notice| notice.event.as_str()).collect();
    assert_eq!(events, [format!("parked:{}", references[2])]);
    let done = store.outbox.settle_notice(sending[0].id, 1, NoticeOutcome::Sent, at(601)).await;
    assert!(done.unwrap());
}

async fn parked_rows_are_given_up_by_their_age(store: &mut Store) {
    let mut parked = Vec::new();
    for seconds in [30, 10, 20] {
        let entry = store.record(draft(), Some(lease(1, 60)), at(0)).await;
        let refused = Settlement::Parked { reason: "no right".into() };
        store.settle(&entry.reference, 1, refused, at(seconds)).await;
        parked.push(entry.reference);
    }
    let followup = store.record(followup_of(&parked[1]), None, at(40)).await.reference;
    for state in [State::Waiting, State::InDoubt, State::Sending, State::Delivered] {
        store.row_in(state).await;
    }
    let count = async |before| store.outbox.count_parked_before(at(before)).await.unwrap();
    assert_eq!((count(10).await, count(11).await, count(100).await), (0, 1, 3));

    let give_up = async |before, limit| {
        store.outbox.erase_parked_before(at(before), limit, at(500)).await.unwrap()
    };
    assert_eq!(give_up(10, 9).await, 0, "parked at 10 s");
    assert_eq!(give_up(100, 2).await, 2, "the oldest first");
    assert_eq!(store.entry(&parked[0]).await.state, State::Parked);
    for reference in [&parked[1], &parked[2], &followup] {
        let entry = store.entry(reference).await;
        assert_eq!((entry.state, entry.work), (State::Discarded, None));
        assert!(entry.reason.unwrap().contains("given up"));
    }
    assert_eq!(give_up(100, 9).await, 1);
    assert_eq!((give_up(1000, 9).await, count(1000).await), (0, 0));
}

async fn nothing_is_added_to_a_ticket_that_is_given_up(store: &mut Store) {
    let ticket = store.row_in(State::Discarded).await.reference;
    for lease in [None, Some(lease(1, 60))] {
        let key = Some(Key { digest: [3; 32], window: None });
        for key in [None, key] {
            let draft = Draft { key, ..followup_of(&ticket) };
            let inserted = store.outbox.insert(draft, lease, at(20)).await.unwrap();
            assert_eq!(inserted, Inserted::ParentDiscarded);
        }
    }
    assert_eq!(store.outbox.followups(&ticket).await.unwrap(), []);
}

async fn a_follow_up_recorded_while_its_ticket_is_given_up_does_not_wait_for_ever(
    store: &mut Store,
) {
    for _ in 0..50 {
        let ticket = store.row_in(State::Parked).await.reference;
        let (inserted, discarded) = tokio::join!(
            store.outbox.insert(followup_of(&ticket), None, at(20)),
            store.outbox.discard(&ticket, at(20))
        );
        assert!(discarded.unwrap());
        match inserted.unwrap() {
            Inserted::New(entry) => {
                assert_eq!(store.entry(&entry.reference).await.state, State::Discarded);
            }
            Inserted::ParentDiscarded => {}
            other => panic!("{other:?}"),
        }
    }
}
