//! Manual pages and completions know every command.

use std::fs;

use crate::process::output;

/// Commands that can be typed, from the help.
async fn commands(of: &[&str]) -> Vec<String> {
    let help = output(&[of, &["--help"]].concat(), &[]).await;
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let is_entry = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let names = commands.lines().filter(is_entry).filter_map(name);
    names.filter(|name| name != "help").collect()
}

#[tokio::test]
async fn every_command_has_a_manual_page_and_every_setting_is_on_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("man");
    let written = output(&["man", path.to_str().unwrap()], &[]).await;
    assert!(written.status.success(), "{written:?}");

    let first = fs::read_to_string(path.join("automatglpi.1")).unwrap();
    for command in commands(&[]).await {
        assert!(first.contains(&format!("automatglpi\\-{command}(1)")), "no {command}: {first}");
        assert!(path.join(format!("automatglpi-{command}.1")).exists(), "no page of {command}");
    }
    for order in commands(&["outbox"]).await {
        assert!(path.join(format!("automatglpi-outbox-{order}.1")).exists(), "no page of {order}");
    }
    for setting in service_kit::settings::ALL {
        assert!(first.contains(setting.name), "no {} on the first page", setting.name);
    }
}

#[tokio::test]
async fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = output(&["completions", shell], &[]).await;
        assert!(script.status.success(), "{script:?}");
        let script = String::from_utf8(script.stdout).unwrap();
        for command in commands(&[]).await {
            assert!(script.contains(&command), "{shell} does not know {command}");
        }
    }
}
