//! The offers, assignments and rounds of one ticket (F-2 to F-11). Its id is the ticket's.

mod command;
mod decide;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Candidate, DispatchCommand, DispatchEvent, Plan, Standing, Terms};
pub use rejection::DispatchRejection;
pub use state::{Assignment, AssignmentSource, DispatchState, Offer, OfferStatus, Round};

/// The longest reason of a decline, in characters (F-5).
pub const MAX_REASON: usize = 500;

/// One ticket's offers, assignments and rounds.
#[derive(Debug)]
pub struct Dispatch;

impl callboard_kernel::Aggregate for Dispatch {
    const KIND: &'static str = "dispatch";
    type State = DispatchState;
    type Command = DispatchCommand;
    type Event = DispatchEvent;
    type Rejection = DispatchRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &callboard_kernel::DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        decide::decide(state, command, context)
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        state.apply(event);
    }
}
