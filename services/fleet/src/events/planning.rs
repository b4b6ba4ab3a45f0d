//! From a ticket to a round: picks the group and expands it from the read copies (F-1, F-2).

use std::collections::HashMap;

use callboard_fleet_domain::dispatch::{Plan, Standing};
use callboard_fleet_domain::{Group, GroupId, Ticket, expand};
use callboard_kernel::{EmployeeId, OrganisationId, TicketId};

use crate::store::{Copies, Queries};

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
        let (set, _) = self.queries.groups(organisation, ticket.template).await?;
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
        Ok(Plan {
            group: Some(group.id),
            expansion: expand(group, &roster, &ticket.departments),
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
        let isolation = self.copies.isolation(organisation).await?;
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

    /// Of these employees: who left, or may no longer see the ticket (F-8).
    pub async fn gone(
        &self,
        organisation: OrganisationId,
        ticket: &Ticket,
        employees: &[EmployeeId],
    ) -> Result<Vec<(EmployeeId, Standing)>, sqlx::Error> {
        let standings = self.standings(organisation, employees).await?;
        let gone = standings.into_iter().filter(|(_, standing)| match standing {
            Standing::Left => true,
            Standing::Present { departments, isolation } => {
                !isolation.admits(departments, &ticket.departments)
            }
        });
        Ok(gone.collect())
    }

    /// Of those involved in a ticket: who left, or may no longer see it (F-8).
    pub async fn involved_gone(
        &self,
        organisation: OrganisationId,
        id: TicketId,
        ticket: &Ticket,
    ) -> Result<Vec<EmployeeId>, sqlx::Error> {
        let involved: Vec<EmployeeId> = self
            .queries
            .assignments(organisation, id)
            .await?
            .iter()
            .map(|assignment| assignment.employee)
            .collect();
        if involved.is_empty() {
            return Ok(Vec::new());
        }
        let gone = self.gone(organisation, ticket, &involved).await?;
        Ok(gone.into_iter().map(|(employee, _)| employee).collect())
    }
}
