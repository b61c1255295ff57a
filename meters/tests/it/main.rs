//! What is documented, drawn and alerted on exists, and the other way round.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

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

#[test]
fn everything_drawn_and_alerted_on_exists() {
    for path in ["deploy/grafana/automatglpi.json", "deploy/prometheus/alerts.yml"] {
        let text = file(path);
        let used = names(&text);
        assert!(used.len() > 5, "{path} uses metrics");
        for name in used {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let is_known = meters::ALL.iter().any(|metric| match metric.kind {
                // A query for a histogram without its ending finds nothing; words may name it.
                Kind::Histogram(_) if name == metric.name => !text.contains(&format!("{name}{{")),
                Kind::Histogram(_) => base == Some(metric.name),
                Kind::Counter | Kind::Gauge => name == metric.name,
            });
            assert!(is_known, "{path}: {name} is no metric");
        }
    }
}

/// What looks like a metric of ours.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
        .filter(|word| word.starts_with("automatglpi_"))
        .collect()
}

#[test]
fn the_alerts_fire_when_they_should() {
    let check = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/check");
    if Command::new("promtool").arg("--version").output().is_err() {
        // Prometheus is not everywhere; what needs none of it is checked above.
        return;
    }
    let output = Command::new(check).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
