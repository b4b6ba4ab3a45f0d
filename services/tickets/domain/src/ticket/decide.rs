//! What happens if a command comes now.

use std::sync::Arc;

use callboard_kernel::{DecisionContext, FieldViolation, Principal, Subject, Timestamp};

use super::command::{Command, Edit, NewTicket};
use super::event::{Fact, Opening, Update};
use crate::answer::check_attachments;
use crate::text::{self, MAX_LONG_TEXT, MAX_TITLE};
use crate::{
    Action, Answer, AnswerValue, Flow, MAX_UPDATES, Place, Priority, Rejection, State, Status, Ticket,
    UpdateId, Visibility, can,
};

type Decision = Result<Vec<Fact>, Rejection>;

pub(super) fn decide(state: &State, command: &Command, context: &DecisionContext<'_>) -> Decision {
    let principal = context.principal;
    let ticket = match (state, command) {
        (State::None, Command::Create(new)) => return create(new, context),
        (State::Live(_), Command::Create(_)) => return Err(Rejection::Exists),
        (State::None | State::Gone, _) => return Err(Rejection::NotFound),
        (State::Live(ticket), _) if ticket.organisation != principal.organisation => {
            return Err(Rejection::NotFound);
        }
        (State::Live(ticket), _) => ticket,
    };
    match command {
        Command::Create(_) => Err(Rejection::Exists),
        Command::Answer { step, value } => answer(ticket, step, value.as_ref(), principal),
        Command::Submit { number, visibility, place } => {
            submit(ticket, *number, *visibility, place.as_ref(), principal)
        }
        Command::Edit(edit) => edit_ticket(ticket, edit, principal),
        // Cancelling by setting the status is cancelling: one rule, whichever way it is asked (T-7, T-10).
        Command::SetStatus(Status::Cancelled) | Command::Cancel => {
            can(principal, Action::Cancel, ticket)?;
            Ok(status(ticket, Status::Cancelled))
        }
        Command::SetStatus(to) => {
            can(principal, Action::ChangeStatus, ticket)?;
            if *to == Status::Draft { Err(Rejection::NoWayBack) } else { Ok(status(ticket, *to)) }
        }
        Command::Reopen => reopen(ticket, principal),
        Command::Delete => {
            can(principal, Action::Delete, ticket)?;
            Ok(vec![Fact::Deleted])
        }
        Command::PostUpdate { id, text, visibility, attachments } => {
            post_update(ticket, *id, text, *visibility, attachments, principal)
        }
        Command::Involve(_)
        | Command::Uninvolve(_)
        | Command::Rate { .. }
        | Command::Waive { .. }
        | Command::CloseUnrated { .. } => react(ticket, command, principal),
        Command::DiscardDraft { untouched_since } => discard(ticket, *untouched_since, principal),
    }
}

/// A draft that was left for good goes, and nobody hears of it (T-2, T-11). One that was touched meanwhile stays: its
/// timer was set anew. One that was opened is no draft any more.
fn discard(ticket: &Ticket, untouched_since: Timestamp, principal: &Principal) -> Decision {
    if principal.subject != Subject::System {
        return Err(Rejection::Denied("only by a timer"));
    }
    let left = ticket.status == Status::Draft && ticket.update_time <= untouched_since;
    Ok(if left { vec![Fact::Deleted] } else { Vec::new() })
}

/// Reactions to events and timers: Callboard's own, never a person's. A draft takes part in nothing (T-2).
fn react(ticket: &Ticket, command: &Command, principal: &Principal) -> Decision {
    if principal.subject != Subject::System {
        return Err(Rejection::Denied("only by an event"));
    }
    if ticket.status == Status::Draft {
        return Ok(Vec::new());
    }
    match command {
        // Who is involved mirrors fleet, whatever the status: fleet decided it, and people look here for who had the
        // ticket. On a CLOSED or CANCELLED ticket (an acceptance that crossed the closing) it is recorded and the
        // status stays: an event reopens nothing. If the ticket is reopened, it is that employee's (T-9).
        Command::Involve(employee) if ticket.involved.contains(employee) => Ok(Vec::new()),
        Command::Involve(employee) => {
            let mut facts = vec![Fact::Involved(*employee)];
            // T-5. OPEN is what counts: somebody may have been set back to OPEN by hand and taken again.
            if ticket.status == Status::Open {
                facts.extend(status(ticket, Status::Assigned));
            }
            Ok(facts)
        }
        Command::Uninvolve(employee) if !ticket.involved.contains(employee) => Ok(Vec::new()),
        Command::Uninvolve(employee) => {
            let mut facts = vec![Fact::Uninvolved(*employee)];
            // T-6: the last one, and ASSIGNED only.
            if ticket.involved.len() == 1 && ticket.status == Status::Assigned {
                facts.extend(status(ticket, Status::Open));
            }
            Ok(facts)
        }
        // A rating of an earlier DONE than the one rated last says nothing any more.
        Command::Rate { done_round, .. } if *done_round < ticket.rating_round => Ok(Vec::new()),
        Command::Rate { done_round, score } => {
            let mut facts = Vec::new();
            if (ticket.rating, ticket.rating_round) != (Some(*score), *done_round) {
                facts.push(Fact::Rated { from: ticket.rating, to: *score, round: *done_round });
            }
            facts.extend(close_round(ticket, *done_round));
            Ok(facts)
        }
        Command::Waive { done_round } | Command::CloseUnrated { done_round } => {
            Ok(close_round(ticket, *done_round))
        }
        Command::Create(_)
        | Command::Answer { .. }
        | Command::Submit { .. }
        | Command::Edit(_)
        | Command::SetStatus(_)
        | Command::Reopen
        | Command::Cancel
        | Command::Delete
        | Command::DiscardDraft { .. }
        | Command::PostUpdate { .. } => Ok(Vec::new()),
    }
}

