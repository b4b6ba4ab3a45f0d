//! Devices and the identity of templates.

use callboard_kernel::{CustomerId, DepartmentId, Isolation, Principal, Role, Subject, TemplateId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::named::removable;
use crate::{Entity, Facts, Name, Names, Refused};

/// Digital twin of one physical thing. Removing it unpairs its codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Never changes: everything that hangs on the device was made by it.
    pub template: TemplateId,
    /// For people.
    pub name: Name,
    /// At most 200 characters; may be empty.
    pub serial_number: String,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation. Each once.
    pub departments: Vec<DepartmentId>,
    /// IANA name; empty: that of the organisation.
    pub time_zone: String,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            template: TemplateId(Uuid::nil()),
            name: Name::default(),
            serial_number: String::new(),
            customer: None,
            departments: Vec::new(),
            time_zone: String::new(),
        }
    }
}

impl Entity for Device {
    const KIND: &'static str = "device";
    const NOUN: &'static str = "device";
    const FIELDS: &'static [&'static str] =
        &["name", "serial_number", "customer_id", "department_ids", "time_zone"];
    const WRITERS: Role = Role::Moderator;

    fn take(&mut self, field: &str, from: &Self) {
        match field {
            "name" => self.name = from.name.clone(),
            "serial_number" => self.serial_number.clone_from(&from.serial_number),
            "customer_id" => self.customer = from.customer,
            "department_ids" => self.departments.clone_from(&from.departments),
            "time_zone" => self.time_zone.clone_from(&from.time_zone),
            _ => {}
        }
    }

    fn departments(&self) -> Option<&[DepartmentId]> {
        Some(&self.departments)
    }

    fn visible(&self, id: Uuid, principal: &Principal, isolation: Isolation) -> bool {
        match &principal.subject {
            Subject::Employee(employee) => isolation.admits(&employee.departments, &self.departments),
            Subject::CodeUser(user) => user.device.uuid() == id,
            Subject::CustomerUser(user) => self.customer == Some(user.customer),
            Subject::System => true,
        }
    }
}

/// Blueprint of devices: its identity. One with devices cannot be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// For people, in at least one language.
    pub name: Names,
}

impl Entity for Template {
    const KIND: &'static str = "template";
    const NOUN: &'static str = "template";
    const FIELDS: &'static [&'static str] = &["name"];
    const WRITERS: Role = Role::Moderator;

    fn take(&mut self, field: &str, from: &Self) {
        if field == "name" {
            self.name = from.name.clone();
        }
    }

    fn check(
        _id: Uuid,
        _before: Option<&Self>,
        after: Option<&Self>,
        _principal: &Principal,
        facts: &Facts,
    ) -> Result<(), Refused> {
        removable(after.is_none(), facts)
    }
}
