//! The sandbox's own endpoints: script trouble, read the ground truth.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::ledger::Request;
use crate::sandbox::Premises;

/// `POST /sandbox/faults` takes one or a list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Faults {
    One(Fault),
    Several(Vec<Fault>),
}

/// The faults still to come.
pub(crate) async fn faults(State(premises): State<Arc<Premises>>) -> Json<Vec<Fault>> {
    Json(premises.faults.pending())
}

/// Adds to the faults; a body that is none is refused with 422 and says so.
pub(crate) async fn inject(
    State(premises): State<Arc<Premises>>,
    Json(faults): Json<Faults>,
) -> (StatusCode, Json<Vec<Fault>>) {
    let faults = match faults {
        Faults::One(fault) => vec![fault],
        Faults::Several(faults) => faults,
    };
    for fault in faults {
        premises.faults.inject(fault);
    }
    (StatusCode::CREATED, Json(premises.faults.pending()))
}

pub(crate) async fn clear(State(premises): State<Arc<Premises>>) -> StatusCode {
    premises.faults.replace(Vec::new());
    StatusCode::NO_CONTENT
}

/// What truly happened, whatever was answered.
pub(crate) async fn state(State(premises): State<Arc<Premises>>) -> Json<Value> {
    let Premises { world, ledger, .. } = &*premises;
    Json(json!({
        "tickets": world.tickets(),
        "followups": world.followups(),
        "sessions_open": world.sessions.count(),
        "sessions_opened": world.sessions.ever_opened(),
        "requests_total": ledger.total(),
        "max_concurrent": ledger.max_concurrent(),
        "by_operation": ledger.by_operation(),
    }))
}

/// The last requests, oldest first.
pub(crate) async fn requests(State(premises): State<Arc<Premises>>) -> Json<Vec<Request>> {
    Json(premises.ledger.requests())
}
