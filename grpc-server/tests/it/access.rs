//! Who may call, by gRPC.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ::access::Digest;
use glpi_sandbox::{Fault, Kind, Operation};
use service_kit::{config::Source, settings};
use ticketing_proto::v1::{
    AddFollowupRequest, CreateTicketRequest, GetEntryRequest, GetStatusRequest, GetTicketRequest,
    get_ticket_request::By,
};
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Status, metadata::MetadataMap};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::world::{World, call};

/// A client for each kind of credential; `TOKEN(x)` stands for the digest of `x`.
const CLIENTS: &str = "\
    ivr create,read token=TOKEN(ivr) token=TOKEN(ivr-next) token=TOKEN(ivr-old),until=2020-01-01\n\
    bot create,read token=TOKEN(bot) source=phone\n\
    reader read token=TOKEN(reader)\n\
    console operate token=TOKEN(console)\n\
    gate relay token=TOKEN(gate)\n\
    tablet create token=TOKEN(tablet) from=203.0.113.0/24\n\
    slow create token=TOKEN(slow) rate=2/h";

pub(crate) fn clients(lines: &str) -> String {
    let mut parts = lines.split("TOKEN(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (secret, rest) = part.split_once(')').unwrap();
        text += &Digest::of(secret.as_bytes()).to_string();
        text += rest;
    }
    text
}

