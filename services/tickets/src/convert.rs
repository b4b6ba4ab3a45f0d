//! Between the protos' words and the domain's.

use callboard_kernel::{FieldViolation, Principal, Version};
use callboard_proto::common::v1 as common;
use callboard_proto::tickets::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_tickets_domain::{
    Answer, AnswerValue, Choice, Contact, Flow, LocalizedText, MAX_STEPS, Moves, Priority, Status, Step,
    StepKind, Ticket, Visibility,
};
use chrono::NaiveDate;
use uuid::Uuid;

use crate::store::{StoredUpdate, TimelineEntry};

macro_rules! words {
    ($to:ident, $from:ident, $domain:ident, $proto:ident { $($word:ident),+ $(,)? }) => {
        #[doc = concat!("`", stringify!($domain), "` as protobuf has it.")]
        pub const fn $to(word: $domain) -> proto::$proto {
            match word { $($domain::$word => proto::$proto::$word),+ }
        }

        #[doc = concat!("`", stringify!($domain), "` from protobuf; `None` when unspecified.")]
        pub const fn $from(word: proto::$proto) -> Option<$domain> {
            match word {
                proto::$proto::Unspecified => None,
                $(proto::$proto::$word => Some($domain::$word)),+
            }
        }
    };
}

words!(
    to_proto_status,
    from_proto_status,
    Status,
    TicketStatus { Draft, Open, Assigned, InProgress, Done, Closed, Cancelled }
);
words!(to_proto_visibility, from_proto_visibility, Visibility, Visibility { Internal, Public });
words!(to_proto_priority, from_proto_priority, Priority, Priority { Low, Normal, High });
words!(
    to_proto_step_kind,
    from_proto_step_kind,
    StepKind,
    StepKind { Text, LongText, SingleChoice, MultipleChoice, Number, Date, YesNo, Attachment, Contact }
);

/// A word of an enum field. Zero is `None`.
///
/// # Errors
/// Names the field when the number is none of the known ones.
pub fn optional_word<P: TryFrom<i32>, D>(
    field: &str,
    number: i32,
    from: impl FnOnce(P) -> Option<D>,
) -> Result<Option<D>, FieldViolation> {
    P::try_from(number).map(from).map_err(|_| FieldViolation::new(field, "one of the words of its enum"))
}

/// A word of an enum field that must be there.
///
/// # Errors
/// Names the field when it is missing or unknown.
pub fn word<P: TryFrom<i32>, D>(
    field: &str,
    number: i32,
    from: impl FnOnce(P) -> Option<D>,
) -> Result<D, FieldViolation> {
    optional_word(field, number, from)?.ok_or_else(|| FieldViolation::new(field, "is required"))
}

/// An answer from a request; its value is `None` when it takes the answer back.
///
/// # Errors
/// The field and the rule it breaks, as far as it can be told without the flow.
pub fn from_proto_answer(
    path: &str,
    answer: proto::Answer,
) -> Result<(String, Option<AnswerValue>), FieldViolation> {
    use proto::answer::Value;
    let value = match answer.value {
        None => None,
        Some(Value::Text(text)) => Some(AnswerValue::Text(text)),
        Some(Value::Choice(key)) => Some(AnswerValue::Choice(key)),
        Some(Value::Choices(keys)) => Some(AnswerValue::Choices(keys.values)),
        Some(Value::Number(number)) => Some(AnswerValue::Number(number)),
        Some(Value::Date(date)) => Some(AnswerValue::Date(from_full_date(&format!("{path}.date"), &date)?)),
        Some(Value::Yes(yes)) => Some(AnswerValue::YesNo(yes)),
        Some(Value::Attachments(ids)) => Some(AnswerValue::Attachments(ids.values)),
        Some(Value::Contact(contact)) => Some(AnswerValue::Contact(Contact {
            name: contact.name,
            email: contact.email,
            phone: contact.phone,
        })),
    };
    Ok((answer.step, value))
}

/// RFC 3339 full-date: four digits of year, nothing looser.
fn from_full_date(field: &str, date: &str) -> Result<NaiveDate, FieldViolation> {
    let wrong = || FieldViolation::new(field, "a date such as 2026-11-21 (RFC 3339 full-date)");
    if date.len() != 10 {
        return Err(wrong());
    }
    NaiveDate::parse_from_str(date, "%Y-%m-%d").map_err(|_| wrong())
}

