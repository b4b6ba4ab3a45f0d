//! What can happen to a ticket.

use std::sync::Arc;

use callboard_kernel::{Actor, DeviceId, EmployeeId, OrganisationId, TicketId, Timestamp};

use crate::{Answer, AnswerValue, Flow, Place, Priority, Status, UpdateId, Visibility};

/// Something happened to a ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// Something written on a ticket (T-12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Itself.
    pub id: UpdateId,
    /// 1, 2, 3 … within the ticket.
    pub sequence: i64,
    /// Who wrote it.
    pub author: Actor,
    /// Who sees it, besides the ticket's own visibility.
    pub visibility: Visibility,
    /// At most 10,000 characters.
    pub text: String,
    /// Attachment ids.
    pub attachments: Vec<String>,
}

/// What a ticket opens with.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// T-14.
    pub number: i64,
    /// From the answers, or as written.
    pub title: String,
    /// In the order of the flow's steps.
    pub answers: Vec<Answer>,
    /// For full text.
    pub words: String,
    /// T-3.
    pub visibility: Visibility,
    /// The device at this moment.
    pub place: Place,
}

/// What can happen to a ticket.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A draft was made.
    Created {
        /// Itself.
        id: TicketId,
        /// Whose it is.
        organisation: OrganisationId,
        /// T-1.
        device: DeviceId,
        /// The device at this moment.
        place: Place,
        /// The flow to be answered.
        flow: Option<Arc<Flow>>,
        /// As written, or the flow's label until it opens.
        title: String,
        /// As written.
        description: String,
        /// Answers brought along.
        answers: Vec<Answer>,
        /// T-3.
        visibility: Visibility,
        /// How urgent.
        priority: Priority,
        /// Who made it.
        creator: Actor,
    },
    /// One step was answered, or the answer taken back.
    Answered {
        /// The step's key.
        step: String,
        /// `None`: taken back.
        value: Option<AnswerValue>,
    },
    /// DRAFT → OPEN.
    Opened(Box<Opening>),
    /// Any other change of status.
    StatusChanged {
        /// Before.
        from: Status,
        /// After; never DRAFT.
        to: Status,
    },
    /// T-13.
    VisibilityChanged {
        /// Before.
        from: Visibility,
        /// After.
        to: Visibility,
    },
    /// Another priority.
    PriorityChanged {
        /// Before.
        from: Priority,
        /// After.
        to: Priority,
    },
    /// Another title.
    TitleEdited {
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// Another description.
    DescriptionEdited {
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// An employee is involved from now on.
    Involved(EmployeeId),
    /// An employee is no longer involved.
    Uninvolved(EmployeeId),
    /// A rating arrived.
    Rated {
        /// Before.
        from: Option<i32>,
        /// After.
        to: i32,
        /// Which DONE it belongs to.
        round: i32,
    },
    /// An update was written.
    UpdatePosted(Box<Update>),
    /// Deleted for good.
    Deleted,
}