async fn world() -> World {
    let lines = CLIENTS.replace(" token=TOKEN(ivr-next)", "");
    World::with(&[("AUTOMATGLPI_CLIENTS", &clients(&lines))]).await
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

async fn create(world: &World, token: &str, key: &str) -> Result<String, Status> {
    let answer = world.tickets().create_ticket(with(token, call(key, "panne"))).await?;
    Ok(answer.into_inner().ticket.unwrap().reference)
}

async fn read(world: &World, token: &str, reference: &str) -> Result<(), Status> {
    let by = Some(By::Reference(reference.to_owned()));
    let request = with(token, GetTicketRequest { by, ..Default::default() });
    world.tickets().get_ticket(request).await.map(|_| ())
}

async fn operate(world: &World, token: &str) -> Result<(), Status> {
    world.operations().get_status(with(token, GetStatusRequest {})).await.map(|_| ())
}

fn code(answer: &Result<impl Sized, Status>) -> Code {
    answer.as_ref().err().map_or(Code::Ok, Status::code)
}

#[tokio::test]
async fn each_credential_opens_what_its_role_allows_and_nothing_else() {
    let world = world().await;
    let (unknown, denied, ok) = (Code::Unauthenticated, Code::PermissionDenied, Code::Ok);
    // Reading an unknown reference is allowed if it is said to be unknown.
    let none = Code::NotFound;
    for (token, to_create, to_read, to_operate) in [
        ("", unknown, unknown, unknown),
        ("wrong", unknown, unknown, unknown),
        ("ivr-old", unknown, unknown, unknown),
        ("ivr", ok, none, denied),
        ("reader", denied, none, denied),
        ("console", denied, none, ok),
        ("gate", denied, denied, denied),
        ("tablet", denied, denied, denied),
    ] {
        assert_eq!(code(&create(&world, token, token).await), to_create, "{token} creates");
        let answer = read(&world, token, "111-111-111").await;
        assert_eq!(code(&answer), to_read, "{token} reads");
        assert_eq!(code(&operate(&world, token).await), to_operate, "{token} operates");
    }
}

#[tokio::test]
async fn why_a_call_is_not_let_in_is_told_for_programs() {
    let world = world().await;
    for (token, reason) in [
        ("wrong", "UNAUTHENTICATED"),
        ("reader", "ROLE_MISSING"),
        ("tablet", "ADDRESS_NOT_ALLOWED"),
    ] {
        let status = create(&world, token, "k").await.unwrap_err();
        assert_eq!(status.get_details_error_info().unwrap().reason, reason, "{token}");
        assert!(!status.message().contains(token) || token == "wrong", "{}", status.message());
    }
    assert_eq!(world.sandbox.tickets().len(), 0);
}

#[tokio::test]
async fn a_client_sees_only_what_it_made() {
    let world = world().await;
    let reference = create(&world, "ivr", "same key").await.unwrap();
    let others = create(&world, "bot", "same key").await.unwrap();
    assert_ne!(reference, others, "keys are each client's own");
    assert_eq!(code(&read(&world, "ivr", &reference).await), Code::Ok);
    assert_eq!(code(&read(&world, "bot", &reference).await), Code::NotFound);
    assert_eq!(code(&read(&world, "reader", &reference).await), Code::NotFound);

    let add = AddFollowupRequest {
        reference: reference.clone(),
        text: "encore".into(),
        ..Default::default()
    };
    let refused = world.tickets().add_followup(with("bot", add.clone())).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    world.tickets().add_followup(with("ivr", add)).await.unwrap();

    let by_number = GetTicketRequest { by: Some(By::TicketId(1)), ..Default::default() };
    let refused = world.tickets().get_ticket(with("bot", by_number)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);

    let request = with("console", GetEntryRequest { reference, include_content: false });
    let entry = world.operations().get_entry(request).await.unwrap().into_inner().entry;
    assert_eq!(entry.unwrap().client, "ivr");
}

#[tokio::test]
async fn only_a_relay_calls_in_the_name_of_others() {
    let world = world().await;
    let for_agent = |token, key| {
        let mut request = with(token, call(key, "panne"));
        request.metadata_mut().insert("x-automatglpi-client", "agent-7".parse().unwrap());
        request
    };
    let relayed = world.tickets().create_ticket(for_agent("gate", "a")).await.unwrap();
    let own = world.tickets().create_ticket(for_agent("ivr", "b")).await.unwrap();
    for (answer, client) in [(relayed, "agent-7"), (own, "ivr")] {
        let reference = answer.into_inner().ticket.unwrap().reference;
        let request = with("console", GetEntryRequest { reference, include_content: false });
        let entry = world.operations().get_entry(request).await.unwrap().into_inner().entry;
        assert_eq!(entry.unwrap().client, client);
    }
}

#[tokio::test]
async fn a_clients_source_stands_on_tickets_that_name_none() {
    let world = world().await;
    create(&world, "bot", "a").await.unwrap();
    let email = CreateTicketRequest { source: 2, ..call("b", "panne") };
    world.tickets().create_ticket(with("bot", email)).await.unwrap();
    create(&world, "ivr", "c").await.unwrap();
    let sources: Vec<_> = world.sandbox.tickets().iter().map(|t| t.request_type).collect();
    assert_eq!(sources, [3, 2, 1]);
}

#[tokio::test]
async fn a_client_that_calls_too_often_is_told_when_to_come_again() {
    let world = world().await;
    for key in ["a", "b", "c", "d"] {
        create(&world, "slow", key).await.unwrap();
    }
    let status = create(&world, "slow", "e").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_details_error_info().unwrap().reason, "RATE_LIMITED");
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(delay.as_secs() > 60, "{delay:?}");
    create(&world, "ivr", "f").await.unwrap();
    assert_eq!(world.sandbox.tickets().len(), 5);
}

#[tokio::test]
async fn reflection_and_health_can_be_closed() {
    let closed = [
        ("AUTOMATGLPI_CLIENTS", clients("ivr create token=TOKEN(ivr)")),
        ("AUTOMATGLPI_GRPC_HEALTH", "clients".to_owned()),
        ("AUTOMATGLPI_GRPC_REFLECTION", "off".to_owned()),
    ];
    let closed: Vec<_> = closed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (open, closed) = (world().await, World::with(&closed).await);
    for (world, token, health) in
        [(&open, "", Code::Ok), (&closed, "", Code::Unauthenticated), (&closed, "ivr", Code::Ok)]
    {
        let mut client = HealthClient::new(world.channel.clone());
        let asked = client.check(with(token, HealthCheckRequest::default())).await;
        assert_eq!(code(&asked), health);
    }
    for (world, token, answer) in [
        (&open, "", Code::Unauthenticated),
        (&open, "ivr", Code::Ok),
        (&closed, "ivr", Code::Unimplemented),
    ] {
        assert_eq!(reflect(world, token).await, answer);
    }
}

