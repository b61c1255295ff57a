//! `config` shows what takes effect; what is wrong is told with its place.

use serde_json::Value;

use crate::{
    process::{self, Process, command, within},
    world::World,
};

#[tokio::test]
async fn every_setting_is_shown_with_its_origin_and_no_secret() {
    let world = World::new().await;
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), "language = \"en\"\nwebhook_token = \"s3cret\"").unwrap();
    let path = file.path().to_str().unwrap();

    let lines = world.json(&["config", "--json", "--config", path]).await;
    let setting = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap();
    assert_eq!(setting("AUTOMATGLPI_LANGUAGE")["value"], "en");
    let origin = setting("AUTOMATGLPI_LANGUAGE")["origin"].as_str().unwrap();
    assert!(origin.contains(path), "{origin}");
    assert_eq!(setting("GLPI_URL")["origin"], "environment");
    assert_eq!(setting("AUTOMATGLPI_ANSWER_WITHIN")["origin"], "default");

    let output = world.run(&["config", "--config", path]).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("••••"), "{told}");
    assert!(!told.contains("s3cret") && !told.contains("sandbox-app-token"), "{told}");
    assert_ne!(setting("AUTOMATGLPI_WEBHOOK_TOKEN")["value"], Value::from("s3cret"));
}

#[tokio::test]
async fn a_machine_with_a_gateway_alone_is_configured_without_glpi() {
    let alone = [("AUTOMATGLPI_GRPC_URL", "http://10.0.0.1:50051".to_owned())];
    let output = process::output(&["config"], &alone).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("automatglpi gateway"), "{said}");

    // Somebody means to reach GLPI here.
    let half = [("GLPI_URL", "http://127.0.0.1:1".to_owned())];
    let output = process::output(&["config"], &half).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("GLPI_APP_TOKEN is missing"), "{said}");
}

#[tokio::test]
async fn a_mistyped_setting_is_refused_by_every_command() {
    let mistyped = [("GLPI_URI", "http://127.0.0.1:1".to_owned())];
    for arguments in [
        &["serve"][..],
        &["server"],
        &["gateway"],
        &["check"],
        &["config"],
        &["call"],
        &["outbox", "list"],
    ] {
        let output = process::output(arguments, &mistyped).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("did you mean GLPI_URL?"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn nobody_starts_who_could_not_tell_people_what_they_are_to_be_told() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let mut whole = crate::world::environment(&world.sandbox);
    whole.push(("STATE_DIRECTORY", directory.path().to_str().unwrap().to_owned()));
    for (name, value, told) in [
        ("AUTOMATGLPI_NOTIFY", "bogus", "created,parked"),
        ("AUTOMATGLPI_NOTIFY_ALLOW", "::::", "host names, addresses"),
        ("AUTOMATGLPI_SMTP_URL", "nonsense", "smtps://"),
        ("AUTOMATGLPI_NOTIFY_WEBHOOK_URL", "https://hooks.example.org/x", "_SECRET is missing"),
        ("AUTOMATGLPI_SLACK_WEBHOOK_URL", "http://169.254.169.254/", "https:// address"),
    ] {
        let set = (name, value.to_owned());
        let with_glpi: Vec<_> = whole.iter().cloned().chain([set.clone()]).collect();
        for (command, settings) in [
            ("serve", &with_glpi),
            ("server", &with_glpi),
            ("check", &with_glpi),
            ("config", &with_glpi),
            ("config", &vec![set]),
        ] {
            let output = process::output(&[command], settings).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command}, {name}: {said}");
            assert!(said.contains(told), "{command}, {name}: {said}");
        }
    }
}

#[tokio::test]
async fn an_open_listener_without_a_token_is_refused() {
    let world = World::new().await;
    for (listen, token) in [
        ("AUTOMATGLPI_HTTP_LISTEN", "AUTOMATGLPI_WEBHOOK_TOKEN"),
        ("AUTOMATGLPI_GRPC_LISTEN", "AUTOMATGLPI_GRPC_TOKEN"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = crate::world::environment(&world.sandbox);
        settings.push(("STATE_DIRECTORY", directory.path().to_str().unwrap().to_owned()));
        settings.retain(|(name, _)| *name != listen);
        settings.push((listen, "0.0.0.0:0".to_owned()));
        let output = process::output(&["serve"], &settings).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(token), "{said}");
    }
}

#[tokio::test]
async fn a_log_of_json_is_json_from_its_first_line() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let mut settings = crate::world::environment(&world.sandbox);
    settings.push(("STATE_DIRECTORY", directory.path().to_str().unwrap().to_owned()));
    settings.push(("AUTOMATGLPI_LOG_FORMAT", "json".to_owned()));
    let mut service = Process::start(command(&["serve"], &settings));
    let line = within(service.stderr.next_line()).await.unwrap().unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["message"], "ready");
    assert!(line["grpc"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
}

#[tokio::test]
async fn two_services_on_one_outbox_are_refused() {
    let world = World::new().await;
    let output = world.run(&["serve"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("in use by another process"), "{said}");
}
