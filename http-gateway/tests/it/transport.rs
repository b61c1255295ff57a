//! A server that is down, silent, or lost on the way.

use std::time::Instant;

use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::{
    fake::Answer,
    world::{World, at, nowhere, problem},
};

#[tokio::test]
async fn without_a_server_nothing_is_recorded_and_the_caller_is_told() {
    let down = nowhere().await;
    let world = World::with(|config| config.grpc = at(down)).await;
    let reply = world.call(r#"{"problem":"panne"}"#).await;
    let expected = json!({
        "success": false,
        "status": "refused",
        "ticket_id": null,
        "reference": null,
        "message": "Votre demande n'a pas pu être enregistrée. Veuillez rappeler dans quelques minutes.",
        "retryable": true,
    });
    assert_eq!(reply, expected);

    let tickets = world.client.post(format!("{}/v1/tickets", world.url));
    let response = tickets.json(&json!({"description": "panne"})).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    let problem = problem(response, 503).await;
    assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
}

#[tokio::test]
async fn a_silent_server_leaves_the_caller_unsure_within_five_seconds() {
    let world = World::new().await;
    world.fake.will_answer([Answer::Silence, Answer::Silence]);
    #[expect(clippy::disallowed_methods, reason = "it is real time that callers feel")]
    let started = Instant::now();
    let tickets = world.client.post(format!("{}/v1/tickets", world.url));
    let (reply, response) = tokio::join!(
        world.call(r#"{"problem":"panne"}"#),
        tickets.json(&json!({"description": "panne"})).send()
    );
    assert!(started.elapsed().as_secs_f64() < 5.0);
    assert!(reply["message"].as_str().unwrap().starts_with("Je n'ai pas reçu de confirmation"));
    assert_eq!((&reply["success"], &reply["retryable"]), (&json!(false), &json!(true)));
    assert_eq!(problem(response.unwrap(), 504).await["retryable"], true);

    let metadata = world.asked().metadata;
    let timeout = metadata[0].get("grpc-timeout").unwrap().to_str().unwrap();
    assert!(timeout.ends_with(['m', 'u', 'n']), "the server is told: {timeout}");
}

#[tokio::test]
async fn a_connection_lost_on_the_way_leaves_the_caller_unsure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::with(|config| config.grpc = at(address)).await;
    let call = world.call(r#"{"problem":"panne"}"#);
    let hang_up = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 1024];
        while !request.windows(5).any(|bytes| bytes == b"panne") {
            let mut more = [0; 1024];
            let read = connection.read(&mut more).await.unwrap();
            request.extend_from_slice(&more[..read]);
        }
    };
    let (reply, ()) = tokio::join!(call, hang_up);
    assert!(
        reply["message"].as_str().unwrap().starts_with("Je n'ai pas reçu de confirmation"),
        "{reply}"
    );
}