fn to_proto_answer(answer: &Answer) -> proto::Answer {
    use proto::answer::Value;
    let list = |values: &Vec<String>| proto::StringList { values: values.clone() };
    let value = match &answer.value {
        AnswerValue::Text(text) => Value::Text(text.clone()),
        AnswerValue::Choice(key) => Value::Choice(key.clone()),
        AnswerValue::Choices(keys) => Value::Choices(list(keys)),
        AnswerValue::Number(number) => Value::Number(*number),
        AnswerValue::Date(date) => Value::Date(date.to_string()),
        AnswerValue::YesNo(yes) => Value::Yes(*yes),
        AnswerValue::Attachments(ids) => Value::Attachments(list(ids)),
        AnswerValue::Contact(contact) => Value::Contact(proto::Contact {
            name: contact.name.clone(),
            email: contact.email.clone(),
            phone: contact.phone.clone(),
        }),
    };
    proto::Answer { step: answer.step.clone(), value: Some(value) }
}

fn optional_id(id: Option<impl Into<Uuid>>) -> String {
    id.map(|id| id.into().to_string()).unwrap_or_default()
}

/// A ticket as answered.
pub fn to_proto_ticket(ticket: &Ticket, version: Version) -> proto::Ticket {
    proto::Ticket {
        id: ticket.id.to_string(),
        number: ticket.number.unwrap_or(0),
        organisation_id: ticket.organisation.to_string(),
        device_id: ticket.device.to_string(),
        template_id: ticket.place.template.to_string(),
        customer_id: optional_id(ticket.place.customer),
        flow_id: optional_id(ticket.flow),
        title: ticket.title.clone(),
        description: ticket.description.clone(),
        status: to_proto_status(ticket.status).into(),
        visibility: to_proto_visibility(ticket.visibility).into(),
        priority: to_proto_priority(ticket.priority).into(),
        answers: ticket.answers.iter().map(to_proto_answer).collect(),
        involved_employee_ids: ticket.involved.iter().map(ToString::to_string).collect(),
        rating: ticket.rating.unwrap_or(0),
        creator: Some(to_proto_actor(ticket.creator)),
        create_time: Some(to_proto_time(ticket.create_time)),
        update_time: Some(to_proto_time(ticket.update_time)),
        open_time: ticket.open_time.map(to_proto_time),
        etag: version.etag(),
        draft_flow: None,
    }
}

/// A ticket as a caller may read it. Everybody who scans the same code sees the device's public tickets; how to reach the
/// person who made one (contact answers) is for employees and for who made it. The permission table is silent here.
pub fn to_proto_ticket_for(caller: &Principal, ticket: &Ticket, version: Version) -> proto::Ticket {
    let mut shown = to_proto_ticket(ticket, version);
    if caller.is_outsider() && caller.actor() != ticket.creator {
        shown.answers.retain(|answer| !matches!(answer.value, Some(proto::answer::Value::Contact(_))));
    }
    shown
}

/// An update as answered.
pub fn to_proto_update(update: &StoredUpdate) -> proto::Update {
    proto::Update {
        id: update.id.to_string(),
        ticket_id: update.ticket.to_string(),
        author: Some(to_proto_actor(update.author)),
        visibility: to_proto_visibility(update.visibility).into(),
        text: update.text.clone(),
        attachment_ids: update.attachments.clone(),
        create_time: Some(to_proto_time(update.create_time)),
        attachments: Vec::new(),
    }
}

/// A line of the timeline as answered.
pub fn to_proto_entry(entry: &TimelineEntry) -> proto::TimelineEntry {
    proto::TimelineEntry {
        sequence: entry.sequence,
        time: Some(to_proto_time(entry.time)),
        actor: Some(to_proto_actor(entry.actor)),
        field: entry.field.clone(),
        before: entry.before.clone(),
        after: entry.after.clone(),
        automatic: entry.automatic,
        cause_event_id: optional_id(entry.cause_event_id),
        cause_event_type: entry.cause_event_type.clone().unwrap_or_default(),
    }
}

