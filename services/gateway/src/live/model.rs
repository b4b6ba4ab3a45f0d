//! What a live stream tells.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::model::{Actor, Time};

/// One event, as a JSON document in `data:`.
///
/// `id:` names the reader's position in all streams; send it back as `Last-Event-ID` to resume. Besides these, the
/// stream has `event: ready` at its beginning, `event: reset` when something was missed for good and what is shown
/// must be read anew, and `event: end` with the reason when the server ends it. Where the service that says who may see an
/// event cannot be asked, the event and those of its context wait until it can; all others go on.
///
/// The caller's own drawer comes along, without `id:`. `event: notification` is a Notification that is new or has
/// changed, on another device too. `event: unread` says how many are `unread` and the `position` of the latest: soon
/// after the beginning, when the count changes, and when something is gone. A page whose drawer has another position
/// reads it anew. These streams are no windows: `told` comes on `/v1/notifications/live` alone (N-2).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveEvent {
    /// UUID of the event; the same on NATS.
    pub id: String,
    /// Aggregate and what happened: `ticket.opened`; of the support desk's tickets, `support_ticket.opened`. `ticket.hidden`: the ticket became internal and must vanish from
    /// the screen of who may not see internal ones (T-13). `task.hidden` and `video.session_hidden` are the
    /// same of a task and a video session.
    pub name: String,
    /// The CloudEvents type: `callboard.tickets.v1.TicketOpened`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub time: Time,
    /// The ticket it is about, where it is about one. UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<String>,
    /// Who did it.
    pub actor: Actor,
    /// The event that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<String>,
    /// Ties a chain of events together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What it says: the state after, and before where that matters; names as in REST. Free text never.
    pub data: Value,
}
