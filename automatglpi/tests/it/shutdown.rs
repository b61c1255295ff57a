//! Stopping in order, seen from the outside.

use futures_util::future::join_all;
use glpi_sandbox::{Fault, Kind, Operation};
use serde_json::json;

use crate::{
    process::{lines_to, within},
    world::{World, client},
};

const CALLS: usize = 50;

#[tokio::test]
async fn calls_in_flight_are_answered_and_the_session_is_ended() {
    // All calls at GLPI at once, so that they are known to be in flight.
    let mut world = World::with(&[("GLPI_MAX_IN_FLIGHT", "64")]).await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 1000 }));

    let calls = join_all((0..CALLS).map(|number| world.call_number(number)));
    let signal = async {
        // The log-in and each call's ticket.
        within(world.sandbox.wait_for_requests(1 + CALLS as u64)).await;
        world.service.signal("TERM").await;
    };
    let (replies, ()) = tokio::join!(calls, signal);

    for reply in &replies {
        assert_eq!(reply.http_status, 200);
        assert_eq!(reply.body["status"], "created", "{}", reply.body);
    }
    assert_eq!(world.service.exit().await.code(), Some(0));
    assert_eq!(world.sandbox.tickets().len(), CALLS);
    let requests = world.sandbox.requests();
    let last = requests.last().unwrap();
    assert_eq!((last.path.as_str(), last.status), ("/killSession", Some(200)));
    assert_eq!(world.sandbox.sessions(), 0);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Hang));
    let url = format!("{}/webhook/rounded-webhook", world.http);
    let call = client().post(url).json(&json!({"problem": "Imprimante bloquée"})).send();
    let signals = async {
        within(world.sandbox.wait_for_requests(2)).await;
        world.service.signal("TERM").await;
        within(stopping(&world.admin)).await;
        world.service.signal("TERM").await;
    };
    let (answer, ()) = tokio::join!(call, signals);
    assert!(answer.is_err(), "GLPI hangs: there was nothing to answer yet");
    assert_eq!(world.service.exit().await.code(), Some(1));
    within(lines_to(&mut world.service.stderr, |line| line.contains("ended at once"))).await;
}

#[tokio::test]
async fn what_was_in_flight_is_delivered_once_by_the_next_start() {
    let mut world = World::with(&[("GLPI_SLOWEST_REQUEST", "1s")]).await;
    world.sandbox.inject(Fault::once(Operation::CreateTicket, Kind::ResetAfterCommit));
    let reply = world.call_number(1).await;
    assert_eq!(reply.body["status"], "queued");
    world.restart().await;

    let mut watch = world.start(&["outbox", "watch", "--json"]);
    within(lines_to(&mut watch.stdout, |line| line.contains("\"delivered\":1"))).await;
    assert_eq!(world.sandbox.tickets().len(), 1);
    let again = world.call_number(1).await;
    assert_eq!(again.body["ticket_id"], 1, "{}", again.body);
}

/// Returns once readiness says that the service is stopping.
async fn stopping(admin: &str) {
    loop {
        let response = client().get(format!("{admin}/readyz")).send().await.unwrap();
        if response.status() == 503 {
            return;
        }
    }
}
