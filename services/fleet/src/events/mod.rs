//! What fleet tells others, and what it makes of what others tell.

pub mod directory;
pub mod outbound;
mod planning;
pub mod tickets;
pub mod timers;

pub use planning::Planner;

use callboard_bus::{Event, HandleError};
use callboard_fleet_domain::dispatch::{DispatchCommand, Standing};
use callboard_kernel::{Cause, EmployeeId, Principal, derive_uuid};
use callboard_service::Reaction;
use uuid::Uuid;

use crate::Dispatches;

/// F-8 for one employee on one ticket. Several of a ticket may be reviewed for one event, so the command is named by
/// both.
async fn review(
    dispatches: &Dispatches,
    consumer: &'static str,
    event: &Event,
    ticket: Uuid,
    employee: EmployeeId,
    standing: Standing,
) -> Result<(), HandleError> {
    let id = derive_uuid(
        Reaction { consumer, event }.command_id(ticket).uuid(),
        &[b"review", employee.uuid().as_bytes()],
    );
    let cause = Cause {
        event: Some(event.id),
        event_type: Some(event.kind.clone()),
        correlation: event.correlation,
        traceparent: event.traceparent.clone(),
    };
    let command = DispatchCommand::Review { employee, standing };
    let principal = Principal::system(event.organisation);
    callboard_service::reaction::give(dispatches, ticket, command, id.into(), principal, cause)
        .await
        .map(|_| ())
}
