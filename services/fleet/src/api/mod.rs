//! What can be called.

mod explain;
mod fleet;
mod groups;

pub use fleet::FleetApi;
pub use groups::GroupApi;

use std::sync::Arc;

use callboard_fleet_domain::Sight;
use callboard_kernel::{Clock, DeviceId, Isolation, Principal, Refusal, TicketId};
use callboard_service::database::refusal;

use crate::store::{Copies, DispatchView, Queries};

/// What both services read from.
#[derive(Debug, Clone)]
pub struct Reads {
    /// Fleet's own tables.
    pub queries: Queries,
    /// Read copies of the directory.
    pub copies: Copies,
    /// For page tokens.
    pub clock: Arc<dyn Clock>,
}

impl Reads {
    async fn isolation(&self, principal: &Principal) -> Result<Isolation, Refusal> {
        self.copies.isolation(principal.organisation).await.map_err(refusal)
    }

    /// How far the caller sees a ticket on this device.
    async fn sight(&self, principal: &Principal, device: DeviceId) -> Result<Sight, Refusal> {
        let isolation = self.isolation(principal).await?;
        if !device_matters(principal, isolation) {
            return Ok(isolation.into());
        }
        let device = self.copies.device(principal.organisation, device).await.map_err(refusal)?;
        Ok(Sight { isolation, device })
    }

    /// How far the caller sees a ticket, if there is one.
    async fn sight_of(&self, principal: &Principal, ticket: TicketId) -> Result<Sight, Refusal> {
        let isolation = self.isolation(principal).await?;
        if !device_matters(principal, isolation) {
            return Ok(isolation.into());
        }
        match self.queries.device_of(principal.organisation, ticket).await.map_err(refusal)? {
            Some(device) => self.sight(principal, device).await,
            None => Ok(isolation.into()),
        }
    }

    /// A ticket for an employee who may see it. Fleet's lists are not for outsiders: those who may see the ticket are
    /// told so, others that there is none.
    async fn ticket_for_employee(
        &self,
        principal: &Principal,
        ticket: TicketId,
    ) -> Result<(DispatchView, Sight), Refusal> {
        let isolation = self.isolation(principal).await?;
        let missing = || Refusal::missing("ticket", ticket);
        let view = self.queries.dispatch(principal.organisation, ticket).await.map_err(refusal)?;
        let view = view.ok_or_else(missing)?;
        let sight = Sight { isolation, device: view.device.clone() };
        if !view.ticket.visible_to(principal, &sight) {
            return Err(missing());
        }
        employees_only(principal)?;
        Ok((view, sight))
    }
}

/// Whether it depends on the device what this caller sees: most employees are told apart by nothing.
fn device_matters(principal: &Principal, isolation: Isolation) -> bool {
    principal
        .employee()
        .is_none_or(|employee| isolation != Isolation::Off && !employee.departments.is_empty())
}

fn employees_only(principal: &Principal) -> Result<(), Refusal> {
    match principal.employee() {
        Some(_) => Ok(()),
        None => Err(Refusal::denied("offers and assignments are for employees")),
    }
}
