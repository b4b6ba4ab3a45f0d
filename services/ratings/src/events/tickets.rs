//! What ratings make of the tickets context's events.

use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_proto::Event as _;
use callboard_proto::tickets::v1 as proto;
use callboard_ratings_domain::request::{News, RequestCommand};
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;

use crate::store::Queries;
use crate::{Requests, convert, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "ratings-tickets";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::TicketOpened::SUBJECT,
    proto::TicketDone::SUBJECT,
    proto::TicketClosed::SUBJECT,
    proto::TicketCancelled::SUBJECT,
    proto::TicketReopened::SUBJECT,
    proto::TicketVisibilityChanged::SUBJECT,
    proto::TicketInvolvedChanged::SUBJECT,
    proto::TicketDeleted::SUBJECT,
];

/// Asks, waives and withdraws.
#[derive(Debug, Clone)]
pub struct TicketsHandler {
    /// Ratings.
    pub requests: Requests,
    /// Knows the switches.
    pub queries: Queries,
}

/// What an event means besides its facts.
enum Meaning {
    /// The first that is heard of the ticket.
    Opened,
    Facts,
    Done,
    Over,
}

impl TicketsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let (facts, meaning) = match event.kind.as_str() {
            proto::TicketOpened::TYPE => (decode::<proto::TicketOpened>(event)?.ticket, Meaning::Opened),
            proto::TicketDone::TYPE => (decode::<proto::TicketDone>(event)?.ticket, Meaning::Done),
            proto::TicketClosed::TYPE => (decode::<proto::TicketClosed>(event)?.ticket, Meaning::Over),
            proto::TicketCancelled::TYPE => (decode::<proto::TicketCancelled>(event)?.ticket, Meaning::Over),
            proto::TicketReopened::TYPE => (decode::<proto::TicketReopened>(event)?.ticket, Meaning::Over),
            proto::TicketVisibilityChanged::TYPE => {
                (decode::<proto::TicketVisibilityChanged>(event)?.ticket, Meaning::Facts)
            }
            proto::TicketInvolvedChanged::TYPE => {
                (decode::<proto::TicketInvolvedChanged>(event)?.ticket, Meaning::Facts)
            }
            proto::TicketDeleted::TYPE => {
                let message: proto::TicketDeleted = decode(event)?;
                let id = event_id("ticket_id", &message.ticket_id)?;
                return self.give(event, id, RequestCommand::Delete).await;
            }
            _ => return Ok(Handled::Ignored),
        };
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} has no ticket", event.kind)))?;
        let id = event_id("ticket_id", &facts.ticket_id)?;
        let subject = convert::ticket(&facts, event.aggregate_version.0)
            .map_err(|problem| HandleError::Poison(format!("{}: {problem}", event.kind)))?;
        let news = match meaning {
            Meaning::Opened | Meaning::Facts => News::Facts,
            Meaning::Over => News::Over,
            Meaning::Done => {
                // The switch at the moment of DONE counts, not that of now.
                let switches = self
                    .queries
                    .switches_at(event.organisation, subject.template, event.time)
                    .await
                    .map_err(not_now)?;
                News::Done { switched_on: switches.tickets }
            }
        };
        let observe = RequestCommand::Observe { subject: Arc::new(subject), news };
        match meaning {
            Meaning::Opened => {
                Reaction { consumer: CONSUMER, event }.give_first(&self.requests, id, observe).await
            }
            Meaning::Facts | Meaning::Done | Meaning::Over => self.give(event, id, observe).await,
        }
    }

    async fn give(
        &self,
        event: &Event,
        id: uuid::Uuid,
        command: RequestCommand,
    ) -> Result<Handled, HandleError> {
        Reaction { consumer: CONSUMER, event }.give(&self.requests, id, command).await
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
