//! This program again, as a child with a command, a log and a memory of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use service_kit::settings::{self, Setting};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

/// A child that is not ready in this time has failed; with a large backlog it may take seconds.
pub(super) const READY_WITHIN: Duration = Duration::from_mins(1);

/// How finely start-up is timed.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How much of a log is quoted when its process fails.
const LAST_WORDS: usize = 5;

/// A running child. Killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// When it was started.
    pub(super) started: Instant,
}

/// What a process holds, in KiB.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Memory {
    /// Resident now.
    pub(super) resident_kib: u64,
    /// The most that was ever resident.
    pub(super) peak_kib: u64,
}

impl Process {
    /// Starts `automatglpi <command>` with no environment but these settings. Its standard error,
    /// where it also logs, goes to a file, as under a service manager.
    pub(super) fn start(
        name: &'static str,
        arguments: &[&str],
        settings: &[(Setting, String)],
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's file")?;
        let log = directory.join(format!("{name}.log"));
        let stderr = File::create(&log).context("cannot write a log")?;
        let started = Instant::now();
        let child = Command::new(program)
            .arg(name)
            .args(arguments)
            .env_clear()
            // What is measured shall not be what is allowed.
            .env(settings::AUTOMATGLPI_CLIENT_RATE.name, "none")
            .env(settings::AUTOMATGLPI_SOURCE_RATE.name, "none")
            .envs(settings.iter().map(|(setting, value)| (setting.name, value)))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        Ok(Self { name, child, log, started })
    }

    /// The line by which it says that it listens, and where.
    pub(super) async fn ready_line(&mut self) -> anyhow::Result<String> {
        while self.started.elapsed() < READY_WITHIN {
            let log = fs::read_to_string(&self.log).context("cannot read a log")?;
            let whole_lines = log.rsplit_once('\n').map_or("", |(whole, _begun)| whole);
            if let Some(line) = whole_lines.lines().find(|line| line.starts_with("ready: ")) {
                return Ok(line.to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the {} ended at once ({status}):\n{}", self.name, self.last_words());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the {} does not become ready:\n{}", self.name, self.last_words());
    }

    pub(super) fn id(&self) -> anyhow::Result<u32> {
        let ended = || format!("the {} has ended:\n{}", self.name, self.last_words());
        self.child.id().with_context(ended)
    }

    /// What it holds, as the kernel counts it.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let pid = self.id()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .context("memory can only be measured on Linux")?;
        let memory = memory(&status);
        memory.with_context(|| format!("the {} has ended:\n{}", self.name, self.last_words()))
    }

    /// Kills it and waits until it is gone.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("cannot end the {}", self.name))
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }
}

/// The address in a line, after these words.
pub(super) fn address(line: &str, after: &str) -> anyhow::Result<SocketAddr> {
    let found = line.split_once(after).map(|(_, rest)| {
        let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c)));
        rest.split_at(end.unwrap_or(rest.len())).0
    });
    let address = found.and_then(|address| address.parse().ok());
    address.with_context(|| format!("no address after “{after}” in “{line}”"))
}

/// `VmRSS` and `VmHWM` of `/proc/PID/status`; a process that has ended has none.
fn memory(status: &str) -> Option<Memory> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(Memory { resident_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_what_each_process_says() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let server = "ready: grpc 127.0.0.1:4";
        assert_eq!(address(server, "grpc ").unwrap(), at(4));
        let gateway = "ready: http 127.0.0.1:5, admin 127.0.0.1:6";
        assert_eq!(address(gateway, "http ").unwrap(), at(5));
        assert_eq!(address(gateway, "admin ").unwrap(), at(6));
        let sandbox = "ready: glpi 127.0.0.1:7, a GLPI in memory; its tickets: http://127.0.0.1:7/";
        assert_eq!(address(sandbox, "glpi ").unwrap(), at(7));
        assert!(address("ready: soon", "grpc ").is_err());
    }

    #[test]
    fn memory_is_what_the_kernel_says() {
        let status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        let memory = memory(status).unwrap();
        assert_eq!((memory.resident_kib, memory.peak_kib), (10240, 20480));
        assert!(super::memory("Name:\tx\nState:\tZ (zombie)\n").is_none());
    }
}
