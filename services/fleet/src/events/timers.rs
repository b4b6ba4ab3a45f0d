//! What fleet does when a time is over (F-9).

use callboard_bus::HandleError;
use callboard_fleet_domain::Ticket;
use callboard_fleet_domain::dispatch::{DispatchCommand, Plan};
use callboard_journal::DueTimer;
use callboard_kernel::{Cause, Principal, TicketId};
use callboard_service::reaction::give;

use super::outbound::{ESCALATE, EXPIRE};
use super::{Because, Planner, look_again};
use crate::{Dispatches, not_now};

/// Fires fleet's timers.
#[derive(Debug, Clone)]
pub struct TimerHandler {
    /// Dispatches.
    pub dispatches: Dispatches,
    /// Makes the next group's round.
    pub planner: Planner,
}

impl TimerHandler {
    /// Gives the command that a timer stands for.
    ///
    /// # Errors
    /// "Not now", or a timer that makes no sense.
    pub async fn fire(&self, timer: DueTimer) -> Result<(), HandleError> {
        let bytes: [u8; 4] = timer
            .payload
            .as_ref()
            .try_into()
            .map_err(|_| HandleError::Poison(format!("timer {} carries no round", timer.name)))?;
        let round = u32::from_be_bytes(bytes);
        if timer.name == ESCALATE {
            self.escalate(&timer, round).await
        } else if timer.name.starts_with(EXPIRE) {
            self.give(&timer, DispatchCommand::Expire { round }).await
        } else {
            Err(HandleError::Poison(format!("timer {} is not known", timer.name)))
        }
    }

    async fn give(&self, timer: &DueTimer, command: DispatchCommand) -> Result<(), HandleError> {
        let principal = Principal::system(timer.organisation);
        let id = timer.command_id();
        give(&self.dispatches, timer.aggregate_id, command, id, principal, Cause::default()).await.map(|_| ())
    }

    async fn escalate(&self, timer: &DueTimer, round: u32) -> Result<(), HandleError> {
        let organisation = timer.organisation;
        let view =
            self.planner.queries.dispatch(organisation, timer.aggregate_id.into()).await.map_err(not_now)?;
        let Some(view) = view else { return Ok(()) };
        let plan = self.next(timer, round, &view.ticket).await.map_err(not_now)?;
        self.give(timer, DispatchCommand::Escalate { round, plan }).await?;
        let because = Because { organisation, id: timer.command_id(), cause: Cause::default() };
        look_again(&self.dispatches, &self.planner, &because, timer.aggregate_id, &view.ticket).await
    }

    async fn next(&self, timer: &DueTimer, round: u32, ticket: &Ticket) -> Result<Option<Plan>, sqlx::Error> {
        let id: TicketId = timer.aggregate_id.into();
        let queries = &self.planner.queries;
        let below = i32::try_from(round).ok().and_then(|round| round.checked_add(1));
        let rounds = queries.rounds(timer.organisation, id, below, 1).await?;
        let Some(group) = rounds.first().filter(|made| made.number == round).and_then(|made| made.group)
        else {
            return Ok(None);
        };
        self.planner.next(timer.organisation, ticket, group).await
    }
}
