//! The decisions (S-1 to S-4).

use callboard_kernel::{Actor, DecisionContext, EventId, FieldViolation};

use super::{
    Decided, MAX_NAME, MAX_REQUESTS, MAX_TEXT, Matter, Remark, Standing, TicketCommand, TicketEvent,
    TicketRejection, TicketState,
};
use crate::{Decision, Status};

type Verdict = Result<Vec<TicketEvent>, TicketRejection>;

pub(super) fn decide(state: &TicketState, command: &TicketCommand, context: &DecisionContext<'_>) -> Verdict {
    match command {
        TicketCommand::Receive { event, matter, listed } => receive(state, *event, matter, *listed, context),
        TicketCommand::SetStatus(standing, status) => {
            work(state, *standing, context, set_status(state, *standing, context, *status)?)
        }
        TicketCommand::SetPriority(standing, priority) => {
            admit(state, *standing, context)?;
            let from = state.priority;
            let changed = (from != *priority).then_some(TicketEvent::PriorityChanged { from, to: *priority });
            work(state, *standing, context, changed.into_iter().collect())
        }
        TicketCommand::Assign { standing, to, is_agent } => {
            admit(state, *standing, context)?;
            if to.is_some() && !is_agent {
                return Err(TicketRejection::NotAnAgent);
            }
            // An explicit assignment wins (S-3): it is never followed by one to whoever made it.
            Ok(assigned(state, *to, context.actor()))
        }
        TicketCommand::Decide(standing, decision) => {
            admit(state, *standing, context)?;
            work(state, *standing, context, resolve(state, *decision, context)?)
        }
        TicketCommand::AddNote(standing, text) => {
            admit(state, *standing, context)?;
            work(state, *standing, context, vec![remark(state, true, text, context)?])
        }
        TicketCommand::AddComment(standing, text) => comment(state, *standing, text, context),
        TicketCommand::Leave(employee) if state.assignee == Some(*employee) => {
            Ok(assigned(state, None, context.actor()))
        }
        TicketCommand::Leave(_) => Ok(Vec::new()),
    }
}

/// Agents see every ticket. Its requester sees care coordination, and may do no agent's work; nobody else sees any.
fn admit<'a>(
    state: &'a TicketState,
    standing: Standing,
    context: &DecisionContext<'_>,
) -> Result<&'a Matter, TicketRejection> {
    let matter = state.matter.as_deref().ok_or(TicketRejection::NoTicket)?;
    if standing.is_agent {
        Ok(matter)
    } else if state.is_requester(context.principal) {
        Err(TicketRejection::Denied)
    } else {
        Err(TicketRejection::NoTicket)
    }
}

/// S-3: whoever changes an unassigned ticket becomes its assignee. Every change by an agent counts: status, priority,
/// decision, note, comment. What changed nothing does not.
fn work(
    state: &TicketState,
    standing: Standing,
    context: &DecisionContext<'_>,
    mut events: Vec<TicketEvent>,
) -> Verdict {
    if let Some(employee) = context.principal.employee()
        && standing.is_agent
        && state.assignee.is_none()
        && !events.is_empty()
    {
        events.extend(assigned(state, Some(employee.id), context.actor()));
    }
    Ok(events)
}

fn assigned(state: &TicketState, to: Option<callboard_kernel::EmployeeId>, by: Actor) -> Vec<TicketEvent> {
    let from = state.assignee;
    if from == to { Vec::new() } else { vec![TicketEvent::Assigned { from, to, by }] }
}

/// S-1, S-4. The same event again changes nothing.
fn receive(
    state: &TicketState,
    event: EventId,
    matter: &Matter,
    listed: bool,
    context: &DecisionContext<'_>,
) -> Verdict {
    if state.requests.contains(&event) {
        return Ok(Vec::new());
    }
    if state.matter.is_none() {
        let mut events =
            vec![TicketEvent::Opened { at: context.now, event, matter: Box::new(matter.clone()) }];
        if listed && matter.domain.is_some() {
            // On the organisation's list already: approved by itself. Nobody needs to look.
            let now = Decided { decision: Decision::Approved, by: Actor::System, at: context.now };
            events.push(TicketEvent::Decided { previous: None, now });
            events.push(TicketEvent::StatusChanged { from: Status::New, to: Status::Solved });
        }
        return Ok(events);
    }
    match state.decided {
        // Declined is declined for those who asked; who asks later gets a ticket of their own.
        Some(decided) if !decided.decision.lets_register() => Err(TicketRejection::AlreadyDecided),
        _ if state.requests.len() >= MAX_REQUESTS => Err(TicketRejection::TooManyRequests),
        // Decided in the very moment it was asked for again: what was decided settles this one, too.
        Some(decided) => Ok(vec![
            TicketEvent::RequestedAgain { event },
            TicketEvent::Decided { previous: Some(decided.decision), now: decided },
        ]),
        None => Ok(vec![TicketEvent::RequestedAgain { event }]),
    }
}

