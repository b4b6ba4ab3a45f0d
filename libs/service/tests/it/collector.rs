//! A receiver of traces (OTLP over gRPC), and the telemetry of this process, which sends to it.

use std::sync::{Arc, LazyLock, mpsc};

use callboard_service::config::{LogFormat, TelemetryConfig};
use callboard_service::telemetry::Telemetry;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// What was received so far.
#[derive(Clone, Default)]
pub struct Spans(Arc<Mutex<Vec<Span>>>);

impl Spans {
    /// Those of a trace, by its id in hexadecimal digits.
    pub fn of_trace(&self, trace_id: &str) -> Vec<Span> {
        self.0.lock().iter().filter(|span| hex(&span.trace_id) == trace_id).cloned().collect()
    }

    /// Those that are linked to a trace.
    pub fn linked_to(&self, trace_id: &str) -> Vec<Span> {
        let is_linked = |span: &&Span| span.links.iter().any(|link| hex(&link.trace_id) == trace_id);
        self.0.lock().iter().filter(is_linked).cloned().collect()
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
        self.0.lock().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of this process, as a collector gets them: telemetry is installed once per process, and its runtime
/// outlives those of single tests.
pub fn spans() -> &'static Spans {
    static SPANS: LazyLock<Spans> = LazyLock::new(|| {
        let spans = Spans::default();
        let received = spans.clone();
        let (sender, ready) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let config = TelemetryConfig {
                    log_format: LogFormat::Text,
                    log_level: "off".into(),
                    otlp_endpoint: format!("http://{}", listener.local_addr().unwrap()),
                };
                let _telemetry = Telemetry::install(&config, "test").unwrap();
                sender.send(()).unwrap();
                tonic::transport::Server::builder()
                    .add_service(TraceServiceServer::new(received))
                    .serve_with_incoming(TcpIncoming::from(listener))
                    .await
                    .unwrap();
            });
        });
        ready.recv().unwrap();
        spans
    });
    &SPANS
}
