//! The promise under SIGKILL: real processes, killed at random instants under load, with a GLPI
//! that loses answers, hangs and fails. Afterwards the sandbox's own tickets are counted.
//!
//! `scripts/crash-test` runs it longer.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use glpi_sandbox::{Fault, Kind, Operation, Options, Sandbox};
use ticketing_proto::v1::{
    GetTicketRequest, Outcome, get_ticket_request::By,
    ticketing_service_client::TicketingServiceClient,
};
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::{
    process::Server,
    world::{call, postgres, variable},
};

const CALLERS: usize = 32;

/// How long everything acknowledged may take to be delivered once the killing is over.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_call_has_one_ticket_after_fifty_kills_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", directory.path().join("outbox.db").display());
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    sandbox.set_faults(troubles());
    let acknowledged = storm(&sandbox, &store, 1, kills(50)).await;
    println!("{} calls acknowledged, {} tickets", acknowledged.len(), sandbox.tickets().len());
    assert_eq!(verdict(&sandbox, &acknowledged), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_call_has_one_ticket_with_two_replicas_on_postgres() {
    let Some(store) = postgres("crash") else { return };
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    sandbox.set_faults(troubles());
    let acknowledged = storm(&sandbox, &store, 2, kills(50)).await;
    println!("{} calls acknowledged, {} tickets", acknowledged.len(), sandbox.tickets().len());
    assert_eq!(verdict(&sandbox, &acknowledged), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_glpi_that_doubles_or_drops_is_found_out() {
    for lie in [Kind::Duplicate, Kind::Drop] {
        let directory = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", directory.path().join("outbox.db").display());
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        sandbox.inject(Fault::new(Operation::CreateTicket, lie).with_probability(0.05));
        let acknowledged = storm(&sandbox, &store, 1, 2).await;
        assert!(verdict(&sandbox, &acknowledged).is_err());
    }
}

/// What GLPI does to some of the requests.
fn troubles() -> Vec<Fault> {
    let some = |kind| Fault::new(Operation::CreateTicket, kind).with_probability(0.01);
    vec![
        some(Kind::ResetBeforeCommit),
        some(Kind::ResetAfterCommit),
        some(Kind::HangAfterCommit),
        some(Kind::SlowCommit { ms: 700 }),
        some(Kind::Empty200),
        some(Kind::Empty200AfterCommit),
        some(Kind::StatusAfterCommit { code: 504 }),
        some(Kind::ExpiredSession),
        Fault::new(Operation::CreateTicket, Kind::Latency { ms: 5 }).with_probability(0.5),
    ]
}

/// Exactly one ticket for each acknowledged reference, at most one for any.
fn verdict(sandbox: &Sandbox, acknowledged: &[String]) -> Result<(), String> {
    let mut copies: BTreeMap<String, u32> = BTreeMap::new();
    for ticket in sandbox.tickets() {
        let content = ticket.raw_content();
        let mark = content.split("[AutomatGLPI ").nth(1).and_then(|rest| rest.split(']').next());
        *copies.entry(mark.unwrap_or("none").to_owned()).or_default() += 1;
    }
    if let Some((reference, count)) = copies.iter().find(|(_, count)| **count > 1) {
        return Err(format!("{reference} has {count} tickets"));
    }
    match acknowledged.iter().find(|reference| !copies.contains_key(*reference)) {
        Some(reference) => Err(format!("{reference} was acknowledged and has no ticket")),
        None => Ok(()),
    }
}

/// Calls under load while the servers are killed again and again; the references acknowledged.
async fn storm(sandbox: &Sandbox, store: &str, replicas: usize, kills: u32) -> Vec<String> {
    let mut servers = Vec::new();
    for _ in 0..replicas {
        servers.push(Server::start(sandbox, store).await);
    }
    let addresses: Vec<_> = servers.iter().map(|server| server.address.subscribe()).collect();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let over = Arc::new(AtomicBool::new(false));
    let callers = tokio_util::task::TaskTracker::new();
    for caller in 0..CALLERS {
        let address = addresses[caller % replicas].clone();
        callers.spawn(keep_calling(caller, address, Arc::clone(&acknowledged), Arc::clone(&over)));
    }

    let mut rng = Rng::with_seed(seed());
    for _ in 0..kills {
        let victim = rng.usize(0..replicas);
        // A random instant is the point here: no event is waited for.
        tokio::time::sleep(Duration::from_millis(rng.u64(20..350))).await;
        servers[victim].kill_and_restart(sandbox, store).await;
    }
    over.store(true, Ordering::SeqCst);
    callers.close();
    callers.wait().await;

    sandbox.clear();
    let acknowledged = acknowledged.lock().unwrap().clone();
    let address = addresses[0].clone();
    tokio::time::timeout(PATIENCE, until_delivered(address, &acknowledged)).await.unwrap();
    acknowledged
}

/// Calls until the storm is over, and repeats each call with the same key until it is answered, as
/// a voice agent does.
async fn keep_calling(
    caller: usize,
    address: watch::Receiver<String>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
) {
    for number in 0.. {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let key = format!("{caller}-{number}");
        loop {
            let mut client = client(&address);
            let answer = client.create_ticket(call(&key, "panne pendant la tempête")).await;
            if let Ok(answer) = answer {
                let ticket = answer.into_inner().ticket.unwrap();
                acknowledged.lock().unwrap().push(ticket.reference);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn until_delivered(address: watch::Receiver<String>, references: &[String]) {
    let mut client = client(&address);
    for reference in references {
        loop {
            let by = Some(By::Reference(reference.clone()));
            let request = GetTicketRequest { by, ..GetTicketRequest::default() };
            let answer = client.get_ticket(request).await.unwrap().into_inner();
            if answer.outcome == i32::from(Outcome::Created) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn client(address: &watch::Receiver<String>) -> TicketingServiceClient<Channel> {
    let url = format!("http://{}", *address.borrow());
    TicketingServiceClient::new(Channel::from_shared(url).unwrap().connect_lazy())
}

fn kills(default: u32) -> u32 {
    variable("AUTOMATGLPI_TEST_KILLS").and_then(|kills| kills.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    variable("AUTOMATGLPI_TEST_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(1)
}
