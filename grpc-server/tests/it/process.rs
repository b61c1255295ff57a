//! The real binary as a child process.

use std::{path::Path, process::Stdio};

use glpi_sandbox::Sandbox;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    sync::watch,
};
use tokio_util::task::TaskTracker;

use crate::world::settings;

pub(crate) struct Server {
    process: Child,
    /// Where it listens; another address after each restart.
    pub(crate) address: watch::Sender<String>,
    /// Its log since it listens.
    pub(crate) log: watch::Receiver<String>,
    /// Settings besides the usual ones.
    extra: Vec<(String, String)>,
}

impl Server {
    pub(crate) async fn start(sandbox: &Sandbox, store: &str) -> Self {
        Self::start_in(Path::new("."), sandbox, store).await
    }

    /// Starts it in that working directory.
    pub(crate) async fn start_in(directory: &Path, sandbox: &Sandbox, store: &str) -> Self {
        let (process, address, log) = spawn(directory, sandbox, store, &[]).await;
        Self { process, address: watch::Sender::new(address), log, extra: vec![] }
    }

    /// Starts it with these settings on top, which hold after a restart, too.
    pub(crate) async fn start_with(
        sandbox: &Sandbox,
        store: &str,
        extra: Vec<(String, String)>,
    ) -> Self {
        let (process, address, log) = spawn(Path::new("."), sandbox, store, &extra).await;
        Self { process, address: watch::Sender::new(address), log, extra }
    }

    /// SIGKILL, then a new process on the same store.
    pub(crate) async fn kill_and_restart(&mut self, sandbox: &Sandbox, store: &str) {
        self.process.kill().await.unwrap();
        let (process, address, log) = spawn(Path::new("."), sandbox, store, &self.extra).await;
        self.process = process;
        self.log = log;
        self.address.send_replace(address);
    }

    /// Sends a signal by its name, such as STOP.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has logged that text.
    pub(crate) async fn logs(&mut self, text: &str) {
        self.log.wait_for(|log| log.contains(text)).await.unwrap();
    }
}

/// Starts it and waits until it says where it listens.
async fn spawn(
    directory: &Path,
    sandbox: &Sandbox,
    store: &str,
    extra: &[(String, String)],
) -> (Child, String, watch::Receiver<String>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_grpc-server"))
        .current_dir(directory)
        .env_clear()
        .envs(settings(sandbox, store))
        .envs(extra.iter().cloned())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("the server says where it listens");
        if let Some((_, address)) = line.split_once("address=") {
            break address.split(' ').next().unwrap_or_default().to_owned();
        }
    };
    let (so_far, log) = watch::channel(String::new());
    // Read to the end, or its pipe would fill up and stop it.
    TaskTracker::new().spawn(follow(lines, so_far));
    (process, address, log)
}

async fn follow(mut lines: Lines<BufReader<ChildStderr>>, log: watch::Sender<String>) {
    while let Ok(Some(line)) = lines.next_line().await {
        log.send_modify(|log| log.extend([line.as_str(), "\n"]));
    }
}
