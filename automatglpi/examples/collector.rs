//! Shows traces in the terminal: the smallest collector that can be, for a look at one call.
//!
//! `cargo run -p automatglpi --example collector`, then start the service, or `automatglpi demo`,
//! with `AUTOMATGLPI_OTLP_URL=http://127.0.0.1:4317`. `docs/observing.md` shows what comes.
#![expect(clippy::print_stdout, reason = "the terminal is where it shows them")]

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use tonic::{Request, Response, Status, transport::Server};

struct Terminal;

#[tonic::async_trait]
impl TraceService for Terminal {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        let mut spans: Vec<Span> = scopes.flat_map(|scope| scope.spans).collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        // Children come with, or before, their parents: a root is what has no parent here.
        let is_here = |id: &[u8]| spans.iter().any(|span| span.span_id == id);
        for root in spans.iter().filter(|span| !is_here(&span.parent_span_id)) {
            println!("trace {}", hex(&root.trace_id));
            show(&spans, root, root.start_time_unix_nano, 1);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A span and what happened within it, each a step further to the right.
fn show(spans: &[Span], span: &Span, began: u64, depth: usize) {
    let name = format!("{:indent$}{}", "", span.name, indent = depth * 2);
    let took = micros(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
    println!("{name:<44} +{:>8}  {took:>8}", micros(span.start_time_unix_nano - began));
    for child in spans.iter().filter(|child| child.parent_span_id == span.span_id) {
        show(spans, child, began, depth + 1);
    }
}

fn micros(nanos: u64) -> String {
    format!("{} µs", nanos / 1000)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("waiting for traces on 127.0.0.1:4317; they come every five seconds");
    let service = TraceServiceServer::new(Terminal);
    Server::builder().add_service(service).serve(([127, 0, 0, 1], 4317).into()).await?;
    Ok(())
}
