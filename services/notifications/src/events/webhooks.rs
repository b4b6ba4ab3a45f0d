//! Every event of every context, for the webhooks that want it.

use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled, structured};
use callboard_kernel::Clock;
use callboard_proto::Event as _;
use callboard_proto::tickets::v1::TicketDeleted;
use callboard_service::facts::facts;
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

use super::handles;
use crate::not_now;
use crate::store::{HookEvent, Hooks, Webhooks};

/// Queues events.
#[derive(Debug, Clone)]
pub struct WebhooksHandler {
    /// Who wants them.
    pub webhooks: Webhooks,
    /// Where they wait.
    pub hooks: Hooks,
    /// Wakes the courier.
    pub wake: Arc<Notify>,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

impl WebhooksHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let deletion = event.kind == TicketDeleted::TYPE;
        let organisation = event.organisation;
        let data = if deletion { facts(&event.kind, event.payload.clone()) } else { None };
        if let Some(ticket) = data.as_ref().and_then(|data| ticket(event, data)) {
            self.hooks.purge(organisation, ticket).await.map_err(not_now)?;
        }
        let to = self.webhooks.hearing(organisation, &event.kind, event.time).await.map_err(not_now)?;
        if to.is_empty() {
            return Ok(Handled::Done);
        }
        // Of a type that is newer than this process nothing can be said: its consumer waits for the next release.
        let data = data.or_else(|| facts(&event.kind, event.payload.clone()));
        let data = data.ok_or_else(|| HandleError::Failed(format!("{} is unknown here", event.kind)))?;
        let queued = HookEvent {
            id: event.id,
            organisation,
            kind: event.kind.clone(),
            ticket: ticket(event, &data),
            body: structured(event, data).to_string(),
        };
        let now = self.clock.now();
        let fresh = self.hooks.queue(&queued, &to, deletion, false, now).await.map_err(not_now)?;
        if fresh > 0 {
            self.wake.notify_waiters();
        }
        Ok(Handled::Done)
    }
}

handles!(WebhooksHandler);

/// The ticket that an event is part of. What merely mentions one, such as a linked task, is not part of it.
fn ticket(event: &Event, data: &Value) -> Option<Uuid> {
    fn named(value: &Value) -> Option<&str> {
        let fields = value.as_object()?;
        fields.get("ticketId").and_then(Value::as_str).or_else(|| fields.values().find_map(named))
    }
    let id = match event.context.as_str() {
        "tickets" | "fleet" | "messenger" => named(data)?,
        "ratings" if data["rating"]["subjectKind"] == "TICKET" => data["rating"]["subjectId"].as_str()?,
        _ => return None,
    };
    id.parse().ok()
}
