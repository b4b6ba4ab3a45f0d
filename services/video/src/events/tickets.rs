//! What video makes of tickets: enough to link them, to hide with them (T-13), and to forget them (T-11).
//!
//! A deleted ticket takes its links along and nothing else: a session is a thing of its own, may be linked to other
//! tickets, and tells nothing of this one.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::TicketId;
use callboard_proto::Event as _;
use callboard_proto::tickets::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use callboard_video_domain::session::SessionCommand;
use futures::future::BoxFuture;

use crate::api::Reads;
use crate::store::TicketCopy;
use crate::{Sessions, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "video-tickets";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] =
    &[proto::TicketOpened::SUBJECT, proto::TicketVisibilityChanged::SUBJECT, proto::TicketDeleted::SUBJECT];

/// Keeps the copies, and hides and forgets with them.
#[derive(Debug, Clone)]
pub struct TicketsHandler {
    /// Sessions.
    pub sessions: Sessions,
    /// The copies.
    pub reads: Reads,
}

impl TicketsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let (facts, is_turned) = match event.kind.as_str() {
            proto::TicketOpened::TYPE => (decode::<proto::TicketOpened>(event)?.ticket, false),
            proto::TicketVisibilityChanged::TYPE => {
                (decode::<proto::TicketVisibilityChanged>(event)?.ticket, true)
            }
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
        let public = facts.visibility() == proto::Visibility::Public;
        let copy = TicketCopy { device: event_id("device_id", &facts.device_id)?, customer, public };
        let id: TicketId = event_id("ticket_id", &facts.ticket_id)?;
        let version = event.aggregate_version.0;
        self.reads.copies.keep_ticket(event.organisation, version, id, Some(&copy)).await.map_err(not_now)?;
        // Everything on a ticket that turns internal turns with it (T-13). One that is born internal does not: it may be
        // made in the back office from a session that is public (V-9). And what an employee made internal does not come
        // back with the ticket.
        if is_turned && !public {
            let linked = self.reads.queries.linked(event.organisation, id).await.map_err(not_now)?;
            for (session, template) in linked {
                let around = self.reads.around_system(event.organisation, template).await.map_err(not_now)?;
                let command = SessionCommand::Hide { ticket: id, around };
                Reaction { consumer: CONSUMER, event }.give(&self.sessions, session, command).await?;
            }
        }
        Ok(Handled::Done)
    }

    /// The copy goes first: from then on the ticket cannot be linked, and links to it are not shown.
    async fn forget(&self, event: &Event, id: TicketId) -> Result<Handled, HandleError> {
        let version = event.aggregate_version.0;
        self.reads.copies.keep_ticket(event.organisation, version, id, None).await.map_err(not_now)?;
        let linked = self.reads.queries.linked(event.organisation, id).await.map_err(not_now)?;
        for (session, _) in linked {
            let command = SessionCommand::Forget { ticket: id };
            Reaction { consumer: CONSUMER, event }.give(&self.sessions, session, command).await?;
        }
        Ok(Handled::Done)
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
