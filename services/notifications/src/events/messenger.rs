//! What is said in conversations.

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::Actor;
use callboard_notifications_domain::{EventType, Person, SubjectKind};
use callboard_proto::Event as _;
use callboard_proto::messenger::v1 as proto;
use callboard_service::convert::from_proto_actor;
use callboard_service::reaction::{decode, event_id};
use uuid::Uuid;

use super::{by, departments, employees, handles, lacks, optional_id};
use crate::not_now;
use crate::store::KnownSubject;
use crate::tell::{Happening, Teller};

/// What it takes; no other event is sent to it.
const HEARS: &[&str] =
    &[proto::MessageSent::SUBJECT, proto::MessageWithdrawn::SUBJECT, proto::ConversationRead::SUBJECT];

/// Tells of messages, takes off what was withdrawn, and marks what was read.
#[derive(Debug, Clone)]
pub struct MessengerHandler(pub Teller);

impl MessengerHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::MessageSent::TYPE => self.sent(event).await,
            proto::MessageWithdrawn::TYPE => {
                let message: proto::MessageWithdrawn = decode(event)?;
                let facts = message.message.ok_or_else(|| lacks(event, "message"))?;
                let id: Uuid = event_id("message_id", &facts.message_id)?;
                let now = self.0.clock.now();
                let people =
                    self.0.tables.tellings.take_off(event.organisation, id, now).await.map_err(not_now)?;
                self.0.windows.changed(event.organisation, people).await;
                Ok(Handled::Done)
            }
            proto::ConversationRead::TYPE => self.read(event).await,
            _ => Ok(Handled::Ignored),
        }
    }

    async fn sent(&self, event: &Event) -> Result<Handled, HandleError> {
        let message: proto::MessageSent = decode(event)?;
        let conversation = message.conversation.ok_or_else(|| lacks(event, "conversation"))?;
        let said = message.message.ok_or_else(|| lacks(event, "message"))?;
        let ticket: Uuid = event_id("ticket_id", &conversation.ticket_id)?;
        // What the ticket's own context says counts more; this is for the time before it was heard.
        let subject = KnownSubject {
            device: optional_id("device_id", &conversation.device_id)?,
            customer: optional_id("customer_id", &conversation.customer_id)?,
            internal: conversation.internal,
            departments: departments(&conversation.department_ids)?,
            involved: employees(&conversation.involved_employee_ids)?,
            version: 0,
            ..KnownSubject::unheard(SubjectKind::Ticket, ticket)
        };
        self.0.tables.copies.keep_subject(event.organisation, &subject).await.map_err(not_now)?;
        let actor = by(event, said.author.as_ref());
        let happening = Happening {
            part: Some(event_id("message_id", &said.message_id)?),
            ..Happening::new(EventType::Message, SubjectKind::Ticket, ticket, actor)
        };
        self.0.tell(event, happening).await
    }

    async fn read(&self, event: &Event) -> Result<Handled, HandleError> {
        let message: proto::ConversationRead = decode(event)?;
        let conversation = message.conversation.ok_or_else(|| lacks(event, "conversation"))?;
        // Who has not read it all still has something to read.
        if message.sequence < conversation.last_sequence {
            return Ok(Handled::Done);
        }
        let person = match message.reader.as_ref().and_then(from_proto_actor) {
            Some(Actor::Employee(id)) => Person::Employee(id),
            Some(Actor::CustomerUser(id)) => Person::CustomerUser(id),
            // A visitor read it; the drawer is of all who scan the code.
            Some(Actor::CodeUser(_) | Actor::System) | None => return Ok(Handled::Done),
        };
        let ticket: Uuid = event_id("ticket_id", &conversation.ticket_id)?;
        let drawers = &self.0.tables.drawers;
        let changed = drawers
            .read(event.organisation, person, EventType::Message, ticket, event.time)
            .await
            .map_err(not_now)?;
        if changed {
            self.0.windows.changed(event.organisation, [person]).await;
        }
        Ok(Handled::Done)
    }
}

handles!(MessengerHandler, HEARS);
