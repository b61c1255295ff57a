//! `notify test` says of every channel what became of a real message, and `check` names them.

use std::process::Output;

use glpi_sandbox::{Options, Sandbox};
use receiver_sandbox::{MailServer, Manners, Receiver, ok, status};
use serde_json::Value;

use crate::{process, world::environment};

type Environment = Vec<(&'static str, String)>;

/// All four channels, at these receivers.
async fn told_by(posts: &Receiver, mails: &MailServer) -> (Sandbox, Environment) {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut environment = environment(&sandbox);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    environment.extend([
        ("AUTOMATGLPI_NOTIFY_ALLOW", "127.0.0.1".to_owned()),
        ("AUTOMATGLPI_SLACK_WEBHOOK_URL", format!("{}/slack/geheim", posts.url)),
        ("AUTOMATGLPI_TEAMS_WEBHOOK_URL", format!("{}/teams/geheim", posts.url)),
        ("AUTOMATGLPI_NOTIFY_WEBHOOK_URL", format!("{}/webhook/geheim", posts.url)),
        ("AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET", secret.to_owned()),
        ("AUTOMATGLPI_SMTP_URL", format!("smtp://127.0.0.1:{}", mails.port)),
        ("AUTOMATGLPI_MAIL_FROM", "AutomatGLPI <glpi@example.org>".to_owned()),
        ("AUTOMATGLPI_MAIL_TO", "help@example.org".to_owned()),
    ]);
    (sandbox, environment)
}

fn lines(output: &Output) -> Vec<String> {
    assert!(!String::from_utf8_lossy(&output.stdout).contains("geheim"), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("geheim"), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_channel_is_tried_for_real() {
    let posts = Receiver::start(vec![ok()]).await;
    let mails = MailServer::start(Manners::default(), None).await;
    let (_sandbox, environment) = told_by(&posts, &mails).await;
    let output = process::output(&["notify", "test"], &environment).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        lines(&output),
        [
            "✔ slack (127.0.0.1): told",
            "✔ teams (127.0.0.1): told",
            "✔ mail (127.0.0.1): told",
            "✔ webhook (127.0.0.1): told",
        ]
    );
    assert_eq!((posts.posts().len(), mails.mails().len()), (3, 1));
    assert_eq!(posts.posts()[2].json()["type"], "test");
    assert_eq!(posts.posts()[0].json()["text"], "Message d'essai d'AutomatGLPI");
}

#[tokio::test]
async fn a_channel_that_fails_is_told_with_its_reason() {
    let posts = Receiver::start(vec![status(404)]).await;
    let mails = MailServer::start(Manners::default(), None).await;
    let (_sandbox, environment) = told_by(&posts, &mails).await;
    let arguments = ["notify", "test", "--channel", "slack", "--json"];
    let output = process::output(&arguments, &environment).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines = lines(&output);
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["outcome"], "not told");
    assert_eq!(line["reason"], "answered 404 Not Found");
    assert_eq!((lines.len(), mails.mails().len()), (1, 0), "only Slack was tried");
}

#[tokio::test]
async fn without_channels_there_is_nothing_to_try() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let output = process::output(&["notify", "test"], &environment(&sandbox)).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("AUTOMATGLPI_SLACK_WEBHOOK_URL"));
}

#[tokio::test]
async fn check_names_the_channels_and_sends_nothing() {
    let posts = Receiver::start(vec![ok()]).await;
    let mails = MailServer::start(Manners::default(), None).await;
    let (_sandbox, environment) = told_by(&posts, &mails).await;
    let output = process::output(&["check"], &environment).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = lines(&output);
    let last = lines.last().unwrap();
    let channels = "slack (127.0.0.1), teams (127.0.0.1), mail (127.0.0.1), webhook (127.0.0.1)";
    assert!(last.contains(channels), "{last}");
    assert_eq!((posts.posts().len(), mails.mails().len()), (0, 0));
}
