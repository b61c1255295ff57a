//! A process that is frozen while its request is at GLPI, and wakes when another has taken over.

use glpi_sandbox::{Fault, Kind, Operation, Options, Sandbox};
use ticketing_proto::v1::{
    GetTicketRequest, GetTicketResponse, Outcome, get_ticket_request::By,
    ticketing_service_client::TicketingServiceClient,
};
use tonic::transport::Channel;

use crate::{
    process::Server,
    world::{call, postgres},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_owner_neither_doubles_nor_overwrites_what_its_successor_did() {
    let Some(store) = postgres("paused") else { return };
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut paused = Server::start(&sandbox, &store).await;
    let successor = Server::start(&sandbox, &store).await;

    // The ticket is made at once, but the answer comes only when the owner is frozen.
    sandbox.inject(Fault::once(Operation::CreateTicket, Kind::Latency { ms: 400 }));
    let mut client = client(&paused);
    let calling = tokio_util::task::TaskTracker::new()
        .spawn(async move { client.create_ticket(call("k", "panne")).await });
    sandbox.wait_for_tickets(1).await;
    paused.signal("STOP");

    let known = taken_over(&successor, &store).await;
    paused.signal("CONT");
    paused.logs("another courier took the row over").await;

    let answer = calling.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.ticket.unwrap().reference, known.ticket.as_ref().unwrap().reference);
    assert_eq!(sandbox.tickets().len(), 1);
    let id = known.ticket.unwrap().id.map(u64::from);
    assert_eq!(id, Some(sandbox.tickets()[0].id));
}

/// Waits until the successor knows the ticket of the only request.
async fn taken_over(successor: &Server, store: &str) -> GetTicketResponse {
    let row = std::process::Command::new("psql")
        .args([store, "-qAtc", "SELECT reference FROM outbox"])
        .output()
        .unwrap();
    let reference = String::from_utf8(row.stdout).unwrap().trim().to_owned();
    let mut client = client(successor);
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        ticks.tick().await;
        let by = Some(By::Reference(reference.clone()));
        let request = GetTicketRequest { by, ..GetTicketRequest::default() };
        let known = client.get_ticket(request).await.unwrap().into_inner();
        if known.outcome == i32::from(Outcome::Created) {
            return known;
        }
    }
}

fn client(server: &Server) -> TicketingServiceClient<Channel> {
    let url = format!("http://{}", *server.address.borrow());
    TicketingServiceClient::new(Channel::from_shared(url).unwrap().connect_lazy())
}