/// DONE → CLOSED, if it is this DONE that the ticket stands at (T-8). A late word on an earlier one closes nothing.
fn close_round(ticket: &Ticket, done_round: i32) -> Vec<Fact> {
    if ticket.status == Status::Done && ticket.done_round == done_round {
        status(ticket, Status::Closed)
    } else {
        Vec::new()
    }
}

/// The change of status, if it is one.
fn status(ticket: &Ticket, to: Status) -> Vec<Fact> {
    if ticket.status == to { Vec::new() } else { vec![Fact::StatusChanged { from: ticket.status, to }] }
}

fn create(new: &NewTicket, context: &DecisionContext<'_>) -> Decision {
    let principal = context.principal;
    let mut violations = Vec::new();
    let visibility = chosen_visibility(new.visibility, principal, None, "visibility", &mut violations);
    if principal.is_outsider() && new.priority.is_some_and(|priority| priority != Priority::Normal) {
        violations.push(FieldViolation::new("priority", "employees set it"));
    }
    check_description(&new.description, &mut violations);
    let title = match &new.flow {
        Some(flow) => {
            if !new.title.is_empty() {
                violations.push(FieldViolation::new("title", "made from the answers of the flow"));
            }
            violations.extend(flow.check_answers(&new.answers));
            flow.title(&new.answers, principal.language)
        }
        None => {
            if !new.answers.is_empty() {
                violations.push(FieldViolation::new("answers", "a plain ticket has no steps"));
            }
            if let Err(violation) = text::check_line("title", &new.title, MAX_TITLE) {
                violations.push(violation);
            }
            new.title.trim().to_owned()
        }
    };
    if new.open.is_some() && violations.is_empty() {
        match &new.flow {
            Some(flow) => violations.extend(
                flow.missing(&new.answers)
                    .into_iter()
                    .map(|step| FieldViolation::new("answers", format!("the step {step} is required"))),
            ),
            None if title.is_empty() => {
                violations.push(FieldViolation::new("title", format!("1 to {MAX_TITLE} characters")));
            }
            None => {}
        }
    }
    if !violations.is_empty() {
        return Err(Rejection::Fields(violations));
    }
    let mut facts = vec![Fact::Created {
        id: new.id,
        organisation: principal.organisation,
        device: new.device,
        place: new.place.clone(),
        flow: new.flow.clone(),
        title: title.clone(),
        description: new.description.clone(),
        answers: new.answers.clone(),
        visibility,
        priority: new.priority.unwrap_or(Priority::Normal),
        creator: context.actor(),
    }];
    if let Some(number) = new.open {
        let place = new.place.clone();
        facts.push(opened(new.flow.as_ref(), &new.answers, title, number, visibility, place));
    }
    Ok(facts)
}

fn opened(
    flow: Option<&Arc<Flow>>,
    answers: &[Answer],
    title: String,
    number: i64,
    visibility: Visibility,
    place: Place,
) -> Fact {
    let mut answers = answers.to_vec();
    if let Some(flow) = flow {
        answers.sort_by_key(|answer| flow.steps.iter().position(|step| step.key == answer.step));
    }
    let words = flow.map(|flow| flow.words(&answers)).unwrap_or_default();
    Fact::Opened(Box::new(Opening { number, title, answers, words, visibility, place }))
}

/// T-3: employees choose, default internal; from outside everything is public.
fn chosen_visibility(
    asked: Option<Visibility>,
    principal: &Principal,
    present: Option<Visibility>,
    field: &str,
    violations: &mut Vec<FieldViolation>,
) -> Visibility {
    if principal.is_outsider() {
        if asked == Some(Visibility::Internal) {
            violations.push(FieldViolation::new(field, "employees choose it; yours is public"));
        }
        return Visibility::Public;
    }
    asked.or(present).unwrap_or(Visibility::Internal)
}

fn answer(ticket: &Ticket, step: &str, value: Option<&AnswerValue>, principal: &Principal) -> Decision {
    can(principal, Action::FillDraft, ticket)?;
    let Some(flow) = &ticket.draft_flow else {
        return Err(Rejection::field("answer.step", "a plain ticket has no steps"));
    };
    let known = ticket.answers.iter().find(|answer| answer.step == step).map(|answer| &answer.value);
    let Some(definition) = flow.step(step) else {
        return Err(Rejection::field("answer.step", "the key of a step of the flow"));
    };
    if let Some(value) = value {
        value.check(definition, "answer").map_err(|violation| Rejection::Fields(vec![violation]))?;
    }
    if known == value {
        return Ok(Vec::new());
    }
    Ok(vec![Fact::Answered { step: step.to_owned(), value: value.cloned() }])
}

