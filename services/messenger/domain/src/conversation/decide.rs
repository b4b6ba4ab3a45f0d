//! The decisions (M-3 to M-7, T-9, T-11, T-13).

use std::sync::Arc;

use callboard_kernel::{Actor, DecisionContext, FieldViolation};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::check_text;
use crate::conversation::{
    ConversationCommand, ConversationEvent, ConversationRejection, ConversationState, MAX_ATTACHMENTS,
    MAX_CLIENT_ID, MAX_MARKERS, MAX_TOUCHED, Marker, Message, MessageKind, Sight, Ticket,
};

type Decided = Result<Vec<ConversationEvent>, ConversationRejection>;

pub(super) fn decide(
    state: &ConversationState,
    command: &ConversationCommand,
    context: &DecisionContext<'_>,
) -> Decided {
    match command {
        // A deleted ticket is gone: late news change nothing, people find nothing (T-11).
        ConversationCommand::Observe { .. }
        | ConversationCommand::Involve { .. }
        | ConversationCommand::PostJoinLink { .. }
        | ConversationCommand::Delete
            if state.deleted =>
        {
            Ok(Vec::new())
        }
        ConversationCommand::Observe { ticket } => Ok(observe(state, ticket, context)),
        ConversationCommand::Involve { employees, version } => {
            let known = state.involved_version >= *version;
            Ok(if known {
                Vec::new()
            } else {
                vec![ConversationEvent::Involved { employees: employees.clone(), version: *version }]
            })
        }
        ConversationCommand::Delete => Ok(vec![ConversationEvent::Deleted]),
        ConversationCommand::Send { sight, client_id, text, attachments } => {
            send(state, sight, client_id, text, attachments, context)
        }
        ConversationCommand::PostJoinLink { session, text } => {
            state.ticket.as_ref().ok_or(ConversationRejection::NoConversation)?;
            let message = Message {
                kind: MessageKind::JoinLink,
                session: Some(*session),
                ..new_message(state, &session.to_string(), text, context)
            };
            Ok(say(state, message))
        }
        ConversationCommand::Edit { sight, message, expected, text, window } => {
            let until = may_change(state, sight, message, *expected, *window, context)?;
            let violations = check_text(text, !message.attachments.is_empty());
            if !violations.is_empty() {
                return Err(ConversationRejection::Invalid(violations));
            }
            if *text == message.text {
                return Ok(Vec::new());
            }
            let after = Message {
                text: text.clone(),
                edited_at: Some(context.now),
                revision: message.revision + 1,
                ..Message::clone(message)
            };
            Ok(vec![ConversationEvent::Edited { before: Arc::clone(message), after: Arc::new(after), until }])
        }
        ConversationCommand::Withdraw { sight, message, expected, window } => {
            let until = may_change(state, sight, message, *expected, *window, context)?;
            let after = Message {
                text: String::new(),
                attachments: Vec::new(),
                withdrawn_at: Some(context.now),
                revision: message.revision + 1,
                ..Message::clone(message)
            };
            Ok(vec![ConversationEvent::Withdrawn {
                before: Arc::clone(message),
                after: Arc::new(after),
                until,
            }])
        }
        ConversationCommand::MarkRead { sight, sequence } => mark_read(state, sight, *sequence, context),
    }
}

fn observe(
    state: &ConversationState,
    ticket: &Arc<Ticket>,
    context: &DecisionContext<'_>,
) -> Vec<ConversationEvent> {
    match &state.ticket {
        None => vec![ConversationEvent::Opened { ticket: Arc::clone(ticket), at: context.now }],
        // Several events of one step come under one version and with the same facts.
        Some(known) if known.version >= ticket.version => Vec::new(),
        Some(_) => vec![ConversationEvent::Observed { ticket: Arc::clone(ticket) }],
    }
}

/// Whether the caller may write here at all.
fn may_write(
    state: &ConversationState,
    sight: &Sight,
    context: &DecisionContext<'_>,
) -> Result<(), ConversationRejection> {
    state.visible_to(context.principal, sight).ok_or(ConversationRejection::NoConversation)?;
    if state.may_write(context.principal) {
        return Ok(());
    }
    if context.principal.is_outsider() {
        return Err(ConversationRejection::Locked);
    }
    Err(ConversationRejection::Denied("writing is for those involved, moderators and administrators"))
}

