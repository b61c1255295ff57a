//! Nothing of a caller, and no secret, is ever logged, counted, traced or told in an error.

use glpi_sandbox::{Fault, Kind, Operation};
use receiver_sandbox::{MailServer, Manners, Receiver, status};
use serde_json::json;

use crate::{
    collector::Collector,
    frozen::{postgres, psql},
    process::within,
    world::{World, client},
};

/// What callers say of themselves, each recognisable wherever it stands.
const PERSONAL: [&str; 6] = [
    "Zéphyrine",
    "Quillivéré",
    "0612345789",
    "612345789",
    "zq.personal@example.org",
    "chambre-unique-4711",
];

const SECRETS: [(&str, &str); 3] = [
    ("AUTOMATGLPI_WEBHOOK_TOKEN", "s3cret-webhook-0001"),
    ("AUTOMATGLPI_GRPC_TOKEN", "s3cret-grpc-0002"),
    ("GLPI_USER_TOKEN", "sandbox-user-token"),
];

/// Parts of the addresses and the secret that people are told by.
const TELLING: [&str; 4] = [
    "s3cret-slack-0004",
    "s3cret-hook-0005",
    "s3cret-smtp-0006",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
];

fn payload(call_id: &str) -> serde_json::Value {
    json!({
        "caller_name": "Zéphyrine Quillivéré",
        "phone": "0612345789",
        "email": "zq.personal@example.org",
        "department": "chambre-unique-4711",
        "problem_description": "Zéphyrine dit : la chambre-unique-4711 n'a plus de réseau",
        "a_field_of_zq.personal@example.org": "0612345789",
        "call_id": call_id,
    })
}

#[tokio::test]
async fn logs_metrics_traces_and_errors_say_nothing_of_callers_and_no_secret() {
    say_nothing(&[]).await;
}

/// Its client logs the parameters of every statement when asked to.
#[tokio::test]
async fn nor_do_they_on_postgresql() {
    let Some(url) = postgres() else { return };
    let database = format!("leaks_{}", std::process::id());
    psql(&url, &format!("CREATE DATABASE {database}")).await;
    let (server, _) = url.rsplit_once('/').unwrap();
    say_nothing(&[("AUTOMATGLPI_STORE", &format!("{server}/{database}"))]).await;
}

async fn say_nothing(further: &[(&'static str, &str)]) {
    let collector = Collector::start().await;
    let mut settings = [SECRETS.as_slice(), further].concat();
    settings.push(("AUTOMATGLPI_LOG", "trace"));
    settings.push(("AUTOMATGLPI_OTLP_URL", &collector.url));
    settings.push(("GLPI_SLOWEST_REQUEST", "1s"));
    // People are told, too: by addresses and passwords that are secrets, and nothing of callers.
    let posts = Receiver::start(vec![status(404)]).await;
    let mails = MailServer::start(Manners { login: true, ..Manners::default() }, None).await;
    let slack = format!("{}/{}", posts.url, TELLING[0]);
    let webhook = format!("{}/{}", posts.url, TELLING[1]);
    let smtp = format!("smtp://somebody:{}@127.0.0.1:{}", TELLING[2], mails.port);
    settings.extend([
        ("AUTOMATGLPI_NOTIFY", "created,parked,unreachable,backlog,expiring"),
        ("AUTOMATGLPI_NOTIFY_ALLOW", "127.0.0.1"),
        ("AUTOMATGLPI_SLACK_WEBHOOK_URL", slack.as_str()),
        ("AUTOMATGLPI_NOTIFY_WEBHOOK_URL", webhook.as_str()),
        ("AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET", TELLING[3]),
        ("AUTOMATGLPI_SMTP_URL", smtp.as_str()),
        ("AUTOMATGLPI_MAIL_FROM", "glpi@example.org"),
        ("AUTOMATGLPI_MAIL_TO", "help@example.org"),
    ]);
    let mut world = World::with(&settings).await;
    let post = |call_id: &str, token: &str| {
        let request = client().post(format!("{}/webhook/rounded-webhook", world.http));
        request.bearer_auth(token).json(&payload(call_id)).send()
    };
    let mut told = String::new();

    // A ticket; a follow-up on it; one refused, one in doubt, one while GLPI is away.
    let token = SECRETS[0].1;
    for call_id in ["0612345789", "0612345789"] {
        assert_eq!(within(post(call_id, token)).await.unwrap().status(), 200);
    }
    for (call_id, kind) in [("c-2", Kind::ResetAfterCommit), ("c-3", Kind::Maintenance)] {
        world.sandbox.inject(Fault::once(Operation::CreateTicket, kind));
        assert_eq!(within(post(call_id, token)).await.unwrap().status(), 200);
    }
    // Strangers, odd requests, and what the caller would see of errors.
    for request in [
        client().post(format!("{}/webhook/rounded-webhook", world.http)).json(&payload("c-4")),
        client().get(format!("{}/Zéphyrine/0612345789?phone=0612345789", world.http)),
        client()
            .post(format!("{}/v1/tickets", world.http))
            .bearer_auth(token)
            .json(&json!({"caller": {"name": "Zéphyrine", "phone": "0612345789?"}, "urgency": 9})),
        client()
            .get(format!("{}/v1/tickets/zq.personal@example.org", world.http))
            .bearer_auth(token)
            .header("x-request-id", "zq.personal@example.org")
            .header("traceparent", "00-zq.personal@example.org-01"),
    ] {
        let response = within(request.send()).await.unwrap();
        assert!(response.status().is_client_error());
        told.push_str(&within(response.text()).await.unwrap());
    }
    told.push_str(
        &within(client().get(format!("{}/metrics", world.admin)).send())
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    );
    posts.arrived(2).await;
    for mail in mails.arrived(1).await {
        told.push_str(&mail.message);
    }
    for post in posts.posts() {
        told.push_str(&post.body);
    }
    for arguments in
        [&["config"][..], &["notify", "test"], &["outbox", "list"], &["outbox", "stats", "--json"]]
    {
        let output = world.run(arguments).await;
        told.push_str(&String::from_utf8_lossy(&output.stdout));
        told.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    world.service.signal("TERM").await;
    let mut lines = 0;
    while let Some(line) = within(world.service.stderr.next_line()).await.unwrap() {
        told.push_str(&line);
        told.push('\n');
        lines += 1;
    }
    assert!(lines > 10, "it was told to log all it has: {told}");
    let traces = collector.text();
    assert!(traces.contains("create_ticket"), "{traces}");

    for place in [&told, &traces] {
        for word in PERSONAL.into_iter().chain(SECRETS.map(|(_, secret)| secret)).chain(TELLING) {
            let lines: Vec<&str> = place.lines().filter(|line| line.contains(word)).collect();
            assert!(lines.is_empty(), "{word}: {lines:#?}");
        }
    }
}
