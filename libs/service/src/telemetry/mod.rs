//! Logs, traces and metrics.

mod context;
mod json;

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, TelemetryConfig};

pub use context::{
    adopt_traceparent, current_trace_id, current_traceparent, inject, link_traceparent, traceparent_of,
};

/// Logs and traces of this process. Dropping it leaves them on; [`Self::shutdown`] sends what is left.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("telemetry: {0}")]
pub struct TelemetryError(String);

impl Telemetry {
    /// Sets up logs and traces, once per process; a second call changes nothing.
    ///
    /// Spans have ids, and so have log lines, also when traces go nowhere.
    ///
    /// # Errors
    /// A filter or an endpoint that cannot be read.
    pub fn install(config: &TelemetryConfig, service: &'static str) -> Result<Self, TelemetryError> {
        Self::set_up(config, service, BoxMakeWriter::new(std::io::stdout))
    }

    /// As [`Telemetry::install`], with logs on standard error: standard output is what a command of the command line
    /// answers, and goes into pipes.
    ///
    /// # Errors
    /// As [`Telemetry::install`].
    pub fn install_aside(config: &TelemetryConfig, service: &'static str) -> Result<Self, TelemetryError> {
        Self::set_up(config, service, BoxMakeWriter::new(std::io::stderr))
    }

    fn set_up(
        config: &TelemetryConfig,
        service: &'static str,
        logs: BoxMakeWriter,
    ) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(&config.log_level)
            .map_err(|error| TelemetryError(format!("telemetry.log_level: {error}")))?;
        let resource = Resource::builder()
            .with_service_name(format!("callboard-{service}"))
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let mut provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
        if !config.otlp_endpoint.is_empty() {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(&config.otlp_endpoint)
                .build()
                .map_err(|error| TelemetryError(format!("telemetry.otlp_endpoint: {error}")))?;
            provider = provider.with_batch_exporter(exporter);
        }
        let provider = provider.build();
        // Spans live whatever the log level is: calls keep their trace ids. Where in the source and on which thread a
        // span was made, and how long it waited, would be written down at every poll.
        let traces = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("callboard"))
            .with_tracked_inactivity(false)
            .with_location(false)
            .with_threads(false)
            .with_filter(LevelFilter::INFO);
        let registry = tracing_subscriber::registry().with(traces);
        // Refused when somebody installed one before: a second service in the process, a test.
        let _ = match config.log_format {
            LogFormat::Json => {
                let lines = tracing_subscriber::fmt::layer()
                    .event_format(json::JsonLines::new(service))
                    .with_writer(logs);
                registry.with(json::RequestIds).with(lines.with_filter(filter)).try_init()
            }
            LogFormat::Text => {
                let lines = tracing_subscriber::fmt::layer().with_writer(logs);
                registry.with(lines.with_filter(filter)).try_init()
            }
        };
        Ok(Self { provider })
    }

    /// Sends the spans that are left.
    pub fn shutdown(&self) {
        let _ = self.provider.shutdown_with_timeout(Duration::from_secs(2));
    }
}

/// Buckets for durations in seconds: from 1 ms to a minute.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Buckets for how many: what waits, what goes together.
const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// The metrics of this process, installed at the first call: several services in one process share them.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let buckets: [(&str, &[f64]); 4] =
                [("_seconds", &SECONDS), ("_depth", &COUNTS), ("_size", &COUNTS), ("_units", &COUNTS)];
            let builder =
                buckets.into_iter().try_fold(PrometheusBuilder::new(), |builder, (suffix, buckets)| {
                    builder.set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), buckets)
                });
            // Fails only without buckets.
            let recorder = builder.unwrap_or_default().build_recorder();
            let handle = recorder.handle();
            // Refused only when another recorder is there; then this one stays empty and says nothing wrong.
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is installed; /metrics will be empty");
            }
            handle
        })
        .clone()
}
