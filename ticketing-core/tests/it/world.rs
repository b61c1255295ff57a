//! A whole service in a temporary directory, with a sandbox for GLPI.

use std::{path::PathBuf, sync::Arc, time::Duration};

use glpi_sandbox::{Options, Sandbox};
use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use ticketing_core::{
    announce,
    clock::SystemClock,
    courier::{Settings, decision::Policy},
    glpi::{self, Glpi},
    outbox::{Entry, State, sqlite::SqliteOutbox},
    ticket::{Caller, NewFollowup, NewTicket, Reference},
    ticketing::{Answer, Error, Request, Retention, Scope, Ticketing},
};

/// As long as any wait of a test may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the sandbox may still be working on a request that was given up.
pub(crate) const SLOWEST_REQUEST: Duration = Duration::from_millis(400);

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) ticketing: Ticketing,
    directory: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ticketing = service(&sandbox, outbox_file(&directory)).await;
        Self { sandbox, ticketing, directory }
    }

    /// Stops the service in order and starts it again on the same outbox.
    pub(crate) async fn restart(&mut self) {
        self.ticketing.stop(PATIENCE).await;
        self.ticketing = service(&self.sandbox, outbox_file(&self.directory)).await;
    }

    pub(crate) async fn call(&self, description: &str) -> Answer {
        self.ticketing.create(request(None), ticket(description)).await.unwrap()
    }

    pub(crate) async fn call_with_key(&self, key: &str, text: &str) -> Result<Answer, Error> {
        self.ticketing.create(request(Some(key)), ticket(text)).await
    }

    pub(crate) async fn followup(&self, on: &Reference, key: &str, text: &str) -> Answer {
        let followup = NewFollowup { text: text.into(), details: vec![] };
        self.ticketing.add_followup(request(Some(key)), on, &Scope::All, followup).await.unwrap()
    }

    /// Waits until the row is in that state.
    pub(crate) async fn until(&self, reference: &Reference, state: State) -> Entry {
        let mut last = None;
        let waiting = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            loop {
                ticks.tick().await;
                let entry = self.ticketing.find(reference, &Scope::All).await.unwrap();
                if entry.state == state {
                    return entry;
                }
                last = Some(entry);
            }
        };
        let reached = tokio::time::timeout(PATIENCE, waiting).await.ok();
        reached.unwrap_or_else(|| panic!("{reference} never became {state:?}: {last:?}"))
    }

    /// What a technician does to a ticket in GLPI: one request with a session of its own.
    pub(crate) async fn technician(&self, method: &str, path: &str, body: Option<Value>) {
        let api = format!("{}/apirest.php", self.sandbox.url());
        let http = reqwest::Client::builder().build().unwrap();
        let send = |method: &str, path: &str| {
            let method = method.parse().unwrap();
            http.request(method, format!("{api}/{path}")).header("App-Token", "sandbox-app-token")
        };
        let log_in =
            send("GET", "initSession").header("Authorization", "user_token sandbox-user-token");
        let session: Value = log_in.send().await.unwrap().json().await.unwrap();
        let token = session["session_token"].as_str().unwrap();
        let mut request = send(method, path).header("Session-Token", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        assert!(request.send().await.unwrap().status().is_success(), "{method} {path}");
    }

    /// How many tickets carry the reference.
    pub(crate) fn copies(&self, reference: &Reference) -> usize {
        let mark = format!("AutomatGLPI {reference}");
        self.sandbox.tickets().iter().filter(|ticket| ticket.raw_content().contains(&mark)).count()
    }
}

async fn service(sandbox: &Sandbox, outbox: PathBuf) -> Ticketing {
    let outbox = Arc::new(SqliteOutbox::open(&outbox).await.unwrap());
    let ticketing = Ticketing::new(
        outbox,
        client(sandbox.url()),
        Arc::new(SystemClock),
        settings(),
        announce::Settings::default(),
    );
    let retention = Retention { settled: SignedDuration::from_hours(24), parked: None };
    ticketing.start(retention).await.unwrap();
    ticketing
}

pub(crate) fn client(url: String) -> Glpi {
    client_with(url, "sandbox-app-token", "sandbox-user-token", None)
}

pub(crate) fn client_with(url: String, app: &str, user: &str, entity: Option<u32>) -> Glpi {
    client_of(config(url, app, user, entity))
}

pub(crate) fn client_of(config: glpi::Config) -> Glpi {
    // Another test of this process may have been first; either way a provider is there.
    let _another_was_first = rustls::crypto::ring::default_provider().install_default();
    Glpi::new(config).unwrap()
}

pub(crate) fn config(url: String, app: &str, user: &str, entity: Option<u32>) -> glpi::Config {
    glpi::Config {
        url,
        app_token: SecretString::from(app),
        user_token: SecretString::from(user),
        entity,
        extra_ca_pem: None,
        verify_certificate: true,
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_secs(1),
        language: "fr".into(),
    }
}

fn settings() -> Settings {
    let slowest_request = SignedDuration::try_from(SLOWEST_REQUEST).unwrap();
    Settings {
        policy: Policy {
            first_retry: SignedDuration::from_millis(50),
            longest_retry: SignedDuration::from_millis(200),
            slowest_request,
            second_look: SignedDuration::from_millis(100),
            max_age: None,
        },
        breaker_pause: Duration::from_millis(100),
        ..Settings::default()
    }
}

fn outbox_file(directory: &TempDir) -> PathBuf {
    directory.path().join("outbox.db")
}

pub(crate) fn request(key: Option<&str>) -> Request {
    Request {
        client: String::new(),
        key: key.map(str::to_owned),
        key_window: None,
        answer_within: Duration::from_secs(4),
    }
}

pub(crate) fn ticket(description: &str) -> NewTicket {
    NewTicket {
        caller: Caller { name: Some("Marie Dupont".into()), ..Caller::default() },
        ..NewTicket::saying(description)
    }
}
