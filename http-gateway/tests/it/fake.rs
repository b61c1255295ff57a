//! A ticketing service that answers as told and remembers what it was asked.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use ticketing_proto::v1::{
    self, Outcome,
    ticketing_service_server::{TicketingService, TicketingServiceServer},
};
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, metadata::MetadataMap};

pub(crate) const REFERENCE: &str = "482-917-305";

/// How one request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// GLPI has the ticket, or the follow-up, under this number.
    Created(u32),
    /// As an earlier answer.
    Replayed(u32),
    /// Recorded, without a number.
    Recorded(Outcome),
    /// Refused.
    Fail(Status),
    /// Never.
    Silence,
    /// The ticket is created, once this is notified.
    When(Arc<Notify>),
}

/// What was asked, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) created: Vec<v1::CreateTicketRequest>,
    pub(crate) read: Vec<v1::GetTicketRequest>,
    pub(crate) followed_up: Vec<v1::AddFollowupRequest>,
    pub(crate) metadata: Vec<MetadataMap>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Fake {
    asked: Arc<Mutex<Asked>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    arrived: Arc<Notify>,
}

impl Fake {
    /// Starts it on a port of its own; it ends with the test's runtime.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let fake = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<TicketingServiceServer<Self>>().await;
        let serving = tonic::transport::Server::builder()
            .add_service(health_service)
            .add_service(TicketingServiceServer::new(fake.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(serving);
        (fake, address)
    }

    /// The next answers; after them tickets are created as number 1234.
    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// Takes what was asked so far.
    pub(crate) fn asked(&self) -> Asked {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Waits until something is asked.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    async fn answer(&self) -> Result<(Option<u32>, Outcome, bool), Status> {
        self.arrived.notify_one();
        let next = self.answers.lock().unwrap().pop_front();
        match next.unwrap_or(Answer::Created(1234)) {
            Answer::Created(id) => Ok((Some(id), Outcome::Created, false)),
            Answer::Replayed(id) => Ok((Some(id), Outcome::Created, true)),
            Answer::Recorded(outcome) => Ok((None, outcome, false)),
            Answer::Fail(status) => Err(status),
            Answer::Silence => std::future::pending().await,
            Answer::When(released) => {
                released.notified().await;
                Ok((Some(1234), Outcome::Created, false))
            }
        }
    }
}

fn ticket(id: Option<u32>) -> v1::Ticket {
    let create_time = Some(prost_types::Timestamp { seconds: 1_795_514_400, nanos: 0 });
    v1::Ticket {
        reference: REFERENCE.to_owned(),
        id,
        title: "Imprimante bloquée".to_owned(),
        urgency: 4,
        create_time,
        ..v1::Ticket::default()
    }
}

#[tonic::async_trait]
impl TicketingService for Fake {
    async fn create_ticket(
        &self,
        request: Request<v1::CreateTicketRequest>,
    ) -> Result<Response<v1::CreateTicketResponse>, Status> {
        {
            let mut asked = self.asked.lock().unwrap();
            asked.metadata.push(request.metadata().clone());
            asked.created.push(request.into_inner());
        }
        let (id, outcome, replayed) = self.answer().await?;
        Ok(Response::new(v1::CreateTicketResponse {
            ticket: Some(ticket(id)),
            outcome: outcome.into(),
            replayed,
            message: None,
        }))
    }

    async fn get_ticket(
        &self,
        request: Request<v1::GetTicketRequest>,
    ) -> Result<Response<v1::GetTicketResponse>, Status> {
        self.asked.lock().unwrap().read.push(request.into_inner());
        let (id, outcome, _) = self.answer().await?;
        Ok(Response::new(v1::GetTicketResponse {
            ticket: Some(ticket(id)),
            outcome: outcome.into(),
            message: None,
        }))
    }

    async fn add_followup(
        &self,
        request: Request<v1::AddFollowupRequest>,
    ) -> Result<Response<v1::AddFollowupResponse>, Status> {
        self.asked.lock().unwrap().followed_up.push(request.into_inner());
        let (id, outcome, replayed) = self.answer().await?;
        Ok(Response::new(v1::AddFollowupResponse {
            ticket: Some(ticket(id)),
            outcome: outcome.into(),
            replayed,
            message: None,
        }))
    }
}
