//! Slack, Teams and signed webhooks over the wire.

use std::time::Duration;

use notices::{Kind, Outcome, webhook};
use receiver_sandbox::{Answer, Receiver, ok, status};
use serde_json::json;

use crate::world::{SECRET, at, created, posting_to, send};

const POSTING: [Kind; 3] = [Kind::Slack, Kind::Teams, Kind::Webhook];

#[tokio::test]
async fn each_channel_posts_a_notice_once_in_its_own_clothes() {
    let receiver = Receiver::start(vec![ok()]).await;
    let config = posting_to(&receiver.url);
    for kind in POSTING {
        assert_eq!(send(&config, kind, &created()).await, Outcome::Sent, "{kind}");
    }
    let posts = receiver.posts();
    let paths: Vec<_> = posts.iter().map(|post| post.path.as_str()).collect();
    assert_eq!(paths, ["/slack", "/teams", "/webhook"]);
    for post in &posts {
        assert_eq!(post.headers["content-type"], "application/json");
        assert!(!post.headers.contains_key("cookie"), "{post:?}");
    }

    let slack = posts[0].json();
    assert_eq!(slack["text"], "Ticket nº 42 créé");
    let link = "<https://glpi.example.org/front/ticket.form.php?id=42|Ouvrir dans GLPI>";
    assert_eq!(slack["blocks"][2]["text"]["text"], link);
    let teams = posts[1].json();
    let card = &teams["attachments"][0]["content"];
    assert_eq!(card["body"][1]["text"], "Un appel a ouvert un ticket.");
    assert_eq!(
        posts[2].json(),
        json!({
            "type": "ticket.created",
            "timestamp": "2026-11-24T15:04:05Z",
            "data": {
                "ticket": 42, "reference": "482-917-305", "client": "ivr",
                "urgency": 5, "category": 12,
            },
        })
    );
}

#[tokio::test]
async fn a_receiver_can_verify_a_webhook_by_any_of_two_secrets() {
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let receiver = Receiver::start(vec![ok()]).await;
    let mut config = posting_to(&receiver.url);
    if let Some((_, secrets)) = &mut config.webhook {
        secrets.push(other.parse().unwrap());
    }
    assert_eq!(send(&config, Kind::Webhook, &created()).await, Outcome::Sent);

    let post = receiver.posts().remove(0);
    assert_eq!(post.headers["webhook-id"], "msg_7");
    assert_eq!(post.headers["webhook-timestamp"], at().as_second().to_string());
    let signatures: Vec<_> = post.headers["webhook-signature"].split(' ').collect();
    for (secret, signature) in [SECRET, other].into_iter().zip(&signatures) {
        let secret: webhook::Secret = secret.parse().unwrap();
        assert_eq!(*signature, secret.sign("msg_7", at().as_second(), &post.body));
    }
    assert_eq!(signatures.len(), 2);
}

#[tokio::test]
async fn what_an_answer_means() {
    let busy = |after: &str| Answer::Status(429, vec![("retry-after", after.to_owned())], "slow");
    let again = |after: Option<u64>| ("retry", after.map(Duration::from_secs));
    for (answer, expected) in [
        (status(200), ("sent", None)),
        (status(202), ("sent", None)),
        (status(204), ("sent", None)),
        (busy("7"), again(Some(7))),
        (status(429), again(None)),
        (status(408), again(None)),
        (status(500), again(None)),
        (status(503), again(None)),
        (status(504), ("unknown", None)),
        (status(400), ("failed", None)),
        (status(403), ("failed", None)),
        (status(404), ("failed", None)),
        (status(410), ("failed", None)),
        (Answer::EndlessBody, ("failed", None)),
        (Answer::Reset, ("unknown", None)),
        (Answer::Hang, ("unknown", None)),
    ] {
        let receiver = Receiver::start(vec![answer.clone()]).await;
        let config = posting_to(&receiver.url);
        for kind in POSTING {
            let outcome = send(&config, kind, &created()).await;
            assert_eq!(summary(&outcome), expected, "{kind}: {answer:?}: {outcome:?}");
        }
        assert_eq!(receiver.posts().len(), POSTING.len(), "{answer:?}: each was sent once");
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = send(&posting_to(&url), Kind::Slack, &created()).await;
    assert_eq!(summary(&outcome), ("retry", None), "{outcome:?}");
}

#[tokio::test]
async fn a_reason_holds_what_the_receiver_says_but_not_its_address() {
    let refusal = Answer::Status(400, vec![], "invalid_payload\r\n\u{1b}[2J");
    let receiver = Receiver::start(vec![refusal]).await;
    let config = posting_to(&receiver.url);
    let Outcome::Failed { reason } = send(&config, Kind::Slack, &created()).await else {
        panic!("it was refused")
    };
    assert_eq!(reason, "answered 400 Bad Request: invalid_payload [2J");

    receiver.answer(vec![Answer::Reset]);
    let Outcome::Unknown { reason } = send(&config, Kind::Slack, &created()).await else {
        panic!("its end is unknown")
    };
    assert!(!reason.contains("127.0.0.1") && !reason.contains("/slack"), "{reason}");
}

/// The outcome without its reason.
fn summary(outcome: &Outcome) -> (&'static str, Option<Duration>) {
    match outcome {
        Outcome::Sent => ("sent", None),
        Outcome::Retry { after, .. } => ("retry", *after),
        Outcome::Failed { .. } => ("failed", None),
        Outcome::Unknown { .. } => ("unknown", None),
    }
}
