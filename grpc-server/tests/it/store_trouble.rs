//! The database goes away, or cuts connections in the middle of a commit.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use glpi_sandbox::{Options, Sandbox};
use ticketing_proto::v1::{
    GetTicketRequest, Outcome, get_ticket_request::By,
    ticketing_service_client::TicketingServiceClient,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    process::Server,
    world::{World, call, postgres, psql},
};

const CUT_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test]
async fn while_the_database_is_away_nothing_is_acknowledged_and_then_all_goes_on() {
    let Some(store) = postgres("away") else { return };
    let world = World::with(&[("AUTOMATGLPI_STORE", &store)]).await;
    let first = world.tickets().create_ticket(call("before", "panne")).await.unwrap();
    assert_eq!(first.into_inner().outcome, i32::from(Outcome::Created));

    let (server, name) = store.rsplit_once('/').unwrap();
    let elsewhere = format!("{server}/postgres");
    psql(&elsewhere, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    psql(
        &elsewhere,
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    );
    let status = world.tickets().create_ticket(call("during", "panne")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(status.get_details_error_info().unwrap().reason, "STORE_UNAVAILABLE");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    assert!(!status.message().contains("postgres"), "internals stay inside");

    psql(&elsewhere, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    let again = world.tickets().create_ticket(call("during", "panne")).await.unwrap();
    assert_eq!(again.into_inner().outcome, i32::from(Outcome::Created));
    assert_eq!(world.sandbox.tickets().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_in_mid_commit_lose_and_double_nothing() {
    let Some(store) = postgres("cut") else { return };
    let world = Arc::new(World::with(&[("AUTOMATGLPI_STORE", &store)]).await);
    let over = Arc::new(AtomicBool::new(false));
    let cutting = {
        let (store, over) = (store.clone(), Arc::clone(&over));
        tokio::task::spawn_blocking(move || {
            while !over.load(Ordering::SeqCst) {
                psql(&store, CUT_ALL);
            }
        })
    };
    let calls = (0..16).map(|caller| {
        let world = Arc::clone(&world);
        async move {
            let mut references = Vec::new();
            for number in 0..20 {
                let key = format!("{caller}-{number}");
                // As a voice agent does: the same call with the same key until it is answered.
                let answer = loop {
                    let answer = world.tickets().create_ticket(call(&key, "panne")).await;
                    if let Ok(answer) = answer {
                        break answer.into_inner();
                    }
                };
                references.push(answer.ticket.unwrap().reference);
            }
            references
        }
    });
    let acknowledged = futures_util::future::join_all(calls).await.concat();
    over.store(true, Ordering::SeqCst);
    cutting.await.unwrap();

    let distinct: BTreeSet<_> = acknowledged.iter().collect();
    assert_eq!(distinct.len(), 320, "each key has one reference");
    // Deliveries whose end could not be recorded are looked up once their lease has expired.
    let expire = "UPDATE outbox SET lease_until = EXTRACT(EPOCH FROM now()) * 1000
                  WHERE lease_until IS NOT NULL";
    psql(&store, expire);
    for reference in &acknowledged {
        let mut client = world.tickets();
        loop {
            let by = Some(By::Reference(reference.clone()));
            let request = GetTicketRequest { by, ..GetTicketRequest::default() };
            let known = client.get_ticket(request).await;
            if known.is_ok_and(|known| known.get_ref().outcome == i32::from(Outcome::Created)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(world.sandbox.tickets().len(), 320);
}

/// SQLite keeps `:memory:` and some URIs in memory, where an acknowledgement is worth nothing.
#[tokio::test]
async fn a_store_named_like_memory_is_a_file_all_the_same() {
    for name in [":memory:", "file:outbox?mode=memory"] {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let store = format!("sqlite:{name}");
        let server = Server::start_in(directory.path(), &sandbox, &store).await;
        let url = format!("http://{}", *server.address.borrow());
        let mut client = TicketingServiceClient::connect(url).await.unwrap();
        client.create_ticket(call("k", "panne")).await.unwrap();
        let written = std::fs::read(directory.path().join(name)).unwrap();
        assert!(written.starts_with(b"SQLite format 3"), "{name}");
    }
}
