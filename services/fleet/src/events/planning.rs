//! From a ticket to a round: picks the group and expands it from the read copies (F-1, F-2).

use std::collections::HashMap;

use callboard_fleet_domain::dispatch::{Plan, Standing};
use callboard_fleet_domain::{Group, GroupId, Ticket, expand};
use callboard_kernel::{EmployeeId, OrganisationId, TicketId};

use crate::store::{Copies, Holding, Queries};

/// Makes plans.
#[derive(Debug, Clone)]
pub struct Planner {
    pub(super) queries: Queries,
    pub(super) copies: Copies,
}

impl Planner {
    /// A planner over these tables.
    pub const fn new(queries: Queries, copies: Copies) -> Self {
        Self { queries, copies }
    }

    /// The round of a ticket that opened. A template without groups gives a plan of nobody: the round is recorded,
    /// and the notification group is told (F-11).
    pub async fn first(&self, organisation: OrganisationId, ticket: &Ticket) -> Result<Plan, sqlx::Error> {
        let set = self.queries.recent_groups(organisation, ticket.template).await?;
        match set.pick(ticket.group) {
            Some(group) => self.of(organisation, ticket, group).await,
            None => Ok(Plan::default()),
        }
    }

    /// The round after this group's time is over (F-9); `None`: there is no next group.
    pub async fn next(
        &self,
        organisation: OrganisationId,
        ticket: &Ticket,
        after: GroupId,
    ) -> Result<Option<Plan>, sqlx::Error> {
        let (set, _) = self.queries.groups(organisation, ticket.template).await?;
        match set.after(after) {
            Some(group) => self.of(organisation, ticket, group).await.map(Some),
            None => Ok(None),
        }
    }

    async fn of(
        &self,
        organisation: OrganisationId,
        ticket: &Ticket,
        group: &Group,
    ) -> Result<Plan, sqlx::Error> {
        let roster = self.copies.roster(organisation, group, ticket.customer).await?;
        let device = self.copies.device(organisation, ticket.device).await?;
        Ok(Plan {
            group: Some(group.id),
            expansion: expand(group, &roster, ticket.departments_now(device.as_deref())),
            required_workers: group.required_workers,
            offer_lifetime: group.offer_lifetime,
            escalate_after: group.escalate_after,
        })
    }

    /// What became of these employees. Those never heard of are not in the answer: whoever is not known yet may be
    /// about to be, and must not lose anything for it.
    pub async fn standings(
        &self,
        organisation: OrganisationId,
        employees: &[EmployeeId],
    ) -> Result<HashMap<EmployeeId, Standing>, sqlx::Error> {
        let isolation = self.copies.isolation_now(organisation).await?;
        let known = self.copies.employees(organisation, employees).await?;
        Ok(known
            .into_iter()
            .map(|employee| {
                let standing = if employee.removed {
                    Standing::Left
                } else {
                    Standing::Present { departments: employee.departments, isolation }
                };
                (employee.id, standing)
            })
            .collect())
    }

    /// Of those who hold an open offer of a ticket or are involved: who left, or may no longer see it (F-8).
    pub async fn gone(
        &self,
        organisation: OrganisationId,
        id: TicketId,
        ticket: &Ticket,
    ) -> Result<Vec<(Holding, Standing)>, sqlx::Error> {
        let holders = self.queries.holders(organisation, id).await?;
        self.gone_among(organisation, id, ticket, &holders).await
    }

    /// The same of these employees, whatever they hold.
    pub async fn gone_among(
        &self,
        organisation: OrganisationId,
        id: TicketId,
        ticket: &Ticket,
        holders: &[EmployeeId],
    ) -> Result<Vec<(Holding, Standing)>, sqlx::Error> {
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let device = self.copies.device_now(organisation, ticket.device).await?;
        let standings = self.standings(organisation, holders).await?;
        Ok(standings
            .into_iter()
            .filter(|(_, standing)| !standing.may_hold(ticket, device.as_deref()))
            .map(|(employee, standing)| {
                (Holding { ticket: id.uuid(), employee, device: device.clone() }, standing)
            })
            .collect())
    }
}
