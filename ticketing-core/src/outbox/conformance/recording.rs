//! Recording requests, and recognising repeats.

use super::*;
use crate::outbox::StoreError;

on_every_store! {
    a_row_reads_back_as_it_was_answered,
    a_row_without_a_lease_waits_and_is_due_at_once,
    a_row_with_a_lease_is_being_sent,
    a_repeated_key_names_the_first_row,
    two_clients_may_use_one_key,
    a_key_protects_until_its_window_has_passed,
    a_key_without_a_window_protects_for_ever,
    a_passed_key_is_taken_from_its_row_and_nothing_else,
    a_taken_reference_is_told_and_changes_nothing,
    a_repeat_is_a_repeat_even_under_a_taken_reference,
    any_text_is_kept_as_it_is,
    one_odd_row_harms_no_other,
    a_follow_up_knows_the_ticket_of_a_delivered_parent,
}

async fn a_row_reads_back_as_it_was_answered(store: &mut Store) {
    let waiting = store.record(draft(), None, at(0)).await;
    let sending = store.record(draft(), Some(lease(-5, 60)), at(1)).await;
    let followup = store.record(followup_of(&waiting.reference), None, at(2)).await;
    let mut full = ticket("…");
    full.details = vec![Detail { label: "Étage".into(), value: "2".into() }];
    full.call.started = Some(at(-3));
    let full = store.record(Draft { work: Work::Ticket(full), ..draft() }, None, at(3)).await;
    for entry in [waiting, sending, followup, full] {
        assert_eq!(store.entry(&entry.reference).await, entry);
    }
    assert_eq!(store.outbox.find(&Reference::draw()).await.unwrap(), None);
}

async fn a_row_without_a_lease_waits_and_is_due_at_once(store: &mut Store) {
    let entry = store.record(draft(), None, at(0)).await;
    assert_eq!((entry.state, entry.lease, entry.attempts), (State::Waiting, None, 0));
    assert_eq!((entry.accepted_at, entry.due_at), (at(0), at(0)));
    assert_eq!((entry.first_send_at, entry.last_send_at), (None, None));
}

async fn a_row_with_a_lease_is_being_sent(store: &mut Store) {
    let entry = store.record(draft(), Some(lease(1, 60)), at(0)).await;
    assert_eq!((entry.state, entry.lease), (State::Sending, Some(lease(1, 60))));
    assert_eq!((entry.attempts, entry.doubts, entry.lookups), (1, 0, 0));
    assert_eq!((entry.first_send_at, entry.last_send_at), (Some(at(0)), Some(at(0))));
}

async fn a_repeated_key_names_the_first_row(store: &mut Store) {
    let first = store.record(draft_with_key("gateway", 1, None), Some(lease(1, 60)), at(0)).await;
    let other_content = Draft { fingerprint: [8; 32], ..draft_with_key("gateway", 1, None) };
    for repeat in [draft_with_key("gateway", 1, None), other_content] {
        let inserted = store.outbox.insert(repeat, Some(lease(2, 60)), at(1)).await.unwrap();
        assert_eq!(inserted, Inserted::Existing(first.clone()));
    }
    assert_eq!(store.outbox.stats().await.unwrap().rows.iter().sum::<u64>(), 1);

    // The repeat is told how the row stands now.
    store.settle(&first.reference, 1, Settlement::Delivered { glpi_id: 5 }, at(2)).await;
    let repeat = draft_with_key("gateway", 1, None);
    match store.outbox.insert(repeat, None, at(3)).await.unwrap() {
        Inserted::Existing(entry) => assert_eq!(entry.glpi_id, Some(5)),
        other => panic!("{other:?}"),
    }
}

async fn two_clients_may_use_one_key(store: &mut Store) {
    store.record(draft_with_key("gateway", 1, None), None, at(0)).await;
    store.record(draft_with_key("intranet", 1, None), None, at(0)).await;
    store.record(draft(), None, at(0)).await;
    store.record(draft(), None, at(0)).await;
}

async fn a_key_protects_until_its_window_has_passed(store: &mut Store) {
    let draft = || draft_with_key("gateway", 1, Some(SignedDuration::from_mins(10)));
    let first = store.record(draft(), None, at(0)).await;
    // Repeats don't lengthen it: it counts from the first request.
    for seconds in [0, 1, 300, 599] {
        let inserted = store.outbox.insert(draft(), None, at(seconds)).await.unwrap();
        assert_eq!(inserted, Inserted::Existing(first.clone()), "after {seconds} s");
    }
    let second = store.record(draft(), None, at(600)).await;
    let inserted = store.outbox.insert(draft(), None, at(1199)).await.unwrap();
    assert_eq!(inserted, Inserted::Existing(second));
    store.record(draft(), None, at(1200)).await;
}

