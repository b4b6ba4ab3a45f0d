//! F-8: who left, or may no longer see a ticket, loses offer and assignment.

use callboard_bus::HandleError;
use callboard_fleet_domain::Ticket;
use callboard_fleet_domain::dispatch::{DispatchCommand, Standing};
use callboard_kernel::{Cause, CommandId, OrganisationId, Principal, derive_uuid};
use callboard_service::Reaction;
use callboard_service::reaction::give;
use callboard_service::telemetry;
use uuid::Uuid;

use super::Planner;
use crate::store::Holding;
use crate::{Dispatches, not_now};

/// What a review follows from.
#[derive(Debug, Clone)]
pub struct Because {
    /// Whose.
    pub organisation: OrganisationId,
    /// The command or reaction that it belongs to; ids of reviews are derived from it.
    pub id: CommandId,
    /// The event behind it, if it is one.
    pub cause: Cause,
}

impl Because {
    /// A reaction to an event, as far as one ticket goes.
    pub fn of(reaction: Reaction<'_>, ticket: Uuid) -> Self {
        let event = reaction.event;
        let cause = Cause {
            event: Some(event.id),
            event_type: Some(event.kind.clone()),
            correlation: event.correlation,
            // The trace of the reaction, which is linked to the event's.
            traceparent: telemetry::current_traceparent().or_else(|| event.traceparent.clone()),
        };
        Self { organisation: event.organisation, id: reaction.command_id(ticket), cause }
    }
}

/// Asks a ticket to take away what an employee may no longer hold. Several employees of a ticket may be reviewed for
/// one reason, so the command is named by both.
///
/// # Errors
/// As [`give`].
pub async fn review(
    dispatches: &Dispatches,
    because: Because,
    holding: Holding,
    standing: Standing,
) -> Result<(), HandleError> {
    let Holding { ticket, employee, device } = holding;
    let id = derive_uuid(because.id.uuid(), &[b"review", employee.uuid().as_bytes()]);
    let command = DispatchCommand::Review { employee, standing, device };
    let principal = Principal::system(because.organisation);
    give(dispatches, ticket, command, id.into(), principal, because.cause).await.map(|_| ())
}

/// After something was given to people: somebody may have left, or somebody or the device have come to other departments,
/// between reading what the directory told and the commit. Whoever handled that did not see the offer yet; here the newer copy is seen, so one
/// of the two takes it away (F-8).
///
/// # Errors
/// "Not now": the copies could not be read, or the ticket not be asked.
pub async fn look_again(
    dispatches: &Dispatches,
    planner: &Planner,
    because: &Because,
    id: Uuid,
    ticket: &Ticket,
) -> Result<(), HandleError> {
    let gone = planner.gone(because.organisation, id.into(), ticket).await.map_err(not_now)?;
    for (holding, standing) in gone {
        review(dispatches, because.clone(), holding, standing).await?;
    }
    Ok(())
}
