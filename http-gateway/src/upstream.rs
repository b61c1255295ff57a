//! The way to the gRPC server.

use std::{error::Error as _, time::Duration};

use hyper_util::rt::TokioIo;
use listener::Inside;
use meters::calls;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::telemetry::spans;
use ticketing_proto::v1::{
    AddFollowupRequest, AddFollowupResponse, CreateTicketRequest, CreateTicketResponse,
    GetTicketRequest, GetTicketResponse, Outcome, Ticket,
    ticketing_service_client::TicketingServiceClient,
};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{
    Code, ConnectError, Request, Response, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::service_fn;
use tracing::{Instrument as _, Span};

use crate::{Address, Error, call::Call};

/// Refusals come at once; a host that does not answer in this time is as good as down.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// A connection that is dead without a word is found out before a caller finds out.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(4);

/// Names the client that the gateway calls for.
const ON_BEHALF_OF: &str = "x-automatglpi-client";

/// Readiness is asked for often, by machines in a hurry.
const HEALTH_WITHIN: Duration = Duration::from_secs(1);

/// A connection to the gRPC server, made when it is first needed and again whenever it is lost.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    channel: Channel,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Upstream {
    /// To a server at that address.
    pub(crate) fn at(address: &Address, token: Option<&SecretString>) -> Result<Self, Error> {
        let endpoint = patient(address.endpoint().map_err(Error::GrpcUrl)?);
        Self::new(endpoint.connect_lazy(), token)
    }

    /// To a server in this process.
    pub(crate) fn inside(inside: Inside, token: Option<&SecretString>) -> Result<Self, Error> {
        let connect = service_fn(move |_address| {
            let inside = inside.clone();
            async move { inside.connect().await.map(TokioIo::new) }
        });
        let endpoint = patient(Endpoint::from_static("http://inside"));
        Self::new(endpoint.connect_with_connector_lazy(connect), token)
    }

    fn new(channel: Channel, token: Option<&SecretString>) -> Result<Self, Error> {
        let authorization = token.map(bearer).transpose()?;
        Ok(Self { channel, authorization })
    }

    pub(crate) async fn create_ticket(
        &self,
        call: &Call,
        message: CreateTicketRequest,
    ) -> Result<CreateTicketResponse, Status> {
        let asked = async {
            let request = self.request(call, message);
            answer(call, self.tickets().create_ticket(request)).await
        };
        let created = asked.instrument(span("CreateTicket")).await?;
        note(call, created.ticket.as_ref(), told(created.outcome()));
        Ok(created)
    }

    pub(crate) async fn get_ticket(
        &self,
        call: &Call,
        message: GetTicketRequest,
    ) -> Result<GetTicketResponse, Status> {
        let asked = async {
            let request = self.request(call, message);
            answer(call, self.tickets().get_ticket(request)).await
        };
        let read = asked.instrument(span("GetTicket")).await?;
        note(call, read.ticket.as_ref(), calls::Outcome::Read);
        Ok(read)
    }

    pub(crate) async fn add_followup(
        &self,
        call: &Call,
        message: AddFollowupRequest,
    ) -> Result<AddFollowupResponse, Status> {
        let asked = async {
            let request = self.request(call, message);
            answer(call, self.tickets().add_followup(request)).await
        };
        let added = asked.instrument(span("AddFollowup")).await?;
        note(call, added.ticket.as_ref(), told(added.outcome()));
        Ok(added)
    }

    /// Whether the server says that it can record tickets.
    pub(crate) async fn is_serving(&self) -> bool {
        let mut health = HealthClient::new(self.channel.clone());
        let mut question = Request::new(HealthCheckRequest::default());
        self.authorize(&mut question);
        match timeout(HEALTH_WITHIN, health.check(question)).await {
            Ok(Ok(answer)) => answer.get_ref().status() == ServingStatus::Serving,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    fn tickets(&self) -> TicketingServiceClient<Channel> {
        TicketingServiceClient::new(self.channel.clone())
    }

    /// Sends the deadline along, so that the server answers in time with what it knows.
    fn request<T>(&self, call: &Call, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(call.deadline.saturating_duration_since(Instant::now()));
        let mut headers = std::mem::take(request.metadata_mut()).into_headers();
        spans::send_along(&mut headers);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        let metadata = request.metadata_mut();
        if let Ok(id) = MetadataValue::try_from(call.id.as_bytes()) {
            metadata.insert("x-request-id", id);
        }
        if let Some(caller) = &call.caller
            && let Ok(name) = MetadataValue::try_from(caller.name().as_str())
        {
            metadata.insert(ON_BEHALF_OF, name);
        }
        self.authorize(&mut request);
        request
    }

    fn authorize<T>(&self, request: &mut Request<T>) {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
    }
}

/// A question to the server, as traces show it.
fn span(method: &'static str) -> Span {
    tracing::info_span!("upstream", otel.name = method, otel.kind = "client")
}

/// What the call's line in the log shall say.
fn note(call: &Call, ticket: Option<&Ticket>, outcome: calls::Outcome) {
    call.notes.outcome(outcome);
    if let Some(ticket) = ticket {
        call.notes.reference(&ticket.reference);
    }
}

fn told(outcome: Outcome) -> calls::Outcome {
    match outcome {
        Outcome::Created => calls::Outcome::Created,
        Outcome::Queued | Outcome::Unspecified => calls::Outcome::Queued,
        Outcome::Parked => calls::Outcome::Parked,
        Outcome::Discarded => calls::Outcome::Discarded,
    }
}

fn failed(code: Code) -> calls::Outcome {
    match code {
        // Not the caller's token was refused, but the gateway's own.
        Code::Unauthenticated | Code::PermissionDenied => calls::Outcome::Failed,
        code => calls::Outcome::of_grpc(code.into()),
    }
}

fn patient(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_WITHIN)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_WITHIN)
        .keep_alive_while_idle(true)
}

