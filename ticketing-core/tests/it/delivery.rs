//! One call, one ticket, whatever GLPI does.

use glpi_sandbox::{Fault, Kind, Operation};
use serde_json::json;
use ticketing_core::{
    outbox::State,
    ticket::{Level, Source, TicketKind},
};

use crate::world::{World, request, ticket};

#[tokio::test]
async fn a_call_becomes_a_ticket_while_the_caller_waits() {
    let world = World::new().await;
    let mut call = ticket("Imprimante bloquée\nrien ne sort");
    call.urgency = Some(Level::High);
    call.kind = Some(TicketKind::Request);
    call.source = Some(Source::Phone);
    let answer = world.ticketing.create(request(None), call).await.unwrap();

    assert_eq!(answer.entry.state, State::Delivered);
    assert!(!answer.replayed);
    let tickets = world.sandbox.tickets();
    let [made] = tickets.as_slice() else { panic!("one ticket, not {}", tickets.len()) };
    assert_eq!(answer.entry.glpi_id.map(u64::from), Some(made.id));
    assert_eq!(made.raw_name(), "Imprimante bloquée");
    let content = made.raw_content();
    assert!(content.contains("<b>Appelant</b> : Marie Dupont"), "{content}");
    assert!(content.contains("<p>Imprimante bloquée<br>rien ne sort</p>"), "{content}");
    assert_eq!((made.urgency, made.kind, made.request_type), (4, 2, 3));
}

#[tokio::test]
async fn a_warm_call_costs_one_request() {
    let world = World::new().await;
    world.call("la première ouvre la session").await;
    let before = world.sandbox.requests().len();
    world.call("la suivante l’utilise").await;
    assert_eq!(world.sandbox.requests().len() - before, 1);
    assert_eq!(world.sandbox.sessions_opened(), 1);
}

#[tokio::test]
async fn an_expired_session_is_opened_again_once_for_all() {
    let world = World::new().await;
    world.call("ouvre la session").await;
    world.sandbox.inject(Fault::once(Operation::CreateTicket, Kind::ExpiredSession));
    let calls = (0..20).map(|number| {
        let world = &world;
        async move { world.call(&format!("appel {number}")).await }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.entry.state == State::Delivered));
    assert_eq!(world.sandbox.tickets().len(), 21);
    assert_eq!(world.sandbox.sessions_opened(), 2);
}

#[tokio::test]
async fn the_session_is_ended_at_shutdown() {
    let world = World::new().await;
    world.call("un appel").await;
    assert_eq!(world.sandbox.sessions(), 1);
    world.ticketing.stop(std::time::Duration::from_secs(5)).await;
    assert_eq!(world.sandbox.sessions(), 0);
}

/// Every way in which GLPI may fail to confirm a ticket, made or not.
#[tokio::test]
async fn an_unconfirmed_ticket_is_made_exactly_once() {
    let troubles = [
        Kind::ResetBeforeCommit,
        Kind::ResetAfterCommit,
        Kind::Hang,
        Kind::HangAfterCommit,
        Kind::SlowCommit { ms: 1200 },
        Kind::Empty200,
        Kind::Empty200AfterCommit,
        Kind::Status { code: 502 },
        Kind::StatusAfterCommit { code: 504 },
        Kind::GarbageJson,
        Kind::WrongContentType,
        Kind::DbGone,
        Kind::Maintenance,
        Kind::MysqlError,
        Kind::ApiDisabled,
        Kind::IpNotAllowed,
        Kind::WrongAppToken,
    ];
    futures_util::future::join_all(troubles.map(one_call_in_trouble)).await;
}

async fn one_call_in_trouble(kind: Kind) {
    let world = World::new().await;
    world.call("ouvre la session").await;
    world.sandbox.inject(Fault::once(Operation::CreateTicket, kind.clone()));
    let answer = world.call("appel dans la tourmente").await;
    let entry = world.until(&answer.entry.reference, State::Delivered).await;
    assert_eq!(world.copies(&entry.reference), 1, "{kind:?}");
    let made = world.sandbox.tickets();
    let found = made.iter().find(|ticket| Some(ticket.id) == entry.glpi_id.map(u64::from));
    assert!(found.is_some_and(|ticket| ticket.raw_content().contains(entry.reference.as_str())));
}

