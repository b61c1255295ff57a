//! `automatglpi serve` before a sandbox, as on one machine.

use std::{process::Output, time::Duration};

use glpi_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{self, Process, command, within};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) service: Process,
    /// Such as `http://127.0.0.1:40123`.
    pub(crate) http: String,
    pub(crate) grpc: String,
    pub(crate) admin: String,
    environment: Vec<(&'static str, String)>,
    pub(crate) directory: TempDir,
}

/// What a voice agent is told.
pub(crate) struct Reply {
    pub(crate) http_status: u16,
    pub(crate) body: Value,
    pub(crate) took: Duration,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With these settings on top.
    pub(crate) async fn with(settings: &[(&'static str, &str)]) -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut environment = environment(&sandbox);
        environment.push(("STATE_DIRECTORY", directory.path().to_str().unwrap().to_owned()));
        environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));

        let mut service = Process::start(command(&["serve"], &environment));
        let ready = service.ready().await;
        let grpc = url_of("grpc", &ready);
        environment.push(("AUTOMATGLPI_GRPC_URL", grpc.clone()));
        let (http, admin) = (url_of("http", &ready), url_of("admin", &ready));
        Self { sandbox, service, http, grpc, admin, environment, directory }
    }

    /// Ends the service in order and starts it again on the same outbox.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Ends the service in order.
    pub(crate) async fn stop(&mut self) {
        self.service.signal("TERM").await;
        assert_eq!(self.service.exit().await.code(), Some(0));
    }

    /// Starts the service on the same outbox.
    pub(crate) async fn start_again(&mut self) {
        self.service = self.start(&["serve"]);
        let ready = self.service.ready().await;
        self.http = url_of("http", &ready);
        self.grpc = url_of("grpc", &ready);
        self.admin = url_of("admin", &ready);
        self.environment.retain(|(name, _)| *name != "AUTOMATGLPI_GRPC_URL");
        self.environment.push(("AUTOMATGLPI_GRPC_URL", self.grpc.clone()));
    }

    /// Calls as the voice agent does.
    pub(crate) async fn call(&self, payload: Value) -> Reply {
        webhook(&self.http, payload).await
    }

    /// A call that differs from others of other numbers.
    pub(crate) async fn call_number(&self, number: usize) -> Reply {
        let call_id = format!("call-{number}");
        self.call(json!({"problem": "Imprimante bloquée", "call_id": call_id})).await
    }

    /// Runs another command with the same settings.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        process::output(arguments, &self.environment).await
    }

    /// Another command with the same settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        command(arguments, &self.environment)
    }

    /// Starts another command with the same settings.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        Process::start(command(arguments, &self.environment))
    }

    /// Runs another command that must succeed, and reads its lines as JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{output:?}");
        let lines = str::from_utf8(&output.stdout).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The URL of a listener of that name, from the line of readiness.
pub(crate) fn url_of(name: &str, ready: &str) -> String {
    let mut words = ready.split([' ', ',']);
    words.find(|word| *word == name).unwrap_or_else(|| panic!("no {name} in {ready}"));
    format!("http://{}", words.next().unwrap())
}

/// What `serve` needs to know, listening on free ports.
pub(crate) fn environment(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let Options { app_token, user_token, .. } = Options::default();
    let mut environment = vec![
        ("GLPI_URL", sandbox.url()),
        ("GLPI_APP_TOKEN", app_token),
        ("GLPI_USER_TOKEN", user_token),
        // Little is said, so that nobody need read along.
        ("AUTOMATGLPI_LOG", "warn".to_owned()),
    ];
    environment.extend(free_ports());
    environment
}

pub(crate) fn free_ports() -> Vec<(&'static str, String)> {
    let listeners = [
        "AUTOMATGLPI_HTTP_LISTEN",
        "AUTOMATGLPI_GRPC_LISTEN",
        "AUTOMATGLPI_ADMIN_LISTEN",
        "AUTOMATGLPI_SERVER_ADMIN_LISTEN",
    ];
    listeners.map(|name| (name, "127.0.0.1:0".to_owned())).to_vec()
}

/// Posts to the gateway at `base`.
pub(crate) async fn webhook(base: &str, payload: Value) -> Reply {
    let started = tokio::time::Instant::now();
    let request = client().post(format!("{base}/webhook/rounded-webhook")).json(&payload);
    let response = within(request.send()).await.unwrap();
    let http_status = response.status().as_u16();
    let body = within(response.json()).await.unwrap();
    Reply { http_status, body, took: started.elapsed() }
}

pub(crate) fn client() -> reqwest::Client {
    service_kit::install_tls_provider();
    reqwest::Client::builder().timeout(process::PATIENCE).build().unwrap()
}
