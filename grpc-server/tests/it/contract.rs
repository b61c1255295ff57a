//! What an integrator sees.

use std::time::Duration;

use glpi_sandbox::{Fault, Kind, Operation};
use ticketing_proto::v1::{
    AddFollowupRequest, Caller, CreateTicketRequest, DiscardEntryRequest, EntryState,
    GetTicketRequest, ListEntriesRequest, Outcome, RetryEntryRequest, Urgency, WatchStatusRequest,
    get_ticket_request::By,
};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::world::{World, call};

#[tokio::test]
async fn a_created_ticket_is_answered_with_number_reference_and_sentence() {
    let world = World::new().await;
    let request = CreateTicketRequest {
        caller: Some(Caller {
            name: "Marie Dupont".into(),
            department: "Comptabilité".into(),
            ..Caller::default()
        }),
        urgency: Urgency::High.into(),
        ..call("k1", "Imprimante bloquée")
    };
    let answer = world.tickets().create_ticket(request).await.unwrap().into_inner();
    let ticket = answer.ticket.unwrap();
    assert_eq!(answer.outcome, i32::from(Outcome::Created));
    assert_eq!((ticket.title.as_str(), ticket.urgency), ("Imprimante bloquée", 4));
    assert!(ticket.deliver_time.is_some());
    let sentence = answer.message.unwrap();
    assert_eq!(sentence.locale, "fr");
    assert_eq!(sentence.message, format!("Ticket #{} créé avec succès", ticket.id.unwrap()));

    for by in [By::Reference(ticket.reference.clone()), By::TicketId(ticket.id.unwrap())] {
        let request = GetTicketRequest { by: Some(by), language: "en".into() };
        let known = world.tickets().get_ticket(request).await.unwrap().into_inner();
        let seen = known.ticket.unwrap();
        assert_eq!((seen.id, &seen.reference), (ticket.id, &ticket.reference));
        assert_eq!((seen.priority, seen.status), (4, Some(1)), "GLPI's own values");
        assert_eq!(known.message.unwrap().locale, "en");
    }
}

#[tokio::test]
async fn three_wrong_fields_are_named_in_one_answer() {
    let world = World::new().await;
    let request =
        CreateTicketRequest { urgency: 9, category_id: Some(0), ..CreateTicketRequest::default() };
    let status = world.tickets().create_ticket(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["description", "urgency", "category_id"]);
    assert!(world.sandbox.requests().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_repeat_replays_and_a_reused_key_names_the_first_reference() {
    let world = World::new().await;
    let mut tickets = world.tickets();
    let first = tickets.create_ticket(call("k", "panne")).await.unwrap().into_inner();
    let second = tickets.create_ticket(call("k", "panne")).await.unwrap().into_inner();
    assert!(!first.replayed && second.replayed);
    let reference = first.ticket.unwrap().reference;
    assert_eq!(second.ticket.unwrap().reference, reference);

    let status = tickets.create_ticket(call("k", "autre chose")).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    let details = status.get_details_error_info().unwrap();
    assert_eq!(details.reason, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(details.metadata["reference"], reference);
}

#[tokio::test]
async fn a_client_in_a_hurry_hears_the_reference_before_its_deadline() {
    let world = World::with(&[("GLPI_REQUEST_TIMEOUT", "5s")]).await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 3000 }));
    let mut request = Request::new(call("k", "panne"));
    request.set_timeout(Duration::from_millis(700));
    let answer = world.tickets().create_ticket(request).await.unwrap().into_inner();
    assert_eq!(answer.outcome, i32::from(Outcome::Queued));
    let reference = answer.ticket.unwrap().reference;
    assert!(answer.message.unwrap().message.contains(&reference));
}

#[tokio::test]
async fn a_followup_is_answered_with_the_number_of_its_ticket() {
    let world = World::new().await;
    let first = world.tickets().create_ticket(call("k", "panne")).await.unwrap().into_inner();
    let ticket = first.ticket.unwrap();
    let request = AddFollowupRequest {
        reference: ticket.reference.clone(),
        text: "et l’écran".into(),
        idempotency_key: "k2".into(),
        ..AddFollowupRequest::default()
    };
    let answer = world.tickets().add_followup(request).await.unwrap().into_inner();
    assert_eq!(answer.ticket.unwrap().id, ticket.id);
    assert_eq!(answer.outcome, i32::from(Outcome::Created));
}

