//! People are told of each event once: by the real process, over the wire, whatever is killed or
//! hangs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use glpi_sandbox::{Fault, Kind, Operation, Options, Sandbox};
use receiver_sandbox::{Answer, Mail, MailServer, Manners, Post, Receiver, ok, status};
use tempfile::TempDir;
use ticketing_proto::v1::{Outcome, ticketing_service_client::TicketingServiceClient};
use tonic::transport::Channel;

use crate::{process::Server, world::call};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// As long as any wait may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that tells four receivers of everything.
struct World {
    sandbox: Sandbox,
    store: String,
    server: Server,
    slack: Receiver,
    teams: Receiver,
    webhook: Receiver,
    mail: MailServer,
    _directory: TempDir,
}

impl World {
    async fn new(mail: Manners) -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", directory.path().join("outbox.db").display());
        let slack = Receiver::start(vec![ok()]).await;
        let teams = Receiver::start(vec![status(202)]).await;
        let webhook = Receiver::start(vec![status(204)]).await;
        let mail = MailServer::start(mail, None).await;
        let extra = [
            ("AUTOMATGLPI_NOTIFY", "created,parked,unreachable,backlog".to_owned()),
            ("AUTOMATGLPI_NOTIFY_UNREACHABLE_AFTER", "1s".to_owned()),
            ("AUTOMATGLPI_NOTIFY_BACKLOG", "3".to_owned()),
            ("AUTOMATGLPI_NOTIFY_ALLOW", "127.0.0.1".to_owned()),
            ("AUTOMATGLPI_SLACK_WEBHOOK_URL", format!("{}/services/T/B", slack.url)),
            ("AUTOMATGLPI_TEAMS_WEBHOOK_URL", format!("{}/workflows/x", teams.url)),
            ("AUTOMATGLPI_NOTIFY_WEBHOOK_URL", format!("{}/events", webhook.url)),
            ("AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET", SECRET.to_owned()),
            ("AUTOMATGLPI_SMTP_URL", format!("smtp://127.0.0.1:{}", mail.port)),
            ("AUTOMATGLPI_MAIL_FROM", "AutomatGLPI <glpi@example.org>".to_owned()),
            ("AUTOMATGLPI_MAIL_TO", "help@example.org".to_owned()),
        ];
        let extra = extra.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let server = Server::start_with(&sandbox, &store, extra).await;
        Self { sandbox, store, server, slack, teams, webhook, mail, _directory: directory }
    }

    async fn kill_and_restart(&mut self) {
        self.server.kill_and_restart(&self.sandbox, &self.store).await;
    }

    /// A call of that key, answered with that outcome.
    async fn call(&self, key: &str, expected: Outcome) {
        let url = format!("http://{}", *self.server.address.borrow());
        let channel = Channel::from_shared(url).unwrap().connect_lazy();
        let answer = TicketingServiceClient::new(channel).create_ticket(call(key, "panne")).await;
        assert_eq!(answer.unwrap().into_inner().outcome, i32::from(expected), "{key}");
    }

    /// Waits until every receiver has been told of as many events, repeats not counted where
    /// receivers recognise them.
    async fn all_told(&self, count: usize) {
        self.slack.arrived(count).await;
        self.teams.arrived(count).await;
        self.webhook.until(|posts| events(posts).len() >= count).await;
        self.mail.until(|mails| message_ids(mails).len() >= count).await;
    }
}

/// Events by their id, each as often as it arrived.
fn events(posts: &[Post]) -> BTreeMap<&str, Vec<&Post>> {
    let mut events: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for post in posts {
        events.entry(post.headers["webhook-id"].as_str()).or_default().push(post);
    }
    events
}

fn message_ids(mails: &[Mail]) -> BTreeSet<&str> {
    let id = |mail: &Mail| mail.message.lines().position(|line| line.starts_with("Message-ID:"));
    mails.iter().filter_map(|mail| mail.message.lines().nth(id(mail)?)).collect()
}

