//! Who sees which tickets, as SQL. The same rules as the domain's `is_visible`, and those that need read copies.

use callboard_kernel::{
    Actor, CustomerId, DepartmentId, DeviceId, Isolation, OrganisationId, Principal, Subject,
};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Somebody looking at tickets.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Every query is scoped by it.
    pub organisation: OrganisationId,
    actor: Actor,
    sight: Sight,
}

#[derive(Debug, Clone)]
enum Sight {
    /// All of the organisation.
    All,
    /// An employee's: drafts of others only for moderators; departments where the organisation isolates them.
    Employee { sees_drafts: bool, departments: Option<(bool, Vec<DepartmentId>)> },
    /// Public things on one device.
    Device(DeviceId),
    /// Public things on the devices of one company.
    Company(CustomerId),
}

impl Viewer {
    /// The caller, in an organisation with this isolation.
    pub fn new(principal: &Principal, isolation: Isolation) -> Self {
        let sight = match &principal.subject {
            Subject::System => Sight::All,
            Subject::CodeUser(user) => Sight::Device(user.device),
            Subject::CustomerUser(user) => Sight::Company(user.customer),
            Subject::Employee(employee) => Sight::Employee {
                sees_drafts: principal.is_moderator(),
                departments: match isolation {
                    Isolation::Off => None,
                    _ if employee.departments.is_empty() => None,
                    Isolation::Basic => Some((true, employee.departments.clone())),
                    Isolation::Strict => Some((false, employee.departments.clone())),
                },
            },
        };
        Self { organisation: principal.organisation, actor: principal.actor(), sight }
    }

    /// True for those who see internal updates.
    pub const fn sees_internal(&self) -> bool {
        matches!(self.sight, Sight::All | Sight::Employee { .. })
    }

    /// True for those who see everything of their organisation but, at most, the drafts of others.
    pub const fn sees_all_but_drafts(&self) -> bool {
        matches!(self.sight, Sight::All | Sight::Employee { departments: None, .. })
    }

    /// Adds ` and …` to a query over `ticket t`: tickets of the organisation that are not deleted and that the viewer
    /// may see. Begins with a condition, so the query must end in `where`.
    pub fn restrict(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" t.organisation_id = ").push_bind(self.organisation.uuid()).push(" and not t.deleted");
        let own_draft = |query: &mut QueryBuilder<Postgres>| {
            query
                .push(" and (t.status <> 'DRAFT' or t.creator = ")
                .push_bind(self.actor.to_string())
                .push(")");
        };
        match &self.sight {
            Sight::All => {}
            Sight::Employee { sees_drafts, departments } => {
                if !sees_drafts {
                    own_draft(query);
                }
                if let Some((sees_those_without, departments)) = departments {
                    let departments: Vec<Uuid> =
                        departments.iter().map(|department| department.uuid()).collect();
                    query
                        .push(" and exists (select from device d where d.id = t.device_id and (d.department_ids && ")
                        .push_bind(departments);
                    query.push(if *sees_those_without { " or d.department_ids = '{}'))" } else { "))" });
                }
            }
            Sight::Device(device) => {
                query
                    .push(" and t.device_id = ")
                    .push_bind(device.uuid())
                    .push(" and t.visibility = 'PUBLIC'");
                own_draft(query);
            }
            Sight::Company(customer) => {
                // The device is the company's now, and was nobody else's when the ticket opened.
                query
                    .push(" and t.visibility = 'PUBLIC' and (t.customer_id is null or t.customer_id = ")
                    .push_bind(customer.uuid())
                    .push(") and t.device_id in (select d.id from device d where d.organisation_id = ")
                    .push_bind(self.organisation.uuid())
                    .push(" and d.customer_id = ")
                    .push_bind(customer.uuid())
                    .push(" and not d.removed)");
                own_draft(query);
            }
        }
    }
}
