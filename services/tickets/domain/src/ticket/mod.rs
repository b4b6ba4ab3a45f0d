//! The ticket: what it knows, what can be asked of it, what can happen to it.

mod change;
mod command;
mod decide;
mod event;
mod evolve;
mod rejection;

use std::sync::Arc;

use callboard_kernel::{
    Actor, Aggregate, CustomerId, DecisionContext, DepartmentId, DeviceId, EmployeeId, OrganisationId,
    TemplateId, TicketId, Timestamp,
};

pub use change::Change;
pub use command::{Command, Edit, NewTicket};
pub use event::{Event, Fact, Opening, Update};
pub use rejection::Rejection;

use crate::{Answer, Flow, FlowId, GroupId, Priority, Status, Visibility};

/// A request for help on one device.
#[derive(Debug)]
pub enum TicketAggregate {}

/// What is known of a ticket.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// It does not exist.
    #[default]
    None,
    /// It is there.
    Live(Box<Ticket>),
    /// It was deleted for good (T-11). Nothing of it is left but that.
    Gone,
}

impl State {
    /// The ticket, if it is there.
    pub fn live(&self) -> Option<&Ticket> {
        match self {
            Self::Live(ticket) => Some(ticket),
            Self::None | Self::Gone => None,
        }
    }
}

/// Where a ticket hangs: what the directory says of its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The device's template.
    pub template: TemplateId,
    /// Who owns the device.
    pub customer: Option<CustomerId>,
    /// The device's departments, for isolation.
    pub departments: Vec<DepartmentId>,
    /// The version of the device that says so; 0: not kept, for tickets from before it was.
    pub version: i64,
}

/// A ticket that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// Itself.
    pub id: TicketId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// T-14; `None` while DRAFT.
    pub number: Option<i64>,
    /// T-1.
    pub device: DeviceId,
    /// Template, customer and departments of the device when the ticket opened (a draft: when it was made). Others
    /// route by it; who may see the ticket is judged by the device as it is now.
    pub place: Place,
    /// The category: the flow it was made by.
    pub flow: Option<FlowId>,
    /// The flow as it was when the draft was made, so that a draft can be left and continued whatever happens to the
    /// flow meanwhile (T-2). `None` once open.
    pub draft_flow: Option<Arc<Flow>>,
    /// Fleet group that the flow names (F-1).
    pub group: Option<GroupId>,
    /// Notification group that the flow names (N-4).
    pub notification_group: Option<GroupId>,
    /// 1 to 200 characters; may be empty while DRAFT.
    pub title: String,
    /// At most 10,000 characters.
    pub description: String,
    /// Where it stands.
    pub status: Status,
    /// Who sees it.
    pub visibility: Visibility,
    /// How urgent it is.
    pub priority: Priority,
    /// In the order of the flow's steps once open; as answered while DRAFT.
    pub answers: Vec<Answer>,
    /// Words of the answers for full text, choice labels included (T-15). Empty while DRAFT.
    pub words: String,
    /// Employees who accepted or were assigned, in that order. Mirrors fleet.
    pub involved: Vec<EmployeeId>,
    /// 1 to 5 once rated.
    pub rating: Option<i32>,
    /// Which DONE the rating belongs to; 0 without a rating.
    pub rating_round: i32,
    /// How many times it has become DONE.
    pub done_round: i32,
    /// Who made it.
    pub creator: Actor,
    /// When the draft was made.
    pub create_time: Timestamp,
    /// When anything changed last.
    pub update_time: Timestamp,
    /// When it became OPEN first.
    pub open_time: Option<Timestamp>,
    /// How many updates there are; the last one's sequence.
    pub updates: i64,
    /// How many lines the timeline has; the last one's sequence.
    pub timeline: i64,
}

impl Ticket {
    /// Required steps not answered yet, in order; a plain ticket without title: `title`. Nothing once open.
    pub fn missing(&self) -> Vec<&str> {
        match (&self.draft_flow, self.status) {
            (Some(flow), Status::Draft) => flow.missing(&self.answers),
            (None, Status::Draft) if self.title.trim().is_empty() => vec!["title"],
            (Some(_) | None, _) => Vec::new(),
        }
    }
}

impl Aggregate for TicketAggregate {
    const KIND: &'static str = "ticket";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(
        state: &State,
        command: &Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Event>, Rejection> {
        let facts = decide::decide(state, command, context)?;
        Ok(facts.into_iter().map(|fact| Event { at: context.now, fact }).collect())
    }

    fn evolve(state: &mut State, event: &Event) {
        evolve::evolve(state, event);
    }
}