fn new_message(
    state: &ConversationState,
    client_id: &str,
    text: &str,
    context: &DecisionContext<'_>,
) -> Message {
    Message {
        id: context.new_id(),
        sequence: state.last_sequence + 1,
        kind: MessageKind::Text,
        author: context.actor(),
        client_id: client_id.to_owned(),
        text: text.to_owned(),
        attachments: Vec::new(),
        session: None,
        sent_at: context.now,
        edited_at: None,
        withdrawn_at: None,
        revision: 1,
    }
}

/// Says it, unless the author's client has said it before (M-4).
fn say(state: &ConversationState, message: Message) -> Vec<ConversationEvent> {
    let key = message.client_key();
    if state.recent.iter().any(|(known, _)| *known == key) {
        return Vec::new();
    }
    let forgets = room_for(state, message.author);
    vec![ConversationEvent::Sent { message: Arc::new(message), forgets }]
}

fn send(
    state: &ConversationState,
    sight: &Sight,
    client_id: &str,
    text: &str,
    attachments: &[Uuid],
    context: &DecisionContext<'_>,
) -> Decided {
    may_write(state, sight, context)?;
    let mut violations = check_text(text, !attachments.is_empty());
    if !(1..=MAX_CLIENT_ID).contains(&client_id.len()) || !client_id.bytes().all(|b| b.is_ascii_graphic()) {
        violations.push(FieldViolation::new("client_id", "1 to 64 visible ASCII characters"));
    }
    if attachments.len() > MAX_ATTACHMENTS {
        violations.push(FieldViolation::new("attachment_ids", "at most 20"));
    }
    if !violations.is_empty() {
        return Err(ConversationRejection::Invalid(violations));
    }
    let message =
        Message { attachments: attachments.to_vec(), ..new_message(state, client_id, text, context) };
    Ok(say(state, message))
}

/// Whether the author may still change a message, and until when.
fn may_change(
    state: &ConversationState,
    sight: &Sight,
    message: &Message,
    expected: Option<i32>,
    window: TimeDelta,
    context: &DecisionContext<'_>,
) -> Result<callboard_kernel::Timestamp, ConversationRejection> {
    may_write(state, sight, context)?;
    if message.author != context.actor() || message.kind != MessageKind::Text {
        return Err(ConversationRejection::Denied("only its author may change a message (M-6)"));
    }
    let touched = state.touched.iter().find(|touched| touched.sequence == message.sequence);
    if touched.is_some_and(|touched| touched.revision > message.revision) {
        return Err(ConversationRejection::Stale);
    }
    if message.withdrawn_at.is_some() {
        return Err(ConversationRejection::Withdrawn);
    }
    if expected.is_some_and(|expected| expected != message.revision) {
        return Err(ConversationRejection::EtagMismatch);
    }
    let until = message.sent_at + window;
    if context.now > until {
        return Err(ConversationRejection::TooLate);
    }
    let live = state.touched.iter().filter(|touched| touched.until >= context.now).count();
    if touched.is_none() && live >= MAX_TOUCHED {
        return Err(ConversationRejection::TooManyEdits);
    }
    Ok(until)
}

fn mark_read(
    state: &ConversationState,
    sight: &Sight,
    sequence: i64,
    context: &DecisionContext<'_>,
) -> Decided {
    state.visible_to(context.principal, sight).ok_or(ConversationRejection::NoConversation)?;
    if sequence < 0 {
        let violation = FieldViolation::new("sequence", "must not be negative");
        return Err(ConversationRejection::Invalid(vec![violation]));
    }
    let reader = context.actor();
    let (sequence, previous) = (sequence.min(state.last_sequence), state.read_by(reader));
    if sequence <= previous {
        return Ok(Vec::new());
    }
    let marker = Marker { sequence, at: context.now };
    Ok(vec![ConversationEvent::Read { reader, marker, previous, forgets: room_for(state, reader) }])
}

/// Whose marker makes room for one more: whoever has read least.
fn room_for(state: &ConversationState, reader: Actor) -> Option<Actor> {
    if state.markers.len() < MAX_MARKERS || state.markers.contains_key(&reader) || reader == Actor::System {
        return None;
    }
    // By id where two have read as far: a decision must not depend on the order of a map.
    state
        .markers
        .iter()
        .min_by_key(|(actor, marker)| (marker.sequence, actor.to_string()))
        .map(|(actor, _)| *actor)
}