fn submit(
    ticket: &Ticket,
    number: i64,
    visibility: Option<Visibility>,
    place: Option<&Place>,
    principal: &Principal,
) -> Decision {
    can(principal, Action::FillDraft, ticket)?;
    // T-1: a ticket hangs on a device. Nobody could be sent to one that is gone.
    let place = place.ok_or(Rejection::DeviceRemoved)?;
    let mut violations = Vec::new();
    let visibility =
        chosen_visibility(visibility, principal, Some(ticket.visibility), "visibility", &mut violations);
    if !violations.is_empty() {
        return Err(Rejection::Fields(violations));
    }
    let missing = ticket.missing();
    if !missing.is_empty() {
        return Err(Rejection::Missing(missing.into_iter().map(str::to_owned).collect()));
    }
    let flow = ticket.draft_flow.as_ref();
    let title = match flow {
        Some(flow) => flow.title(&ticket.answers, principal.language),
        None => ticket.title.clone(),
    };
    Ok(vec![opened(flow, &ticket.answers, title, number, visibility, place.clone())])
}

fn edit_ticket(ticket: &Ticket, edit: &Edit, principal: &Principal) -> Decision {
    let is_draft = ticket.status == Status::Draft;
    let asked = [
        (edit.title.is_some() || edit.description.is_some(), Action::EditText),
        (edit.priority.is_some(), Action::ChangePriority),
        (edit.visibility.is_some(), Action::ChangeVisibility),
    ];
    for (_, action) in asked.into_iter().filter(|(asked, _)| *asked) {
        can(principal, if is_draft { Action::FillDraft } else { action }, ticket)?;
    }
    if principal.is_outsider() && (edit.priority.is_some() || edit.visibility.is_some()) {
        return Err(Rejection::Denied("only employees"));
    }
    let mut violations = Vec::new();
    let mut facts = Vec::new();
    if let Some(title) = &edit.title {
        let title = title.trim();
        if is_draft && ticket.flow.is_some() {
            violations.push(FieldViolation::new("ticket.title", "made from the answers of the flow"));
        } else if let Err(violation) = text::check_filled_line("ticket.title", title, MAX_TITLE) {
            violations.push(violation);
        } else if title != ticket.title {
            facts.push(Fact::TitleEdited { from: ticket.title.clone(), to: title.to_owned() });
        }
    }
    if let Some(description) = &edit.description {
        if let Err(violation) = text::check_lines("ticket.description", description, MAX_LONG_TEXT) {
            violations.push(violation);
        } else if *description != ticket.description {
            facts.push(Fact::DescriptionEdited { from: ticket.description.clone(), to: description.clone() });
        }
    }
    if !violations.is_empty() {
        return Err(Rejection::Fields(violations));
    }
    if let Some(to) = edit.priority.filter(|to| *to != ticket.priority) {
        facts.push(Fact::PriorityChanged { from: ticket.priority, to });
    }
    if let Some(to) = edit.visibility.filter(|to| *to != ticket.visibility) {
        facts.push(Fact::VisibilityChanged { from: ticket.visibility, to });
    }
    Ok(facts)
}

fn reopen(ticket: &Ticket, principal: &Principal) -> Decision {
    can(principal, Action::Reopen, ticket)?;
    if !ticket.status.is_locked() {
        return Err(Rejection::NotClosed);
    }
    let to = if ticket.involved.is_empty() { Status::Open } else { Status::InProgress };
    Ok(status(ticket, to))
}

fn post_update(
    ticket: &Ticket,
    id: UpdateId,
    text: &str,
    visibility: Option<Visibility>,
    attachments: &[String],
    principal: &Principal,
) -> Decision {
    let visibility = visibility.unwrap_or(ticket.visibility);
    let action = match visibility {
        Visibility::Public => Action::PostPublicUpdate,
        Visibility::Internal => Action::PostInternalUpdate,
    };
    can(principal, action, ticket)?;
    let mut violations = Vec::new();
    if text.trim().is_empty() && attachments.is_empty() {
        violations
            .push(FieldViolation::new("text", format!("1 to {MAX_LONG_TEXT} characters, or attachments")));
    }
    violations.extend(text::check_lines("text", text, MAX_LONG_TEXT).err());
    violations.extend(check_attachments("attachment_ids", attachments, 0).err());
    if !violations.is_empty() {
        return Err(Rejection::Fields(violations));
    }
    if ticket.updates >= MAX_UPDATES {
        return Err(Rejection::TooManyUpdates);
    }
    Ok(vec![Fact::UpdatePosted(Box::new(Update {
        id,
        sequence: ticket.updates + 1,
        author: principal.actor(),
        visibility,
        text: text.to_owned(),
        attachments: attachments.to_vec(),
    }))])
}

fn check_description(description: &str, violations: &mut Vec<FieldViolation>) {
    violations.extend(text::check_lines("description", description, MAX_LONG_TEXT).err());
}