/// What a caller may do, as answered.
pub fn to_proto_moves(moves: &Moves) -> proto::GetTicketMovesResponse {
    proto::GetTicketMovesResponse {
        statuses: moves.statuses.iter().map(|status| to_proto_status(*status).into()).collect(),
        may_reopen: moves.may_reopen,
        may_cancel: moves.may_cancel,
        may_delete: moves.may_delete,
        may_edit: moves.may_edit,
        may_change_visibility: moves.may_change_visibility,
        may_post_public_update: moves.may_post_public_update,
        may_post_internal_update: moves.may_post_internal_update,
    }
}

fn to_proto_text(text: &LocalizedText) -> Option<common::LocalizedText> {
    Some(common::LocalizedText { by_language: text.0.clone() })
}

fn from_proto_text(text: Option<common::LocalizedText>) -> LocalizedText {
    LocalizedText(text.map(|text| text.by_language).unwrap_or_default())
}

/// A flow as answered; `etag` is the version of the template's flows.
pub fn to_proto_flow(template: Uuid, flow: &Flow, version: Version) -> proto::Flow {
    let step = |step: &Step| proto::Step {
        key: step.key.clone(),
        kind: to_proto_step_kind(step.kind).into(),
        required: step.required,
        label: to_proto_text(&step.label),
        help: to_proto_text(&step.help),
        choices: step
            .choices
            .iter()
            .map(|choice| proto::Choice { key: choice.key.clone(), label: to_proto_text(&choice.label) })
            .collect(),
    };
    proto::Flow {
        id: flow.id.to_string(),
        template_id: template.to_string(),
        label: to_proto_text(&flow.label),
        steps: flow.steps.iter().map(step).collect(),
        title_step: flow.title_step.clone().unwrap_or_default(),
        group_id: optional_id(flow.group),
        notification_group_id: optional_id(flow.notification_group),
        active: flow.active,
        etag: version.etag(),
    }
}

/// The flow that a draft began with. It is the draft's own, so it has no version.
pub fn to_proto_draft_flow(template: Uuid, flow: &Flow) -> proto::Flow {
    proto::Flow { etag: String::new(), ..to_proto_flow(template, flow, Version::default()) }
}

/// A flow from a request. Its own rules are checked by the domain.
///
/// # Errors
/// Every field that cannot be read.
pub fn from_proto_flow(flow: proto::Flow) -> Result<Flow, Vec<FieldViolation>> {
    if flow.steps.len() > MAX_STEPS {
        return Err(vec![FieldViolation::new("flow.steps", format!("at most {MAX_STEPS} steps"))]);
    }
    let mut violations = Vec::new();
    let mut id = |field: &str, text: &str, required: bool| match text.parse::<Uuid>() {
        Ok(id) => Some(id),
        Err(_) if text.is_empty() && !required => None,
        Err(_) => {
            violations.push(FieldViolation::new(field, "must be a UUID"));
            None
        }
    };
    let flow_id = id("flow.id", &flow.id, true);
    let group = id("flow.group_id", &flow.group_id, false);
    let notification_group = id("flow.notification_group_id", &flow.notification_group_id, false);
    let mut steps = Vec::new();
    for (index, step) in flow.steps.into_iter().enumerate() {
        match word(&format!("flow.steps[{index}].kind"), step.kind, from_proto_step_kind) {
            Ok(kind) => steps.push(Step {
                key: step.key,
                kind,
                required: step.required,
                label: from_proto_text(step.label),
                help: from_proto_text(step.help),
                choices: step
                    .choices
                    .into_iter()
                    .map(|choice| Choice { key: choice.key, label: from_proto_text(choice.label) })
                    .collect(),
            }),
            Err(violation) => violations.push(violation),
        }
    }
    match flow_id {
        Some(flow_id) if violations.is_empty() => Ok(Flow {
            id: flow_id.into(),
            label: from_proto_text(flow.label),
            steps,
            title_step: Some(flow.title_step).filter(|key| !key.is_empty()),
            group: group.map(Into::into),
            notification_group: notification_group.map(Into::into),
            active: flow.active,
        }),
        Some(_) | None => Err(violations),
    }
}
