//! What the documents say about the code is still so.

use std::{fs, path::PathBuf};

use crate::process::{Process, command, lines_to, within};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The first block of code after a heading.
fn block<'a>(document: &'a str, heading: &str) -> &'a str {
    let section = document.split_once(heading).unwrap().1;
    section.split("```").nth(1).unwrap().trim()
}

#[test]
fn the_walk_of_one_call_leads_through_real_functions() {
    let architecture = document("ARCHITECTURE.md");
    let walk = block(&architecture, "## The walk of one call");
    assert!(walk.lines().count() > 10, "{walk}");
    for line in walk.lines() {
        let mut words = line.split_whitespace();
        let (file, function) = (words.next().unwrap(), words.next().unwrap());
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("no {file}"));
        let is_there =
            ["(", "<"].iter().any(|next| source.contains(&format!("fn {function}{next}")));
        assert!(is_there, "no fn {function} in {file}");
    }
}

#[test]
fn every_path_in_the_architecture_exists() {
    let architecture = document("ARCHITECTURE.md");
    let paths = architecture.split('`').skip(1).step_by(2).filter(|text| {
        let is_path = text.contains('/') || text.contains(".rs") || text.contains(".md");
        is_path && !text.contains([' ', '\n', '{', ':'])
    });
    let crates =
        ["", "ticketing-core/src", "grpc-server/src", "http-gateway/src", "automatglpi/src"];
    for path in paths.filter(|path| !path.starts_with("/v1")) {
        let is_there = crates.iter().any(|parent| root().join(parent).join(path).exists());
        assert!(is_there, "no {path}");
    }
}

#[tokio::test]
async fn the_readme_shows_what_the_demo_suggests() {
    let arguments = ["demo", "--http", "0", "--grpc", "0", "--admin", "0", "--glpi", "0"];
    let mut demo = Process::start(command(&arguments, &[]));
    let lines = within(lines_to(&mut demo.stdout, |line| line.starts_with("Ctrl-C"))).await;
    let readme = document("README.md");
    let after_d = |line: &str| line.split_once("-d '").map(|(_, json)| json.to_owned());
    let first = lines.iter().find_map(|line| after_d(line)).unwrap();
    assert!(readme.contains(&first), "the README's curl is not the demo's: {first}");
}

#[test]
fn every_setting_in_the_readme_exists() {
    let readme = document("README.md");
    let words = readme.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let names = words.filter(|word| word.starts_with("AUTOMATGLPI_") || word.starts_with("GLPI_"));
    for name in names {
        let known = service_kit::settings::ALL
            .iter()
            .any(|setting| setting.name == name.trim_end_matches("_FILE"));
        assert!(known, "no setting {name}");
    }
}
