//! Who looks: what every query is scoped by.

use callboard_kernel::{DepartmentId, EmployeeId, Isolation, OrganisationId, Principal, Subject};
use callboard_video_domain::Visibility;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{texts, uuids};

/// One caller's view of an organisation.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The tenant.
    pub organisation: OrganisationId,
    sight: Sight,
    /// The employee, with departments: what they are responsible for and offered.
    employee: Option<(EmployeeId, Vec<DepartmentId>)>,
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
        let employee = principal.employee().map(|employee| (employee.id, employee.departments.clone()));
        Self { organisation: principal.organisation, sight, employee }
    }

    /// Adds the conditions on a session `s` beside its device `d`, which decides as it is now: its departments, its owner.
    /// From outside only what is public, and for customers' users nothing from a former owner's time: a device may be
    /// sold, its former owner's sessions are not. Tickets and conversations are judged the same way.
    pub(super) fn restrict(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" where s.organisation_id = ").push_bind(self.organisation.uuid());
        match &self.sight {
            Sight::All => {}
            Sight::Departments(departments, sees_those_without) => {
                query.push(" and (d.department_ids && ").push_bind(uuids(departments));
                query.push(if *sees_those_without { " or d.department_ids = '{}')" } else { ")" });
            }
            Sight::Device(device) => {
                query.push(" and s.device_id = ").push_bind(*device);
                query.push(" and s.visibility = ").push_bind(Visibility::Public.as_str());
            }
            Sight::Customer(customer) => {
                query.push(" and not d.removed and d.customer_id = ").push_bind(*customer);
                query.push(" and (s.customer_id is null or s.customer_id = d.customer_id)");
                query.push(" and s.visibility = ").push_bind(Visibility::Public.as_str());
            }
        }
    }

    /// Which tickets of `s` may be named, as an array: they are of the same device, so employees who see the session see
    /// them; from outside only public ones (T-13).
    pub(super) fn seen_tickets(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(
            "array(select k.id from known_ticket k
                   where k.id in (select t::uuid from jsonb_array_elements_text(s.ticket_ids) t)
                     and k.organisation_id = s.organisation_id and not k.deleted",
        );
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
        query.push(" order by k.id)");
    }

    /// Whether the viewer is responsible for requests of the session's template, or has an offer of, or is assigned to, a
    /// linked ticket (V-2).
    pub(super) fn is_offered(&self, query: &mut QueryBuilder<Postgres>) {
        let Some((employee, departments)) = &self.employee else {
            query.push("false");
            return;
        };
        query.push(
            "(exists (select from session_flow f
                      where f.id = s.template_id and f.organisation_id = s.organisation_id
                        and (f.employee_ids ? ",
        );
        query.push_bind(employee.to_string());
        query.push(" or f.department_ids ?| ").push_bind(texts(departments));
        query.push(
            "))
              or exists (select from known_offer o
                         where (o.offered or o.assigned) and o.organisation_id = s.organisation_id
                           and o.ticket_id in (select t::uuid from jsonb_array_elements_text(s.ticket_ids) t)
                           and o.employee_id = ",
        );
        query.push_bind(employee.uuid()).push("))");
    }
}
