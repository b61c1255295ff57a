//! One call, followed through this process and on to the next by W3C trace context.

use http::HeaderMap;
use opentelemetry::{
    global,
    trace::{TraceContextExt as _, TraceId},
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use tracing::{Span, error_span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The one span that log lines show.
pub(super) const CALL: &str = "call";

/// The span of a call that comes in: run its handler in it.
///
/// Continues the trace of the request's `traceparent`, else begins one. Log lines written within
/// show the call's ids, whatever the level; `name` is for traces alone and must not be made of
/// what a stranger sends.
pub fn call(name: &str, headers: &HeaderMap, request_id: &str) -> Span {
    let server = info_span!(parent: None, "server", otel.name = name, otel.kind = "server");
    let caller = global::get_text_map_propagator(|w3c| w3c.extract(&HeaderExtractor(headers)));
    // Refused only without telemetry, or on a span that has begun: this one has not.
    let _without_telemetry = server.set_parent(caller);
    // At this level lines of every level show it.
    let call = error_span!(parent: &server, "call", request_id, trace_id = field::Empty);
    if let Some(id) = trace_id(&call) {
        call.record("trace_id", field::display(id));
    }
    call
}

/// Adds the present span's trace context to a request that leaves.
pub fn send_along(headers: &mut HeaderMap) {
    let context = Span::current().context();
    global::get_text_map_propagator(|w3c| {
        w3c.inject_context(&context, &mut HeaderInjector(headers));
    });
}

fn trace_id(span: &Span) -> Option<TraceId> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id())
}
