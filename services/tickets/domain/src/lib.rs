//! Pure decisions of the tickets context: tickets (T-1 to T-15) and the creation flows they are made by.
//!
//! No clock, no I/O: [`TicketAggregate`] and [`FlowSetAggregate`] decide and evolve, [`can`] is the permission table.

mod answer;
mod flow;
mod flow_set;
mod permission;
pub mod text;
mod ticket;
mod words;

pub use answer::{Answer, AnswerValue, Contact};
pub use flow::{Choice, Flow, Step};
pub use flow_set::{FlowSet, FlowSetAggregate, FlowSetCommand, FlowSetEvent, FlowSetRejection};
pub use permission::{Action, Moves, can, is_visible, may_edit_flows, moves};
pub use text::LocalizedText;
pub use ticket::{
    Change, Command, Edit, Event, Fact, NewTicket, Opening, Place, Rejection, State, Ticket, TicketAggregate,
    Update,
};
pub use words::{Priority, Status, StepKind, Visibility};

callboard_kernel::define_id! {
    /// A creation flow; unique within its template.
    FlowId
}
callboard_kernel::define_id! {
    /// A fleet group or notification group of a template.
    GroupId
}
callboard_kernel::define_id! {
    /// An update on a ticket.
    UpdateId
}

/// The most flows that a template may have.
pub const MAX_FLOWS: usize = 50;
/// The most steps that a flow may have.
pub const MAX_STEPS: usize = 50;
/// The most choices that a step may have.
pub const MAX_CHOICES: usize = 100;
/// The most attachments that an answer or an update may have.
pub const MAX_ATTACHMENTS: usize = 20;
/// The most updates that a ticket may have.
pub const MAX_UPDATES: i64 = 10_000;
