use glpi_sandbox::{Fault, Kind, Operation};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Glpi;

#[tokio::test]
async fn faults_are_scripted_over_http() {
    let glpi = Glpi::start().await;
    let fault =
        json!({"on": "create_ticket", "kind": "status_after_commit", "code": 504, "times": 1});
    let added = glpi.control("POST", "/sandbox/faults", Some(&fault)).await;
    assert_eq!(added.status, 201);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&added.body).unwrap(), json!([fault]));
    let list = json!([{"on": "any", "kind": "latency", "ms": 1}, {"on": "read", "kind": "hang", "probability": 0.0}]);
    assert_eq!(glpi.control("POST", "/sandbox/faults", Some(&list)).await.status, 201);
    assert_eq!(glpi.sandbox.faults().len(), 3);

    assert_eq!(glpi.create(json!({"name": "x"})).await.status, 504);
    assert_eq!(glpi.create(json!({"name": "x"})).await.status, 201);
    let pending = glpi.control("GET", "/sandbox/faults", None).await;
    let pending: Vec<Fault> = serde_json::from_str(&pending.body).unwrap();
    assert_eq!(pending[0], Fault::new(Operation::Any, Kind::Latency { ms: 1 }));
    assert_eq!(glpi.control("DELETE", "/sandbox/faults", None).await.status, 204);
    assert!(glpi.sandbox.faults().is_empty());

    let nonsense = json!({"on": "create_ticket", "kind": "bad_weather"});
    assert_eq!(glpi.control("POST", "/sandbox/faults", Some(&nonsense)).await.status, 422);
}

#[tokio::test]
async fn the_state_tells_what_truly_happened() {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::once(Operation::CreateTicket, Kind::Empty200AfterCommit));
    glpi.create(json!({"name": "a < b", "_users_id_requester": 7})).await;
    glpi.get("/Ticket/1").await;
    glpi.get("/search/Ticket").await;
    let state = glpi.control("GET", "/sandbox/state", None).await;
    let state: serde_json::Value = serde_json::from_str(&state.body).unwrap();
    assert_eq!(state["tickets"][0]["name"], "a &#60; b");
    assert_eq!(state["tickets"][0]["requesters"][0]["user"], 7);
    assert_eq!(state["followups"], json!([]));
    assert_eq!((&state["sessions_open"], &state["sessions_opened"]), (&json!(1), &json!(1)));
    assert_eq!((&state["requests_total"], &state["max_concurrent"]), (&json!(4), &json!(1)));
    assert_eq!(
        state["by_operation"],
        json!({"init_session": 1, "create_ticket": 1, "read": 1, "search": 1})
    );
}

#[tokio::test]
async fn requests_are_logged_and_counted() {
    let glpi = Glpi::start().await;
    glpi.create(json!({"name": "x"})).await;
    glpi.get("/Ticket/1?get_hateoas=false").await;
    let requests = glpi.sandbox.requests();
    let seen: Vec<_> =
        requests.iter().map(|r| (r.method.as_str(), r.path.as_str(), r.status)).collect();
    assert_eq!(
        seen,
        [
            ("GET", "/initSession", Some(200)),
            ("POST", "/Ticket", Some(201)),
            ("GET", "/Ticket/1", Some(200)),
        ]
    );
    assert_eq!(requests[0].session, None);
    assert_eq!(requests[1].session.as_ref(), Some(&glpi.session));
    assert_eq!(glpi.sandbox.count("POST", "/Ticket"), 1);
    assert_eq!(glpi.sandbox.count("GET", ""), 2);
    let listed = glpi.control("GET", "/sandbox/requests", None).await;
    assert!(listed.body.contains(r#""path":"/Ticket/1","status":200"#));
}

#[tokio::test]
async fn concurrent_requests_are_counted_at_their_peak() {
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Latency { ms: 100 }));
    let post = || glpi.create(json!({"name": "x"}));
    tokio::join!(post(), post(), post(), post());
    assert_eq!(glpi.sandbox.max_concurrent(), 4);
}

#[tokio::test]
async fn a_stopped_sandbox_refuses_connections() {
    let glpi = Glpi::start().await;
    let address = glpi.sandbox.local_addr();
    glpi.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::Hang));
    let mut hanging = glpi.connect().await;
    hanging.write_all(&glpi.raw_create()).await.unwrap();
    glpi.sandbox.wait_for_requests(2).await;
    glpi.sandbox.stop().await;
    assert_eq!(hanging.read(&mut [0; 8]).await.unwrap_or(0), 0, "what hung has ended too");
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
