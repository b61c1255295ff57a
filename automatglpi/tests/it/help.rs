//! The help, as it is read.

use crate::process;

#[tokio::test]
async fn the_help_reads_well() {
    let outbox = [
        "list", "show", "retry", "discard", "watch", "stats", "find", "erase", "backup", "restore",
        "export",
    ];
    let commands = [
        "demo",
        "serve",
        "server",
        "gateway",
        "sandbox",
        "call",
        "check",
        "config",
        "health",
        "outbox",
        "completions",
    ];
    let mut pages: Vec<Vec<&str>> = vec![vec![]];
    pages.extend(commands.map(|command| vec![command]));
    pages.extend(outbox.map(|order| vec!["outbox", order]));
    pages.push(vec!["notify", "test"]);
    for mut page in pages {
        let name = format!("help{}{}", if page.is_empty() { "" } else { "_" }, page.join("_"));
        page.push("--help");
        let output = process::output(&page, &[]).await;
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        // Clap leaves blanks at the ends of lines.
        let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(name, text);
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_mistake_of_usage() {
    for arguments in [&["frobnicate"][..], &[], &["outbox", "list", "--state", "lost"]] {
        let output = process::output(arguments, &[]).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
