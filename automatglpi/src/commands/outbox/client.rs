//! The way to the operators' service.

use std::{error::Error as _, path::Path, time::Duration};

use anyhow::{Context as _, anyhow};
use http_gateway::Address;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{config::Source, settings};
use ticketing_core::ticket::Reference;
use ticketing_proto::v1::{self, operations_service_client::OperationsServiceClient};
use tonic::{
    Code, Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::view::{EntryView, Found, StatusView};

/// A server that does not answer in this time is in trouble.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// A watched server that is dead without a word is found out in this time.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);

/// Entries per page, the most that the contract allows.
const LARGEST_PAGE: u32 = 1000;

/// A connection to the server.
pub(super) struct Client(OperationsServiceClient<InterceptedService<Channel, Bearer>>);

/// Which entries to list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) state: v1::EntryState,
    pub(super) older_than: Option<Duration>,
    pub(super) include_content: bool,
}

/// How the outbox stands, again and again.
pub(super) struct Changes(Streaming<v1::WatchStatusResponse>);

impl Client {
    /// Connects to the configured server.
    pub(super) async fn connect(config: Option<&Path>) -> anyhow::Result<Self> {
        let source = Source::from_process(config)?;
        let address = Address::from_source(&source);
        let token =
            source.secret(&settings::AUTOMATGLPI_GRPC_TOKEN).as_ref().map(bearer).transpose();
        if token.is_err() {
            source.wrong(&settings::AUTOMATGLPI_GRPC_TOKEN, "fit for a header");
        }
        source.finish()?;

        let channel = address
            .endpoint()?
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .http2_keep_alive_interval(KEEPALIVE_EVERY)
            .connect()
            .await
            .with_context(|| {
                let url = &address.url;
                format!("no gRPC server answers at {url}: does it run, and is AUTOMATGLPI_GRPC_URL right? {WITH_A_CERTIFICATE}")
            })?;
        Ok(Self(OperationsServiceClient::with_interceptor(channel, Bearer(token?))))
    }

    /// The entries of a page, and the name of the next one.
    pub(super) async fn page(
        &mut self,
        wanted: Wanted,
        page_token: String,
        limit: u32,
    ) -> anyhow::Result<(Vec<EntryView>, Option<String>)> {
        let Wanted { state, older_than, include_content } = wanted;
        let request = v1::ListEntriesRequest {
            state: state.into(),
            min_age: older_than.map(age).transpose()?,
            page_size: limit.min(LARGEST_PAGE),
            page_token,
            include_content,
        };
        let answer = self.0.list_entries(request).await.map_err(told)?.into_inner();
        let next = Some(answer.next_page_token).filter(|token| !token.is_empty());
        Ok((answer.entries.into_iter().map(EntryView::from).collect(), next))
    }

    pub(super) async fn entry(
        &mut self,
        reference: &Reference,
        include_content: bool,
    ) -> anyhow::Result<EntryView> {
        let request = v1::GetEntryRequest { reference: reference.to_string(), include_content };
        let answer = self.0.get_entry(request).await.map_err(told)?;
        entry(answer.into_inner().entry)
    }

    pub(super) async fn retry(&mut self, reference: &Reference) -> anyhow::Result<EntryView> {
        let request = v1::RetryEntryRequest { reference: reference.to_string() };
        let answer = self.0.retry_entry(request).await.map_err(told)?;
        entry(answer.into_inner().entry)
    }

    pub(super) async fn discard(&mut self, reference: &Reference) -> anyhow::Result<EntryView> {
        let request = v1::DiscardEntryRequest { reference: reference.to_string() };
        let answer = self.0.discard_entry(request).await.map_err(told)?;
        entry(answer.into_inner().entry)
    }

