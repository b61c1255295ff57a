//! What operators see of calls: one line, one trace, the numbers; and what they can change.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    collector::Collector,
    process::{Process, lines_to, within},
    world::{World, client, url_of},
};

/// A trace that a voice agent has begun.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const INFO: (&str, &str) = ("AUTOMATGLPI_LOG", "info");

/// Ends the service and reads the lines of calls that it has logged.
async fn answered(service: &mut Process) -> Vec<String> {
    service.signal("TERM").await;
    let mut lines = Vec::new();
    while let Some(line) = within(service.stderr.next_line()).await.unwrap() {
        lines.push(line);
    }
    assert_eq!(service.exit().await.code(), Some(0));
    lines.retain(|line| line.contains(": answered "));
    lines
}

/// What a line says of a field.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}="))?;
    Some(rest.split([' ', '}']).next().unwrap_or_default().trim_matches('"'))
}

#[tokio::test]
async fn one_trace_leads_from_the_caller_through_gateway_and_server_to_glpi() {
    let collector = Collector::start().await;
    let mut world = World::with(&[INFO, ("AUTOMATGLPI_OTLP_URL", &collector.url)]).await;
    let call = client()
        .post(format!("{}/webhook/rounded-webhook", world.http))
        .header("traceparent", TRACEPARENT)
        .json(&json!({"problem": "Imprimante bloquée"}));
    let reply: Value = within(call.send()).await.unwrap().json().await.unwrap();
    assert_eq!(reply["status"], "created", "{reply}");
    let lines = answered(&mut world.service).await;

    // The end of the process has sent what was left.
    let spans: Vec<_> = collector.spans();
    let ours: Vec<_> = spans.iter().filter(|span| hex(&span.trace_id) == TRACE).collect();
    let by_id: BTreeMap<String, _> = ours.iter().map(|span| (hex(&span.span_id), *span)).collect();
    let ticket = ours.iter().find(|span| span.name == "create_ticket").unwrap();
    let mut way = vec![ticket.name.as_str()];
    let mut parent = hex(&ticket.parent_span_id);
    while let Some(span) = by_id.get(&parent) {
        way.push(&span.name);
        parent = hex(&span.parent_span_id);
    }
    way.reverse();
    let expected = [
        "POST /webhook/rounded-webhook",
        "call",
        "CreateTicket",
        "CreateTicket",
        "call",
        "deliver",
        "create_ticket",
    ];
    assert_eq!(way, expected);
    assert_eq!(parent, "00f067aa0ba902b7", "it goes on where the voice agent's ended");
    for name in ["insert", "settle"] {
        assert!(ours.iter().any(|span| span.name == name), "{name}");
    }
    let others: Vec<_> = spans.iter().filter(|span| hex(&span.trace_id) != TRACE).collect();
    assert!(others.is_empty(), "only calls and deliveries are traced: {others:#?}");

    // GLPI's side can be told the same.
    let requests = world.sandbox.requests();
    let post = requests.iter().find(|request| request.path == "/Ticket").unwrap();
    let sent = post.traceparent.as_deref().unwrap();
    assert_eq!(sent, format!("00-{TRACE}-{}-01", hex(&ticket.span_id)));

    // So do the log lines: one of the gateway, one of the server.
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for line in &lines {
        assert_eq!(field(line, "trace_id"), Some(TRACE));
        assert_eq!(field(line, "request_id"), field(&lines[0], "request_id"));
        assert_eq!(field(line, "outcome"), Some("created"));
        assert_eq!(field(line, "reference"), reply["reference"].as_str());
    }
    let of_server = lines.iter().find(|line| field(line, "call") == Some("CreateTicket")).unwrap();
    for stage in ["recorded_ms", "glpi_ms", "took_ms"] {
        let took: f64 = field(of_server, stage).unwrap().parse().unwrap();
        assert!(took > 0.0, "{stage}: {of_server}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[tokio::test]
async fn without_a_collector_a_call_has_a_trace_id_all_the_same() {
    let mut world = World::with(&[INFO]).await;
    world.call_number(1).await;
    let lines = answered(&mut world.service).await;
    assert_eq!(lines.len(), 2);
    let id = field(&lines[0], "trace_id").unwrap();
    assert_eq!(field(&lines[1], "trace_id"), Some(id));
    let requests = world.sandbox.requests();
    let post = requests.iter().find(|request| request.path == "/Ticket").unwrap();
    assert!(post.traceparent.as_ref().unwrap().contains(id));
}

#[tokio::test]
async fn a_collector_that_is_away_neither_slows_calls_nor_fails_the_exit() {
    // Nobody ever accepts on a listener that is only bound.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut world = World::with(&[("AUTOMATGLPI_OTLP_URL", &url)]).await;
    let reply = world.call_number(1).await;
    assert_eq!(reply.body["status"], "created");
    world.service.signal("TERM").await;
    assert_eq!(world.service.exit().await.code(), Some(0));
}

/// The value of a series as it stands on the page.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

async fn metrics(admin: &str) -> String {
    let response = within(client().get(format!("{admin}/metrics")).send()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

#[tokio::test]
async fn known_calls_give_known_numbers() {
    let world = World::new().await;
    world.call_number(1).await;
    world.call_number(2).await;
    world.call(json!({})).await;
    within(client().get(format!("{}/nowhere", world.http)).send()).await.unwrap();
    let unknown = format!("{}/v1/tickets/999-999-999", world.http);
    within(client().get(unknown).send()).await.unwrap();

    let page = metrics(&world.admin).await;
    let calls = |surface: &str, outcome: &str| {
        let lines = page.lines().filter(|line| {
            line.starts_with("automatglpi_calls_total{")
                && line.contains(&format!("surface=\"{surface}\""))
                && line.contains(&format!("outcome=\"{outcome}\""))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    for (surface, outcome, expected) in [
        ("webhook", "created", 2),
        ("webhook", "invalid", 1),
        ("webhook", "failed", 0),
        ("v1", "not_found", 1),
        ("other", "not_found", 1),
        ("grpc", "created", 2),
        ("grpc", "not_found", 1),
    ] {
        assert_eq!(calls(surface, outcome), expected, "{surface} {outcome}\n{page}");
    }
    let log_bytes = value(&page, "automatglpi_store_log_bytes");
    assert!(log_bytes.is_some(), "the size of SQLite's log is told from the start\n{page}");
    for (series, expected) in [
        ("automatglpi_call_seconds_count{surface=\"webhook\"}", 3.0),
        ("automatglpi_store_seconds_count{operation=\"insert\"}", 2.0),
        ("automatglpi_store_seconds_count{operation=\"settle\"}", 2.0),
        ("automatglpi_store_errors_total{operation=\"insert\"}", 0.0),
        ("automatglpi_settled_total{outcome=\"delivered\"}", 2.0),
        ("automatglpi_delivery_seconds_count", 2.0),
        ("automatglpi_glpi_requests_total{operation=\"create_ticket\",outcome=\"done\"}", 2.0),
        ("automatglpi_glpi_request_seconds_count{operation=\"create_ticket\"}", 2.0),
        ("automatglpi_glpi_sessions_total{outcome=\"opened\"}", 1.0),
        ("automatglpi_glpi_doubled_total", 0.0),
        ("automatglpi_breaker_open", 0.0),
        ("automatglpi_recording", 1.0),
        ("automatglpi_parked_retention_seconds", 180.0 * 86_400.0),
    ] {
        assert_eq!(value(&page, series), Some(expected), "{series}\n{page}");
    }
    assert!(value(&page, "automatglpi_process_start_time_seconds").unwrap() > 1.7e9);
    let build = format!("automatglpi_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&page, &build), Some(1.0));
}

#[tokio::test]
async fn every_series_on_the_page_is_a_metric_that_is_described() {
    let world = World::new().await;
    world.call_number(1).await;
    let page = metrics(&world.admin).await;
    for line in page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_described = [Some(name), base].into_iter().flatten().any(|name| {
            page.contains(&format!("# HELP {name} ")) && page.contains(&format!("# TYPE {name} "))
        });
        assert!(is_described, "{line}");
    }
}

#[tokio::test]
async fn a_server_of_its_own_tells_its_health_and_numbers() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", directory.path().join("outbox.db").display());
    let mut environment = crate::world::environment(&world.sandbox);
    environment.push(("AUTOMATGLPI_STORE", store));
    let mut server = Process::start(crate::process::command(&["server"], &environment));
    let admin = url_of("admin", &server.ready().await);
    let ready = within(client().get(format!("{admin}/readyz")).send()).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert_eq!(value(&metrics(&admin).await, "automatglpi_recording"), Some(1.0));
    server.signal("TERM").await;
    assert_eq!(server.exit().await.code(), Some(0));
}

#[tokio::test]
async fn the_log_filter_changes_while_it_runs_and_a_bad_one_changes_nothing() {
    let mut world = World::with(&[("AUTOMATGLPI_LOG", "warn")]).await;
    let url = format!("{}/log", world.admin);
    let put = |filter: &'static str| client().put(&url).body(filter).send();

    let refused = within(put("inof")).await.unwrap();
    assert_eq!(refused.status(), 400);
    let now = within(client().get(&url).send()).await.unwrap().text().await.unwrap();
    assert_eq!(now, "warn\n");
    world.call_number(1).await;

    assert_eq!(within(put("info")).await.unwrap().status(), 200);
    world.call_number(2).await;
    world.service.signal("TERM").await;
    let lines = &mut world.service.stderr;
    let first = within(lines_to(lines, |line| line.contains("answered"))).await;
    let changed = first.iter().position(|line| line.contains("the log filter was changed"));
    assert_eq!(changed, Some(0), "nothing was said before: {first:#?}");
}
