//! What programs see on the gRPC port.

use serde_json::json;
use ticketing_proto::v1::{
    Caller, CreateTicketRequest, Outcome, Urgency, ticketing_service_client::TicketingServiceClient,
};
use tokio_stream::StreamExt as _;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt as _;

use crate::{process::within, world::World};

const CREATE: &str = "ticketing.v1.TicketingService/CreateTicket";

async fn channel(world: &World) -> Channel {
    Channel::from_shared(world.grpc.clone()).unwrap().connect().await.unwrap()
}

fn printer() -> CreateTicketRequest {
    CreateTicketRequest {
        caller: Some(Caller {
            name: "Marie Dupont".into(),
            department: "Comptabilité".into(),
            ..Caller::default()
        }),
        description: "Imprimante bloquée".into(),
        urgency: Urgency::High.into(),
        idempotency_key: "k1".into(),
        ..CreateTicketRequest::default()
    }
}

#[tokio::test]
async fn a_ticket_is_made_and_a_repeat_returns_it() {
    let world = World::new().await;
    let mut tickets = TicketingServiceClient::new(channel(&world).await);
    let first = tickets.create_ticket(printer()).await.unwrap().into_inner();
    let again = tickets.create_ticket(printer()).await.unwrap().into_inner();

    assert_eq!(first.outcome(), Outcome::Created);
    assert_eq!(first.ticket.as_ref().unwrap().id, Some(1));
    assert_eq!(first.message.unwrap().message, "Ticket #1 créé avec succès");
    assert!(!first.replayed && again.replayed);
    assert_eq!(again.ticket.unwrap().reference, first.ticket.unwrap().reference);
    assert_eq!(world.sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn three_wrong_fields_are_named_at_once() {
    let world = World::new().await;
    let mut tickets = TicketingServiceClient::new(channel(&world).await);
    let wrong = CreateTicketRequest { urgency: 9, category_id: Some(0), ..Default::default() };
    let status = tickets.create_ticket(wrong).await.unwrap_err();

    assert_eq!(status.code(), Code::InvalidArgument);
    let mut fields: Vec<_> = status.get_details_bad_request().unwrap().field_violations;
    fields.sort_by(|a, b| a.field.cmp(&b.field));
    let fields: Vec<_> = fields.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["category_id", "description", "urgency"]);
}

#[tokio::test]
async fn health_and_reflection_are_served() {
    let world = World::new().await;
    let channel = channel(&world).await;
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);

    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection.server_reflection_info(tokio_stream::once(question)).await.unwrap();
    let answer = within(answers.into_inner().next()).await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list: {answer:?}");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"ticketing.v1.TicketingService"), "{names:?}");
    assert!(names.contains(&"ticketing.v1.OperationsService"), "{names:?}");
}

#[tokio::test]
async fn readiness_is_told_on_the_admin_port() {
    let world = World::new().await;
    for path in ["healthz", "readyz"] {
        let url = format!("{}/{path}", world.admin);
        assert_eq!(crate::world::client().get(url).send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_warm_call_costs_one_request_to_glpi() {
    let world = World::new().await;
    world.call_number(0).await;
    let cold = world.sandbox.requests().len();
    for number in 1..=3 {
        assert_eq!(world.call_number(number).await.body["status"], "created");
        assert_eq!(world.sandbox.requests().len(), cold + number);
    }
}

/// Whether the real grpcurl can be run. It is not on every machine; where it is not, a client made
/// from the contract stands in for it.
pub(crate) fn grpcurl_is_here() -> bool {
    let run = std::process::Command::new("grpcurl").arg("-version").output();
    run.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn grpcurl_needs_no_proto_file() {
    if !grpcurl_is_here() {
        return;
    }
    let world = World::new().await;
    let address = world.grpc.trim_start_matches("http://");
    let grpcurl = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new("grpcurl");
        within(command.arg("-plaintext").args(arguments).output()).await.unwrap()
    };
    let told = |output: &std::process::Output| String::from_utf8(output.stdout.clone()).unwrap();

    let list = grpcurl(&[address, "list"]).await;
    assert!(told(&list).contains("ticketing.v1.TicketingService"), "{list:?}");
    let method = CREATE.replace('/', ".");
    let description = grpcurl(&[address, "describe", &method]).await;
    assert!(told(&description).contains("rpc CreateTicket"), "{description:?}");
    let health = grpcurl(&[address, "grpc.health.v1.Health/Check"]).await;
    assert!(told(&health).contains("SERVING"), "{health:?}");

    let ticket = json!({
        "caller": {"name": "Marie Dupont", "department": "Comptabilité"},
        "description": "Imprimante bloquée",
        "urgency": "URGENCY_HIGH",
        "idempotency_key": "k1",
    });
    let created = grpcurl(&["-d", &ticket.to_string(), address, CREATE]).await;
    assert!(told(&created).contains("\"id\": 1"), "{created:?}");

    let wrong = json!({"urgency": 9, "category_id": 0});
    let refused = grpcurl(&["-d", &wrong.to_string(), address, CREATE]).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    for word in ["InvalidArgument", "category_id", "description", "urgency"] {
        assert!(said.contains(word), "{word} is missing in {said}");
    }
}
