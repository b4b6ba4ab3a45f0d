//! gRPC through the gateway: `callboard.<context>.v1.*` passes to its service as it is, streams and trailers included.
//!
//! The chassis answers health and reflection, and has verified the token before anything comes here; each service
//! verifies it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use callboard_kernel::{ErrorKind, Refusal};
use callboard_service::error::{self, report};
use callboard_service::request::{Deadline, RequestId};
use http::header::{CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, StatusCode, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tonic::Status;
use tower::{Service, ServiceExt};

use crate::problem::Problem;
use crate::service::UNHURRIED_RPCS;
use crate::state::Gateway;
use crate::upstream::context_of;

const SERVICE: &str = "gateway";

/// Whether a request is gRPC: by its content type, or by a path that only gRPC has.
pub fn is_grpc(request: &Request) -> bool {
    let path = request.uri().path();
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|content_type| content_type.starts_with(b"application/grpc"))
        || path.starts_with("/callboard.")
        || path.starts_with("/grpc.")
}

/// Passes one call on.
pub async fn pass_through(gateway: &Arc<Gateway>, request: Request) -> Response {
    let name = request.uri().path().trim_start_matches('/');
    let unhurried = UNHURRIED_RPCS.contains(&name);
    let channel = context_of(name).and_then(|context| gateway.upstreams.channel(context));
    let Some(mut channel) = channel else {
        let path = request.uri().path();
        return answer(refusal(
            ErrorKind::Unimplemented,
            "METHOD_UNKNOWN",
            &format!("there is no {path} here"),
        ));
    };
    let (mut parts, body) = request.into_parts();
    let deadline = parts.extensions.get::<Deadline>().copied();
    let request_id = parts.extensions.get::<RequestId>().cloned();
    for name in [CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")] {
        parts.headers.remove(name);
    }
    if let Some(RequestId(id)) = request_id
        && let Ok(value) = HeaderValue::from_str(&id)
    {
        parts.headers.insert("x-request-id", value);
    }
    // The service stops when the caller stops waiting, whatever it was told itself.
    if let Some(deadline) = deadline
        && let Ok(value) =
            HeaderValue::from_str(&format!("{}m", deadline.remaining().as_millis().min(99_999_999)))
    {
        parts.headers.insert("grpc-timeout", value);
    }
    if let Some(traceparent) = callboard_service::telemetry::current_traceparent()
        && let Ok(value) = HeaderValue::from_str(&traceparent)
    {
        parts.headers.insert("traceparent", value);
    }
    // The transport only says that the body broke off; why, is noted here.
    let too_large = Arc::new(AtomicBool::new(false));
    let noted = too_large.clone();
    let limit = if unhurried { usize::MAX } else { gateway.settings.max_grpc_body_bytes };
    let body = Limited::new(body, limit).map_err(move |error| {
        noted.fetch_or(error.is::<LengthLimitError>(), Ordering::Relaxed);
        error
    });
    let body = tonic::body::Body::new(body);
    let mut forwarded = http::Request::new(body);
    *forwarded.method_mut() = parts.method;
    *forwarded.uri_mut() = parts.uri;
    *forwarded.version_mut() = Version::HTTP_2;
    *forwarded.headers_mut() = parts.headers;
    let outcome = match channel.ready().await {
        Ok(channel) => channel.call(forwarded).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(response) => response.map(Body::new),
        Err(_) if too_large.load(Ordering::Relaxed) => {
            answer(refusal(ErrorKind::ResourceExhausted, "BODY_TOO_LARGE", "the body is larger than allowed"))
        }
        Err(error) => answer(failed(Status::from_error(error.into()))),
    }
}

/// A failure of the transport, told with a reason like all others.
fn failed(status: Status) -> Status {
    match report(&status).kind {
        ErrorKind::DeadlineExceeded => refusal(
            ErrorKind::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "the deadline passed; whether the work was done is unknown",
        ),
        _ => refusal(
            ErrorKind::Unavailable,
            "SERVICE_UNAVAILABLE",
            "the service behind it cannot be reached now",
        ),
    }
}

fn refusal(kind: ErrorKind, reason: &'static str, message: &str) -> Status {
    error::status(SERVICE, &Refusal::new(kind, reason, message))
}

/// A problem of the gateway's own, as gRPC tells it.
pub fn refuse(problem: Problem) -> Response {
    answer(match problem.status {
        StatusCode::TOO_MANY_REQUESTS => {
            refusal(ErrorKind::ResourceExhausted, "RATE_LIMITED", &problem.detail)
        }
        _ => refusal(ErrorKind::Internal, "INTERNAL", &problem.detail),
    })
}

/// A status without a body; gRPC's "trailers only".
fn answer(status: Status) -> Response {
    status.into_http::<tonic::body::Body>().map(Body::new)
}
