//! One drawer's stream, as server-sent events: what notifications' `WatchEntries` says, event by event.

use axum::body::Bytes;
use axum::response::Response;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::notification_service_client::NotificationServiceClient;
use callboard_proto::notifications::v1::watch_entries_response::Event;
use serde_json::json;

use super::relayed::{Relayed, relay, take_seat, written};
use crate::call::Call;
use crate::model::mirror::Mirror;
use crate::model::notifications::Notification;
use crate::problem::Problem;

/// Opens a stream.
///
/// # Errors
/// The service's "no", before anything is sent.
pub async fn open(call: Call) -> Result<Response, Problem> {
    let seat = take_seat(&call)?;
    let channel = super::relayed::channel(&call, "notifications")?;
    let request = call.request_within(proto::WatchEntriesRequest {}, call.gateway.settings.call_timeout);
    let watched = NotificationServiceClient::new(channel)
        .max_decoding_message_size(1024 * 1024)
        .watch_entries(request)
        .await
        .map_err(|status| call.problem(status))?
        .into_inner();
    Ok(relay(call, seat, watched))
}

impl Relayed for proto::WatchEntriesResponse {
    fn shown(self) -> Bytes {
        match self.event {
            Some(Event::UnreadCount(of)) => {
                written(0, "unread", &json!({ "unread": of.unread, "position": of.position }))
            }
            Some(Event::Entry(of)) => written(0, "notification", &Notification::out(of)),
            Some(Event::Told(of)) => written(0, "told", &Notification::out(of)),
            Some(Event::KeepAlive(_)) | None => Bytes::from_static(b": still here\n\n"),
        }
    }
}
