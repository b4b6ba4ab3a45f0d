//! What every handler goes through: who is asking, may they see it, ask the actor, answer.

use std::sync::Arc;

use callboard_kernel::{Clock, Principal, Refusal, TicketId, Version};
use callboard_service::Mutation;
use callboard_tickets_domain::{Command, Event, State};
use prost::Message;

use crate::events::inbound::{Flows, Tickets};
use crate::store::{Copies, Found, Numbers, Reads, Viewer};

/// What the handlers share.
#[derive(Debug)]
pub struct Api {
    /// The tickets.
    pub tickets: Tickets,
    /// The creation flows.
    pub flows: Flows,
    /// What is known of other contexts.
    pub copies: Copies,
    /// What is stored.
    pub reads: Reads,
    /// T-14.
    pub numbers: Numbers,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

impl Api {
    /// The caller as one who looks at tickets.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn viewer(&self, principal: &Principal) -> Result<Viewer, Refusal> {
        // Departments separate employees; nobody else's sight depends on the organisation's setting.
        let isolation = match principal.employee() {
            Some(employee) if !employee.departments.is_empty() => {
                self.copies.isolation(principal.organisation).await?
            }
            Some(_) | None => callboard_kernel::Isolation::Off,
        };
        Ok(Viewer::new(principal, isolation))
    }

    /// A ticket that the caller may see.
    ///
    /// # Errors
    /// `NOT_FOUND`, whether it is not there or not to be seen.
    pub(super) async fn visible(&self, principal: &Principal, id: TicketId) -> Result<Found, Refusal> {
        let viewer = self.viewer(principal).await?;
        self.reads.ticket(&viewer, id).await?.ok_or_else(|| Refusal::missing("ticket", id))
    }

    /// Asks a ticket that the caller may see. What the caller may do with it is decided by the ticket itself.
    ///
    /// # Errors
    /// `NOT_FOUND`, or what the ticket says.
    pub(super) async fn change<R: Message + Default>(
        &self,
        call: &Mutation,
        id: TicketId,
        command: Command,
        answer: impl Fn(&State, &[Event], Version) -> R + Send + Sync + 'static,
    ) -> Result<R, Refusal> {
        let prepared = async {
            let viewer = self.viewer(&call.principal).await?;
            if self.reads.visible(&viewer, &[id.uuid()]).await?.is_empty() {
                Err(Refusal::missing("ticket", id))
            } else {
                Ok((id.uuid(), command))
            }
        };
        call.carry_out(&self.tickets, prepared, answer).await
    }
}
