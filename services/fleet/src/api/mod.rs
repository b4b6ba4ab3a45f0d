//! What can be called.

mod explain;
mod fleet;
mod groups;

pub use fleet::FleetApi;
pub use groups::GroupApi;

use std::sync::Arc;

use callboard_kernel::{Clock, Isolation, Principal, Refusal, TicketId};
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

    /// A ticket for an employee who may see it. Fleet's lists are not for outsiders: those who may see the ticket are
    /// told so, others that there is none.
    async fn ticket_for_employee(
        &self,
        principal: &Principal,
        ticket: TicketId,
    ) -> Result<(DispatchView, Isolation), Refusal> {
        let isolation = self.isolation(principal).await?;
        let view = self
            .queries
            .dispatch(principal.organisation, ticket)
            .await
            .map_err(refusal)?
            .filter(|view| view.ticket.visible_to(principal, isolation))
            .ok_or_else(|| Refusal::missing("ticket", ticket))?;
        employees_only(principal)?;
        Ok((view, isolation))
    }
}

fn employees_only(principal: &Principal) -> Result<(), Refusal> {
    match principal.employee() {
        Some(_) => Ok(()),
        None => Err(Refusal::denied("offers and assignments are for employees")),
    }
}