fn bearer(token: &SecretString) -> Result<MetadataValue<Ascii>, Error> {
    let header = format!("Bearer {}", token.expose_secret());
    // The cause would show the token.
    let mut value = MetadataValue::try_from(header).map_err(|_invalid| Error::GrpcToken)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Waits for an answer until the deadline and, where there is none, logs why: once, here.
async fn answer<T>(
    call: &Call,
    question: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    let answered = timeout_at(call.deadline, question).await;
    let answered = answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
    answered.map(Response::into_inner).inspect_err(|status| {
        let cause = status.source().map(service_kit::telemetry::chain);
        call.notes.outcome(failed(status.code()));
        match status.code() {
            // The server's word about the request, not trouble.
            Code::InvalidArgument | Code::NotFound | Code::AlreadyExists => {}
            code => tracing::warn!(
                ?code,
                said = status.message(),
                cause,
                "no answer from the gRPC server"
            ),
        }
    })
}

/// Whether it is certain that the server recorded nothing: it said so, or was never reached. A
/// connection lost on the way is another matter.
pub(crate) fn nothing_recorded(status: &Status) -> bool {
    let mut cause = status.source();
    let is_servers_own_word = cause.is_none();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    is_servers_own_word && status.code() == Code::Unavailable
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// What tonic makes of a failure on this side of the connection.
    #[derive(Debug, thiserror::Error)]
    #[error("on the way")]
    struct OnTheWay(#[source] Status);

    #[test]
    fn only_the_servers_word_or_a_failed_connection_prove_that_nothing_is_recorded() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let keepalive_failed = OnTheWay(Status::unavailable("keep-alive timed out"));
        for (status, expected) in [
            (Status::unavailable("the store is gone"), true),
            (Status::from_error(Box::new(ConnectError(Box::new(refused)))), true),
            (Status::from_error(Box::new(keepalive_failed)), false),
            (Status::deadline_exceeded("no answer in time"), false),
            (Status::cancelled("Timeout expired"), false),
            (Status::internal("…"), false),
        ] {
            assert_eq!(nothing_recorded(&status), expected, "{status:?}");
        }
    }
}
