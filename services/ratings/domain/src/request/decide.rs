//! The decisions.

use std::sync::Arc;

use callboard_kernel::{DecisionContext, FieldViolation};

use crate::request::{
    Given, MAX_COMMENT, News, RequestCommand, RequestEvent, RequestRejection, RequestState, Sight, Standing,
    Subject, SubjectKind, Visibility,
};

pub(super) fn decide(
    state: &RequestState,
    command: &RequestCommand,
    context: &DecisionContext<'_>,
) -> Result<Vec<RequestEvent>, RequestRejection> {
    match command {
        // A deleted subject is gone: late news change nothing, people find nothing (T-11).
        RequestCommand::Observe { .. } | RequestCommand::Delete if state.deleted => Ok(Vec::new()),
        RequestCommand::Observe { subject, news } => Ok(observe(state, subject, *news, context)),
        RequestCommand::Delete => Ok(vec![RequestEvent::Deleted]),
        RequestCommand::Submit { sight, kind, score, comment } => {
            submit(state, sight, *kind, *score, comment, context)
        }
    }
}

fn observe(
    state: &RequestState,
    subject: &Arc<Subject>,
    news: News,
    context: &DecisionContext<'_>,
) -> Vec<RequestEvent> {
    let known = state.subject.as_ref();
    // Several events of one step come under one version: CLOSED → DONE by hand is told as opened again, then as done.
    // The first brings the facts; the DONE behind it must be answered all the same, and is answered once because it
    // is counted.
    let is_done = matches!(news, News::Done { .. });
    if known
        .is_some_and(|known| known.version > subject.version || known.version == subject.version && !is_done)
    {
        return Vec::new();
    }
    let mut events = Vec::new();
    if !known.is_some_and(|known| known.same_facts(subject)) {
        events.push(RequestEvent::Observed { subject: Arc::clone(subject) });
    }
    let is_asked = state.standing == Standing::Requested;
    match news {
        // Each DONE is answered once.
        News::Done { .. } if subject.done_round <= state.asked_round => {}
        News::Done { switched_on: true } if subject.visibility == Visibility::Public => {
            events.push(RequestEvent::Requested { at: context.now });
        }
        News::Done { .. } => events.push(RequestEvent::Waived),
        News::Over if is_asked => events.push(RequestEvent::Withdrawn),
        // An internal subject is never asked about, so nothing is to be rated any more and the subject may
        // close (T-8): the question is withdrawn and the rating waived.
        News::Facts if is_asked && subject.visibility == Visibility::Internal => {
            events.push(RequestEvent::Withdrawn);
            events.push(RequestEvent::Waived);
        }
        News::Over | News::Facts => {}
    }
    events
}

fn submit(
    state: &RequestState,
    sight: &Sight,
    kind: SubjectKind,
    score: i32,
    comment: &str,
    context: &DecisionContext<'_>,
) -> Result<Vec<RequestEvent>, RequestRejection> {
    let subject = state
        .subject
        .as_ref()
        .filter(|subject| subject.kind == kind && subject.visible_to(context.principal, sight))
        .ok_or(RequestRejection::NoSubject)?;
    if !context.principal.is_outsider() {
        return Err(RequestRejection::Denied);
    }
    let mut violations = Vec::new();
    if !(1..=5).contains(&score) {
        violations.push(FieldViolation::new("score", "1 to 5 (R-1)"));
    }
    if comment.chars().count() > MAX_COMMENT {
        violations.push(FieldViolation::new("comment", "at most 2,000 characters"));
    } else if comment
        .chars()
        .any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t'))
    {
        violations.push(FieldViolation::new("comment", "no control characters"));
    }
    if !violations.is_empty() {
        return Err(RequestRejection::Invalid(violations));
    }
    match state.standing {
        Standing::Requested => {}
        Standing::Submitted => return Err(RequestRejection::AlreadyRated),
        Standing::Withdrawn => return Err(RequestRejection::Withdrawn),
        Standing::Unasked | Standing::Waived => return Err(RequestRejection::NotAsked),
    }
    debug_assert_eq!(state.asked_round, subject.done_round, "a question is about the last DONE");
    let given = Given { score, comment: comment.to_owned(), author: context.actor(), at: context.now };
    let previous_score = state.given.as_ref().map_or(0, |given| given.score);
    Ok(vec![RequestEvent::Submitted { given, previous_score }])
}
