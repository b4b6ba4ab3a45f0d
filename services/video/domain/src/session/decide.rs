//! The decisions (V-1 to V-9, T-11, T-13).

use callboard_kernel::{DecisionContext, FieldViolation, Subject, TicketId};

use super::call::{appear, consent, end, found, hang_up, join, record, stop_recording, vanish, watch};
use super::files;
use super::{
    Act, Around, Kept, NewSession, SessionCommand, SessionContent, SessionEvent, SessionRejection,
    SessionState, Status,
};
use crate::{MAX_REASON, MAX_TICKETS, Side, Visibility, check_lines};

pub(super) type Decided = Result<Vec<SessionEvent>, SessionRejection>;

const NOT_YOURS: &str =
    "for the session's employee, those who are responsible or offered, moderators, administrators";

pub(super) fn decide(
    state: &SessionState,
    command: &SessionCommand,
    context: &DecisionContext<'_>,
) -> Decided {
    let is_system = matches!(context.principal.subject, Subject::System);
    let session = match (state.session.as_deref(), command) {
        // Its id is that of the command that made it.
        (Some(_), SessionCommand::Create(_)) => return Ok(Vec::new()),
        (None, SessionCommand::Create(new)) => return create(new, context),
        (Some(session), _) if session.admits(context.principal) => session,
        (None, _) if is_system => return Ok(Vec::new()),
        (Some(_) | None, _) => return Err(SessionRejection::Missing),
    };
    match command {
        SessionCommand::Create(_) => Ok(Vec::new()),
        SessionCommand::Act { act, around } => do_act(session, *act, around, context),
        _ if !is_system => Err(SessionRejection::Denied("Callboard does this by itself")),
        SessionCommand::Appear { connection, stream, timing } => {
            Ok(appear(session, *connection, *stream, *timing, context.now))
        }
        SessionCommand::Vanish { connection, stream, timing } => {
            Ok(vanish(session, *connection, *stream, *timing, context.now))
        }
        SessionCommand::Found { call, present, timing } => {
            Ok(found(session, *call, present, *timing, context.now))
        }
        SessionCommand::Watch { due, alive, around } => Ok(watch(session, *due, alive, around, context.now)),
        SessionCommand::Rate { round, score } => Ok(rate(session, *round, *score, context)),
        SessionCommand::Hide { ticket, around } if session.tickets.contains(ticket) => {
            Ok(set_visibility(session, Visibility::Internal, around, context))
        }
        SessionCommand::Hide { .. } => Ok(Vec::new()),
        SessionCommand::Forget { ticket } => Ok(unlink(session, *ticket, context)),
    }
}

fn create(new: &NewSession, context: &DecisionContext<'_>) -> Decided {
    let principal = context.principal;
    let is_requested = principal.is_outsider();
    let mut violations = Vec::new();
    if is_requested {
        if !new.flow.requests_allowed {
            return Err(SessionRejection::RequestsNotAllowed);
        }
        new.flow.check(&new.requester_name, &new.reason, new.consents, &mut violations);
    } else {
        check_lines("reason", &new.reason, MAX_REASON, &mut violations);
    }
    let mut tickets = new.tickets.clone();
    tickets.extend(new.conversation.map(|(ticket, _)| ticket));
    tickets.sort_unstable();
    tickets.dedup();
    if tickets.len() > MAX_TICKETS {
        violations.push(FieldViolation::new("ticket_ids", "at most 50"));
    }
    if !violations.is_empty() {
        return Err(SessionRejection::Invalid(violations));
    }
    // M-7 happens in a conversation, so it is for who may write there.
    if new.conversation.is_some_and(|(_, may_write)| !may_write && !principal.is_moderator()) {
        return Err(SessionRejection::Denied("for employees who are involved in the ticket (M-7)"));
    }
    let who = context.actor();
    Ok(vec![SessionEvent::Created(Box::new(SessionContent {
        device: new.device,
        place: new.place.clone(),
        status: if is_requested { Status::Requested } else { Status::Confirmed },
        // V-7.
        visibility: Visibility::Public,
        employee: principal.employee().map(|employee| employee.id),
        requester: is_requested.then_some(who),
        requester_name: if is_requested { new.requester_name.clone() } else { String::new() },
        reason: new.reason.clone(),
        tickets,
        conversation: new.conversation.map(|(ticket, _)| ticket).filter(|_| !is_requested),
        guest_consent: (is_requested && new.consents).then_some(who),
        employee_consent: None,
        recording: false,
        call: None,
        calls: 0,
        done_round: 0,
        kept: Kept::default(),
        rating: None,
        ended_at: None,
        creator: who,
        created_at: context.now,
        updated_at: context.now,
    }))])
}

