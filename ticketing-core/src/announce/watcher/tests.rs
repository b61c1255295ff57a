//! What the watcher raises and ends, before a sandbox and a store of its own.

use glpi_sandbox::{Fault, Kind, Operation, Options, Sandbox};
use notices::{Channels, Filter};
use secrecy::SecretString;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::ManualClock,
    courier,
    glpi::{self, Glpi},
    outbox::{Draft, Inserted, Lease, Settlement, Work, sqlite::SqliteOutbox},
    ticket::{NewTicket, Reference},
};

const RETENTION: SignedDuration = SignedDuration::from_hours(180 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const ROUND: Duration = Duration::ZERO;

struct World {
    sandbox: Sandbox,
    outbox: Arc<dyn Outbox>,
    clock: Arc<ManualClock>,
    settings: Settings,
    _directory: TempDir,
}

impl World {
    async fn new() -> Self {
        let _another_was_first = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let outbox = SqliteOutbox::open(&directory.path().join("outbox.db")).await.unwrap();
        let settings = Settings {
            channels: Arc::new(Channels::new(&never_contacted()).unwrap()),
            subjects: Subject::ALL.to_vec(),
            created: Filter::default(),
            backlog: 4,
            parked_retention: Some(RETENTION),
            ..Settings::default()
        };
        Self {
            sandbox: Sandbox::start(Options::default()).await.unwrap(),
            outbox: Arc::new(outbox),
            clock: Arc::new(ManualClock::new("2026-11-24T15:00:00Z".parse().unwrap())),
            settings,
            _directory: directory,
        }
    }

    /// A watcher as of a process that has just started.
    fn watcher(&self) -> Watcher {
        let news = Arc::new(News::new(&self.settings));
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        let courier = Courier::new(
            Arc::clone(&self.outbox),
            Arc::new(client(self.sandbox.url())),
            Arc::clone(&clock),
            Arc::clone(&news),
            courier::Settings::default(),
        );
        let outbox = Arc::clone(&self.outbox);
        Watcher::new(outbox, Arc::new(courier), clock, news, &self.settings)
    }

    /// A row in waiting, or parked.
    async fn record(&self, parked: bool) {
        let draft = Draft {
            reference: Reference::draw(),
            client: "ivr".into(),
            key: None,
            fingerprint: [0; 32],
            parent: None,
            work: Work::Ticket(NewTicket::saying("panne")),
        };
        let now = self.clock.now();
        let lease = Lease { token: 1, until: now.saturating_add(DAY).unwrap() };
        let inserted = self.outbox.insert(draft, parked.then_some(lease), now).await.unwrap();
        let Inserted::New(entry) = inserted else { panic!("it is new") };
        if parked {
            let settlement = Settlement::Parked { reason: "no".into() };
            let settled = self.outbox.settle(&entry.reference, 1, settlement, vec![], now);
            assert!(settled.await.unwrap());
        }
    }

    /// What has been recorded to be told since the last time.
    async fn told(&self) -> Vec<String> {
        let now = self.clock.now();
        let lease = Lease { token: 1, until: Timestamp::MAX };
        let claimed = self.outbox.claim_notices(now, lease, 100).await.unwrap();
        let told = |notice: crate::outbox::Notice| notice.body["type"].as_str().map(str::to_owned);
        claimed.into_iter().filter_map(told).collect()
    }

    fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }
}

fn never_contacted() -> notices::Config {
    notices::Config {
        language: "fr".parse().unwrap(),
        glpi_url: "https://glpi.example.org".into(),
        slack_url: Some(SecretString::from("https://hooks.example.org/x")),
        teams_url: None,
        mail: None,
        webhook: None,
        allow: notices::guard::Allow::default(),
        extra_ca_pem: None,
        timeout: Duration::from_secs(1),
    }
}

fn client(url: String) -> Glpi {
    Glpi::new(glpi::Config {
        url,
        app_token: SecretString::from("sandbox-app-token"),
        user_token: SecretString::from("sandbox-user-token"),
        entity: None,
        extra_ca_pem: None,
        verify_certificate: true,
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_secs(1),
        language: "fr".into(),
    })
    .unwrap()
}

#[tokio::test]
async fn a_glpi_that_nobody_calls_is_missed_too_and_told_once_and_its_recovery_once() {
    let world = World::new().await;
    let mut watcher = world.watcher();
    watcher.look(ROUND).await.unwrap();
    world.sandbox.inject(Fault::new(Operation::Any, Kind::Refuse));
    watcher.look(ROUND).await.unwrap();
    world.advance(SignedDuration::from_mins(4));
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, [""; 0], "not yet");
    world.advance(SignedDuration::from_mins(1));
    watcher.look(ROUND).await.unwrap();
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, ["glpi.unreachable"]);

    // A process that starts in the middle of it has nothing new to tell.
    let mut watcher = world.watcher();
    watcher.look(ROUND).await.unwrap();
    world.advance(SignedDuration::from_hours(1));
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, [""; 0]);
    world.sandbox.clear();
    watcher.look(ROUND).await.unwrap();
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, ["glpi.recovered"]);
}

#[tokio::test]
async fn a_short_failure_is_not_told() {
    let world = World::new().await;
    let mut watcher = world.watcher();
    for _ in 0..3 {
        world.sandbox.inject(Fault::new(Operation::Any, Kind::Refuse));
        watcher.look(ROUND).await.unwrap();
        world.advance(SignedDuration::from_mins(4));
        world.sandbox.clear();
        watcher.look(ROUND).await.unwrap();
    }
    assert_eq!(world.told().await, [""; 0]);
}

#[tokio::test]
async fn a_backlog_is_told_at_its_limit_and_over_at_half_of_it() {
    let world = World::new().await;
    let mut watcher = world.watcher();
    for _ in 0..3 {
        world.record(false).await;
    }
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, [""; 0]);
    world.record(false).await;
    watcher.look(ROUND).await.unwrap();
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, ["backlog.high"]);

    let filter = crate::outbox::Filter { limit: 10, ..crate::outbox::Filter::default() };
    let rows = world.outbox.list(filter).await.unwrap();
    world.outbox.discard(&rows[0].reference, world.clock.now()).await.unwrap();
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, [""; 0], "three are neither many nor few");
    world.outbox.discard(&rows[1].reference, world.clock.now()).await.unwrap();
    watcher.look(ROUND).await.unwrap();
    watcher.look(ROUND).await.unwrap();
    assert_eq!(world.told().await, ["backlog.drained"]);
}

#[tokio::test]
async fn parked_rows_are_told_of_a_week_before_they_are_erased_and_every_day_of_it() {
    let world = World::new().await;
    world.record(true).await;
    world.advance(RETENTION - DAY * 7 - SignedDuration::from_mins(1));
    world.watcher().look(ROUND).await.unwrap();
    assert_eq!(world.told().await, [""; 0], "not yet");
    world.advance(SignedDuration::from_mins(2));
    world.watcher().look(ROUND).await.unwrap();
    world.watcher().look(ROUND).await.unwrap();
    assert_eq!(world.told().await, ["parked.expiring"]);
    world.advance(DAY);
    world.watcher().look(ROUND).await.unwrap();
    assert_eq!(world.told().await, ["parked.expiring"]);
}
