//! What the desk makes of the directory's events: who is a support agent, and who is no more.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::EmployeeId;
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use callboard_support_domain::ticket::TicketCommand;
use futures::future::BoxFuture;

use crate::store::{Copies, Queries};
use crate::{Tickets, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "support-directory";

/// Tickets looked at in one query.
const PAGE: i64 = 500;

/// Keeps the read copy, and takes tickets from who is no agent any more: they are unassigned, so that they are found.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// The actors.
    pub tickets: Tickets,
    /// The tables.
    pub queries: Queries,
    /// The copy.
    pub copies: Copies,
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let (facts, removed) = match event.kind.as_str() {
            proto::EmployeeCreated::TYPE => (decode::<proto::EmployeeCreated>(event)?.employee, false),
            proto::EmployeeChanged::TYPE => (decode::<proto::EmployeeChanged>(event)?.employee, false),
            proto::EmployeeDepartmentsChanged::TYPE => {
                (decode::<proto::EmployeeDepartmentsChanged>(event)?.employee, false)
            }
            proto::EmployeeRemoved::TYPE => (decode::<proto::EmployeeRemoved>(event)?.employee, true),
            _ => return Ok(Handled::Ignored),
        };
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} lacks its record", event.kind)))?;
        let employee: EmployeeId = event_id("employee_id", &facts.employee_id)?;
        let is_agent = !removed && !facts.support_roles.is_empty();
        self.copies
            .keep_employee(event.organisation, employee, event.aggregate_version.0, removed, is_agent)
            .await
            .map_err(not_now)?;
        // What is true now counts, not what a late event says.
        let is_agent = self.copies.is_agent(event.organisation, employee).await.map_err(not_now)?;
        if !is_agent {
            self.take_away(event, employee).await?;
        }
        Ok(Handled::Done)
    }

    async fn take_away(&self, event: &Event, employee: EmployeeId) -> Result<(), HandleError> {
        let reaction = Reaction { consumer: CONSUMER, event };
        let mut seen = Vec::new();
        loop {
            let tickets =
                self.queries.assigned_to(event.organisation, employee, PAGE).await.map_err(not_now)?;
            // One event gives one command per ticket: what is still there was answered before.
            if tickets.is_empty() || tickets == seen {
                return Ok(());
            }
            for ticket in &tickets {
                reaction.give(&self.tickets, *ticket, TicketCommand::Leave(employee)).await?;
            }
            seen = tickets;
        }
    }
}

impl Handler for DirectoryHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }
}
