//! Tables of employees, customers and customer users.

use callboard_directory_domain::{Customer, CustomerUser, Email, Employee, Name};
use callboard_journal::{Cells, Corrupt, Schema, Value};

use super::organisation::{json, record_table};
use super::record::Stored;

record_table!(EMPLOYEE, EMPLOYEES, "employee", [
    "name": Text, "email": Text, "role": Text, "language": Text,
    "department_ids": Json, "team_ids": Json, "auth_epoch": BigInt, "support_roles": Json,
]);

impl Stored for Employee {
    const SCHEMA: &'static Schema = &EMPLOYEES;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![
            self.name.as_str().into(),
            self.email.as_str().into(),
            self.role.as_str().into(),
            self.language.as_str().into(),
            json(&self.departments),
            json(&self.teams),
            self.auth_epoch.into(),
            json(&self.support_roles),
        ]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            name: Name::stored(cells.text()?),
            email: Email::stored(cells.text()?),
            role: cells.word()?,
            language: cells.word()?,
            departments: cells.json()?,
            teams: cells.json()?,
            auth_epoch: cells.bigint()?,
            support_roles: cells.json()?,
        })
    }
}

record_table!(CUSTOMER, CUSTOMERS, "customer", ["name": Text, "kind": Text, "serving": Json]);

impl Stored for Customer {
    const SCHEMA: &'static Schema = &CUSTOMERS;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![self.name.as_str().into(), self.kind.as_str().into(), json(&self.serving)]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self { name: Name::stored(cells.text()?), kind: cells.word()?, serving: cells.json()? })
    }
}

record_table!(CUSTOMER_USER, CUSTOMER_USERS, "customer_user", [
    "customer_id": Uuid, "name": Text, "email": Text, "language": Text, "auth_epoch": BigInt,
]);

impl Stored for CustomerUser {
    const SCHEMA: &'static Schema = &CUSTOMER_USERS;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![
            self.customer.uuid().into(),
            self.name.as_str().into(),
            self.email.as_str().into(),
            self.language.as_str().into(),
            self.auth_epoch.into(),
        ]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            customer: cells.uuid()?.into(),
            name: Name::stored(cells.text()?),
            email: Email::stored(cells.text()?),
            language: cells.word()?,
            auth_epoch: cells.bigint()?,
        })
    }
}
