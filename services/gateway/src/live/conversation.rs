//! One conversation's stream, as server-sent events: what the messenger's `Watch` says, event by event.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use callboard_proto::messenger::v1 as proto;
use callboard_proto::messenger::v1::messenger_service_client::MessengerServiceClient;
use callboard_proto::messenger::v1::watch_response::Event;
use callboard_service::error::report;
use futures::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use tonic::Streaming;

use super::hub::Seat;
use crate::call::Call;
use crate::model::messenger::{Conversation, Message, Presence, ReadMarker, Typing};
use crate::model::mirror::Mirror;
use crate::problem::Problem;

/// How long a reader waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);

/// Opens a stream.
///
/// # Errors
/// The messenger's "no", before anything is sent.
pub async fn open(
    call: Call,
    mut message: proto::WatchRequest,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    if let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) {
        let position = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        message.after_position =
            position.ok_or_else(|| Problem::field("Last-Event-ID", "is not one of ours"))?;
    }
    let gateway = &call.gateway;
    let seat =
        gateway.live.admit(call.principal().organisation, call.principal().actor()).ok_or_else(|| {
            let most = gateway.settings.live.max_streams_per_principal;
            let mut problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TOO_MANY_STREAMS",
                format!("at most {most} live streams at once"),
            );
            problem.retry_after = Some(RETRY);
            problem
        })?;
    let missing = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error");
    // The bare channel: a stream is not tried again by the gateway, its reader resumes.
    let channel = gateway.upstreams.channel("messenger").ok_or_else(missing)?;
    let request = call.request_within(message, gateway.settings.call_timeout);
    let watched = MessengerServiceClient::new(channel)
        .max_decoding_message_size(1024 * 1024)
        .watch(request)
        .await
        .map_err(|status| call.problem(status))?
        .into_inner();
    let heartbeat = gateway.settings.live.heartbeat;
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
    Ok(response)
}

struct Connection {
    call: Call,
    watched: Streaming<proto::WatchResponse>,
    heartbeat: Duration,
    begun: bool,
    ended: bool,
    _seat: Seat,
}

impl Connection {
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
                Ok(Some(response)) => shown(response),
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

fn shown(response: proto::WatchResponse) -> Bytes {
    let position = response.position;
    match response.event {
        Some(Event::Conversation(of)) => written(position, "conversation", &Conversation::out(of)),
        Some(Event::Message(of)) => written(position, "message", &Message::out(of)),
        Some(Event::ReadMarker(of)) => written(position, "readMarker", &ReadMarker::out(of)),
        Some(Event::Typing(of)) => written(position, "typing", &Typing::out(of)),
        Some(Event::Presence(of)) => written(position, "presence", &Presence::out(of)),
        Some(Event::CaughtUp(_)) | None => written(position, "caughtUp", &json!({ "position": position })),
    }
}

/// One event; with a position where a reader may resume.
fn written(position: i64, event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = if position > 0 { format!("id: {position}\n") } else { String::new() };
    format!("{id}event: {event}\ndata: {data}\n\n").into()
}
