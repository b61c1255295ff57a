//! `check` names each fault and its cure.

use std::net::TcpListener;

use glpi_sandbox::{Fault, Kind, Operation, Options, Sandbox};
use serde_json::Value;

use crate::{process, world::environment};

/// Runs `check` before the sandbox, with these settings on top: its exit code and lines.
async fn check(sandbox: &Sandbox, settings: &[(&'static str, &str)]) -> (Option<i32>, Vec<String>) {
    let mut environment = environment(sandbox);
    environment.push(("GLPI_REQUEST_TIMEOUT", "400ms".to_owned()));
    for (name, value) in settings {
        environment.retain(|(known, _)| known != name);
        environment.push((*name, (*value).to_owned()));
    }
    let output = process::output(&["check"], &environment).await;
    let lines = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    (output.status.code(), lines)
}

async fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).await.unwrap()
}

#[tokio::test]
async fn all_is_well() {
    let sandbox = sandbox().await;
    let (code, lines) = check(&sandbox, &[]).await;
    assert_eq!(code, Some(0), "{lines:#?}");
    assert_eq!(lines.len(), 9, "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with('✔')), "{lines:#?}");
    assert_eq!(sandbox.tickets().len(), 0, "check changes nothing");
    assert_eq!(sandbox.sessions(), 0, "check leaves no session");
}

#[tokio::test]
async fn every_fault_of_glpi_is_named_with_its_cure() {
    for (kind, step, cure) in [
        (Kind::Refuse, "GLPI's address answers", "check the host and port in GLPI_URL"),
        (Kind::Hang, "GLPI's address answers", "does not answer"),
        (Kind::Status { code: 502 }, "it is GLPI's API", "php-fpm"),
        (Kind::Empty200, "it is GLPI's API", "php-errors.log"),
        (Kind::ApiDisabled, "the API is enabled", "Enable Rest API"),
        (Kind::Maintenance, "the API is enabled", "maintenance:disable"),
        (Kind::MysqlError, "the API is enabled", "MariaDB"),
        (Kind::IpNotAllowed, "this server may use it", "IPv4 range"),
        (Kind::WrongAppToken, "the App-Token is right", "GLPI_APP_TOKEN"),
        (Kind::WrongUserToken, "the user token is right", "GLPI_USER_TOKEN"),
        (Kind::NoCreateRight, "the profile may create tickets", "allow Create"),
    ] {
        let sandbox = sandbox().await;
        sandbox.inject(Fault::new(Operation::Any, kind.clone()));
        let (code, lines) = check(&sandbox, &[]).await;
        assert_faulty(&format!("{kind:?}"), code, &lines, step, cure);
    }
}

#[tokio::test]
async fn every_fault_of_the_configuration_is_named_with_its_cure() {
    let sandbox = sandbox().await;
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    let not_glpi = format!("{}/elsewhere", sandbox.url());
    for (setting, value, step, cure) in [
        ("GLPI_URL", nobody.as_str(), "GLPI's address answers", "GLPI_URL"),
        ("GLPI_URL", &not_glpi, "it is GLPI's API", "GLPI_URL"),
        ("GLPI_APP_TOKEN", "wrong", "the App-Token is right", "GLPI_APP_TOKEN"),
        ("GLPI_USER_TOKEN", "wrong", "the user token is right", "GLPI_USER_TOKEN"),
        ("GLPI_ENTITY", "999", "the entity can be used", "GLPI_ENTITY"),
    ] {
        let (code, lines) = check(&sandbox, &[(setting, value)]).await;
        assert_faulty(&format!("{setting}={value}"), code, &lines, step, cure);
    }
}

fn assert_faulty(state: &str, code: Option<i32>, lines: &[String], step: &str, cure: &str) {
    assert_eq!(code, Some(1), "{state}: {lines:#?}");
    let bad: Vec<_> = lines.iter().filter(|line| line.starts_with('✘')).collect();
    let [bad] = bad.as_slice() else { panic!("{state}: one fault expected: {lines:#?}") };
    assert!(bad.contains(step), "{state}: {bad}");
    assert!(bad.contains("To do: "), "{state}: {bad}");
    assert!(bad.contains(cure), "{state}: {bad}");
}

#[tokio::test]
async fn a_server_that_is_down_is_named() {
    let sandbox = sandbox().await;
    let url = sandbox.url();
    sandbox.stop().await;
    let elsewhere = self::sandbox().await;
    let (code, lines) = check(&elsewhere, &[("GLPI_URL", &url)]).await;
    assert_faulty("down", code, &lines, "GLPI's address answers", "web server runs");
}

#[tokio::test]
async fn programs_get_json() {
    let sandbox = sandbox().await;
    sandbox.inject(Fault::new(Operation::Any, Kind::NoCreateRight));
    let output = process::output(&["check", "--json"], &environment(&sandbox)).await;
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad = lines.iter().find(|line| line["verdict"] == "bad").unwrap();
    assert!(bad["cure"].as_str().unwrap().contains("allow Create"), "{bad}");
}
