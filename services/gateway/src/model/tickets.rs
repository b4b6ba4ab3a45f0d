//! Shapes of tickets and creation flows.

use callboard_kernel::FieldViolation;
use callboard_proto::tickets::v1 as proto;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attachments::Attachment;
use super::mirror::{Mirror, mirror, several, words};
use super::{Actor, Localized, Time};

words! {
    /// Where a ticket stands. Changed by verbs, never by PATCH (AIP-216).
    TicketStatus of proto::TicketStatus { Draft, Open, Assigned, InProgress, Done, Closed, Cancelled }

    /// Who may see a ticket or an update.
    Visibility of proto::Visibility {
        /// Employees only.
        Internal,
        /// Also code users and customer users of the device.
        Public,
    }

    /// How urgent a ticket is.
    Priority of proto::Priority { Low, Normal, High }

    /// How a list is sorted; ties by id.
    TicketOrder of proto::TicketOrder {
        CreateTimeDesc, CreateTimeAsc, UpdateTimeDesc, UpdateTimeAsc, PriorityDesc, RatingDesc, NumberDesc, NumberAsc,
    }

    /// The type of a step, and so of its answer (T-1).
    StepKind of proto::StepKind {
        Text, LongText, SingleChoice, MultipleChoice, Number, Date, YesNo, Attachment, Contact,
    }
}

