//! Tests that need a process to themselves run this binary once more, on one part of it.

use std::process::{Command, Stdio};

/// Set in such a process, so that the part does something there and nothing in an ordinary run.
const PART: &str = "AUTOMATGLPI_TEST_PART";

/// The part `name` (with its module), in a process of its own, with an empty environment and its
/// output piped.
pub(crate) fn running(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    command.env_clear().env(PART, name).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether this process was started by [`running`].
pub(crate) fn is_this_process() -> bool {
    std::env::var_os(PART).is_some()
}
