//! The binary as a child process.

use std::{
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

/// As long as any wait of a test may take before it counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running binary. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) stdout: Lines<BufReader<ChildStdout>>,
    pub(crate) stderr: Lines<BufReader<ChildStderr>>,
}

/// The binary with these arguments, and no environment but this.
pub(crate) fn command(arguments: &[&str], environment: &[(&str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_automatglpi"));
    command.args(arguments).env_clear().envs(environment.iter().cloned());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn output(arguments: &[&str], environment: &[(&str, String)]) -> Output {
    within(command(arguments, environment).output()).await.unwrap()
}

/// Waits, but not for ever.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, stdout, stderr }
    }

    /// Reads standard error up to the line that says that everything listens.
    pub(crate) async fn ready(&mut self) -> String {
        let lines = within(lines_to(&mut self.stderr, |line| line.starts_with("ready: "))).await;
        lines.last().unwrap().clone()
    }

    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it still runs").to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status();
        assert!(sent.await.unwrap().success());
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        within(self.child.wait()).await.unwrap()
    }
}

/// Reads lines up to one that fits; all of them.
pub(crate) async fn lines_to<R: AsyncRead + Unpin>(
    lines: &mut Lines<BufReader<R>>,
    fits: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let is_it = fits(&line);
        seen.push(line);
        if is_it {
            return seen;
        }
    }
    panic!("it ended before it said so: {seen:#?}");
}
