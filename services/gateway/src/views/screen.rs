//! What the ticket details view answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::Time;
use crate::model::fleet::{AssignmentSource, OfferStatus};
use crate::model::messenger::{Conversation, MessagePage};
use crate::model::notifications::Notification;
use crate::model::ratings::Rating;
use crate::model::tasks::TaskPage;
use crate::model::tickets::{Flow, Ticket, TicketMoves, TicketStatus, TimelinePage, UpdatePage, Visibility};
use crate::model::video::VideoSession;

/// The ticket's screen. Parts that are not for the caller, or out of reach, are left out.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketView {
    /// UUID.
    pub ticket_id: String,
    /// Contexts that could not be reached in time: `directory`, `tickets`, `fleet`, `messenger`,
    /// `notifications`, `ratings`, `tasks`, `video`.
    pub unreachable: Vec<&'static str>,
    /// Progress, visibility, priority and moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_bar: Option<StatusBar>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub general: Option<General>,
    /// Public updates, oldest first: the digital service record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updates: Option<UpdatePage>,
    /// Internal updates, oldest first. Employees only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_updates: Option<UpdatePage>,
    /// Who works on it. Employees only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetPart>,
    /// What was said; none before the ticket is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationPart>,
    /// Tasks linked to it that the caller may see, what is due first (K-5); more by their own route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TaskPage>,
    /// Video sessions linked to it that the caller may see, newest first (V-9); more by their own route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_sessions: Option<SessionsPart>,
    /// What the caller's own drawer holds of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notifications: Option<NotificationsPart>,
    /// Its rating.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
    /// Who changed what. Employees only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<TimelinePage>,
}

/// The conversation's tab: how it stands, and the latest messages; more by their own route.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationPart {
    /// Who may write, how far people have read, what is unread.
    pub conversation: Conversation,
    /// The latest messages, the latest first.
    pub messages: MessagePage,
}

/// The caller's own notifications about the ticket (N-1). Looking at them reads none: `:mark` does.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationsPart {
    /// How many of them are unread: stacks.
    pub unread: usize,
    /// All of them, latest first.
    pub entries: Vec<Notification>,
}

/// The tab of video sessions.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsPart {
    /// Newest first.
    pub sessions: Vec<ShownSession>,
    /// Not set: there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A session and its label.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownSession {
    /// The session.
    pub session: VideoSession,
    /// Its status, in the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_label: Option<&'static str>,
}

/// The top of the screen, with labels in the caller's language.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusBar {
    /// Where it stands.
    pub status: LabelledStatus,
    /// The way from open to closed, and how far it is.
    pub progress: Vec<ProgressStep>,
    /// Who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// In the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility_label: Option<&'static str>,
    /// In the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_label: Option<&'static str>,
    /// What this caller may do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moves: Option<TicketMoves>,
    /// The statuses among the moves, with labels.
    pub status_moves: Vec<LabelledStatus>,
}

/// A status and its label.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelledStatus {
    /// The stable word.
    pub status: TicketStatus,
    /// In the caller's language.
    pub label: &'static str,
}

/// How far a step of the progress is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reached {
    /// Behind us.
    Past,
    /// Here.
    Current,
    /// Before us.
    Ahead,
}

/// One step of the progress.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressStep {
    /// The stable word.
    pub status: TicketStatus,
    /// In the caller's language.
    pub label: &'static str,
    /// How far it is.
    pub reached: Reached,
}

/// What the ticket is about, with the names of what it hangs on.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct General {
    /// The ticket.
    pub ticket: Ticket,
    /// The category: the flow's label in the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The flow it was made by, for the labels of the answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// The device's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// The device's serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_serial_number: Option<String>,
    /// The template's name in the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
    /// The customer's name. Employees only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The maker's name, where it is an employee the caller may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator_name: Option<String>,
}

/// An employee by id, and by name where the directory told it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedEmployee {
    /// UUID.
    pub id: String,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who works on the ticket (F-4).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetPart {
    /// Accepted or assigned.
    pub assigned: Vec<AssignedEmployee>,
    /// Offered, with seen mark and decision.
    pub requested: Vec<RequestedEmployee>,
    /// Every other employee who may see the ticket.
    pub available: Vec<NamedEmployee>,
    /// How many may accept; not set: unlimited (F-7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_workers: Option<i32>,
    /// Whether this caller may request, assign and cancel.
    pub may_manage: bool,
    /// The caller's own open offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_offer_id: Option<String>,
}

/// One who works on it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignedEmployee {
    /// Who.
    pub employee: NamedEmployee,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<AssignmentSource>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// One who was asked.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedEmployee {
    /// Who.
    pub employee: NamedEmployee,
    /// The offer.
    pub offer_id: String,
    /// Its decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<OfferStatus>,
    /// The seen mark.
    pub seen: bool,
    /// When it was seen first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_time: Option<Time>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decide_time: Option<Time>,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decline_reason: Option<String>,
}
