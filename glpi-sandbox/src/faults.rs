//! Scripted trouble: what goes wrong, with which requests, and how often.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// What a request to the API is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `initSession`
    InitSession,
    /// `POST /Ticket`
    CreateTicket,
    /// `POST /ITILFollowup`, also below a ticket
    CreateFollowup,
    /// `search/…`, and a list asked for with `searchText`
    Search,
    /// Any other `GET`
    Read,
    /// Any other write: `PUT`, `DELETE`, `POST` of other things
    Write,
    /// `killSession`
    KillSession,
    /// In a fault: every request.
    Any,
}

/// A piece of trouble.
///
/// As JSON: `{"on": "create_ticket", "kind": "latency", "ms": 50, "times": 1}`.
/// Faults are tried in the order in which they were injected. All latencies
/// that apply to a request add up; of the other faults the first one decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The requests it may befall.
    pub on: Operation,
    /// What happens to them.
    #[serde(flatten)]
    pub kind: Kind,
    /// How many requests it still befalls. Default: until cleared, and once
    /// for [`Kind::ExpiredSession`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The chance, from 0 to 1, that it befalls a request. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// What goes wrong.
///
/// *Cut* means a TCP reset: the client sees neither an answer nor an orderly
/// end of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The work is done at once, its answer leaves this much later.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// Connections to the API are cut before the request is read. Only with
    /// [`Operation::Any`]; with another operation, the same as
    /// [`Kind::ResetBeforeCommit`].
    Refuse,
    /// The request is read, nothing is done, the connection is cut.
    ResetBeforeCommit,
    /// All is done, then the connection is cut.
    ResetAfterCommit,
    /// Nothing is done and nothing answered, as long as the client waits.
    Hang,
    /// All is done, nothing is answered.
    HangAfterCommit,
    /// The work is done this much later, even if the client has left by then,
    /// and answered if it has not.
    SlowCommit {
        /// Milliseconds.
        ms: u64,
    },
    /// 200 and an empty body, as after an uncaught exception; nothing is done.
    #[serde(rename = "empty_200")]
    Empty200,
    /// All is done, the answer is 200 and an empty body.
    #[serde(rename = "empty_200_after_commit")]
    Empty200AfterCommit,
    /// nginx answers this status, with a page in HTML; nothing is done.
    Status {
        /// Such as 502.
        code: u16,
    },
    /// All is done, nginx answers this status, with a page in HTML.
    StatusAfterCommit {
        /// Such as 504.
        code: u16,
    },
    /// 200 and the maintenance page.
    Maintenance,
    /// 200 and the page that says that the database is unreachable.
    MysqlError,
    /// 400: the API is switched off.
    ApiDisabled,
    /// 400: no API client allows this address.
    IpNotAllowed,
    /// All sessions are dropped just before; does not befall `initSession`.
    ExpiredSession,
    /// 400: as if the App-Token were wrong.
    WrongAppToken,
    /// 401: as if the user's token were wrong; befalls only `initSession`.
    WrongUserToken,
    /// The profile may not create anything: 400 for writes. `getActiveProfile`
    /// shows it as long as the fault is scripted.
    NoCreateRight,
    /// The database goes away: 400 `ERROR_GLPI_ADD` for writes, the page of
    /// [`Kind::MysqlError`] for the rest.
    DbGone,
    /// All is done, the answer's JSON is cut off in the middle.
    GarbageJson,
    /// All is done, the answer calls itself `text/html`.
    WrongContentType,
    /// A sandbox that lies: everything is created twice. A checker that
    /// counts tickets must find it.
    Duplicate,
    /// A sandbox that lies: 201 with an id, nothing is created.
    Drop,
}

impl Fault {
    /// A fault that stays until cleared.
    pub fn new(on: Operation, kind: Kind) -> Self {
        Self { on, kind, times: None, probability: None }
    }

    /// A fault that befalls one request.
    pub fn once(on: Operation, kind: Kind) -> Self {
        Self::new(on, kind).times(1)
    }

    /// Limits how many requests it befalls.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Leaves it to chance, from 0 to 1.
    #[must_use]
    pub fn with_probability(self, probability: f64) -> Self {
        Self { probability: Some(probability), ..self }
    }

    fn may_befall(&self, operation: Operation) -> bool {
        let meant = self.on == Operation::Any || self.on == operation;
        let possible = match self.kind {
            Kind::ExpiredSession => operation != Operation::InitSession,
            Kind::WrongUserToken => operation == Operation::InitSession,
            Kind::NoCreateRight | Kind::Duplicate | Kind::Drop => operation.writes(),
            _ => true,
        };
        meant && possible
    }
}

impl Operation {
    pub(crate) fn of(method: &str, path: &[&str], searches_text: bool) -> Self {
        match (method, path) {
            (_, ["initSession"]) => Self::InitSession,
            (_, ["killSession"]) => Self::KillSession,
            (_, ["search", ..]) => Self::Search,
            ("POST", ["ITILFollowup", ..] | [_, _, "ITILFollowup"]) => Self::CreateFollowup,
            ("POST", ["Ticket", ..]) => Self::CreateTicket,
            ("POST" | "PUT" | "PATCH" | "DELETE", _) => Self::Write,
            (_, [_]) if searches_text => Self::Search,
            _ => Self::Read,
        }
    }

    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::CreateTicket | Self::CreateFollowup | Self::Write)
    }
}