/// Asks for the contract.
async fn reflect(world: &World, token: &str) -> Code {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let metadata: MetadataMap = with(token, ()).metadata().clone();
    let mut request = Request::new(tokio_stream::iter([question]));
    *request.metadata_mut() = metadata;
    let answer =
        ServerReflectionClient::new(world.channel.clone()).server_reflection_info(request).await;
    match answer {
        Ok(stream) => code(&stream.into_inner().message().await),
        Err(status) => status.code(),
    }
}

#[tokio::test]
async fn a_token_is_replaced_while_calls_are_made_and_none_fails() {
    let one = clients("ivr create token=TOKEN(one)");
    let both = clients("ivr create token=TOKEN(one) token=TOKEN(two)");
    let two = clients("ivr create token=TOKEN(two)");
    let world = Arc::new(World::with(&[("AUTOMATGLPI_CLIENTS", &one)]).await);
    let (using_now, using) = tokio::sync::watch::channel("one");
    let (done, mut calls) = tokio::sync::mpsc::channel(1);
    let tasks = TaskTracker::new();
    let callers = (0..4).map(|caller| {
        let (world, using, done) = (Arc::clone(&world), using.clone(), done.clone());
        tasks.spawn(async move {
            for number in 0.. {
                let token = *using.borrow();
                create(&world, token, &format!("{caller}-{number}")).await.unwrap();
                if done.send((caller, token)).await.is_err() {
                    return number + 1;
                }
            }
            0
        })
    });
    let callers: Vec<_> = callers.collect();
    drop(done);

    // Let both in, let everybody change, then let the old one in no more.
    change(&world, &both);
    for (token, rules) in [("one", &both), ("two", &two), ("two", &two)] {
        using_now.send(token).unwrap();
        let mut seen = BTreeSet::new();
        while seen.len() < 4 {
            let (caller, used) = calls.recv().await.unwrap();
            if used == token {
                seen.insert(caller);
            }
        }
        change(&world, rules);
    }
    drop(calls);
    let mut made = 0;
    for caller in callers {
        made += caller.await.unwrap();
    }
    assert!(made >= 12, "{made}");
    assert_eq!(code(&create(&world, "one", "late").await), Code::Unauthenticated);
}

/// What a reload does.
fn change(world: &World, clients: &str) {
    let name = settings::AUTOMATGLPI_CLIENTS.name.to_owned();
    let no_limits = [("AUTOMATGLPI_CLIENT_RATE", "none"), ("AUTOMATGLPI_SOURCE_RATE", "none")];
    let no_limits = no_limits.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = [(name, clients.to_owned())].into_iter().chain(no_limits);
    let source = Source::new(environment, None).unwrap();
    world.gate.change(::access::Rules::from_source(&source, ::access::Surface::Grpc));
    source.finish().unwrap();
}

#[tokio::test]
async fn no_more_requests_wait_for_glpi_than_may() {
    let limits = [("AUTOMATGLPI_MAX_BACKLOG", "8"), ("GLPI_CONNECT_TIMEOUT", "250ms")];
    let world = World::with(&limits).await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Maintenance));
    let mut taken = 0;
    let refused = loop {
        match create(&world, "", &format!("k{taken}")).await {
            Ok(_) => taken += 1,
            Err(status) => break status,
        }
    };
    // Those that found GLPI out to be down may be one or two more.
    assert!((8..=16).contains(&taken), "{taken}");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "BACKLOG_FULL");
    assert!(refused.get_details_retry_info().is_some());

    world.sandbox.clear();
    // The outage ends with a probe, after some seconds.
    let all = world.sandbox.wait_for_tickets(taken);
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("all are delivered");
}

#[tokio::test]
async fn a_flood_of_strangers_does_not_keep_a_relay_from_calling() {
    let lines = clients("gate relay token=TOKEN(gate)\nivr create token=TOKEN(ivr)");
    let limits = [("AUTOMATGLPI_CLIENTS", lines.as_str()), ("AUTOMATGLPI_SOURCE_RATE", "1/h")];
    let world = World::with(&limits).await;
    while code(&create(&world, "wrong", "k").await) != Code::ResourceExhausted {}
    assert_eq!(code(&create(&world, "ivr", "k").await), Code::ResourceExhausted, "one address");
    let mut request = with("gate", call("k", "panne"));
    request.metadata_mut().insert("x-automatglpi-client", "agent-7".parse().unwrap());
    world.tickets().create_ticket(request).await.unwrap();
}