#[tokio::test]
async fn an_unknown_reference_is_not_found() {
    let world = World::new().await;
    let by = Some(By::Reference("111-111-111".into()));
    let request = GetTicketRequest { by, ..GetTicketRequest::default() };
    let status = world.tickets().get_ticket(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.get_details_error_info().unwrap().reason, "UNKNOWN_REFERENCE");
}

#[tokio::test]
async fn health_says_serving_also_without_a_token() {
    let world = World::with(&[("AUTOMATGLPI_GRPC_TOKEN", "s3cret")]).await;
    let mut health = HealthClient::new(world.channel.clone());
    let service = "ticketing.v1.TicketingService".to_owned();
    let mut changes = health.watch(HealthCheckRequest { service }).await.unwrap().into_inner();
    while changes.message().await.unwrap().unwrap().status != 1 {}
    let status = world.tickets().create_ticket(call("k", "panne")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);

    let mut request = Request::new(call("k", "panne"));
    request.metadata_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
    world.tickets().create_ticket(request).await.unwrap();
}

#[tokio::test]
async fn operators_see_a_parked_call_and_send_it_when_the_cause_is_mended() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::NoCreateRight));
    let answer = world.tickets().create_ticket(call("k", "panne")).await.unwrap().into_inner();
    assert_eq!(answer.outcome, i32::from(Outcome::Parked));

    let mut operations = world.operations();
    let parked = ListEntriesRequest { state: EntryState::Parked.into(), ..Default::default() };
    let page = operations.list_entries(parked).await.unwrap().into_inner();
    let [entry] = page.entries.as_slice() else { panic!("{page:?}") };
    assert!(entry.reason.contains("may not create"), "{}", entry.reason);
    assert!(entry.content_json.is_empty(), "personal data only when asked for");

    world.sandbox.clear();
    let reference = entry.reference.clone();
    let retry = RetryEntryRequest { reference: reference.clone() };
    operations.retry_entry(retry).await.unwrap();
    let mut watch = operations.watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
    let is_delivered = |status: &ticketing_proto::v1::Status| {
        status.counts.iter().any(|count| count.state == i32::from(EntryState::Delivered))
    };
    while !watch.message().await.unwrap().unwrap().status.as_ref().is_some_and(is_delivered) {}

    let discard = DiscardEntryRequest { reference };
    let status = operations.discard_entry(discard).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.get_details_error_info().unwrap().reason, "WRONG_STATE");
}

#[tokio::test]
async fn stopping_answers_the_calls_in_flight_and_ends_the_session() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 300 }));
    let calls = (0..8).map(|number| {
        let mut tickets = world.tickets();
        async move { tickets.create_ticket(call(&format!("k{number}"), "panne")).await }
    });
    let calls = world.shutdown.tracker().spawn(futures_util::future::join_all(calls));
    // All are at GLPI before the end begins.
    while world.sandbox.max_concurrent() < 8 {
        tokio::task::yield_now().await;
    }
    assert!(world.stop().await, "everything ended in time");
    for answer in calls.await.unwrap() {
        assert_eq!(answer.unwrap().into_inner().outcome, i32::from(Outcome::Created));
    }
    assert_eq!(world.sandbox.sessions(), 0);
}

#[tokio::test]
async fn without_a_token_only_loopback_is_listened_on() {
    let environment = [
        ("GLPI_URL", "http://glpi"),
        ("GLPI_APP_TOKEN", "a"),
        ("GLPI_USER_TOKEN", "u"),
        ("AUTOMATGLPI_GRPC_LISTEN", "0.0.0.0:0"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let source = service_kit::config::Source::new(environment, None).unwrap();
    let config = grpc_server::Config::from_source(&source);
    let refused = grpc_server::Server::bind(config).await.unwrap_err();
    assert!(refused.to_string().contains("AUTOMATGLPI_GRPC_TOKEN"), "{refused}");
}