/// What befalls one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) latency_ms: u64,
    pub(crate) trouble: Option<Kind>,
}

#[derive(Debug)]
pub(crate) struct Faults {
    scripted: Mutex<Script>,
    /// How many are scripted, so that a calm sandbox takes no lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Script {
    faults: Vec<Fault>,
    chance: fastrand::Rng,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let script = Script { faults: Vec::new(), chance: fastrand::Rng::with_seed(seed) };
        Self { scripted: Mutex::new(script), count: AtomicUsize::new(0) }
    }

    pub(crate) fn inject(&self, fault: Fault) {
        let mut script = self.script();
        script.faults.push(bounded(fault));
        self.count.store(script.faults.len(), Ordering::Release);
    }

    pub(crate) fn replace(&self, faults: Vec<Fault>) {
        let mut script = self.script();
        script.faults = faults.into_iter().map(bounded).collect();
        self.count.store(script.faults.len(), Ordering::Release);
    }

    pub(crate) fn pending(&self) -> Vec<Fault> {
        self.script().faults.clone()
    }

    /// Whether such a fault is scripted, for whichever operation.
    pub(crate) fn include(&self, kind: &Kind) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.script().faults.iter().any(|fault| fault.kind == *kind)
    }

    /// Decides what befalls the next request of this kind.
    pub(crate) fn draw(&self, operation: Operation) -> Plan {
        let mut plan = Plan::default();
        if self.count.load(Ordering::Acquire) == 0 {
            return plan;
        }
        let mut script = self.script();
        let Script { faults, chance } = &mut *script;
        for fault in faults.iter_mut() {
            let latency = match fault.kind {
                Kind::Latency { ms } => Some(ms),
                _ => None,
            };
            let superseded = latency.is_none() && plan.trouble.is_some();
            if superseded || !fault.may_befall(operation) || !strikes(fault, chance) {
                continue;
            }
            match latency {
                Some(ms) => plan.latency_ms += ms,
                None => plan.trouble = Some(fault.kind.clone()),
            }
        }
        faults.retain(|fault| fault.times != Some(0));
        self.count.store(faults.len(), Ordering::Release);
        plan
    }

    /// Whether a connection is to be cut before anything is read from it.
    pub(crate) fn refuse_connection(&self) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut script = self.script();
        let Script { faults, chance } = &mut *script;
        let refused = faults
            .iter_mut()
            .filter(|fault| fault.kind == Kind::Refuse && fault.on == Operation::Any)
            .any(|fault| strikes(fault, chance));
        faults.retain(|fault| fault.times != Some(0));
        self.count.store(faults.len(), Ordering::Release);
        refused
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.scripted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A dropped session expires once; for ever would leave no client a way out.
fn bounded(fault: Fault) -> Fault {
    match (&fault.kind, fault.times) {
        (Kind::ExpiredSession, None) => fault.times(1),
        _ => fault,
    }
}

/// Rolls the dice and, if it strikes, uses up one of its times.
fn strikes(fault: &mut Fault, chance: &mut fastrand::Rng) -> bool {
    if fault.times == Some(0) || fault.probability.is_some_and(|p| chance.f64() >= p) {
        return false;
    }
    if let Some(times) = &mut fault.times {
        *times -= 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_add_up_and_the_first_other_fault_decides() {
        let faults = Faults::new(0);
        faults.inject(Fault::new(Operation::Any, Kind::Latency { ms: 10 }));
        faults.inject(Fault::once(Operation::CreateTicket, Kind::Empty200));
        faults.inject(Fault::new(Operation::CreateTicket, Kind::Hang));
        faults.inject(Fault::once(Operation::CreateTicket, Kind::Latency { ms: 5 }));

        let first = Plan { latency_ms: 15, trouble: Some(Kind::Empty200) };
        assert_eq!(faults.draw(Operation::CreateTicket), first);
        let second = Plan { latency_ms: 10, trouble: Some(Kind::Hang) };
        assert_eq!(faults.draw(Operation::CreateTicket), second);
        assert_eq!(faults.draw(Operation::Read), Plan { latency_ms: 10, trouble: None });
    }

    #[test]
    fn a_fault_is_written_as_flat_json() {
        let json = r#"{"on":"create_ticket","kind":"slow_commit","ms":50,"times":2}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!(
            fault,
            Fault::new(Operation::CreateTicket, Kind::SlowCommit { ms: 50 }).times(2)
        );
        assert_eq!(serde_json::to_string(&fault).unwrap(), json);
        let empty: Fault = serde_json::from_str(r#"{"on":"any","kind":"empty_200"}"#).unwrap();
        assert_eq!(empty.kind, Kind::Empty200);
    }

    #[test]
    fn chance_is_repeatable() {
        let strikes = |seed| {
            let faults = Faults::new(seed);
            faults.inject(Fault::new(Operation::Any, Kind::Hang).with_probability(0.5));
            (0..64).map(|_| faults.draw(Operation::Read).trouble.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(strikes(7), strikes(7));
        assert_ne!(strikes(7), strikes(8));
        assert!(strikes(7).contains(&true) && strikes(7).contains(&false));
    }
}
