//! What happens to tickets.

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::Actor;
use callboard_notifications_domain::{EventType, SubjectKind};
use callboard_proto::Event as _;
use callboard_proto::common::v1 as common;
use callboard_proto::tickets::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{by, departments, employees, handles, lacks, optional_id};
use crate::not_now;
use crate::store::KnownSubject;
use crate::tell::{Happening, Teller};

/// Keeps tickets, and tells of them.
#[derive(Debug, Clone)]
pub struct TicketsHandler(pub Teller);

/// What of a message matters here.
struct Told {
    facts: Option<proto::TicketFacts>,
    event_type: Option<EventType>,
    by: Option<common::Actor>,
    details: Value,
    public: bool,
}

impl Told {
    fn of(facts: Option<proto::TicketFacts>) -> Self {
        Self { facts, event_type: None, by: None, details: json!({}), public: true }
    }

    fn typed(self, event_type: EventType, by: Option<common::Actor>) -> Self {
        Self { event_type: Some(event_type), by, ..self }
    }

    fn status(self, by: Option<common::Actor>) -> Self {
        let status = self.facts.as_ref().map_or("", |facts| word(facts.status()));
        Self { details: json!({ "status": status }), ..self.typed(EventType::TicketStatus, by) }
    }
}

const fn word(status: proto::TicketStatus) -> &'static str {
    match status {
        proto::TicketStatus::Unspecified => "",
        proto::TicketStatus::Draft => "DRAFT",
        proto::TicketStatus::Open => "OPEN",
        proto::TicketStatus::Assigned => "ASSIGNED",
        proto::TicketStatus::InProgress => "IN_PROGRESS",
        proto::TicketStatus::Done => "DONE",
        proto::TicketStatus::Closed => "CLOSED",
        proto::TicketStatus::Cancelled => "CANCELLED",
    }
}

/// A ticket as it is kept here.
fn subject(facts: &proto::TicketFacts, version: i64) -> Result<KnownSubject, HandleError> {
    Ok(KnownSubject {
        id: event_id("ticket_id", &facts.ticket_id)?,
        kind: SubjectKind::Ticket,
        version,
        deleted: false,
        number: facts.number,
        device: optional_id("device_id", &facts.device_id)?,
        device_version: facts.device_version,
        customer: optional_id("customer_id", &facts.customer_id)?,
        internal: facts.visibility() != proto::Visibility::Public,
        departments: departments(&facts.department_ids)?,
        involved: employees(&facts.involved_employee_ids)?,
        group: optional_id("notification_group_id", &facts.notification_group_id)?,
    })
}

macro_rules! status_messages {
    ($event:expr, $kind:expr; $($message:ident),+) => {
        match $kind {
            $(proto::$message::TYPE => {
                let message: proto::$message = decode($event)?;
                Some(Told::of(message.ticket).status(message.by))
            })+
            _ => None,
        }
    };
}

fn read(event: &Event) -> Result<Option<Told>, HandleError> {
    let kind = event.kind.as_str();
    let status = status_messages!(event, kind;
        TicketAssigned, TicketUnassigned, TicketStarted, TicketDone, TicketClosed, TicketCancelled, TicketReopened);
    if status.is_some() {
        return Ok(status);
    }
    Ok(Some(match kind {
        proto::TicketOpened::TYPE => {
            Told::of(decode::<proto::TicketOpened>(event)?.ticket).typed(EventType::TicketOpened, None)
        }
        proto::TicketVisibilityChanged::TYPE => {
            let message: proto::TicketVisibilityChanged = decode(event)?;
            Told::of(message.ticket).typed(EventType::TicketChanged, message.by)
        }
        proto::TicketPriorityChanged::TYPE => {
            let message: proto::TicketPriorityChanged = decode(event)?;
            Told::of(message.ticket).typed(EventType::TicketChanged, message.by)
        }
        proto::TicketEdited::TYPE => {
            let message: proto::TicketEdited = decode(event)?;
            Told::of(message.ticket).typed(EventType::TicketChanged, message.by)
        }
        proto::TicketInvolvedChanged::TYPE => Told::of(decode::<proto::TicketInvolvedChanged>(event)?.ticket),
        proto::TicketRated::TYPE => {
            let told = Told::of(decode::<proto::TicketRated>(event)?.ticket);
            let score = told.facts.as_ref().map_or(0, |facts| facts.rating);
            Told { details: json!({ "score": score }), ..told.typed(EventType::TicketRated, None) }
        }
        proto::TicketUpdatePosted::TYPE => {
            let message: proto::TicketUpdatePosted = decode(event)?;
            // An internal update is nothing for outsiders, whatever the ticket is.
            let public = message.update_visibility() == proto::Visibility::Public;
            Told { public, ..Told::of(message.ticket).typed(EventType::TicketUpdate, message.by) }
        }
        _ => return Ok(None),
    }))
}

impl TicketsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let tables = &self.0.tables;
        if event.kind == proto::TicketDeleted::TYPE {
            let message: proto::TicketDeleted = decode(event)?;
            let id: Uuid = event_id("ticket_id", &message.ticket_id)?;
            let people = tables.drawers.people_of(event.organisation, id).await.map_err(not_now)?;
            tables.copies.purge(event.organisation, SubjectKind::Ticket, id).await.map_err(not_now)?;
            self.0.windows.changed(event.organisation, people).await;
            return Ok(Handled::Done);
        }
        let Some(told) = read(event)? else { return Ok(Handled::Ignored) };
        let facts = told.facts.ok_or_else(|| lacks(event, "ticket"))?;
        let subject = subject(&facts, event.aggregate_version.0)?;
        tables.copies.keep_subject(event.organisation, &subject).await.map_err(not_now)?;
        if event.kind == proto::TicketVisibilityChanged::TYPE {
            // What is hidden goes from drawers that are open (T-13).
            let people = tables.drawers.people_of(event.organisation, subject.id).await.map_err(not_now)?;
            self.0.windows.changed(event.organisation, people).await;
        }
        let Some(event_type) = told.event_type else { return Ok(Handled::Done) };
        let actor: Actor = by(event, told.by.as_ref());
        let happening = Happening {
            public: told.public,
            details: told.details,
            ..Happening::new(event_type, SubjectKind::Ticket, subject.id, actor)
        };
        self.0.tell(event, happening).await
    }
}

handles!(TicketsHandler);