fn do_act(session: &SessionContent, act: Act, around: &Around, context: &DecisionContext<'_>) -> Decided {
    let principal = context.principal;
    let works = || {
        if session.works_on_it(principal, around.offered) {
            Ok(())
        } else {
            Err(SessionRejection::Denied(NOT_YOURS))
        }
    };
    let side = Side::of(principal).ok_or(SessionRejection::Denied("for people"))?;
    let at = context.now;
    match act {
        Act::Confirm => {
            works()?;
            match session.status {
                Status::Requested => Ok(vec![SessionEvent::Confirmed { by: context.actor(), at }]),
                _ => Err(SessionRejection::NotRequested),
            }
        }
        Act::Withdraw if !session.is_requested_by(principal) => {
            Err(SessionRejection::Denied("for who requested the session (V-5)"))
        }
        Act::Withdraw => match session.status {
            Status::Requested => Ok(vec![SessionEvent::Cancelled { from: session.status, at }]),
            _ => Err(SessionRejection::NotRequested),
        },
        Act::Cancel => {
            works()?;
            match session.status {
                Status::Closed | Status::Cancelled => Err(SessionRejection::Over),
                from => {
                    let mut events = hang_up(session, at);
                    events.push(SessionEvent::Cancelled { from, at });
                    Ok(events)
                }
            }
        }
        Act::Reopen => {
            works()?;
            if !session.status.is_over() {
                return Err(SessionRejection::NotOver);
            }
            Ok(vec![SessionEvent::Reopened { from: session.status, at }])
        }
        Act::SetVisibility(to) => {
            works()?;
            Ok(set_visibility(session, to, around, context))
        }
        Act::Link(ticket) => {
            works()?;
            if session.tickets.contains(&ticket) {
                return Ok(Vec::new());
            }
            if session.is_full() {
                let violation =
                    FieldViolation::new("ticket_id", "at most 50 tickets are linked to a session");
                return Err(SessionRejection::Invalid(vec![violation]));
            }
            Ok(vec![SessionEvent::Linked { ticket, at }])
        }
        Act::Unlink(ticket) => {
            works()?;
            Ok(unlink(session, ticket, context))
        }
        Act::Consent(given) => {
            if side == Side::Employee && !session.works_on_it(principal, around.offered) {
                return Err(SessionRejection::Denied(NOT_YOURS));
            }
            consent(session, side, given, context)
        }
        Act::Record(running) => record(session, side, running, context),
        Act::AddFile(file, kind) => files::add(session, file, kind, context),
        Act::RemoveFile(file) => files::remove(session, file, principal, at),
        Act::Join(connection, provider) => {
            if side == Side::Employee {
                works()?;
            }
            join(session, side, connection, provider, around.timing, context)
        }
        Act::End => {
            if !session.is_in_call(side, context.actor()) {
                works()?;
            }
            if session.call.is_none() {
                return Err(SessionRejection::NoCall);
            }
            Ok(end(session, session.visibility, around, at))
        }
    }
}

/// Internal hides everything at once (T-13), so a running call ends: for the guest the session is not there any more.
fn set_visibility(
    session: &SessionContent,
    to: Visibility,
    around: &Around,
    context: &DecisionContext<'_>,
) -> Vec<SessionEvent> {
    if session.visibility == to {
        return Vec::new();
    }
    let at = context.now;
    let mut events = vec![SessionEvent::VisibilityChanged { from: session.visibility, to, at }];
    if to == Visibility::Internal && session.call.is_some() {
        events.extend(end(session, to, around, at));
    }
    events
}

fn unlink(session: &SessionContent, ticket: TicketId, context: &DecisionContext<'_>) -> Vec<SessionEvent> {
    if session.tickets.contains(&ticket) {
        vec![SessionEvent::Unlinked { ticket, at: context.now }]
    } else {
        Vec::new()
    }
}

/// What ratings answered (V-4). News of an earlier DONE are late.
fn rate(
    session: &SessionContent,
    round: i32,
    score: Option<i32>,
    context: &DecisionContext<'_>,
) -> Vec<SessionEvent> {
    if round != session.done_round {
        return Vec::new();
    }
    let at = context.now;
    let mut events = Vec::new();
    if let Some(score) = score.filter(|score| session.rating != Some(*score)) {
        events.push(SessionEvent::Rated { score, previous: session.rating.unwrap_or(0), at });
    }
    if session.status == Status::Done {
        events.push(SessionEvent::Closed { from: session.status, at });
    }
    events
}

/// A recording that runs, and may not go on, ends.
pub(super) fn without_recording(session: &SessionContent, events: &mut Vec<SessionEvent>) {
    let mut after = SessionState { session: Some(Box::new(session.clone())) };
    let mut at = session.updated_at;
    for event in events.iter() {
        after.apply(event);
    }
    if let Some(after) = after.session.filter(|after| after.recording && !after.may_be_recorded()) {
        at = at.max(after.updated_at);
        events.extend(stop_recording(&after, at));
    }
}
