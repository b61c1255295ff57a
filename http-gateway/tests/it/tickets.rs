//! `/v1/tickets`.

use std::collections::HashMap;

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use ticketing_proto::v1::{Outcome, get_ticket_request::By};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::{
    fake::{Answer, REFERENCE},
    world::{World, problem},
};

fn post(world: &World) -> RequestBuilder {
    world.client.post(format!("{}/v1/tickets", world.url))
}

async fn create(world: &World) -> Response {
    post(world).json(&json!({"description": "panne"})).send().await.unwrap()
}

#[tokio::test]
async fn a_ticket_is_created() {
    let world = World::new().await;
    let body = json!({
        "caller": {"name": "Marie Dupont"}, "description": "Imprimante bloquée",
        "urgency": "high", "source": "direct", "language": "en"
    });
    let response = post(&world).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], format!("/v1/tickets/{REFERENCE}"));
    let ticket: Value = response.json().await.unwrap();
    let expected = json!({
        "reference": REFERENCE, "ticket_id": 1234, "outcome": "created", "replayed": false,
        "title": "Imprimante bloquée", "urgency": "high", "impact": null, "priority": null,
        "type": null, "status": null, "create_time": "2026-11-24T10:00:00Z", "deliver_time": null,
        "message": "Ticket #1234 created successfully"
    });
    assert_eq!(ticket, expected);
    let request = world.asked().created.remove(0);
    assert_eq!((request.urgency, request.source), (4, 4));
    assert_eq!(request.idempotency_key, "");
}

#[tokio::test]
async fn the_status_tells_what_became_of_it() {
    let world = World::new().await;
    for (answer, status) in [
        (Answer::Created(7), 201),
        (Answer::Recorded(Outcome::Queued), 202),
        (Answer::Recorded(Outcome::Parked), 202),
        (Answer::Replayed(7), 200),
    ] {
        world.fake.will_answer([answer.clone()]);
        let response = create(&world).await;
        assert_eq!(response.status().as_u16(), status, "{answer:?}");
        let ticket: Value = response.json().await.unwrap();
        assert_eq!(ticket["replayed"], matches!(answer, Answer::Replayed(_)));
    }
}

#[tokio::test]
async fn the_key_in_the_header_is_the_idempotency_key() {
    let world = World::new().await;
    let body = json!({"description": "panne"});
    for sent in ["k-1", "\"k-1\""] {
        let request = post(&world).header("idempotency-key", sent).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 201);
        assert_eq!(world.asked().created[0].idempotency_key, "k-1");
    }
    for sent in ["", "\"\"", &"x".repeat(256)] {
        let response = post(&world).header("idempotency-key", sent).json(&body).send().await;
        let problem = problem(response.unwrap(), 400).await;
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    }

    let metadata = HashMap::from([("reference".to_owned(), REFERENCE.to_owned())]);
    let details = ErrorDetails::with_error_info("IDEMPOTENCY_KEY_REUSED", "automatglpi", metadata);
    let reused = Status::with_error_details(Code::AlreadyExists, "", details);
    world.fake.will_answer([Answer::Fail(reused)]);
    let problem = problem(create(&world).await, 422).await;
    assert!(problem["message"].as_str().unwrap().contains(REFERENCE));
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let world = World::new().await;
    let body = json!({"caller": {"nom": "x"}, "urgency": "haute", "colour": "red"});
    let response = post(&world).json(&body).send().await.unwrap();
    let told = problem(response, 400).await;
    let fields: Vec<&str> = told["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["caller.nom", "description", "urgency", "colour"]);
    assert_eq!(world.asked().created.len(), 0);

    let violations = vec![
        FieldViolation::new("caller.name", "is too long"),
        FieldViolation::new("subject", "is too long"),
    ];
    let details = ErrorDetails::with_bad_request(violations);
    let status = Status::with_error_details(Code::InvalidArgument, "", details);
    world.fake.will_answer([Answer::Fail(status)]);
    let told = problem(create(&world).await, 400).await;
    assert_eq!(told["errors"][1]["field"], "subject");
}

#[tokio::test]
async fn only_json_is_taken() {
    let world = World::new().await;
    problem(post(&world).body("description=panne").send().await.unwrap(), 415).await;
    let broken = post(&world).header("content-type", "application/json; charset=utf-8").body("{");
    problem(broken.send().await.unwrap(), 400).await;
}

#[tokio::test]
async fn a_ticket_is_found_by_number_and_by_reference() {
    let world = World::new().await;
    for (path, by) in [
        ("1234", By::TicketId(1234)),
        ("482-917-305", By::Reference("482-917-305".to_owned())),
        ("482917305", By::Reference("482917305".to_owned())),
    ] {
        let request = world.client.get(format!("{}/v1/tickets/{path}", world.url));
        let response = request.header("accept-language", "xx, en;q=0.8").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let ticket: Value = response.json().await.unwrap();
        assert_eq!(ticket["message"], "Your request is ticket #1234.");
        assert_eq!(world.asked().read[0].by, Some(by));
    }
    world.fake.will_answer([Answer::Fail(Status::not_found("…"))]);
    let response = world.client.get(format!("{}/v1/tickets/9", world.url)).send().await.unwrap();
    let told = problem(response, 404).await;
    assert_eq!(told["message"], "Je ne trouve aucune demande sous ce numéro.");
}
