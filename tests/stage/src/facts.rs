//! What other contexts say of the things in an organisation.

use callboard_proto::common::v1::Role;
use callboard_proto::directory::v1::{DeviceFacts, EmployeeFacts, TemplateChanged};
use callboard_proto::tickets::v1::{Priority, TicketFacts, TicketStatus, Visibility};
use uuid::Uuid;

use crate::{Organisation, id};

fn texts(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[allow(clippy::needless_update, reason = "a fact that is added later is left at its default here")]
impl Organisation {
    /// The directory has a template.
    pub fn template_changed(&self, template: Uuid) -> TemplateChanged {
        TemplateChanged {
            template_id: template.to_string(),
            organisation_id: self.id.to_string(),
            ..TemplateChanged::default()
        }
    }

    /// A device.
    pub fn device_facts(
        &self,
        device: Uuid,
        template: Uuid,
        customer: Option<Uuid>,
        departments: &[Uuid],
    ) -> DeviceFacts {
        DeviceFacts {
            device_id: device.to_string(),
            organisation_id: self.id.to_string(),
            template_id: template.to_string(),
            customer_id: customer.map(|id| id.to_string()).unwrap_or_default(),
            department_ids: texts(departments),
            ..DeviceFacts::default()
        }
    }

    /// A member who reads English.
    pub fn employee_facts(&self, employee: Uuid, departments: &[Uuid], teams: &[Uuid]) -> EmployeeFacts {
        EmployeeFacts {
            employee_id: employee.to_string(),
            organisation_id: self.id.to_string(),
            role: Role::Member.into(),
            language: "en".into(),
            department_ids: texts(departments),
            team_ids: texts(teams),
            ..EmployeeFacts::default()
        }
    }

    /// A new ticket on a new device: OPEN, PUBLIC, of normal priority.
    pub fn ticket_facts(&self, template: Uuid) -> TicketFacts {
        TicketFacts {
            ticket_id: id().to_string(),
            organisation_id: self.id.to_string(),
            number: 1,
            device_id: id().to_string(),
            template_id: template.to_string(),
            status: TicketStatus::Open.into(),
            visibility: Visibility::Public.into(),
            priority: Priority::Normal.into(),
            ..TicketFacts::default()
        }
    }
}