async fn a_key_without_a_window_protects_for_ever(store: &mut Store) {
    let first = store.record(draft_with_key("gateway", 1, None), None, at(0)).await;
    let in_ten_years = at(10 * 365 * 24 * 60 * 60);
    let repeat = draft_with_key("gateway", 1, Some(SignedDuration::from_secs(1)));
    let inserted = store.outbox.insert(repeat, None, in_ten_years).await.unwrap();
    assert_eq!(inserted, Inserted::Existing(first));
}

async fn a_passed_key_is_taken_from_its_row_and_nothing_else(store: &mut Store) {
    let draft = || draft_with_key("gateway", 1, Some(SignedDuration::from_secs(1)));
    let first = store.record(draft(), Some(lease(1, 60)), at(0)).await;
    store.record(draft(), None, at(5)).await;
    assert_eq!(store.entry(&first.reference).await, first);
}

async fn a_taken_reference_is_told_and_changes_nothing(store: &mut Store) {
    let first = store.record(draft(), None, at(0)).await;
    let other = Draft { reference: first.reference.clone(), ..draft_with_key("intranet", 9, None) };
    let inserted = store.outbox.insert(other, None, at(1)).await.unwrap();
    assert_eq!(inserted, Inserted::ReferenceTaken);
    assert_eq!(store.entry(&first.reference).await, first);
    // Its key is still free.
    store.record(draft_with_key("intranet", 9, None), None, at(2)).await;
}

async fn a_repeat_is_a_repeat_even_under_a_taken_reference(store: &mut Store) {
    let first = store.record(draft_with_key("gateway", 1, None), None, at(0)).await;
    let inserted = store
        .outbox
        .insert(
            Draft { reference: first.reference.clone(), ..draft_with_key("gateway", 1, None) },
            None,
            at(1),
        )
        .await
        .unwrap();
    assert_eq!(inserted, Inserted::Existing(first));
}

async fn any_text_is_kept_as_it_is(store: &mut Store) {
    let long = "é".repeat(60_000);
    let odd = [
        "🔥👩‍🚒 l’imprimante brûle",
        "الطابعة لا تعمل \u{202e}abc\u{202c}",
        "'; DROP TABLE outbox; --",
        "a\u{0}b\u{1}c\r\n\t",
        "\u{feff}\u{fffd}\u{10ffff}",
        "\"\\u0000\\\"",
        &long,
    ];
    for text in odd {
        let entry =
            store.record(Draft { work: Work::Ticket(ticket(text)), ..draft() }, None, at(0));
        let reference = entry.await.reference;
        match store.entry(&reference).await.work {
            Some(Work::Ticket(ticket)) => assert_eq!(ticket.description, text),
            other => panic!("{other:?}"),
        }
    }
    // GLPI's words, too, come as they are; only NUL cannot be kept everywhere.
    let entry = store.row_in(State::Sending).await;
    let reason = "« Catégorie\u{0} inconnue » 🤷".to_owned();
    store.settle(&entry.reference, 1, Settlement::Parked { reason }, at(1)).await;
    let reason = store.entry(&entry.reference).await.reason;
    assert_eq!(reason.as_deref(), Some("« Catégorie  inconnue » 🤷"));
}

async fn one_odd_row_harms_no_other(store: &mut Store) {
    let mut inserts = tokio::task::JoinSet::new();
    for number in 0..60 {
        let outbox = Arc::clone(&store.outbox);
        // PostgreSQL keeps no NUL in texts; SQLite does.
        let client = if number == 30 { "a\0b" } else { "gateway" }.to_owned();
        inserts.spawn(async move {
            (number, outbox.insert(Draft { client, ..draft() }, None, at(0)).await)
        });
    }
    for (number, inserted) in inserts.join_all().await {
        match inserted {
            Ok(Inserted::New(entry)) => assert_eq!(store.entry(&entry.reference).await, entry),
            Err(StoreError::Unavailable(_)) => assert_eq!(number, 30),
            other => panic!("{other:?}"),
        }
    }
}

async fn a_follow_up_knows_the_ticket_of_a_delivered_parent(store: &mut Store) {
    let parent = store.row_in(State::Delivered).await;
    let followup = store.record(followup_of(&parent.reference), Some(lease(1, 90)), at(20)).await;
    assert_eq!(followup.parent, Some(parent.reference));
    assert_eq!(followup.parent_ticket, parent.glpi_id);
    assert_eq!(store.entry(&followup.reference).await, followup);
}
