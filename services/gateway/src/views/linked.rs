//! What other contexts hold of a ticket, each asked by itself.

use callboard_proto::{messenger, notifications, tasks, video};
use tokio::time::Instant;

use super::part::{Miss, Part, part, within};
use super::screen::{ConversationPart, NotificationsPart};
use crate::call::Call;
use crate::model::mirror::Mirror;
use crate::model::notifications::NotificationPage;

/// Messages that the view shows at once.
const MESSAGES: i32 = 50;
/// Tasks that the view shows at once.
const TASKS: i32 = 50;
/// Video sessions that the view shows at once.
const SESSIONS: i32 = 50;
/// More than there are types: a drawer holds one entry of each about one thing (N-1), so these are all.
const NOTIFICATIONS: i32 = 200;

/// The conversation and its latest messages.
pub async fn conversation_part(
    call: &Call,
    ticket_id: &str,
    until: Instant,
    miss: &Miss<'_>,
) -> Option<ConversationPart> {
    let message =
        messenger::v1::GetConversationRequest { conversation_id: ticket_id.to_owned(), messages: MESSAGES };
    let mut upstream = call.gateway.upstreams.messenger();
    let asked = Part::of(upstream.get_conversation(within(call, message, until)), until);
    let found = part("messenger", miss, asked).await?;
    Some(ConversationPart {
        conversation: Mirror::out(found.conversation?),
        messages: Mirror::out(found.latest.unwrap_or_default()),
    })
}

/// Tasks linked to the ticket (K-5).
pub async fn linked_tasks(
    call: &Call,
    ticket_id: &str,
    until: Instant,
    miss: &Miss<'_>,
) -> Option<tasks::v1::ListTasksResponse> {
    let filter = tasks::v1::TaskFilter { ticket_id: ticket_id.to_owned(), ..Default::default() };
    let message = tasks::v1::ListTasksRequest {
        filter: Some(filter),
        order: tasks::v1::TaskOrder::Due.into(),
        page_size: TASKS,
        page_token: String::new(),
    };
    part(
        "tasks",
        miss,
        Part::of(call.gateway.upstreams.tasks().list_tasks(within(call, message, until)), until),
    )
    .await
}

/// Video sessions linked to the ticket (V-9).
pub async fn linked_sessions(
    call: &Call,
    ticket_id: &str,
    until: Instant,
    miss: &Miss<'_>,
) -> Option<video::v1::ListSessionsResponse> {
    let filter = video::v1::SessionFilter { ticket_id: ticket_id.to_owned(), ..Default::default() };
    let message = video::v1::ListSessionsRequest {
        filter: Some(filter),
        page_size: SESSIONS,
        page_token: String::new(),
    };
    part(
        "video",
        miss,
        Part::of(call.gateway.upstreams.video().list_sessions(within(call, message, until)), until),
    )
    .await
}

/// What the caller's own drawer holds of the ticket (N-1), a visitor's that of the code. To look is not to read: what is
/// on the screen its reader marks, since only the page knows what was seen.
pub async fn own_notifications(
    call: &Call,
    ticket_id: &str,
    until: Instant,
    miss: &Miss<'_>,
) -> Option<NotificationsPart> {
    let message = notifications::v1::ListEntriesRequest {
        subject_id: ticket_id.to_owned(),
        page_size: NOTIFICATIONS,
        ..Default::default()
    };
    let mut drawer = call.gateway.upstreams.notifications();
    let listed = Part::of(drawer.list_entries(within(call, message, until)), until);
    let entries = NotificationPage::out(part("notifications", miss, listed).await?).entries;
    Some(NotificationsPart { unread: entries.iter().filter(|entry| entry.unread).count(), entries })
}
