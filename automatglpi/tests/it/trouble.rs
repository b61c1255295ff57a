//! What callers hear when something is wrong.

use std::net::TcpListener;

use glpi_sandbox::{Fault, Kind, Operation};
use serde_json::{Value, json};

use crate::{
    process::{Process, command},
    world::{Reply, World, environment, free_ports, url_of, webhook},
};

/// What must hold whatever happens: in time, 200, one line of French that can be spoken.
fn assert_speakable(state: &str, reply: &Reply) -> String {
    assert_eq!(reply.http_status, 200, "{state}: {}", reply.body);
    assert!(reply.took.as_secs_f64() < 5.0, "{state}: {:?}", reply.took);
    let message = reply.body["message"].as_str().unwrap().to_owned();
    let is_french = ["Votre demande", "Je n'ai pas"].iter().any(|word| message.contains(word));
    assert!(is_french, "{state}: {message}");
    for internal in ["http", "://", "127.0.0.1", "error", "Error", "SELECT", "\n", "panicked"] {
        assert!(!message.contains(internal), "{state}: {message}");
    }
    message
}

fn assert_queued(state: &str, reply: &Reply) {
    let message = assert_speakable(state, reply);
    assert_eq!(reply.body["success"], true, "{state}: {}", reply.body);
    assert_eq!(reply.body["status"], "queued", "{state}: {}", reply.body);
    assert_eq!(reply.body["ticket_id"], Value::Null, "{state}: {}", reply.body);
    let reference = reply.body["reference"].as_str().unwrap();
    assert!(message.contains(reference), "{state}: {message}");
}

fn assert_not_recorded(state: &str, reply: &Reply) {
    let message = assert_speakable(state, reply);
    assert_eq!(reply.body["success"], false, "{state}: {}", reply.body);
    assert_eq!(reply.body["status"], "refused", "{state}: {}", reply.body);
    assert_eq!(reply.body["reference"], Value::Null, "{state}: {}", reply.body);
    assert_eq!(reply.body["retryable"], true, "{state}: {}", reply.body);
    assert!(message.contains("n'a pas pu être enregistrée"), "{state}: {message}");
}

/// Whatever GLPI does, a request is recorded and its caller hears so.
async fn queued_while(on: Operation, kind: Kind) {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(on, kind.clone()));
    assert_queued(&format!("{kind:?} on {on:?}"), &world.call_number(1).await);
}

#[tokio::test]
async fn glpi_is_down() {
    queued_while(Operation::Any, Kind::Refuse).await;
}

#[tokio::test]
async fn glpi_hangs() {
    queued_while(Operation::Any, Kind::Hang).await;
}

#[tokio::test]
async fn glpi_hangs_while_it_makes_the_ticket() {
    queued_while(Operation::CreateTicket, Kind::HangAfterCommit).await;
}

#[tokio::test]
async fn glpi_is_in_maintenance() {
    queued_while(Operation::Any, Kind::Maintenance).await;
}

#[tokio::test]
async fn glpi_answers_401() {
    queued_while(Operation::Any, Kind::WrongUserToken).await;
    queued_while(Operation::Any, Kind::Status { code: 401 }).await;
}

#[tokio::test]
async fn glpi_answers_500() {
    queued_while(Operation::Any, Kind::Status { code: 500 }).await;
}

#[tokio::test]
async fn glpi_answers_200_and_nothing() {
    queued_while(Operation::Any, Kind::Empty200).await;
    queued_while(Operation::CreateTicket, Kind::Empty200AfterCommit).await;
}

#[tokio::test]
async fn glpi_is_gone_and_comes_back() {
    let world = World::new().await;
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Maintenance));
    let reply = world.call_number(1).await;
    assert_queued("maintenance", &reply);
    world.sandbox.clear();

    let reference = reply.body["reference"].as_str().unwrap();
    world.json(&["outbox", "retry", reference, "--json"]).await;
    world.sandbox.wait_for_tickets(1).await;
    assert_eq!(world.sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn without_the_grpc_server_nothing_is_recorded() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut settings = free_ports();
    settings.push(("AUTOMATGLPI_GRPC_URL", format!("http://{nobody}")));
    let mut gateway = Process::start(command(&["gateway"], &settings));
    let ready = gateway.ready().await;
    let http = &url_of("http", &ready);

    let reply = webhook(http, json!({"problem": "Imprimante bloquée"})).await;
    assert_not_recorded("no gRPC server", &reply);
}

#[tokio::test]
async fn a_full_disk_is_told_to_callers() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let mut settings = environment(&world.sandbox);
    settings.push(("STATE_DIRECTORY", directory.path().to_str().unwrap().to_owned()));
    // Files that may not grow beyond 512 KiB fail as on a full disk: the write gets an error.
    let mut limited = tokio::process::Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" serve"])
        .arg(env!("CARGO_BIN_EXE_automatglpi"))
        .env_clear()
        .envs(settings)
        .kill_on_drop(true);
    let mut service = Process::start(limited);
    let ready = service.ready().await;
    let http = &url_of("http", &ready);

    let long = "L'imprimante est bloquée. ".repeat(2000);
    for number in 0..50 {
        let payload = json!({"problem": long, "call_id": format!("call-{number}")});
        let reply = webhook(http, payload).await;
        if reply.body["success"] == true {
            continue;
        }
        assert_not_recorded("full disk", &reply);
        assert!(number > 0, "the first fits");
        return;
    }
    panic!("the disk never filled");
}