    /// Some of a caller's entries, and where to go on.
    pub(super) async fn find_caller(
        &mut self,
        caller: &str,
        page_token: String,
        include_content: bool,
    ) -> anyhow::Result<(Vec<EntryView>, Option<String>)> {
        let request =
            v1::FindCallerRequest { caller: caller.to_owned(), page_token, include_content };
        let answer = self.0.find_caller(request).await.map_err(told)?.into_inner();
        let next = Some(answer.next_page_token).filter(|token| !token.is_empty());
        let found = answer.entries.into_iter().map(|entry| {
            let mentions = answer.mentioning_references.contains(&entry.reference);
            EntryView { found: Some(Found::new(mentions)), ..EntryView::from(entry) }
        });
        Ok((found.collect(), next))
    }

    /// Erases some of a caller's entries.
    pub(super) async fn erase_caller(
        &mut self,
        caller: &str,
        page_token: String,
        also_waiting: bool,
        also_mentioning: bool,
    ) -> anyhow::Result<v1::EraseCallerResponse> {
        let request = v1::EraseCallerRequest {
            caller: caller.to_owned(),
            page_token,
            also_waiting,
            also_mentioning,
        };
        Ok(self.0.erase_caller(request).await.map_err(told)?.into_inner())
    }

    pub(super) async fn status(&mut self) -> anyhow::Result<StatusView> {
        let answer = self.0.get_status(v1::GetStatusRequest {}).await.map_err(told)?;
        status(answer.into_inner().status)
    }

    pub(super) async fn watch(&mut self) -> anyhow::Result<Changes> {
        let answer = self.0.watch_status(v1::WatchStatusRequest {}).await.map_err(told)?;
        Ok(Changes(answer.into_inner()))
    }
}

impl Changes {
    /// The next one; `None` when the server stops.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<StatusView>> {
        let Some(change) = self.0.message().await.map_err(told)? else { return Ok(None) };
        status(change.status).map(Some)
    }
}

/// Sends the token with every call, if there is one.
#[derive(Clone)]
pub(super) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

fn bearer(token: &SecretString) -> anyhow::Result<MetadataValue<Ascii>> {
    // The cause would show the token.
    let mut value = MetadataValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_invalid| anyhow!("the token holds characters that a header cannot"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn age(duration: Duration) -> anyhow::Result<prost_types::Duration> {
    duration.try_into().context("--older-than is too long")
}

fn entry(entry: Option<v1::Entry>) -> anyhow::Result<EntryView> {
    entry.map(EntryView::from).context("the server's answer holds no entry")
}

fn status(status: Option<v1::Status>) -> anyhow::Result<StatusView> {
    status.map(StatusView::from).context("the server's answer holds no status")
}

/// Ports are easily mixed up.
const NOT_THE_GATEWAY: &str = "AUTOMATGLPI_GRPC_URL should be where the gRPC server listens \
    (AUTOMATGLPI_GRPC_LISTEN, as a rule port 50051), not the web gateway or the admin port";

/// Its server hangs up on whoever does not speak TLS, and cannot tell him why.
const WITH_A_CERTIFICATE: &str = "If the server has a certificate, AUTOMATGLPI_GRPC_URL begins with https:// and names it as \
    the certificate does";

/// The server's refusal in words; its details are for programs.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn told(status: Status) -> anyhow::Error {
    match status.code() {
        Code::Unauthenticated => {
            anyhow!("the gRPC server does not accept AUTOMATGLPI_GRPC_TOKEN, or it is not set")
        }
        Code::PermissionDenied => {
            let said = status.message();
            anyhow!("the gRPC server refuses AUTOMATGLPI_GRPC_TOKEN: {said}")
        }
        Code::Unimplemented => {
            anyhow!("what answers has no such service: {NOT_THE_GATEWAY}")
        }
        // Nothing that a server said, but what became of the connection.
        _ if status.source().is_some() => {
            anyhow!(
                "no gRPC server, or one that broke off: {NOT_THE_GATEWAY}. {WITH_A_CERTIFICATE}"
            )
        }
        code if status.message().is_empty() => anyhow!("the gRPC server refused: {code}"),
        _ => anyhow!("{}", status.message()),
    }
}
