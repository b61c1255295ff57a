//! Which crate may know which: the architecture's invariants, read from Cargo itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;
use service_kit::telemetry;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Each crate of the workspace with its normal dependencies.
fn workspace() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let normal = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
            let names = normal.map(|dependency| text(&dependency["name"])).collect();
            (text(&package["name"]), names)
        })
        .collect()
}

/// Everything a crate reaches directly or through other crates of the workspace.
fn reached(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        for dependency in graph.get(&name).into_iter().flatten() {
            if reached.insert(dependency.clone()) {
                open.push(dependency.clone());
            }
        }
    }
    reached
}

fn assert_knows_none_of(name: &str, strangers: &[&str]) {
    let graph = workspace();
    assert!(graph.contains_key(name), "{name} is a crate of this workspace");
    let reached = reached(&graph, name);
    let known: Vec<_> = strangers.iter().filter(|stranger| reached.contains(**stranger)).collect();
    assert!(known.is_empty(), "{name} must not depend on {known:?}");
}

#[test]
fn the_core_serves_nothing() {
    assert_knows_none_of("ticketing-core", &["tonic", "axum", "hyper", "ticketing-proto"]);
}

#[test]
fn the_gateway_knows_neither_glpi_nor_a_database() {
    let strangers = ["ticketing-core", "grpc-server", "reqwest", "rusqlite", "tokio-postgres"];
    assert_knows_none_of("http-gateway", &strangers);
}

#[test]
fn the_sandbox_shares_no_code_with_the_client() {
    assert_knows_none_of("glpi-sandbox", &["ticketing-core", "ticketing-proto", "service-kit"]);
    assert_knows_none_of("ticketing-core", &["glpi-sandbox"]);
}

#[test]
fn notices_know_nothing_of_tickets() {
    assert_knows_none_of("notices", &["ticketing-core", "service-kit", "axum", "tonic"]);
    assert_knows_none_of("receiver-sandbox", &["notices", "lettre", "reqwest"]);
}

#[test]
fn generated_types_stay_out_of_the_domain() {
    assert_knows_none_of("ticketing-core", &["ticketing-proto", "prost", "prost-types"]);
}

#[test]
fn every_crate_of_ours_may_log_what_others_may_not() {
    let crates: BTreeSet<String> =
        workspace().into_keys().map(|name| name.replace('-', "_")).collect();
    let ours: BTreeSet<String> = telemetry::OURS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(ours, crates);
}