#[tokio::test]
async fn a_refused_call_is_parked_and_sent_when_an_operator_says_so() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::NoCreateRight));
    let answer = world.call("pas le droit").await;
    assert_eq!(answer.entry.state, State::Parked);
    let reason = answer.entry.reason.unwrap();
    assert!(reason.contains("check its profile"), "{reason}");

    world.sandbox.clear();
    assert!(world.ticketing.retry(&answer.entry.reference).await.unwrap());
    world.until(&answer.entry.reference, State::Delivered).await;
    assert_eq!(world.copies(&answer.entry.reference), 1);
}

#[tokio::test]
async fn a_discarded_call_is_never_sent() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::NoCreateRight));
    let answer = world.call("erreur de numéro").await;
    assert!(world.ticketing.discard(&answer.entry.reference).await.unwrap());
    world.sandbox.clear();
    assert!(!world.ticketing.retry(&answer.entry.reference).await.unwrap());
    world.call("un autre").await;
    assert_eq!(world.copies(&answer.entry.reference), 0);
}

#[tokio::test]
async fn an_outage_of_2000_calls_is_bridged_and_a_fresh_call_does_not_wait_for_the_backlog() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Refuse));
    let calls = (0..2000).map(|number| {
        let world = &world;
        async move { world.call(&format!("pendant la panne {number}")).await.entry }
    });
    let recorded = futures_util::future::join_all(calls).await;
    assert!(recorded.iter().all(|entry| entry.state != State::Delivered));
    assert!(!world.ticketing.expects_glpi_to_answer(), "the breaker is open");

    world.sandbox.set_faults(vec![Fault::new(Operation::CreateTicket, Kind::Latency { ms: 2 })]);
    world.sandbox.wait_for_tickets(20).await;
    let fresh = world.call("pendant le rattrapage").await.entry;
    assert_eq!(fresh.state, State::Delivered);
    let open = world.ticketing.stats().await.unwrap().rows[0];
    assert!(open > 0, "the backlog was still being delivered");
    for entry in &recorded {
        world.until(&entry.reference, State::Delivered).await;
    }
    assert_eq!(world.sandbox.tickets().len(), 2001);
    assert!(world.sandbox.max_concurrent() <= 8);
}

/// A right that was taken away refuses every call; an operator should not find them all parked.
#[tokio::test]
async fn a_lost_right_parks_a_few_calls_and_lets_the_others_wait() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::NoCreateRight));
    let mut recorded = Vec::new();
    for number in 0..50 {
        recorded.push(world.call(&format!("sans droit {number}")).await.entry);
    }
    let parked = recorded.iter().filter(|entry| entry.state == State::Parked).count();
    assert!((5..15).contains(&parked), "{parked} of 50 were parked");
}

#[tokio::test]
async fn a_restart_takes_up_what_was_left() {
    let mut world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Refuse));
    let waiting = world.call("avant l’arrêt").await.entry.reference;
    world.restart().await;
    world.sandbox.clear();
    world.until(&waiting, State::Delivered).await;
    assert_eq!(world.copies(&waiting), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_has_a_ticket_all_the_same() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 200 }));
    let ticketing = world.ticketing.clone();
    let call = async move {
        ticketing.create(request(Some("appel-1")), ticket("raccroche")).await.unwrap()
    };
    // Dropped while GLPI is at work.
    let hung_up = tokio::time::timeout(std::time::Duration::from_millis(100), call).await;
    assert!(hung_up.is_err());
    let again = world.call_with_key("appel-1", "raccroche").await.unwrap();
    assert!(again.replayed);
    world.until(&again.entry.reference, State::Delivered).await;
    assert_eq!(world.sandbox.tickets().len(), 1);
}

/// A look-up must find the ticket whatever a technician has done to it meanwhile.
#[tokio::test]
async fn a_doubtful_ticket_is_found_in_the_trash_and_under_another_title() {
    let edited = json!({"input": {"name": "Autre titre", "urgency": 5}});
    for (method, body) in [("DELETE", None), ("PUT", Some(edited))] {
        let world = World::new().await;
        world.sandbox.inject(Fault::once(Operation::CreateTicket, Kind::Empty200AfterCommit));
        let answer = world.call("sans réponse claire").await;
        let id = world.sandbox.tickets()[0].id;
        world.technician(method, &format!("Ticket/{id}"), body).await;
        let entry = world.until(&answer.entry.reference, State::Delivered).await;
        assert_eq!(entry.glpi_id.map(u64::from), Some(id), "{method}");
    }
}
