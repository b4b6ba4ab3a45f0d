//! Who looks: what every query is scoped by.

use callboard_kernel::{DepartmentId, Isolation, OrganisationId, Principal, Subject};
use callboard_tasks_domain::Visibility;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// One caller's view of an organisation.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The tenant.
    pub organisation: OrganisationId,
    sight: Sight,
}

#[derive(Debug, Clone)]
enum Sight {
    All,
    /// Departments, and whether what has none is seen too.
    Departments(Vec<DepartmentId>, bool),
    Device(Uuid),
    Customer(Uuid),
}

impl Viewer {
    /// The caller, with the organisation's isolation.
    pub fn new(principal: &Principal, isolation: Isolation) -> Self {
        let sight = match &principal.subject {
            Subject::System => Sight::All,
            Subject::Employee(employee) => match isolation {
                Isolation::Off => Sight::All,
                _ if employee.departments.is_empty() => Sight::All,
                Isolation::Basic => Sight::Departments(employee.departments.clone(), true),
                Isolation::Strict => Sight::Departments(employee.departments.clone(), false),
            },
            Subject::CodeUser(user) => Sight::Device(user.device.uuid()),
            Subject::CustomerUser(user) => Sight::Customer(user.customer.uuid()),
        };
        Self { organisation: principal.organisation, sight }
    }

    /// True for code users and customer users.
    pub const fn is_outside(&self) -> bool {
        matches!(self.sight, Sight::Device(_) | Sight::Customer(_))
    }

    /// Adds the conditions on `t`, a task or device event, beside its device `d`, which decides as it is now: its
    /// departments, its owner. From outside only what is external, and for customers' users nothing from a former owner's
    /// time: a device may be sold, its former owner's tasks are not. Tickets and conversations are judged the same way.
    pub(super) fn restrict(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" where t.organisation_id = ").push_bind(self.organisation.uuid());
        match &self.sight {
            Sight::All => {}
            Sight::Departments(departments, sees_those_without) => {
                let departments: Vec<Uuid> = departments.iter().map(|department| department.uuid()).collect();
                query.push(" and (d.department_ids && ").push_bind(departments);
                query.push(if *sees_those_without { " or d.department_ids = '{}')" } else { ")" });
            }
            Sight::Device(device) => {
                query.push(" and t.device_id = ").push_bind(*device);
                query.push(" and t.visibility = ").push_bind(Visibility::External.as_str());
            }
            Sight::Customer(customer) => {
                query.push(" and not d.removed and d.customer_id = ").push_bind(*customer);
                query.push(" and (t.customer_id is null or t.customer_id = d.customer_id)");
                query.push(" and t.visibility = ").push_bind(Visibility::External.as_str());
            }
        }
    }

    /// Whether a linked ticket `k` may be named: it is there, and seen. It is of the same device, so employees who see
    /// the task see the ticket; from outside only a public one (T-13).
    pub(super) fn ticket_is_seen(&self, query: &mut QueryBuilder<Postgres>) {
        query.push("(k.id is not null and not k.deleted");
        match &self.sight {
            Sight::All | Sight::Departments(..) => {}
            Sight::Device(device) => {
                query.push(" and k.public and k.device_id = ").push_bind(*device);
            }
            Sight::Customer(customer) => {
                query
                    .push(" and k.public and (k.customer_id is null or k.customer_id = ")
                    .push_bind(*customer);
                query.push(")");
            }
        }
        query.push(")");
    }
}
