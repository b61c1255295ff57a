//! Requests reach nothing that is not public, by whatever name, unless it is allowed.

use notices::{Channels, Config, ConfigError, Kind, Outcome};
use receiver_sandbox::{Answer, Receiver, ok};
use secrecy::SecretString;

use crate::world::{config, created, posting_to, send};

fn slack_at(url: String, allow: &str) -> Config {
    let slack_url = Some(SecretString::from(url));
    Config { slack_url, allow: allow.parse().unwrap(), ..config() }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(vec![ok()]).await;
    for code in [301, 302, 303, 307, 308] {
        let location = vec![("location", elsewhere.url.clone())];
        let receiver = Receiver::start(vec![Answer::Status(code, location, "")]).await;
        let outcome = send(&posting_to(&receiver.url), Kind::Slack, &created()).await;
        assert!(matches!(outcome, Outcome::Failed { .. }), "{code}: {outcome:?}");
        assert_eq!(receiver.posts().len(), 1);
    }
    assert_eq!(elsewhere.posts().len(), 0);
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_at_the_start() {
    let _provider = rustls::crypto::ring::default_provider().install_default();
    for url in [
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/x",
        "http://hooks.slack.com/services/x",
        "not a url",
    ] {
        let refused = Channels::new(&slack_at(url.to_owned(), "")).unwrap_err();
        assert!(matches!(refused, ConfigError::Address { channel: Kind::Slack, .. }), "{url}");
        assert!(!refused.to_string().contains("/x"), "{refused}: the address is a secret");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_when_it_is_resolved() {
    let receiver = Receiver::start(vec![ok()]).await;
    let port = receiver.url.rsplit_once(':').unwrap().1.to_owned();
    let outcome =
        send(&slack_at(format!("https://localhost:{port}/"), ""), Kind::Slack, &created()).await;
    let Outcome::Failed { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("not public"), "{reason}");

    // Its addresses are allowed: it is connected to, and only then found to speak no TLS.
    let allowed = slack_at(format!("https://localhost:{port}/"), "127.0.0.0/8,::1");
    let outcome = send(&allowed, Kind::Slack, &created()).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    assert_eq!(receiver.posts().len(), 0);

    let named = slack_at(format!("http://localhost:{port}/"), "localhost");
    assert_eq!(send(&named, Kind::Slack, &created()).await, Outcome::Sent);
    assert_eq!(receiver.posts().len(), 1);
}
