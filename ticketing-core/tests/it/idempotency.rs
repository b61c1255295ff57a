//! Same key, same ticket; and what is said later in a call goes to that ticket.

use std::time::Duration;

use glpi_sandbox::{Fault, Kind, Operation};
use ticketing_core::{
    outbox::State,
    ticket::NewFollowup,
    ticketing::{Error, Scope},
};

use crate::world::{World, request};

#[tokio::test]
async fn twenty_identical_calls_at_once_make_one_ticket() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 100 }));
    let calls = (0..20).map(|_| world.call_with_key("appel-7", "toujours la même panne"));
    let answers = futures_util::future::join_all(calls).await;
    let ids: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().entry.glpi_id).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_some()), "{ids:?}");
    assert_eq!(world.sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time() {
    let world = World::new().await;
    let first = world.call_with_key("appel-1", "panne").await.unwrap();
    let second = world.call_with_key("appel-1", "panne").await.unwrap();
    assert!(!first.replayed && second.replayed);
    assert_eq!(first.entry.glpi_id, second.entry.glpi_id);
    assert_eq!(first.entry.reference, second.entry.reference);
}

#[tokio::test]
async fn a_key_with_other_content_is_refused_and_names_the_first() {
    let world = World::new().await;
    let first = world.call_with_key("appel-1", "panne").await.unwrap();
    let second = world.call_with_key("appel-1", "autre chose").await;
    let Err(Error::KeyReused { reference }) = second else { panic!("{second:?}") };
    assert_eq!(reference, first.entry.reference);
    assert_eq!(world.sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn a_followup_goes_to_the_ticket_once() {
    let world = World::new().await;
    let ticket = world.call_with_key("appel-1", "panne").await.unwrap().entry;
    for _ in 0..3 {
        let answer = world.followup(&ticket.reference, "appel-1-suite", "et l’écran aussi").await;
        assert_eq!(answer.entry.state, State::Delivered);
        assert_eq!(answer.entry.parent_ticket, ticket.glpi_id);
    }
    assert_eq!(world.sandbox.followups().len(), 1);
}

#[tokio::test]
async fn a_followup_waits_for_its_ticket() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Refuse));
    let ticket = world.call_with_key("appel-1", "panne").await.unwrap().entry;
    let followup = world.followup(&ticket.reference, "suite", "et l’écran").await.entry;
    assert_ne!(followup.state, State::Delivered);
    world.sandbox.clear();
    let ticket = world.until(&ticket.reference, State::Delivered).await;
    let followup = world.until(&followup.reference, State::Delivered).await;
    assert_eq!(followup.parent_ticket, ticket.glpi_id);
    assert_eq!(world.sandbox.followups().len(), 1);
}

#[tokio::test]
async fn an_unconfirmed_followup_is_made_exactly_once() {
    let troubles = [
        Kind::ResetBeforeCommit,
        Kind::ResetAfterCommit,
        Kind::HangAfterCommit,
        Kind::Empty200AfterCommit,
        Kind::StatusAfterCommit { code: 504 },
        Kind::Status { code: 502 },
    ];
    futures_util::future::join_all(troubles.map(one_followup_in_trouble)).await;
}

async fn one_followup_in_trouble(kind: Kind) {
    let world = World::new().await;
    let ticket = world.call_with_key("appel-1", "panne").await.unwrap().entry;
    world.sandbox.inject(Fault::once(Operation::CreateFollowup, kind.clone()));
    let followup = world.followup(&ticket.reference, "suite", "et l’écran").await.entry;
    world.until(&followup.reference, State::Delivered).await;
    assert_eq!(world.sandbox.followups().len(), 1, "{kind:?}");
}

/// Found by discarding a ticket whose follow-up waited: it waited for ever, and was promised.
#[tokio::test]
async fn a_followup_is_given_up_with_its_ticket_and_none_is_taken_after_that() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::NoCreateRight));
    let ticket = world.call_with_key("appel-1", "panne").await.unwrap().entry;
    assert_eq!(ticket.state, State::Parked);
    let started = tokio::time::Instant::now();
    let followup = world.followup(&ticket.reference, "suite", "et l’écran").await.entry;
    assert!(started.elapsed() < Duration::from_secs(2), "there is nothing to wait for");
    assert_eq!(followup.state, State::Waiting);

    assert!(world.ticketing.discard(&ticket.reference).await.unwrap());
    world.until(&followup.reference, State::Discarded).await;
    let late = NewFollowup { text: "encore".into(), details: vec![] };
    let refused =
        world.ticketing.add_followup(request(None), &ticket.reference, &Scope::All, late).await;
    assert!(matches!(refused, Err(Error::Discarded { .. })), "{refused:?}");
}
