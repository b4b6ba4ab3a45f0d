//! What happens around every call: request id, trace, admission, deadline, principal, panics, metrics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use callboard_auth::{AuthError, Verified, Verifier};
use callboard_kernel::{ErrorKind, IdGenerator, Refusal};
use futures::FutureExt;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::Instrument;

use super::body::{Admitted, EndsWith};
use super::{CallServer, methods};
use crate::error;
use crate::request::{Deadline, RequestId};
use crate::telemetry;

const REQUEST_ID: &str = "x-request-id";

/// Calls of health and reflection at once, streams among them.
const MAX_FURNITURE: usize = 256;

/// The longest that an RPC may take whose time is that of what it is sent: a large file over a slow line.
const UNHURRIED: Duration = Duration::from_secs(60 * 60);

fn paths(rpcs: &[&str]) -> Vec<String> {
    rpcs.iter().map(|rpc| format!("/{}", rpc.trim_start_matches('/'))).collect()
}

/// What calls are judged by.
pub(crate) struct Guard {
    service: &'static str,
    public: Vec<String>,
    unhurried: Vec<String>,
    serves_http: bool,
    verifier: Arc<Verifier>,
    ids: Arc<dyn IdGenerator>,
    default_deadline: Duration,
    max_deadline: Duration,
    admission: Arc<Semaphore>,
    furniture: Arc<Semaphore>,
    cut_off: CancellationToken,
    drain: CancellationToken,
}

impl Guard {
    /// `drain`: cancelled when no new calls are taken any more.
    pub fn new(server: &CallServer, drain: CancellationToken) -> Self {
        Self {
            service: server.service,
            public: paths(server.public),
            unhurried: paths(server.unhurried),
            serves_http: server.serves_http,
            verifier: server.verifier.clone(),
            ids: server.ids.clone(),
            default_deadline: server.config.default_deadline,
            max_deadline: server.config.max_deadline,
            admission: Arc::new(Semaphore::new(server.config.max_concurrent_calls)),
            furniture: Arc::new(Semaphore::new(MAX_FURNITURE)),
            cut_off: server.cut_off.clone(),
            drain,
        }
    }

    fn is_public(&self, path: &str) -> bool {
        methods::is_furniture(path) || self.public.iter().any(|public| public == path)
    }

    /// Where plain HTTP is served too, what is no gRPC passes by: the gateway judges it. A path of a gRPC service is
    /// gRPC whatever its content type says.
    fn is_grpc(&self, request: &Request) -> bool {
        let path = request.uri().path();
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        !self.serves_http
            || path.starts_with("/callboard.")
            || path.starts_with("/grpc.")
            || content_type.is_some_and(|content_type| content_type.starts_with("application/grpc"))
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Verified>, AuthError> {
        let value = headers.get(AUTHORIZATION).ok_or(AuthError::Missing)?;
        let value = value.to_str().map_err(|_| AuthError::Invalid("the header is not ASCII"))?;
        let (scheme, token) = value.split_once(' ').ok_or(AuthError::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AuthError::Missing);
        }
        self.verifier.verify(token.trim()).await
    }

    fn time_allowed(&self, path: &str, headers: &HeaderMap) -> Duration {
        let asked = headers.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(grpc_timeout);
        if self.unhurried.iter().any(|unhurried| unhurried == path) {
            return asked.unwrap_or(UNHURRIED).min(UNHURRIED);
        }
        asked.unwrap_or(self.default_deadline).min(self.max_deadline)
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        answer(error::status(self.service, refusal))
    }

