//! `call` is a voice agent for the command line.

use std::net::TcpListener;

use serde_json::Value;

use crate::{
    process::{self, Process, command},
    world::{World, free_ports, url_of},
};

#[tokio::test]
async fn the_sample_becomes_a_ticket() {
    let world = World::with(&[("AUTOMATGLPI_WEBHOOK_TOKEN", "secret")]).await;
    let output = world.run(&["call", "--sample", "--url", &world.http]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reply["message"], "Ticket #1 créé avec succès");
}

#[tokio::test]
async fn a_payload_comes_from_a_file() {
    let world = World::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"probleme": "Écran noir"}"#).unwrap();
    let path = file.path().to_str().unwrap();
    let output = world.run(&["call", "--url", &world.http, "--file", path]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(world.sandbox.tickets()[0].raw_name(), "Écran noir");
}

#[tokio::test]
async fn no_success_is_a_failure() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut settings = free_ports();
    settings.push(("AUTOMATGLPI_GRPC_URL", format!("http://{nobody}")));
    let mut gateway = Process::start(command(&["gateway"], &settings));
    let ready = gateway.ready().await;
    let http = &url_of("http", &ready);

    let output = process::output(&["call", "--url", http], &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reply["success"], false);

    let output = process::output(&["call", "--url", &format!("http://{nobody}")], &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no answer"), "{output:?}");
}
