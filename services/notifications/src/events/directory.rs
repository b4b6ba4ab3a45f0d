//! Who is who, and which code is on which device.

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::{CodeId, DeviceId, Isolation, Role};
use callboard_notifications_domain::audience::Device;
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::from_proto_role;
use callboard_service::reaction::{decode, event_id};

use super::{departments, handles, ids, lacks, optional_id};
use crate::not_now;
use crate::store::{Copies, Drawers, KnownEmployee};
use crate::window::Windows;

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::OrganisationChanged::SUBJECT,
    proto::EmployeeCreated::SUBJECT,
    proto::EmployeeChanged::SUBJECT,
    proto::EmployeeDepartmentsChanged::SUBJECT,
    proto::EmployeeRemoved::SUBJECT,
    proto::CustomerUserChanged::SUBJECT,
    proto::CustomerUserRemoved::SUBJECT,
    proto::DeviceChanged::SUBJECT,
    proto::DeviceRemoved::SUBJECT,
    proto::CodeChanged::SUBJECT,
    proto::CodeRemoved::SUBJECT,
];

/// Keeps the read copies.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// They.
    pub copies: Copies,
    /// What people see of a device that moves.
    pub drawers: Drawers,
    /// Drawers that are open.
    pub windows: Windows,
}

const fn support_role(role: proto::SupportRole) -> Option<&'static str> {
    match role {
        proto::SupportRole::Care => Some("CARE"),
        proto::SupportRole::Access => Some("ACCESS"),
        proto::SupportRole::Sales => Some("SALES"),
        proto::SupportRole::Unspecified => None,
    }
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let kind = event.kind.as_str();
        match kind {
            proto::OrganisationChanged::TYPE => {
                let organisation = decode::<proto::OrganisationChanged>(event)?
                    .organisation
                    .ok_or_else(|| lacks(event, "organisation"))?;
                let isolation = match organisation.isolation() {
                    proto::Isolation::Unspecified | proto::Isolation::Off => Isolation::Off,
                    proto::Isolation::Basic => Isolation::Basic,
                    proto::Isolation::Strict => Isolation::Strict,
                };
                let language = organisation.language.parse().unwrap_or_default();
                self.copies
                    .keep_organisation(event.organisation, event.aggregate_version.0, isolation, language)
                    .await
                    .map_err(not_now)?;
            }
            proto::EmployeeCreated::TYPE => {
                let employee = decode::<proto::EmployeeCreated>(event)?.employee;
                self.keep_employee(event, employee, false).await?;
            }
            proto::EmployeeChanged::TYPE => {
                let employee = decode::<proto::EmployeeChanged>(event)?.employee;
                self.keep_employee(event, employee, false).await?;
            }
            proto::EmployeeDepartmentsChanged::TYPE => {
                let employee = decode::<proto::EmployeeDepartmentsChanged>(event)?.employee;
                self.keep_employee(event, employee, false).await?;
            }
            proto::EmployeeRemoved::TYPE => {
                let employee = decode::<proto::EmployeeRemoved>(event)?.employee;
                self.keep_employee(event, employee, true).await?;
            }
            proto::CustomerUserChanged::TYPE => {
                let user: proto::CustomerUserChanged = decode(event)?;
                self.keep_user(event, false, &user.customer_user_id, &user.customer_id, &user.language)
                    .await?;
            }
            proto::CustomerUserRemoved::TYPE => {
                let user: proto::CustomerUserRemoved = decode(event)?;
                self.keep_user(event, true, &user.customer_user_id, &user.customer_id, "en").await?;
            }
            proto::DeviceChanged::TYPE => {
                let device = decode::<proto::DeviceChanged>(event)?.device;
                self.keep_device(event, device, false).await?;
            }
            proto::DeviceRemoved::TYPE => {
                let device = decode::<proto::DeviceRemoved>(event)?.device;
                self.keep_device(event, device, true).await?;
            }
            proto::CodeChanged::TYPE => {
                let code = decode::<proto::CodeChanged>(event)?.code;
                self.keep_code(event, code, false).await?;
            }
            proto::CodeRemoved::TYPE => {
                let code = decode::<proto::CodeRemoved>(event)?.code;
                self.keep_code(event, code, true).await?;
            }
            _ => return Ok(Handled::Ignored),
        }
        Ok(Handled::Done)
    }

    async fn keep_employee(
        &self,
        event: &Event,
        facts: Option<proto::EmployeeFacts>,
        removed: bool,
    ) -> Result<(), HandleError> {
        let facts = facts.ok_or_else(|| lacks(event, "employee"))?;
        let employee = KnownEmployee {
            id: event_id("employee_id", &facts.employee_id)?,
            role: from_proto_role(facts.role()).unwrap_or(Role::Member),
            language: facts.language.parse().unwrap_or_default(),
            departments: departments(&facts.department_ids)?,
            teams: ids("team_ids", &facts.team_ids)?,
            support_roles: facts.support_roles().filter_map(support_role).collect(),
        };
        let version = event.aggregate_version.0;
        self.copies.keep_employee(event.organisation, version, removed, &employee).await.map_err(not_now)
    }

    async fn keep_user(
        &self,
        event: &Event,
        removed: bool,
        id: &str,
        customer: &str,
        language: &str,
    ) -> Result<(), HandleError> {
        let id = event_id("customer_user_id", id)?;
        let customer = event_id("customer_id", customer)?;
        let language = language.parse().unwrap_or_default();
        let version = event.aggregate_version.0;
        self.copies
            .keep_customer_user(event.organisation, version, removed, id, customer, language)
            .await
            .map_err(not_now)
    }

    /// Who sees what is on a device changes with it, in drawers that are open too.
    async fn keep_device(
        &self,
        event: &Event,
        facts: Option<proto::DeviceFacts>,
        removed: bool,
    ) -> Result<(), HandleError> {
        let facts = facts.ok_or_else(|| lacks(event, "device"))?;
        let id: DeviceId = event_id("device_id", &facts.device_id)?;
        let device = Device {
            version: event.aggregate_version.0,
            customer: optional_id("customer_id", &facts.customer_id)?,
            departments: departments(&facts.department_ids)?,
            removed,
        };
        let organisation = event.organisation;
        self.copies.keep_device(organisation, id, &device).await.map_err(not_now)?;
        let people = self.drawers.people_at(organisation, id).await.map_err(not_now)?;
        self.windows.changed(organisation, people).await;
        Ok(())
    }

    async fn keep_code(
        &self,
        event: &Event,
        facts: Option<proto::CodeFacts>,
        removed: bool,
    ) -> Result<(), HandleError> {
        let facts = facts.ok_or_else(|| lacks(event, "code"))?;
        let id: CodeId = event_id("code_id", &facts.code_id)?;
        let device = optional_id("device_id", &facts.device_id)?;
        let version = event.aggregate_version.0;
        self.copies
            .keep_code(event.organisation, version, removed, id, device, facts.active, event.time)
            .await
            .map_err(not_now)
    }
}

handles!(DirectoryHandler, HEARS);
