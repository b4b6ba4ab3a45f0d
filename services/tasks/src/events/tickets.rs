//! What tasks keep of tickets: enough to link them, and to forget them (T-11, T-13).

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::TicketId;
use callboard_proto::Event as _;
use callboard_proto::tickets::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use callboard_tasks_domain::task::TaskCommand;
use futures::future::BoxFuture;

use crate::api::Reads;
use crate::store::{Concerned, TicketCopy};
use crate::{Tasks, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "tasks-tickets";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] =
    &[proto::TicketOpened::SUBJECT, proto::TicketVisibilityChanged::SUBJECT, proto::TicketDeleted::SUBJECT];

/// Keeps the copies.
#[derive(Debug, Clone)]
pub struct TicketsHandler {
    /// Tasks.
    pub tasks: Tasks,
    /// The copies.
    pub reads: Reads,
}

impl TicketsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let facts = match event.kind.as_str() {
            proto::TicketOpened::TYPE => decode::<proto::TicketOpened>(event)?.ticket,
            proto::TicketVisibilityChanged::TYPE => decode::<proto::TicketVisibilityChanged>(event)?.ticket,
            proto::TicketDeleted::TYPE => {
                let id = event_id("ticket_id", &decode::<proto::TicketDeleted>(event)?.ticket_id)?;
                return self.forget(event, id).await;
            }
            _ => return Ok(Handled::Ignored),
        };
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} has no ticket", event.kind)))?;
        let customer = match facts.customer_id.as_str() {
            "" => None,
            id => Some(event_id("customer_id", id)?),
        };
        let copy = TicketCopy {
            device: event_id("device_id", &facts.device_id)?,
            customer,
            public: facts.visibility() == proto::Visibility::Public,
        };
        let id = event_id("ticket_id", &facts.ticket_id)?;
        let version = event.aggregate_version.0;
        self.reads.copies.keep_ticket(event.organisation, version, id, Some(&copy)).await.map_err(not_now)?;
        Ok(Handled::Done)
    }

    /// The copy goes first: from then on the ticket cannot be linked, and links to it are not shown.
    async fn forget(&self, event: &Event, id: TicketId) -> Result<Handled, HandleError> {
        let version = event.aggregate_version.0;
        self.reads.copies.keep_ticket(event.organisation, version, id, None).await.map_err(not_now)?;
        let mut after = None;
        loop {
            let found = self
                .reads
                .queries
                .concerned(event.organisation, Concerned::TasksLinked(id), after)
                .await
                .map_err(not_now)?;
            for task in &found {
                let command = TaskCommand::Unlink { ticket: id };
                Reaction { consumer: CONSUMER, event }.give(&self.tasks, *task, command).await?;
            }
            after = found.last().copied();
            if after.is_none() {
                return Ok(Handled::Done);
            }
        }
    }
}

impl Handler for TicketsHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
