use service_kit::{config::Source, settings, telemetry};

use crate::child;

fn source(filter: &str, format: &str) -> Source {
    let environment = [
        (settings::AUTOMATGLPI_LOG.name.to_owned(), filter.to_owned()),
        (settings::AUTOMATGLPI_LOG_FORMAT.name.to_owned(), format.to_owned()),
    ];
    Source::new(environment, None).unwrap()
}

#[test]
fn a_mistyped_level_or_format_is_refused() {
    for (filter, format) in [("inof", "text"), ("info,=,", "text"), ("info", "xml")] {
        let source = source(filter, format);
        let _config = telemetry::Config::from_source(&source);
        assert!(source.finish().is_err(), "{filter} {format}");
    }
}

#[test]
fn levels_and_filters_are_accepted() {
    for filter in ["info", "off", "info,ticketing_core=debug", "warn,[call{id=1}]=trace"] {
        let source = source(filter, "json");
        let _config = telemetry::Config::from_source(&source);
        assert_eq!(source.finish(), Ok(()), "{filter}");
    }
}

#[test]
fn json_logs_are_one_object_a_line_on_standard_error() {
    let output = child::running("telemetry::a_process_that_logs_json").output().unwrap();
    assert!(output.status.success());
    let logged = String::from_utf8(output.stderr).unwrap();
    let line: serde_json::Value = serde_json::from_str(logged.trim_end()).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["fields"]["message"], "a ticket is open");
    assert_eq!(line["fields"]["ticket"], 42);
    assert!(!String::from_utf8(output.stdout).unwrap().contains("ticket is open"));
}

#[test]
fn text_logs_have_no_colours_when_nobody_watches() {
    let output = child::running("telemetry::a_process_that_logs_text").output().unwrap();
    assert!(output.status.success());
    let logged = String::from_utf8(output.stderr).unwrap();
    assert!(logged.contains("INFO") && logged.contains("a ticket is open ticket=42"), "{logged}");
    assert!(!logged.contains('\u{1b}'), "{logged:?}");
    assert_eq!(logged.lines().count(), 1, "the filter holds back the rest: {logged}");
}

#[test]
fn whoever_silences_the_log_leaves_a_trace_in_it() {
    let output = child::running("telemetry::a_process_that_is_silenced").output().unwrap();
    assert!(output.status.success());
    let logged = String::from_utf8(output.stderr).unwrap();
    let told: Vec<&str> = logged.lines().collect();
    let [off, error, info, seen] = &told[..] else { panic!("{logged}") };
    for (line, from, to) in [(off, "warn", "off"), (error, "off", "error"), (info, "error", "info")]
    {
        assert!(line.contains("WARN") && line.contains("the log filter was changed"), "{line}");
        assert!(line.contains(&format!("from=\"{from}\" to=\"{to}\"")), "{line}");
    }
    assert!(seen.contains("heard again"), "{seen}");
}

#[test]
fn a_process_that_is_silenced() {
    if !child::is_this_process() {
        return;
    }
    let handle = telemetry::init(&telemetry::Config::from_source(&source("warn", "text"))).unwrap();
    handle.set_filter("off").unwrap();
    tracing::error!("not heard");
    handle.set_filter("error").unwrap();
    tracing::warn!("not heard");
    handle.set_filter("info").unwrap();
    handle.set_filter("info").unwrap();
    tracing::info!("heard again");
}

#[test]
fn a_process_that_logs_json() {
    if !child::is_this_process() {
        return;
    }
    log_as("json");
}

#[test]
fn a_process_that_logs_text() {
    if !child::is_this_process() {
        return;
    }
    log_as("text");
}

fn log_as(format: &str) {
    telemetry::init(&telemetry::Config::from_source(&source("info", format))).unwrap();
    tracing::info!(ticket = 42, "a ticket is open");
    tracing::debug!("of no interest");
}
