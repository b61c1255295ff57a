//! Traces: their context always, their export to a collector if there is one.

use std::time::Duration;

use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, LevelFilter},
    registry::LookupSpan,
};

use super::logs;

/// How long one batch may take to the collector.
const EXPORT_WITHIN: Duration = Duration::from_secs(5);

/// How long the end of a process waits for the collector.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// Makes traces, and sends them if there is a collector.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    provider: SdkTracerProvider,
    exports: bool,
}

impl Provider {
    /// Without a collector spans cost an id each and are otherwise forgotten; traces that others
    /// have begun, and record, are passed on as such.
    pub(super) fn new(collector: Option<&str>) -> Result<Self, ExporterBuildError> {
        global::set_text_map_propagator(TraceContextPropagator::new());
        let builder = SdkTracerProvider::builder().with_resource(resource());
        let provider = match collector {
            None => {
                builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff))).build()
            }
            Some(url) => builder
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
                .with_batch_exporter(exporter(url)?)
                .build(),
        };
        Ok(Self { provider, exports: collector.is_some() })
    }

    /// The layer that makes spans of ours parts of traces.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let ours =
            FilterFn::new(|metadata| logs::is_ours(metadata) && *metadata.level() <= Level::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("automatglpi"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what is left, on a thread that may block: the exporter waits for this runtime.
    pub(super) async fn finish(&self) {
        if !self.exports {
            return;
        }
        let provider = self.provider.clone();
        let sending =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FINISH_WITHIN));
        match sending.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not exported"),
            Err(error) => tracing::warn!(%error, "the last traces were not exported"),
        }
    }
}

/// Whether traces can be sent there. A path or a password would be ignored.
pub(super) fn is_collector(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let has_host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    matches!(uri.scheme_str(), Some("http" | "https"))
        && has_host
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none()
}

fn exporter(url: &str) -> Result<SpanExporter, ExporterBuildError> {
    SpanExporter::builder().with_tonic().with_endpoint(url).with_timeout(EXPORT_WITHIN).build()
}

/// Who sends these traces.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder_empty().with_service_name("automatglpi").with_attribute(version).build()
}
