//! Tests that need a process to themselves run this binary once more, on one ignored test.

use std::process::{Command, Stdio};

/// The ignored test `name` (with its module), in a process of its own, with an empty environment
/// and its output piped.
pub(crate) fn running(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