/// How many events of each type there were, once their signatures are verified.
fn types(posts: &[Post]) -> BTreeMap<String, usize> {
    let secret: ::notices::webhook::Secret = SECRET.parse().unwrap();
    let mut types = BTreeMap::new();
    for (id, posts) in events(posts) {
        for post in &posts {
            let time = post.headers["webhook-timestamp"].parse().unwrap();
            assert_eq!(post.headers["webhook-signature"], secret.sign(id, time, &post.body));
            assert_eq!(post.body, posts[0].body, "a repeat says the same");
        }
        *types.entry(posts[0].json()["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    types
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_told_once_on_every_channel_though_the_server_is_killed_in_between() {
    let mut world = World::new(Manners::default()).await;
    world.call("first", Outcome::Created).await;
    world.all_told(1).await;
    world.kill_and_restart().await;

    world.sandbox.inject(Fault::once(Operation::CreateTicket, Kind::NoCreateRight));
    world.call("refused", Outcome::Parked).await;
    world.all_told(2).await;
    world.kill_and_restart().await;

    world.sandbox.inject(Fault::new(Operation::Any, Kind::Maintenance));
    for key in ["a", "b", "c"] {
        world.call(key, Outcome::Queued).await;
    }
    // GLPI unreachable, and the backlog.
    world.all_told(4).await;
    world.kill_and_restart().await;
    world.sandbox.clear();
    // Three tickets, GLPI recovered, the backlog gone.
    world.all_told(9).await;
    world.kill_and_restart().await;
    // Whatever were to be told again would be told before this.
    world.call("last", Outcome::Created).await;
    world.all_told(10).await;

    let expected = [
        ("backlog.drained", 1),
        ("backlog.high", 1),
        ("glpi.recovered", 1),
        ("glpi.unreachable", 1),
        ("ticket.created", 5),
        ("ticket.parked", 1),
    ];
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(types(&world.webhook.posts()), expected);
    assert_eq!(message_ids(&world.mail.mails()).len(), 10);
    assert_eq!((world.slack.posts().len(), world.teams.posts().len()), (10, 10));
    for told in world.slack.posts().iter().map(|post| &post.body) {
        assert!(!told.contains("panne"), "nothing that a caller said is told: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_sent_when_the_server_was_killed_is_repeated_only_where_that_is_recognised()
{
    let hang = Manners { instead: vec![(".", "hang")], ..Manners::default() };
    let mut world = World::new(hang).await;
    for receiver in [&world.slack, &world.teams, &world.webhook] {
        receiver.answer(vec![Answer::Hang]);
    }
    world.call("first", Outcome::Created).await;
    // Every receiver has it and holds the answer.
    world.all_told(1).await;
    world.slack.answer(vec![ok()]);
    world.teams.answer(vec![ok()]);
    world.webhook.answer(vec![ok()]);
    world.kill_and_restart().await;
    world.webhook.arrived(2).await;
    world.mail.arrived(2).await;
    world.call("second", Outcome::Created).await;
    world.slack.arrived(2).await;
    world.teams.arrived(2).await;
    world.webhook.arrived(3).await;
    world.mail.arrived(3).await;

    for chat in [&world.slack, &world.teams] {
        let told: BTreeSet<_> = chat.posts().into_iter().map(|post| post.body).collect();
        assert_eq!((chat.posts().len(), told.len()), (2, 2), "one of each ticket");
    }
    assert_eq!((world.webhook.posts().len(), events(&world.webhook.posts()).len()), (3, 2));
    let mails = world.mail.mails();
    assert_eq!((mails.len(), message_ids(&mails).len()), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_hang_delay_no_ticket() {
    let hang = Manners { instead: vec![("EHLO", "hang"); 100], ..Manners::default() };
    let world = World::new(hang).await;
    for receiver in [&world.slack, &world.teams, &world.webhook] {
        receiver.answer(vec![Answer::Hang]);
    }
    let calls = async {
        for number in 0..50 {
            world.call(&format!("call-{number}"), Outcome::Created).await;
        }
    };
    // One hanging receiver alone would keep a call for its 15 s.
    tokio::time::timeout(Duration::from_secs(10), calls).await.expect("no call waits");
    assert_eq!(world.sandbox.tickets().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_busy_or_broken_is_told_later_and_a_redirect_leads_nowhere() {
    let elsewhere = Receiver::start(vec![ok()]).await;
    let later = Manners { instead: vec![("RCPT", "450 later")], ..Manners::default() };
    let world = World::new(later).await;
    let busy = Answer::Status(429, vec![("retry-after", "1".to_owned())], "rate_limited");
    world.slack.answer(vec![busy, ok()]);
    let redirect = vec![("location", elsewhere.url.clone())];
    world.teams.answer(vec![Answer::Status(307, redirect, "")]);
    world.webhook.answer(vec![Answer::Reset, ok()]);
    world.call("first", Outcome::Created).await;

    let told = async {
        world.slack.arrived(2).await;
        world.webhook.arrived(2).await;
        world.mail.arrived(1).await;
    };
    tokio::time::timeout(PATIENCE, told).await.expect("all are told in the end");
    assert_eq!(events(&world.webhook.posts()).len(), 1, "receivers can tell that it is the same");
    assert_eq!((world.teams.posts().len(), elsewhere.posts().len()), (1, 0));
}
