//! Channels as a test wants them.

use std::time::Duration;

use jiff::Timestamp;
use notices::{Channels, Config, Event, Kind, Notice, Outcome};
use secrecy::SecretString;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// No channel; loopback may be reached; a second's patience.
pub(crate) fn config() -> Config {
    Config {
        language: "fr".parse().unwrap(),
        glpi_url: "https://glpi.example.org".into(),
        slack_url: None,
        teams_url: None,
        mail: None,
        webhook: None,
        allow: "127.0.0.1".parse().unwrap(),
        extra_ca_pem: None,
        timeout: Duration::from_secs(1),
    }
}

/// Slack, Teams and a webhook, all at that address.
pub(crate) fn posting_to(url: &str) -> Config {
    let at = |path: &str| SecretString::from(format!("{url}{path}"));
    Config {
        slack_url: Some(at("/slack")),
        teams_url: Some(at("/teams")),
        webhook: Some((at("/webhook"), vec![SECRET.parse().unwrap()])),
        ..config()
    }
}

pub(crate) fn at() -> Timestamp {
    "2026-11-24T15:04:05Z".parse().unwrap()
}

pub(crate) fn created() -> Notice {
    let event = Event::TicketCreated {
        ticket: 42,
        reference: "482-917-305".into(),
        client: "ivr".into(),
        urgency: Some(5),
        category: Some(12),
        title: None,
    };
    Notice { timestamp: at(), event }
}

/// Sends that notice on that channel.
pub(crate) async fn send(config: &Config, kind: Kind, notice: &Notice) -> Outcome {
    // Fails only if it is there already.
    let _provider = rustls::crypto::ring::default_provider().install_default();
    let channels = Channels::new(config).unwrap();
    channels.find(kind).unwrap().send(notice, "msg_7", at()).await
}
