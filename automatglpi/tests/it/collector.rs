//! A collector of traces that keeps what it is sent.

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(crate) struct Collector {
    /// Such as `http://127.0.0.1:40123`.
    pub(crate) url: String,
    requests: watch::Sender<Vec<ExportTraceServiceRequest>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { url, requests: watch::Sender::default() };
        let service = TraceServiceServer::new(Service(collector.requests.clone()));
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(serving);
        collector
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests.borrow();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Everything it was sent, as text.
    pub(crate) fn text(&self) -> String {
        format!("{:#?}", self.requests.borrow())
    }
}

struct Service(watch::Sender<Vec<ExportTraceServiceRequest>>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send_modify(|requests| requests.push(request.into_inner()));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
