//! One conversation's stream, as server-sent events: what the messenger's `Watch` says, event by event.

use axum::body::Bytes;
use axum::response::Response;
use callboard_proto::messenger::v1 as proto;
use callboard_proto::messenger::v1::messenger_service_client::MessengerServiceClient;
use callboard_proto::messenger::v1::watch_response::Event;
use http::HeaderMap;
use serde_json::json;

use super::relayed::{Relayed, channel, relay, take_seat, written};
use crate::call::Call;
use crate::model::messenger::{Conversation, Message, Presence, ReadMarker, Typing};
use crate::model::mirror::Mirror;
use crate::problem::Problem;

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
    let seat = take_seat(&call)?;
    let channel = channel(&call, "messenger")?;
    let request = call.request_within(message, call.gateway.settings.call_timeout);
    let watched = MessengerServiceClient::new(channel)
        .max_decoding_message_size(1024 * 1024)
        .watch(request)
        .await
        .map_err(|status| call.problem(status))?
        .into_inner();
    Ok(relay(call, seat, watched))
}

impl Relayed for proto::WatchResponse {
    fn shown(self) -> Bytes {
        let position = self.position;
        match self.event {
            Some(Event::Conversation(of)) => written(position, "conversation", &Conversation::out(of)),
            Some(Event::Message(of)) => written(position, "message", &Message::out(of)),
            Some(Event::ReadMarker(of)) => written(position, "readMarker", &ReadMarker::out(of)),
            Some(Event::Typing(of)) => written(position, "typing", &Typing::out(of)),
            Some(Event::Presence(of)) => written(position, "presence", &Presence::out(of)),
            Some(Event::CaughtUp(_)) | None => {
                written(position, "caughtUp", &json!({ "position": position }))
            }
        }
    }
}
