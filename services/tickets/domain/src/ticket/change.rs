//! Lines of the timeline (T-14).

use crate::{Fact, Status};

/// What one line of the timeline says; who, when and because of what is said by the step it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `status`, `visibility`, `priority`, `title`, `description`, `involved`, `rating`, `update`, `created`.
    pub field: &'static str,
    /// Before; empty where there was nothing.
    pub before: String,
    /// After; empty where there is nothing any more.
    pub after: String,
}

impl Change {
    fn new(field: &'static str, before: impl ToString, after: impl ToString) -> Self {
        Self { field, before: before.to_string(), after: after.to_string() }
    }
}

impl Fact {
    /// The line of the timeline, where there is one. Answers of a draft leave none: they are the ticket's content
    /// when it opens, not a change to it. Deleting leaves nothing at all (T-11).
    pub fn change(&self) -> Option<Change> {
        Some(match self {
            Self::Created { .. } => Change::new("created", "", Status::Draft),
            Self::Opened(_) => Change::new("status", Status::Draft, Status::Open),
            Self::StatusChanged { from, to } => Change::new("status", from, to),
            Self::VisibilityChanged { from, to } => Change::new("visibility", from, to),
            Self::PriorityChanged { from, to } => Change::new("priority", from, to),
            Self::TitleEdited { from, to } => Change::new("title", from, to),
            Self::DescriptionEdited { from, to } => Change::new("description", from, to),
            Self::Involved(employee) => Change::new("involved", "", employee),
            Self::Uninvolved(employee) => Change::new("involved", employee, ""),
            Self::Rated { from, to, .. } => {
                Change::new("rating", from.map(|score| score.to_string()).unwrap_or_default(), to)
            }
            // The update's id: its text stands in the update itself, once.
            Self::UpdatePosted(update) => Change::new("update", "", update.id),
            Self::Answered { .. } | Self::Deleted => return None,
        })
    }
}
