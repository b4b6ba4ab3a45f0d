//! Video sessions and their calls.

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::{Actor, EmployeeId};
use callboard_notifications_domain::{EventType, SubjectKind};
use callboard_proto::Event as _;
use callboard_proto::common::v1 as common;
use callboard_proto::video::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use serde_json::json;
use uuid::Uuid;

use super::{by, departments, employees, handles, ids, lacks, optional_id};
use crate::not_now;
use crate::store::{KnownFlow, KnownSubject};
use crate::tell::{Happening, Teller};

/// Keeps sessions, and tells of them.
#[derive(Debug, Clone)]
pub struct VideoHandler(pub Teller);

/// What of a message matters here: the session, what is told of it if anything, and who did it.
struct Told {
    facts: Option<proto::SessionFacts>,
    event_type: Option<EventType>,
    by: Option<common::Actor>,
    /// Those who may confirm it hear of it too.
    responsible: bool,
    score: i32,
}

impl Told {
    fn of(facts: Option<proto::SessionFacts>) -> Self {
        Self { facts, event_type: None, by: None, responsible: false, score: 0 }
    }

    fn typed(self, event_type: EventType, by: Option<common::Actor>) -> Self {
        Self { event_type: Some(event_type), by, ..self }
    }
}

macro_rules! silent {
    ($event:expr, $kind:expr; $($message:ident),+) => {
        match $kind {
            $(proto::$message::TYPE => Some(Told::of(decode::<proto::$message>($event)?.session)),)+
            _ => None,
        }
    };
}

fn read(event: &Event) -> Result<Option<Told>, HandleError> {
    let kind = event.kind.as_str();
    // Kept, and not told: of the end of a call the call's own event tells, of a rating that of the rating.
    let silent = silent!(event, kind; SessionVisibilityChanged, SessionDone, SessionClosed);
    if silent.is_some() {
        return Ok(silent);
    }
    Ok(Some(match kind {
        proto::SessionRequested::TYPE => {
            let told = Told::of(decode::<proto::SessionRequested>(event)?.session);
            let requester = told.facts.as_ref().and_then(|facts| facts.requester.clone());
            Told { responsible: true, ..told.typed(EventType::VideoRequested, requester) }
        }
        proto::SessionCreated::TYPE => {
            let told = Told::of(decode::<proto::SessionCreated>(event)?.session);
            let creator = told.facts.as_ref().and_then(|facts| facts.creator.clone());
            told.typed(EventType::VideoConfirmed, creator)
        }
        proto::SessionConfirmed::TYPE => {
            let message: proto::SessionConfirmed = decode(event)?;
            Told::of(message.session).typed(EventType::VideoConfirmed, message.by)
        }
        proto::SessionReopened::TYPE => {
            let message: proto::SessionReopened = decode(event)?;
            Told::of(message.session).typed(EventType::VideoConfirmed, message.by)
        }
        proto::SessionCancelled::TYPE => {
            let message: proto::SessionCancelled = decode(event)?;
            // They were told of the request, and need not look at it any more.
            let responsible = message.previous_status() == proto::SessionStatus::Requested;
            Told { responsible, ..Told::of(message.session).typed(EventType::VideoCancelled, message.by) }
        }
        proto::CallStarted::TYPE => {
            Told::of(decode::<proto::CallStarted>(event)?.session).typed(EventType::VideoCall, None)
        }
        proto::CallEnded::TYPE => {
            Told::of(decode::<proto::CallEnded>(event)?.session).typed(EventType::VideoEnded, None)
        }
        proto::SessionRated::TYPE => {
            let message: proto::SessionRated = decode(event)?;
            Told { score: message.score, ..Told::of(message.session).typed(EventType::VideoRated, None) }
        }
        _ => return Ok(None),
    }))
}

/// A session as it is kept here: the employee of the session is who works on it (V-1).
fn subject(facts: &proto::SessionFacts, version: i64) -> Result<KnownSubject, HandleError> {
    let employee: Option<EmployeeId> = optional_id("employee_id", &facts.employee_id)?;
    Ok(KnownSubject {
        id: event_id("session_id", &facts.session_id)?,
        kind: SubjectKind::VideoSession,
        version,
        deleted: false,
        number: 0,
        device: optional_id("device_id", &facts.device_id)?,
        device_version: 0,
        customer: optional_id("customer_id", &facts.customer_id)?,
        internal: facts.visibility() != proto::Visibility::Public,
        departments: departments(&facts.department_ids)?,
        involved: employee.into_iter().collect(),
        group: None,
    })
}

impl VideoHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let copies = &self.0.tables.copies;
        if event.kind == proto::SessionFlowChanged::TYPE {
            let message: proto::SessionFlowChanged = decode(event)?;
            let flow = KnownFlow {
                template: event_id("template_id", &message.template_id)?,
                employees: employees(&message.responsible_employee_ids)?,
                departments: departments(&message.responsible_department_ids)?,
            };
            let version = event.aggregate_version.0;
            copies.keep_flow(event.organisation, version, &flow).await.map_err(not_now)?;
            return Ok(Handled::Done);
        }
        let Some(told) = read(event)? else { return Ok(Handled::Ignored) };
        let facts = told.facts.ok_or_else(|| lacks(event, "session"))?;
        let subject = subject(&facts, event.aggregate_version.0)?;
        copies.keep_subject(event.organisation, &subject).await.map_err(not_now)?;
        if event.kind == proto::SessionVisibilityChanged::TYPE {
            // What is hidden goes from drawers that are open (V-7, T-13).
            let people = self.0.tables.drawers.people_of(event.organisation, subject.id).await;
            self.0.windows.changed(event.organisation, people.map_err(not_now)?).await;
        }
        let Some(event_type) = told.event_type else { return Ok(Handled::Done) };
        let actor: Actor = by(event, told.by.as_ref());
        // Who is offered, or works on, a ticket that it is linked to may confirm it (V-2).
        let tickets: Vec<Uuid> =
            if told.responsible { ids("ticket_ids", &facts.ticket_ids)? } else { Vec::new() };
        let called = copies.called_to(event.organisation, &tickets, None).await.map_err(not_now)?;
        let template: Option<Uuid> = optional_id("template_id", &facts.template_id)?;
        let happening = Happening {
            template: template.filter(|_| told.responsible),
            named: called,
            details: json!({ "score": told.score, "tickets": tickets }),
            ..Happening::new(event_type, SubjectKind::VideoSession, subject.id, actor)
        };
        self.0.tell(event, happening).await
    }
}

handles!(VideoHandler);
