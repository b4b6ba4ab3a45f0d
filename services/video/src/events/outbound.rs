//! What others hear of sessions and flows. Names and reasons stay home.

use callboard_actor::Step;
use callboard_bus::Event;
use callboard_proto::video::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_service::outbound;
use callboard_video_domain::session::{SessionContent, SessionEvent, SessionState, Status};
use callboard_video_domain::{Session, SessionFlow};

use crate::convert::{file_kind, ids, optional_id, side, status, visibility};

/// Where a call takes place.
pub fn join_url(call_page: &str, session: uuid::Uuid) -> String {
    format!("{call_page}/{session}")
}

fn facts(step: &Step<'_, Session>, session: &SessionContent) -> proto::SessionFacts {
    proto::SessionFacts {
        session_id: step.meta.aggregate_id.to_string(),
        organisation_id: step.meta.principal.organisation.to_string(),
        device_id: session.device.to_string(),
        template_id: session.place.template.to_string(),
        customer_id: optional_id(session.place.customer),
        department_ids: ids(&session.place.departments),
        status: status(session.status).into(),
        visibility: visibility(session.visibility).into(),
        employee_id: optional_id(session.employee),
        requester: session.requester.map(to_proto_actor),
        ticket_ids: ids(&session.tickets),
        conversation_ticket_id: optional_id(session.conversation),
        done_round: session.done_round,
        creator: Some(to_proto_actor(session.creator)),
        create_time: Some(to_proto_time(session.created_at)),
    }
}

/// The events of a session's step. Each says how the session stood right after it.
pub fn of_session(step: &Step<'_, Session>, call_page: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut state: SessionState = step.before.clone();
    for event in step.events {
        let before = state.session.as_deref().map(|session| session.status);
        <Session as callboard_kernel::Aggregate>::evolve(&mut state, event);
        let Some(content) = state.session.as_deref() else { continue };
        if let Some(told) = of_event(step, events.len(), event, before, content, call_page) {
            events.push(told);
        }
    }
    events
}

fn of_event(
    step: &Step<'_, Session>,
    index: usize,
    event: &SessionEvent,
    before: Option<Status>,
    content: &SessionContent,
    call_page: &str,
) -> Option<Event> {
    let session = Some(facts(step, content));
    let by = Some(to_proto_actor(step.meta.principal.actor()));
    let call_number = content.calls;
    let told = match event {
        SessionEvent::Created(_) if content.status == Status::Requested => {
            outbound(step.meta, index, &proto::SessionRequested { session })
        }
        SessionEvent::Created(_) => {
            let join_url = join_url(call_page, step.meta.aggregate_id);
            outbound(step.meta, index, &proto::SessionCreated { session, join_url })
        }
        SessionEvent::Confirmed { .. } => {
            outbound(step.meta, index, &proto::SessionConfirmed { session, by })
        }
        SessionEvent::Cancelled { from, .. } => {
            let previous_status = status(*from).into();
            outbound(step.meta, index, &proto::SessionCancelled { session, previous_status, by })
        }
        SessionEvent::Reopened { from, .. } => {
            let previous_status = status(*from).into();
            outbound(step.meta, index, &proto::SessionReopened { session, previous_status, by })
        }
        SessionEvent::VisibilityChanged { from, .. } => {
            let previous_visibility = visibility(*from).into();
            let message = proto::SessionVisibilityChanged { session, previous_visibility, by };
            outbound(step.meta, index, &message)
        }
        SessionEvent::Linked { ticket, .. } => {
            let ticket_id = ticket.to_string();
            outbound(step.meta, index, &proto::SessionLinked { session, ticket_id, by })
        }
        SessionEvent::Unlinked { ticket, .. } => {
            let ticket_id = ticket.to_string();
            outbound(step.meta, index, &proto::SessionUnlinked { session, ticket_id, by })
        }
        SessionEvent::Consented { side: whose, by, .. } => {
            let message = proto::ConsentChanged { session, side: side(*whose).into(), given: by.is_some() };
            outbound(step.meta, index, &message)
        }
        SessionEvent::Recorded { running, .. } => {
            outbound(step.meta, index, &proto::RecordingChanged { session, running: *running })
        }
        SessionEvent::FileAdded { file, .. } => {
            let (attachment_id, kind) = (file.id.to_string(), file_kind(file.kind).into());
            outbound(step.meta, index, &proto::SessionFileAdded { session, attachment_id, kind, by })
        }
        SessionEvent::FileRemoved { file, .. } => {
            let attachment_id = file.to_string();
            outbound(step.meta, index, &proto::SessionFileRemoved { session, attachment_id, by })
        }
        SessionEvent::CallStarted { call } => {
            let side = side(call.started_by()).into();
            outbound(step.meta, index, &proto::CallStarted { session, call_number, side })
        }
        SessionEvent::Joined { side: whose, .. } => {
            let side = side(*whose).into();
            outbound(step.meta, index, &proto::CallJoined { session, call_number, side })
        }
        SessionEvent::Presence { side: whose, stream, .. } => {
            let (side, present) = (side(*whose).into(), stream.is_some());
            let message = proto::CallPresenceChanged { session, call_number, side, present };
            outbound(step.meta, index, &message)
        }
        // That somebody is still there is no news.
        SessionEvent::Watched { .. } => return None,
        SessionEvent::CallEnded { call, at } => {
            let message = proto::CallEnded {
                session,
                call_number,
                start_time: Some(to_proto_time(call.started_at)),
                end_time: Some(to_proto_time(*at)),
            };
            outbound(step.meta, index, &message)
        }
        SessionEvent::Done { .. } => outbound(step.meta, index, &proto::SessionDone { session }),
        SessionEvent::Closed { .. } => {
            let previous_status = before.map_or(proto::SessionStatus::Unspecified, status).into();
            outbound(step.meta, index, &proto::SessionClosed { session, previous_status })
        }
        SessionEvent::Rated { score, previous, .. } => {
            let message = proto::SessionRated { session, score: *score, previous_score: *previous };
            outbound(step.meta, index, &message)
        }
    };
    Some(told)
}

/// The events of a session flow's step.
pub fn of_flow(step: &Step<'_, SessionFlow>) -> Vec<Event> {
    let told = |index| {
        let message = proto::SessionFlowChanged {
            template_id: step.meta.aggregate_id.to_string(),
            organisation_id: step.meta.principal.organisation.to_string(),
            requests_allowed: step.after.requests_allowed,
            responsible_employee_ids: step.after.employees.iter().map(ToString::to_string).collect(),
            responsible_department_ids: step.after.departments.iter().map(ToString::to_string).collect(),
        };
        outbound(step.meta, index, &message)
    };
    (0..step.events.len()).map(told).collect()
}
