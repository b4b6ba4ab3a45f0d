//! A service's stream, as server-sent events: one message, one event.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use callboard_service::error::report;
use futures::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use tonic::Streaming;
use tonic::transport::Channel;

use super::hub::Seat;
use crate::call::Call;
use crate::problem::Problem;

/// How long a reader waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);

/// A message that is shown as an event.
pub trait Relayed: Send + 'static {
    /// As it is written.
    fn shown(self) -> Bytes;
}

/// One of the caller's live streams.
///
/// # Errors
/// When there are as many as there may be.
pub fn take_seat(call: &Call) -> Result<Seat, Problem> {
    let gateway = &call.gateway;
    gateway.live.admit(call.principal().organisation, call.principal().actor()).ok_or_else(|| {
        let most = gateway.settings.live.max_streams_per_principal;
        let mut problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TOO_MANY_STREAMS",
            format!("at most {most} live streams at once"),
        );
        problem.retry_after = Some(RETRY);
        problem
    })
}

/// The bare channel of a context: a stream is not tried again by the gateway, its reader resumes.
///
/// # Errors
/// When there is none, which is our fault.
pub fn channel(call: &Call, context: &str) -> Result<Channel, Problem> {
    let missing = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error");
    call.gateway.upstreams.channel(context).ok_or_else(missing)
}

/// The answer that goes on for as long as the service's stream does.
pub fn relay<T: Relayed>(call: Call, seat: Seat, watched: Streaming<T>) -> Response {
    let heartbeat = call.gateway.settings.live.heartbeat;
    let connection = Connection { call, watched, heartbeat, begun: false, ended: false, _seat: seat };
    let stream = unfold(connection, |mut connection| async move {
        let chunk = connection.next().await?;
        Some((Ok::<_, Infallible>(chunk), connection))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather answers would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct Connection<T> {
    call: Call,
    watched: Streaming<T>,
    heartbeat: Duration,
    begun: bool,
    ended: bool,
    _seat: Seat,
}

impl<T: Relayed> Connection<T> {
    /// The next piece of the answer; `None`: the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if !self.begun {
            self.begun = true;
            return Some(format!("retry: {}\n\n", RETRY.as_millis()).into());
        }
        let stopping = self.call.gateway.stopping.clone();
        let beat = Instant::now() + self.heartbeat;
        tokio::select! {
            biased;
            () = stopping.cancelled() => Some(self.end("STOPPING")),
            next = self.watched.message() => Some(match next {
                Ok(Some(response)) => response.shown(),
                Ok(None) => self.end("SERVICE_UNAVAILABLE"),
                Err(status) => {
                    let reason = report(&status).reason;
                    self.end(&reason)
                }
            }),
            () = tokio::time::sleep_until(beat) => Some(Bytes::from_static(b": still here\n\n")),
        }
    }

    fn end(&mut self, reason: &str) -> Bytes {
        self.ended = true;
        written(0, "end", &json!({ "reason": reason }))
    }
}

/// One event; with a position where a reader may resume.
pub fn written(position: i64, event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = if position > 0 { format!("id: {position}\n") } else { String::new() };
    format!("{id}event: {event}\ndata: {data}\n\n").into()
}
