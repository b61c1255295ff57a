//! What is documented, drawn and alerted on exists, and the other way round.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use meters::{Kind, Metric};

fn file(path: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let page = file("docs/metrics.md");
    let documented: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `automatglpi_")).collect();
    let expected: Vec<String> = meters::ALL.iter().map(row).collect();
    for (line, row) in documented.iter().zip(&expected) {
        let advice = line.strip_prefix(row.as_str());
        let advice = advice.unwrap_or_else(|| panic!("{line}\nshould begin with\n{row}"));
        assert!(advice.len() > 10, "what to do about it? {line}");
    }
    assert_eq!(documented.len(), expected.len(), "expected:\n{}", expected.join("\n"));
}

fn row(metric: &Metric) -> String {
    let Metric { name, kind, labels, help } = metric;
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
    format!("| `{name}` | {kind} | {labels} | {help} | ")
}

#[test]
fn names_follow_the_rules() {
    let mut seen = BTreeSet::new();
    for Metric { name, kind, labels, .. } in meters::ALL {
        assert!(seen.insert(name), "{name} stands twice");
        assert!(name.starts_with("automatglpi_"), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert!(!matches!(kind, Kind::Histogram(_)) || name.ends_with("_seconds"), "{name}");
        // `job` and `instance` are Prometheus' own.
        assert!(!labels.contains(&"job") && !labels.contains(&"instance"), "{name}");
    }
}
