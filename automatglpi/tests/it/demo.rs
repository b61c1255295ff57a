//! The README's first command.

use std::net::TcpListener;

use serde_json::Value;

use crate::{
    process::{self, Process, command, lines_to, within},
    world::client,
};

const FREE_PORTS: [&str; 9] = ["demo", "--http", "0", "--grpc", "0", "--admin", "0", "--glpi", "0"];

/// A running demo and what it has printed.
async fn demo(environment: &[(&str, String)]) -> (Process, Vec<String>) {
    let mut demo = Process::start(command(&FREE_PORTS, environment));
    let lines = within(lines_to(&mut demo.stdout, |line| line.starts_with("Ctrl-C"))).await;
    (demo, lines)
}

/// The word after a label at the beginning of a line.
fn labelled<'a>(lines: &'a [String], label: &str) -> &'a str {
    let line = lines.iter().find(|line| line.trim_start().starts_with(label)).unwrap();
    line.split_whitespace().last().unwrap()
}

/// The JSON between `-d '` and `'` of the line that begins like this, and its port.
fn example(lines: &[String], command: &str) -> (Value, String) {
    let line = lines.iter().find(|line| line.trim_start().starts_with(command)).unwrap();
    let json = line.split_once("-d '").unwrap().1.split_once('\'').unwrap().0;
    let port = line.split_once("localhost:").unwrap().1.split(['/', ' ']).next().unwrap();
    (serde_json::from_str(json).unwrap(), port.to_owned())
}

#[tokio::test]
async fn the_first_example_becomes_a_ticket_on_the_page() {
    let (_demo, lines) = demo(&[]).await;
    let (payload, port) = example(&lines, "curl -s localhost");
    let webhook = labelled(&lines, "webhook");
    assert!(webhook.contains(&port), "{lines:#?}");

    let response = within(client().post(webhook).json(&payload).send()).await.unwrap();
    assert_eq!(response.status(), 200);
    let reply: Value = response.json().await.unwrap();
    assert_eq!(reply["success"], true, "{reply}");
    let ticket = reply["ticket_id"].as_u64().unwrap();
    assert_eq!(reply["message"], format!("Ticket #{ticket} créé avec succès"));

    let page = client().get(labelled(&lines, "tickets")).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("Imprimante bloquée<br>rien ne sort"), "{page}");
    assert!(page.contains("urgency high"), "{page}");
}

#[tokio::test]
async fn the_second_example_becomes_a_ticket_too() {
    let (_demo, lines) = demo(&[]).await;
    let line = lines.iter().find(|line| line.contains("/v1/tickets")).unwrap();
    let (payload, port) = example(std::slice::from_ref(line), "curl");
    let url = format!("http://127.0.0.1:{port}/v1/tickets");
    let response = within(client().post(url).json(&payload).send()).await.unwrap();
    assert_eq!(response.status(), 201);
}

#[tokio::test]
async fn the_third_example_is_a_valid_call_of_the_contract() {
    let (_demo, lines) = demo(&[]).await;
    let line = lines.iter().find(|line| line.trim_start().starts_with("grpcurl")).unwrap();
    if !crate::contract::grpcurl_is_here() {
        return;
    }
    let output = tokio::process::Command::new("sh").args(["-c", line]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("OUTCOME_CREATED"), "{output:?}");
}

#[tokio::test]
async fn nothing_is_kept() {
    let temporary = tempfile::tempdir().unwrap();
    let place = ("TMPDIR", temporary.path().to_str().unwrap().to_owned());
    let (mut demo, _lines) = demo(&[place]).await;
    assert_eq!(temporary.path().read_dir().unwrap().count(), 1);
    demo.signal("INT").await;
    assert_eq!(demo.exit().await.code(), Some(0));
    assert_eq!(temporary.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn the_configuration_of_the_real_glpi_is_left_alone() {
    let elsewhere = |name| (name, "http://127.0.0.1:1".to_owned());
    let environment = [
        elsewhere("GLPI_URL"),
        ("AUTOMATGLPI_STORE", "postgres://127.0.0.1:1/".to_owned()),
        ("AUTOMATGLPI_WEBHOOK_TOKEN", "secret".to_owned()),
        ("AUTOMATGLPI_LANGUAGE", "en".to_owned()),
    ];
    let (_demo, lines) = demo(&environment).await;
    let (payload, _port) = example(&lines, "curl -s localhost");
    let response = client().post(labelled(&lines, "webhook")).json(&payload).send().await.unwrap();
    let reply: Value = response.json().await.unwrap();
    assert_eq!(reply["success"], true, "{reply}");
    assert_eq!(reply["message"], "Ticket #1 created successfully");
}

#[tokio::test]
async fn a_taken_port_is_said_with_the_option_that_moves_it() {
    for option in ["--http", "--grpc", "--admin", "--glpi"] {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port().to_string();
        let arguments = FREE_PORTS.map(str::to_owned);
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let place = arguments.iter().position(|argument| *argument == option).unwrap();
        arguments[place + 1] = &port;

        let output = process::output(&arguments, &[]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("port {port} is taken")), "{said}");
        assert!(said.contains(&format!("`{option} PORT`")), "{said}");
    }
}
