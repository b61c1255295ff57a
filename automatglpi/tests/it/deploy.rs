//! The samples in `deploy/` fit the program.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use service_kit::{config::Source, settings};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Words that look like settings.
fn settings_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let is_ours = |word: &&str| word.starts_with("AUTOMATGLPI_") || word.starts_with("GLPI_");
    words.filter(is_ours).collect()
}

fn is_known(name: &str) -> bool {
    settings::ALL.iter().any(|setting| {
        let rest = name.strip_prefix(setting.name);
        rest.is_some_and(|rest| rest.is_empty() || rest == "_FILE" && setting.secret)
    })
}

#[test]
fn every_setting_named_in_samples_and_operations_exists() {
    // Those of GLPI's own image, and of the scripts themselves.
    let others = ["GLPI_DB_", "GLPI_TAG", "AUTOMATGLPI_TEST_"];
    let mut seen = 0;
    for path in files(&root().join("deploy")).into_iter().chain([root().join("docs/operations.md")])
    {
        let text = fs::read_to_string(&path).unwrap();
        for name in settings_in(&text) {
            // `AUTOMATGLPI_…_PORT`, and the like.
            let is_elided = name.ends_with('_');
            if !is_elided && !others.iter().any(|other| name.starts_with(other)) {
                assert!(is_known(name), "{}: no setting {name}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn the_packages_settings_are_right_when_uncommented() {
    let sample = read("deploy/debian/automatglpi.env");
    let uncommented = sample.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    let is_setting = |(name, _): &(&str, &str)| is_known(name);
    let pairs: Vec<_> = uncommented.filter(is_setting).collect();
    assert!(pairs.len() > 20, "{pairs:?}");
    // Files of others, and what only they know.
    let pairs = pairs.into_iter().filter(|(name, _)| !name.ends_with("_FILE"));
    let value = |name: &str, value: &str| match value {
        "" if name.ends_with("_URL") => "https://example.org/hook".to_owned(),
        "" => "0123456789abcdef0123456789abcdef".to_owned(),
        value => value.trim_matches('\'').to_owned(),
    };
    let pairs = pairs.map(|(name, text)| (name.to_owned(), value(name, text)));
    let source = Source::new(pairs, None).unwrap();
    grpc_server::Config::from_source(&source);
    http_gateway::Config::from_source(&source);
    service_kit::telemetry::Config::from_source(&source);
    source.finish().unwrap();
}

const UNITS: [&str; 3] = ["automatglpi", "automatglpi-server", "automatglpi-gateway"];

fn unit(name: &str) -> String {
    read(&format!("deploy/systemd/{name}.service"))
}

#[test]
fn the_units_are_equally_hardened() {
    let hardening = |unit: &str| {
        let (_, rest) = unit.split_once("# What the process may do").unwrap();
        rest.to_owned()
    };
    let first = hardening(&unit(UNITS[0]));
    for name in UNITS {
        assert_eq!(hardening(&unit(name)), first, "{name}");
    }
}

#[test]
fn systemd_understands_the_units_and_finds_them_safe() {
    let analyze = |arguments: &[&str]| Command::new("systemd-analyze").args(arguments).output();
    if analyze(&["--version"]).is_err() {
        // Elsewhere than on Linux with systemd there is nobody to ask.
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for name in UNITS {
        let path = directory.path().join(format!("{name}.service"));
        // Programs and manual pages that are not installed here would be faults.
        let text = unit(name)
            .replace("/usr/bin/automatglpi ", concat!(env!("CARGO_BIN_EXE_automatglpi"), " "))
            .replace("Documentation=man:automatglpi(1) ", "Documentation=");
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let verified = analyze(&["verify", "--man=no", path]).unwrap();
        let said = String::from_utf8_lossy(&verified.stderr);
        let ours: Vec<_> = said.lines().filter(|line| line.contains("automatglpi")).collect();
        assert!(ours.is_empty(), "{ours:#?}");
        let security = analyze(&["security", "--offline=true", "--threshold=20", path]).unwrap();
        assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
    }
}

#[test]
fn every_alert_has_its_line_in_operations() {
    let alerts =
        fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).unwrap_or_default();
    let operations = read("docs/operations.md");
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(operations.contains(&format!("| {alert} |")), "{alert}: what is to be done?");
    }
}
