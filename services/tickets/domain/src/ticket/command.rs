//! What can be asked of a ticket.

use std::sync::Arc;

use callboard_kernel::{DeviceId, EmployeeId, TicketId, Timestamp};

use crate::{Answer, AnswerValue, Flow, Place, Priority, Status, UpdateId, Visibility};

/// A ticket to be made. Answers, flow and place were looked up by the caller; all rules are checked here.
#[derive(Debug, Clone)]
pub struct NewTicket {
    /// The aggregate's id.
    pub id: TicketId,
    /// T-1.
    pub device: DeviceId,
    /// What the directory says of the device.
    pub place: Place,
    /// The flow to be answered; `None`: a plain ticket.
    pub flow: Option<Arc<Flow>>,
    /// Plain tickets only.
    pub title: String,
    /// At most 10,000 characters.
    pub description: String,
    /// Each step at most once.
    pub answers: Vec<Answer>,
    /// Employees choose; default internal (T-3).
    pub visibility: Option<Visibility>,
    /// Employees choose; default normal.
    pub priority: Option<Priority>,
    /// The number to open with at once; `None`: stays a draft.
    pub open: Option<i64>,
}

/// What is edited; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// 1 to 200 characters.
    pub title: Option<String>,
    /// At most 10,000 characters.
    pub description: Option<String>,
    /// Low, normal, high.
    pub priority: Option<Priority>,
    /// Internal or public.
    pub visibility: Option<Visibility>,
}

/// What can be asked of a ticket.
#[derive(Debug, Clone)]
pub enum Command {
    /// Makes a draft, or opens at once (T-1, T-2, T-4).
    Create(Box<NewTicket>),
    /// Sets one answer of a draft; no value takes the answer back (T-2).
    Answer {
        /// The step's key.
        step: String,
        /// What is answered.
        value: Option<AnswerValue>,
    },
    /// DRAFT → OPEN (T-4).
    Submit {
        /// The number to open with.
        number: i64,
        /// Employees choose (T-3); `None`: what the draft says.
        visibility: Option<Visibility>,
        /// The device as it is now; `None`: it was removed.
        place: Option<Place>,
    },
    /// Edits title, description, priority, visibility.
    Edit(Edit),
    /// Sets a status by hand (T-7).
    SetStatus(Status),
    /// CLOSED or CANCELLED → IN_PROGRESS or OPEN (T-9).
    Reopen,
    /// Cancels (T-10).
    Cancel,
    /// Deletes for good (T-11).
    Delete,
    /// Writes an update (T-12).
    PostUpdate {
        /// Its id.
        id: UpdateId,
        /// 1 to 10,000 characters; may be empty when there are attachments.
        text: String,
        /// `None`: as the ticket's.
        visibility: Option<Visibility>,
        /// At most 20.
        attachments: Vec<String>,
    },
    /// Fleet: an employee accepted or was assigned (T-5).
    Involve(EmployeeId),
    /// Fleet: an assignment was taken back (T-6).
    Uninvolve(EmployeeId),
    /// Ratings: a rating was given for one of its DONEs (T-8).
    Rate {
        /// Which DONE.
        done_round: i32,
        /// 1 to 5.
        score: i32,
    },
    /// Ratings: nothing is to be rated for this DONE (T-8).
    Waive {
        /// Which DONE.
        done_round: i32,
    },
    /// Extension of T-8: the time limit of this DONE passed.
    CloseUnrated {
        /// Which DONE.
        done_round: i32,
    },
    /// T-2: nobody has touched the draft for as long as drafts are kept.
    DiscardDraft {
        /// When it was last touched, as far as the timer knows.
        untouched_since: Timestamp,
    },
}