    async fn call(&self, mut request: Request, next: Next) -> Response {
        let path = request.uri().path().to_owned();
        // Probes must be answered also when there is too much to do, or the rest of us is taken out as well.
        let room = if methods::is_furniture(&path) { &self.furniture } else { &self.admission };
        let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
            let refusal =
                Refusal::new(ErrorKind::ResourceExhausted, "TOO_MANY_CALLS", "too many calls at once");
            return self.refuse(&refusal);
        };
        let allowed = self.time_allowed(&path, request.headers());
        let deadline = Deadline::after(allowed);
        request.extensions_mut().insert(deadline);
        // Answers a little before the caller gives up, so that it is told instead of having to guess; and before the
        // transport, which would call it cancelled.
        let wait = allowed.saturating_sub((allowed / 20).min(Duration::from_millis(10)));
        let work = async {
            match self.authenticate(request.headers()).await {
                Ok(verified) => {
                    request.extensions_mut().insert(Arc::new(verified.principal.clone()));
                    request.extensions_mut().insert(verified);
                }
                // A bad token is refused on public RPCs too: better than to be taken for a stranger unnoticed.
                Err(AuthError::Missing) if self.is_public(&path) => {}
                Err(_) if methods::is_furniture(&path) => {}
                Err(refused) => return self.refuse(&Refusal::from(&refused)),
            }
            match AssertUnwindSafe(next.run(request)).catch_unwind().await {
                Ok(response) => response,
                Err(_) => {
                    metrics::counter!("callboard_panics_total", "service" => self.service).increment(1);
                    answer(error::internal(self.service, &"the handler panicked"))
                }
            }
        };
        tokio::select! {
            // A stream is a call for as long as it is open.
            response = work => response.map(|body| Body::new(Admitted::new(body, permit))),
            () = tokio::time::sleep(wait) => self.refuse(&Refusal::new(
                ErrorKind::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                "the deadline passed; whether the work was done is unknown",
            )),
            () = self.cut_off.cancelled() => self.refuse(&Refusal::new(
                ErrorKind::Unavailable,
                "STOPPING",
                "this replica is stopping; whether the work was done is unknown",
            )),
        }
    }
}

/// A status without a body; gRPC's "trailers only".
fn answer(status: Status) -> Response {
    status.into_http::<tonic::body::Body>().map(axum::body::Body::new)
}

/// Around every call.
pub(super) async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    if !guard.is_grpc(&request) {
        return next.run(request).await;
    }
    let method = methods::known(request.uri().path());
    // Health and reflection, of whatever version.
    let is_furniture = request.uri().path().starts_with("/grpc.");
    if is_furniture {
        request = request.map(|asked| Body::new(EndsWith::question(asked, guard.drain.clone())));
    }
    let request_id = request_id(request.headers()).unwrap_or_else(|| guard.ids.next().to_string());
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let span = tracing::info_span!(
        "rpc",
        otel.name = method,
        otel.kind = "server",
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.status_code = tracing::field::Empty,
        request_id = %request_id,
    );
    if let Some(traceparent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        telemetry::adopt_traceparent(&span, traceparent);
    }
    let started = Instant::now();
    let mut response = guard.call(request, next).instrument(span.clone()).await;
    // The transport's word for a request that is too large; before an answer begins it can be nothing else. Told as
    // what it is, since the same code on the other side means an answer that is too large.
    if Status::from_header_map(response.headers()).is_some_and(|status| status.code() == Code::OutOfRange) {
        let limit = "the request is larger than this service takes";
        response = guard.refuse(&Refusal::new(ErrorKind::InvalidArgument, "REQUEST_TOO_LARGE", limit));
    }
    if is_furniture {
        response = response.map(|answer| Body::new(EndsWith::answer(answer, guard.drain.clone())));
    }
    if let Ok(value) = request_id.parse() {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    span.record("rpc.status_code", code_name(code));
    record(guard.service, method, code, started.elapsed());
    if code == Code::Internal || code == Code::Unknown {
        span.in_scope(|| tracing::warn!(method, code = code_name(code), request_id, "call failed"));
    }
    response
}

fn record(service: &'static str, method: &'static str, code: Code, took: Duration) {
    let labels = [
        ("service", service),
        ("rpc_system_name", "grpc"),
        ("rpc_method", method),
        ("rpc_status_code", code_name(code)),
    ];
    metrics::histogram!("rpc_server_call_duration_seconds", &labels).record(took.as_secs_f64());
}

/// The caller's request id: up to 128 visible ASCII characters, since it goes into logs.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| value.to_owned())
}

/// `grpc-timeout`: up to eight digits and a unit.
fn grpc_timeout(value: &str) -> Option<Duration> {
    let unit = value.chars().last()?;
    let digits = value.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(number * 3600)),
        'M' => Some(Duration::from_secs(number * 60)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        'u' => Some(Duration::from_micros(number)),
        'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The code as the conventions write it: `NOT_FOUND`.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
