//! `check` names the fault and the cure.

use glpi_sandbox::{Fault, Kind, Operation, Options, Sandbox};
use ticketing_core::glpi::check::{Fault as Problem, Verdict};

use crate::world::{client, client_with};

/// The first step that is bad, what it means and what to do.
async fn first_problem(glpi: &ticketing_core::glpi::Glpi) -> Option<(&'static str, Problem)> {
    let findings = glpi.check().await;
    findings.into_iter().find_map(|finding| match finding.verdict {
        Verdict::Bad(problem) => Some((finding.step, problem)),
        Verdict::Good(_) | Verdict::Doubtful(_) => None,
    })
}

#[tokio::test]
async fn a_right_configuration_passes_every_step_and_leaves_no_session() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let findings = client(sandbox.url()).check().await;
    assert_eq!(findings.len(), 9);
    for finding in findings {
        assert!(matches!(finding.verdict, Verdict::Good(_)), "{finding:?}");
    }
    assert_eq!(sandbox.sessions(), 0);
}

#[tokio::test]
async fn each_broken_state_is_named_with_its_cure() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for (kind, step, cure) in [
        (Kind::Refuse, "GLPI's address answers", "GLPI_URL"),
        (Kind::Maintenance, "the API is enabled", "maintenance"),
        (Kind::MysqlError, "the API is enabled", "MariaDB"),
        (Kind::ApiDisabled, "the API is enabled", "Enable Rest API"),
        (Kind::IpNotAllowed, "this server may use it", "IPv4 range"),
        (Kind::WrongAppToken, "the App-Token is right", "GLPI_APP_TOKEN"),
        (Kind::WrongUserToken, "the user token is right", "GLPI_USER_TOKEN"),
        (Kind::Status { code: 502 }, "it is GLPI's API", "php-fpm"),
        (Kind::NoCreateRight, "the profile may create tickets", "allow Create"),
        (Kind::Empty200, "it is GLPI's API", "php-errors.log"),
    ] {
        sandbox.set_faults(vec![Fault::new(Operation::Any, kind.clone())]);
        let (bad, problem) = first_problem(&client(sandbox.url())).await.unwrap();
        assert_eq!(bad, step, "{kind:?}");
        assert!(problem.cure.contains(cure), "{kind:?}: {problem:?}");
    }
}

#[tokio::test]
async fn wrong_tokens_urls_and_entities_are_told_apart() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let url = sandbox.url();
    let right = ("sandbox-app-token", "sandbox-user-token");
    for (glpi, step) in [
        (client_with(url.clone(), "wrong", right.1, None), "the App-Token is right"),
        (client_with(url.clone(), right.0, "wrong", None), "the user token is right"),
        (client_with(format!("{url}/nowhere"), right.0, right.1, None), "it is GLPI's API"),
        (
            client_with("http://127.0.0.1:1".into(), right.0, right.1, None),
            "GLPI's address answers",
        ),
        (client_with(url.clone(), right.0, right.1, Some(999)), "the entity can be used"),
    ] {
        assert_eq!(first_problem(&glpi).await.unwrap().0, step);
    }
}
