//! Log lines as JSON objects with the ids of trace and span.

use std::fmt;

use callboard_kernel::{Clock, SystemClock};
use chrono::SecondsFormat;
use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// One JSON object a line: `timestamp`, `level`, `service`, `target`, `message`, `trace_id`, `span_id`, `span`,
/// `request_id` and the fields of the event.
#[derive(Debug)]
pub(super) struct JsonLines {
    service: &'static str,
}

impl JsonLines {
    pub const fn new(service: &'static str) -> Self {
        Self { service }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let now = SystemClock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
        line.insert("timestamp".into(), now.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("service".into(), self.service.into());
        line.insert("target".into(), event.metadata().target().into());
        if let Some(span) = context.lookup_current() {
            line.insert("span".into(), span.name().into());
            let id =
                span.scope().find_map(|span| span.extensions().get::<RequestIdOf>().map(|id| id.0.clone()));
            if let Some(id) = id {
                line.insert("request_id".into(), id.into());
            }
        }
        // Spans are entered as contexts of OpenTelemetry too, also those that the log level hides.
        let current = opentelemetry::Context::current();
        let ids = current.span().span_context().clone();
        if ids.is_valid() {
            line.insert("trace_id".into(), ids.trace_id().to_string().into());
            line.insert("span_id".into(), ids.span_id().to_string().into());
        }
        event.record(&mut Fields(&mut line));
        let text = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// Keeps the field `request_id` of spans for the lines within.
pub(super) struct RequestIds;

struct RequestIdOf(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RequestIds {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.fields().field("request_id").is_none() {
            return;
        }
        let mut fields = Map::new();
        attributes.record(&mut Fields(&mut fields));
        if let (Some(span), Some(Value::String(found))) = (context.span(id), fields.remove("request_id")) {
            span.extensions_mut().insert(RequestIdOf(found));
        }
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, value.to_string().into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use parking_lot::Mutex;
    use tracing_subscriber::filter::{EnvFilter, LevelFilter};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_names_its_trace_also_when_spans_are_below_the_log_level() {
        let lines = Lines::default();
        let writer = lines.clone();
        let provider = SdkTracerProvider::builder().build();
        let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let log = tracing_subscriber::fmt::layer()
            .event_format(JsonLines::new("test"))
            .with_writer(move || writer.clone())
            .with_filter(EnvFilter::new("warn"));
        let subscriber = tracing_subscriber::registry().with(traces.with_filter(LevelFilter::INFO)).with(log);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("rpc").in_scope(|| {
                tracing::info!("quiet");
                tracing::warn!(count = 3, name = "x", "loud \"quoted\"\nand broken");
            });
        });
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "loud \"quoted\"\nand broken");
        assert_eq!((&line["count"], &line["service"]), (&3.into(), &"test".into()));
        assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{text}");
        assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
    }

    #[test]
    fn a_line_names_the_call_that_it_was_written_for() {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt::layer()
            .event_format(JsonLines::new("test"))
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(RequestIds).with(log);
        tracing::subscriber::with_default(subscriber, || {
            let call = tracing::info_span!("rpc", request_id = %"abc-1");
            call.in_scope(|| tracing::info_span!("within").in_scope(|| tracing::info!("told")));
            tracing::info!("of no call");
        });
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&told[0]["request_id"], told[1].get("request_id")), (&"abc-1".into(), None), "{text}");
    }
}
