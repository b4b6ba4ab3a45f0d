//! Tables of departments, teams, meta teams, devices and templates.

use callboard_directory_domain::{Department, Device, MetaTeam, Name, Team, Template};
use callboard_journal::{Cells, Corrupt, Schema, Value};

use super::organisation::{json, record_table};
use super::record::Stored;

record_table!(DEPARTMENT, DEPARTMENTS, "department", ["name": Text]);
record_table!(TEAM, TEAMS, "team", ["name": Text]);
record_table!(META_TEAM, META_TEAMS, "meta_team", ["name": Text, "team_ids": Json]);
record_table!(DEVICE, DEVICES, "device", [
    "template_id": Uuid, "name": Text, "serial_number": Text, "customer_id": Uuid, "department_ids": Json,
    "time_zone": Text,
]);
record_table!(TEMPLATE, TEMPLATES, "template", ["name": Json]);

impl Stored for Department {
    const SCHEMA: &'static Schema = &DEPARTMENTS;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![self.name.as_str().into()]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self { name: Name::stored(cells.text()?) })
    }
}

impl Stored for Team {
    const SCHEMA: &'static Schema = &TEAMS;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![self.name.as_str().into()]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self { name: Name::stored(cells.text()?) })
    }
}

impl Stored for MetaTeam {
    const SCHEMA: &'static Schema = &META_TEAMS;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![self.name.as_str().into(), json(&self.teams)]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self { name: Name::stored(cells.text()?), teams: cells.json()? })
    }
}

impl Stored for Device {
    const SCHEMA: &'static Schema = &DEVICES;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![
            self.template.uuid().into(),
            self.name.as_str().into(),
            self.serial_number.as_str().into(),
            self.customer.map(callboard_kernel::CustomerId::uuid).into(),
            json(&self.departments),
            self.time_zone.as_str().into(),
        ]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            template: cells.uuid()?.into(),
            name: Name::stored(cells.text()?),
            serial_number: cells.text()?,
            customer: cells.optional_uuid()?.map(Into::into),
            departments: cells.json()?,
            time_zone: cells.text()?,
        })
    }
}

impl Stored for Template {
    const SCHEMA: &'static Schema = &TEMPLATES;

    /// The name for lists first, then the others, so that a search finds each.
    fn names(&self) -> String {
        let first = self.name.first();
        let others = self.name.0.values().map(Name::as_str).filter(|name| *name != first);
        std::iter::once(first).chain(others).collect::<Vec<_>>().join("\n")
    }

    fn write(&self) -> Vec<Value> {
        vec![json(&self.name)]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self { name: cells.json()? })
    }
}
