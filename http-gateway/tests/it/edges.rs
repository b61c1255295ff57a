//! Tokens, ids, sizes, and what is no request at all.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::{World, guarded, problem};

#[tokio::test]
async fn the_token_opens_the_webhook_and_v1() {
    let world = World::with(|config| config.access = guarded("secret")).await;
    let ticket = json!({"description": "panne", "problem": "panne"});
    for path in ["/webhook/rounded-webhook", "/v1/tickets"] {
        let post = || world.client.post(format!("{}{path}", world.url));
        for request in [post(), post().bearer_auth("wrong"), post().header("authorization", "x")] {
            let response = request.json(&ticket).send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            problem(response, 401).await;
        }
    }
    assert_eq!(world.asked().created.len(), 0);
    let request = world.webhook().bearer_auth("secret").json(&ticket);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_servers_token_and_the_request_id_travel_along() {
    let world = World::with(|config| config.grpc_token = Some("grpc-secret".into())).await;
    let request = world.webhook().header("x-request-id", "trace-7").body("panne");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "trace-7");
    let response = world.webhook().header("x-request-id", "a b").body("panne").send().await;
    let drawn = response.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(drawn.len(), 32);

    let metadata = world.asked().metadata;
    assert_eq!(metadata[0].get("x-request-id").unwrap(), "trace-7");
    assert_eq!(metadata[0].get("authorization").unwrap(), "Bearer grpc-secret");
    assert_eq!(metadata[1].get("x-request-id").unwrap(), drawn.as_str());
}

#[tokio::test]
async fn what_is_no_request_is_a_problem() {
    let world = World::new().await;
    let json = || world.webhook().header("content-type", "application/json");
    problem(json().body("{").send().await.unwrap(), 400).await;
    problem(json().body(" ".repeat(1_100_000)).send().await.unwrap(), 413).await;
    let upload = world.webhook().header("content-type", "multipart/form-data; boundary=x");
    problem(upload.body("--x--").send().await.unwrap(), 415).await;
    problem(world.client.get(&world.url).send().await.unwrap(), 404).await;
    let put = world.client.put(format!("{}/webhook/rounded-webhook", world.url));
    let response = put.send().await.unwrap();
    assert!(response.headers()["x-request-id"].len() == 32);
    problem(response, 405).await;
}

#[tokio::test]
async fn more_than_a_ticket_can_hold_is_refused_with_a_sentence() {
    let world = World::new().await;
    let reply = world.call(&json!({"problem": "x".repeat(900_000)}).to_string()).await;
    assert_eq!(reply["message"], "Votre message est trop long. Pouvez-vous le résumer ?");
    assert_eq!(reply["status"], "refused");
    assert_eq!(world.asked().created.len(), 0);
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let world = World::new().await;
    let mut connection = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /webhook/rounded-webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\npan";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = connection.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 408");
}

#[tokio::test]
async fn the_gateway_describes_itself() {
    let world = World::new().await;
    let get = |path: &str| world.client.get(format!("{}{path}", world.url)).send();
    let description: serde_json::Value = get("/openapi.json").await.unwrap().json().await.unwrap();
    let paths = description["paths"].as_object().unwrap();
    let paths: Vec<&str> = paths.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/v1/tickets", "/v1/tickets/{ticket}", "/webhook/rounded-webhook"]);
    let ticket = &description["components"]["schemas"]["NewTicket"];
    assert_eq!(ticket["required"], json!(["description"]));

    let page = get("/docs/").await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("swagger-ui"));
    let initializer = get("/docs/swagger-initializer.js").await.unwrap().text().await.unwrap();
    assert!(initializer.contains("\"validatorUrl\": \"none\""), "{initializer}");
}
