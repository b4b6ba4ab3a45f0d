//! A tenant.

use callboard_kernel::{Isolation, Language, Principal, Role, Subject};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Entity, Facts, Name, Refused};

/// A tenant. Made by the system (at first start, or by an operator), edited by administrators, never removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// For people.
    pub name: Name,
    /// How far departments separate employees.
    pub isolation: Isolation,
    /// Where a person's own is not known.
    pub language: Language,
    /// IANA name: where a device's own is not known; empty: UTC.
    pub time_zone: String,
}

impl Entity for Organisation {
    const KIND: &'static str = "organisation";
    const NOUN: &'static str = "organisation";
    const FIELDS: &'static [&'static str] = &["name", "isolation", "language", "time_zone"];
    const WRITERS: Role = Role::Administrator;

    fn take(&mut self, field: &str, from: &Self) {
        match field {
            "name" => self.name = from.name.clone(),
            "isolation" => self.isolation = from.isolation,
            "language" => self.language = from.language,
            "time_zone" => self.time_zone.clone_from(&from.time_zone),
            _ => {}
        }
    }

    fn check(
        _id: Uuid,
        before: Option<&Self>,
        after: Option<&Self>,
        principal: &Principal,
        _facts: &Facts,
    ) -> Result<(), Refused> {
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            (None, Some(_)) if matches!(principal.subject, Subject::System) => return Ok(()),
            _ => return Err(Refused::Denied("organisations are made and ended by the operator")),
        };
        // Whoever is kept inside departments could otherwise open the walls for all, oneself included.
        let confined = principal.employee().is_some_and(|employee| !employee.departments.is_empty());
        if before.isolation != Isolation::Off && before.isolation != after.isolation && confined {
            return Err(Refused::ForeignDepartment);
        }
        Ok(())
    }
}