fn set_status(state: &TicketState, standing: Standing, context: &DecisionContext<'_>, to: Status) -> Verdict {
    let matter = admit(state, standing, context)?;
    let from = state.status;
    if from == to {
        return Ok(Vec::new());
    }
    if !from.may_become(to, matter.kind) {
        return Err(TicketRejection::Transition { from, to });
    }
    // SOLVED tells the partner that there is an answer.
    if to == Status::Solved && matter.domain.is_some() && state.decided.is_none() {
        return Err(TicketRejection::Undecided);
    }
    Ok(vec![TicketEvent::StatusChanged { from, to }])
}

/// A decision solves the ticket. It may be changed by a later one: the list follows (S-4).
fn resolve(state: &TicketState, decision: Decision, context: &DecisionContext<'_>) -> Verdict {
    if state.matter.as_ref().is_none_or(|matter| matter.domain.is_none()) {
        return Err(TicketRejection::NoDomain);
    }
    let previous = state.decided.map(|decided| decided.decision);
    if previous == Some(decision) {
        return Ok(Vec::new());
    }
    let mut events = vec![TicketEvent::Decided {
        previous,
        now: Decided { decision, by: context.actor(), at: context.now },
    }];
    if !matches!(state.status, Status::Solved | Status::Closed) {
        events.push(TicketEvent::StatusChanged { from: state.status, to: Status::Solved });
    }
    Ok(events)
}

fn comment(state: &TicketState, standing: Standing, text: &str, context: &DecisionContext<'_>) -> Verdict {
    let by_requester = !standing.is_agent && state.is_requester(context.principal);
    if !by_requester {
        admit(state, standing, context)?;
    } else if state.status == Status::Closed {
        return Err(TicketRejection::Closed);
    }
    work(state, standing, context, vec![remark(state, false, text, context)?])
}

fn remark(
    state: &TicketState,
    is_note: bool,
    text: &str,
    context: &DecisionContext<'_>,
) -> Result<TicketEvent, TicketRejection> {
    let mut violations = Vec::new();
    check("text", text, 1, MAX_TEXT, &mut violations);
    if !violations.is_empty() {
        return Err(TicketRejection::Invalid(violations));
    }
    let number = state.notes + state.comments + 1;
    Ok(TicketEvent::Remarked(Remark { number, is_note, author: context.actor(), text: text.to_owned() }))
}

/// Checks a text; tabs and line breaks are the only control characters.
pub(super) fn check(
    field: &str,
    text: &str,
    least: usize,
    most: usize,
    violations: &mut Vec<FieldViolation>,
) {
    let length = text.chars().count();
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let rule = if length < least {
        "is required".to_owned()
    } else if length > most {
        format!("at most {most} characters")
    } else if text.chars().any(is_odd) {
        "no control characters".to_owned()
    } else {
        return;
    };
    violations.push(FieldViolation::new(field, rule));
}

impl Matter {
    /// What is wrong with it, by the fields of a partner system's event.
    pub fn violations(&self) -> Vec<FieldViolation> {
        let mut violations = Vec::new();
        let mut text = |field, text: &str, least, most| check(field, text, least, most, &mut violations);
        text("concern.person.id", &self.person_id, 0, MAX_NAME);
        text("concern.person.name", &self.person_name, 1, MAX_NAME);
        text("concern.person.email", &self.person_email, 0, 320);
        text("concern.account.id", &self.account_id, 1, MAX_NAME);
        text("concern.account.name", &self.account_name, 1, MAX_NAME);
        text("concern.account.plan", &self.plan, 0, 100);
        text("text", &self.text, 0, MAX_TEXT);
        violations
    }
}