mirror! {
    /// How to reach a person.
    Contact of proto::Contact { name: Option<String>, email: Option<String>, phone: Option<String> }

    /// A request for help on one device.
    Ticket of proto::Ticket {
        /// UUID.
        id: Option<String>,
        /// Short number, unique in the organisation and rising; not set while DRAFT (T-14).
        number: Option<i64>,
        /// UUID.
        organisation_id: Option<String>,
        /// UUID.
        device_id: Option<String>,
        /// UUID.
        template_id: Option<String>,
        /// Customer that owned the device when the ticket opened.
        customer_id: Option<String>,
        /// The category: the flow it was made by; not set for a plain ticket (T-1).
        flow_id: Option<String>,
        /// What it is about.
        title: Option<String>,
        /// At most 10,000 characters.
        description: Option<String>,
        /// Output only.
        status: Option<TicketStatus>,
        /// Internal or public.
        visibility: Option<Visibility>,
        /// Low, normal or high.
        priority: Option<Priority>,
        /// Answers to the flow's steps.
        answers: Vec<Answer>,
        /// Employees who accepted or were assigned.
        involved_employee_ids: Vec<String>,
        /// 1 to 5 once rated.
        rating: Option<i32>,
        /// Who made it.
        creator: Option<Actor>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// When it became OPEN first.
        open_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
        /// While DRAFT: the flow as it was when the draft was begun, which its answers are judged by (T-2). Only where one
        /// ticket is read.
        draft_flow: Option<Flow>,
    }

    /// A draft, and what is still open.
    AnsweredDraft of proto::AnswerStepResponse {
        /// The draft.
        ticket: Option<Ticket>,
        /// Required steps not answered yet, in order.
        missing_steps: Vec<String>,
    }

    /// A page of tickets.
    TicketPage of proto::ListTicketsResponse {
        tickets: Vec<Ticket>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// Something written on a ticket. The public ones in order are the digital service record (T-12).
    Update of proto::Update {
        /// UUID.
        id: Option<String>,
        /// UUID.
        ticket_id: Option<String>,
        /// Who wrote it.
        author: Option<Actor>,
        /// Internal or public.
        visibility: Option<Visibility>,
        /// CommonMark subset.
        text: String,
        /// UUIDs.
        attachment_ids: Vec<String>,
        /// The attachments themselves, in that order.
        attachments: Vec<Attachment>,
        /// When it was written.
        create_time: Option<Time>,
    }

    /// A page of updates, oldest first.
    UpdatePage of proto::ListUpdatesResponse {
        updates: Vec<Update>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// The digital service record: a ticket and its public updates in order (T-12).
    ServiceRecord of proto::GetServiceRecordResponse {
        ticket: Option<Ticket>,
        updates: Vec<Update>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// One line of the timeline: who changed what, when, from what to what (T-14).
    TimelineEntry of proto::TimelineEntry {
        /// 1, 2, 3 … within the ticket.
        sequence: i64,
        /// When.
        time: Option<Time>,
        /// Who.
        actor: Option<Actor>,
        /// What changed: `status`, `visibility`, `priority`, `title`, `description`, `involved`, `rating`, `update`,
        /// `created`.
        field: String,
        /// Before, as a stable word.
        before: Option<String>,
        /// After, as a stable word.
        after: Option<String>,
        /// True when Callboard changed it by itself.
        automatic: bool,
        /// The event that caused it.
        cause_event_id: Option<String>,
        /// Its type.
        cause_event_type: Option<String>,
    }

    /// A page of the timeline, oldest first.
    TimelinePage of proto::ListTimelineResponse {
        entries: Vec<TimelineEntry>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// What the caller may do now: what the buttons of a screen are made of.
    TicketMoves of proto::GetTicketMovesResponse {
        may_reopen: bool,
        may_cancel: bool,
        may_delete: bool,
        may_edit: bool,
        may_change_visibility: bool,
        may_post_public_update: bool,
        may_post_internal_update: bool,
        /// Statuses the caller may set by hand.
        statuses: Statuses,
    }

    /// One choice of a choice step.
    Choice of proto::Choice {
        /// Stable key within the step: `[a-z0-9_-]{1,64}`.
        key: String,
        /// By language.
        label: Option<Localized>,
    }

    /// One question of a flow.
    Step of proto::Step {
        /// Stable key within the flow: `[a-z0-9_-]{1,64}`.
        key: String,
        /// The type of the answer.
        kind: Option<StepKind>,
        /// Whether a ticket opens without it.
        required: bool,
        /// By language.
        label: Option<Localized>,
        /// By language.
        help: Option<Localized>,
        /// For choice steps: 1 to 100.
        choices: Vec<Choice>,
    }

    /// A creation flow: ordered typed steps. The category of a ticket is its flow (T-1).
    Flow of proto::Flow {
        /// UUID.
        id: Option<String>,
        /// UUID.
        template_id: Option<String>,
        /// By language.
        label: Option<Localized>,
        /// At most 50.
        steps: Vec<Step>,
        /// Key of the step whose answer becomes the title; not set: the flow's label.
        title_step: Option<String>,
        /// Fleet group that is offered the ticket; not set: the template's first (F-1).
        group_id: Option<String>,
        /// Notification group told of this flow's tickets.
        notification_group_id: Option<String>,
        /// Inactive flows make no tickets.
        active: bool,
        /// Strong entity tag of the template's set of flows, also in the header `ETag`.
        etag: Option<String>,
    } + {
        /// The link that starts it, for a button on any page (T-1): a browser gets the steps one by one, a program that
        /// accepts JSON the flow and the call that makes the draft. Stable. `?code=` names the scanned code. Output only.
        start_url: Option<String>,
    }

    /// The flows of a template, in order.
    FlowList of proto::ListFlowsResponse { flows: Vec<Flow> }
}

several! {
    /// Several statuses.
    Statuses of TicketStatus,
}

/// The answer to one step: at most one of the values, that of the step's kind. None: the answer is taken back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Answer {
    /// The step's key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// To text and long text steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Key of the chosen choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Keys of the chosen choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
    /// To number steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
    /// RFC 3339 full-date, `2026-11-21`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// To yes/no steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yes: Option<bool>,
    /// Attachment ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<String>>,
    /// To contact steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}

impl Answer {
    /// Refuses an answer with more than one value.
    pub fn check(&self, path: &str) -> Result<(), FieldViolation> {
        let given = [
            self.text.is_some(),
            self.choice.is_some(),
            self.choices.is_some(),
            self.number.is_some(),
            self.date.is_some(),
            self.yes.is_some(),
            self.attachments.is_some(),
            self.contact.is_some(),
        ];
        match given.into_iter().filter(|given| *given).count() {
            0 | 1 => Ok(()),
            _ => Err(FieldViolation::new(path, "at most one value (T-1)")),
        }
    }
}

impl Mirror<proto::Answer> for Answer {
    fn out(proto: proto::Answer) -> Self {
        use proto::answer::Value;
        let mut answer = Self { step: proto.step, ..Self::default() };
        match proto.value {
            Some(Value::Text(text)) => answer.text = Some(text),
            Some(Value::Choice(key)) => answer.choice = Some(key),
            Some(Value::Choices(keys)) => answer.choices = Some(keys.values),
            Some(Value::Number(number)) => answer.number = Some(number),
            Some(Value::Date(date)) => answer.date = Some(date),
            Some(Value::Yes(yes)) => answer.yes = Some(yes),
            Some(Value::Attachments(ids)) => answer.attachments = Some(ids.values),
            Some(Value::Contact(contact)) => answer.contact = Some(Mirror::out(contact)),
            None => {}
        }
        answer
    }
    fn back(self) -> proto::Answer {
        use proto::answer::Value;
        let list = |values| proto::StringList { values };
        let value = self
            .text
            .map(Value::Text)
            .or_else(|| self.choice.map(Value::Choice))
            .or_else(|| self.choices.map(|keys| Value::Choices(list(keys))))
            .or_else(|| self.number.map(Value::Number))
            .or_else(|| self.date.map(Value::Date))
            .or_else(|| self.yes.map(Value::Yes))
            .or_else(|| self.attachments.map(|ids| Value::Attachments(list(ids))))
            .or_else(|| self.contact.map(|contact| Value::Contact(contact.back())));
        proto::Answer { step: self.step, value }
    }
}

/// A ticket to make.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NewTicket {
    /// UUID. A code user may leave it out: the own device.
    pub device_id: Option<String>,
    /// The flow to be answered; not given: a plain ticket (T-1).
    pub flow_id: Option<String>,
    /// Plain tickets: required to open, 1 to 200 characters. With a flow: left out.
    pub title: Option<String>,
    /// At most 10,000 characters.
    pub description: Option<String>,
    /// Answers to the flow's steps.
    pub answers: Vec<Answer>,
    /// Employees choose (default INTERNAL); code users' and customer users' tickets are public (T-3).
    pub visibility: Option<Visibility>,
    /// Default NORMAL. Employees only.
    pub priority: Option<Priority>,
    /// True: submit at once.
    pub open: bool,
}

/// How a draft is submitted.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Submission {
    /// Employees: internal or public (T-3); not given: what the draft says.
    pub visibility: Option<Visibility>,
}

/// A status to set.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewStatus {
    /// Any but DRAFT (T-7).
    pub status: TicketStatus,
}

/// An update to write.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NewUpdate {
    /// 1 to 10,000 characters; may be empty when there are attachments.
    pub text: String,
    /// Code users: public only. Default: that of the ticket.
    pub visibility: Option<Visibility>,
    /// UUIDs; at most 20.
    pub attachment_ids: Vec<String>,
}
