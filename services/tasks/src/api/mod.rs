//! What can be called.

mod calendar;
mod definitions;
mod device_events;
mod files;
mod task_service;
mod tasks;

use std::sync::Arc;

use callboard_attachments::Attachments;
use callboard_kernel::{
    Clock, DeviceId, EmployeeId, FieldViolation, Isolation, Principal, Refusal, TicketId, Timestamp,
};
use callboard_service::convert::from_proto_time;
use callboard_service::database::refusal;
use callboard_tasks_domain::MAX_ASSIGNEES;
use uuid::Uuid;

use crate::Actors;
use crate::store::{Copies, DeviceCopy, Queries, Viewer};

pub use calendar::CalendarApi;
pub use files::{AttachmentApi, TaskOwners};

/// What is read.
#[derive(Debug, Clone)]
pub struct Reads {
    /// The tables.
    pub queries: Queries,
    /// Read copies.
    pub copies: Copies,
    /// For page tokens, and what is overdue.
    pub clock: Arc<dyn Clock>,
}

/// Serves `TaskService`.
#[derive(Debug, Clone)]
pub struct TaskApi {
    /// All actors.
    pub actors: Actors,
    /// What is read.
    pub reads: Reads,
    /// Files of definitions' steps.
    pub attachments: Attachments,
}

impl Reads {
    /// What this caller sees.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn viewer(&self, principal: &Principal) -> Result<Viewer, Refusal> {
        Ok(Viewer::new(principal, self.isolation(principal).await?))
    }

    async fn isolation(&self, principal: &Principal) -> Result<Isolation, Refusal> {
        // Only departments make a difference.
        if principal.employee().is_none_or(|employee| employee.departments.is_empty()) {
            return Ok(Isolation::Off);
        }
        self.copies.isolation(principal.organisation).await.map_err(refusal)
    }

    /// A device that is there and that the caller may see.
    async fn device(&self, principal: &Principal, id: DeviceId) -> Result<DeviceCopy, Refusal> {
        use callboard_kernel::Subject;
        let device = self.copies.device(principal.organisation, id).await.map_err(refusal)?;
        let device = device.filter(|device| !device.removed);
        let Some(device) = device else { return Err(Refusal::missing("device", id)) };
        let sees = match &principal.subject {
            Subject::System => true,
            Subject::Employee(employee) => {
                self.isolation(principal).await?.admits(&employee.departments, &device.place.departments)
            }
            Subject::CodeUser(user) => user.device == id,
            Subject::CustomerUser(user) => device.place.customer == Some(user.customer),
        };
        if sees { Ok(device) } else { Err(Refusal::missing("device", id)) }
    }

    /// Employees who can be assigned: they are there, and may see the device (K-5).
    async fn assignable(
        &self,
        principal: &Principal,
        field: &str,
        employees: &[EmployeeId],
        departments: &[callboard_kernel::DepartmentId],
    ) -> Result<(), Refusal> {
        if employees.is_empty() {
            return Ok(());
        }
        let known = self.copies.employees(principal.organisation, employees).await.map_err(refusal)?;
        let isolation = self.copies.isolation(principal.organisation).await.map_err(refusal)?;
        let mut violations = Vec::new();
        for (at, employee) in employees.iter().enumerate() {
            let field = format!("{field}[{at}]");
            match known.iter().find(|(id, _)| id == employee) {
                None => violations.push(FieldViolation::new(field, "names no employee of the organisation")),
                Some((_, own)) if !isolation.admits(own, departments) => {
                    violations.push(FieldViolation::new(field, "may not see the device (isolation)"));
                }
                Some(_) => {}
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(Refusal::fields(violations)) }
    }

    /// A ticket that can be linked: it is there, and of the same device, so that whoever sees the one sees the other.
    async fn linkable(
        &self,
        principal: &Principal,
        ticket: TicketId,
        device: DeviceId,
    ) -> Result<(), Refusal> {
        let known = self.copies.ticket(principal.organisation, ticket).await.map_err(refusal)?;
        match known {
            Some(known) if known.device == device => Ok(()),
            Some(_) | None => Err(Refusal::field("ticket_id", "names no ticket of this device")),
        }
    }
}

/// Reads the fields of a request and collects what is wrong.
#[derive(Default)]
struct Fields(Vec<FieldViolation>);

impl Fields {
    fn refuse(&mut self, field: &str, rule: &str) {
        self.0.push(FieldViolation::new(field, rule));
    }

    fn ids<I: From<Uuid>>(&mut self, field: &str, texts: &[String], most: usize) -> Vec<I> {
        if texts.len() > most {
            self.0.push(FieldViolation::new(field, format!("at most {most}")));
            return Vec::new();
        }
        let mut ids = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            match text.parse::<Uuid>() {
                Ok(id) => ids.push(id.into()),
                Err(_) => self.0.push(FieldViolation::new(format!("{field}[{at}]"), "must be a UUID")),
            }
        }
        ids
    }

    fn id<I: From<Uuid>>(&mut self, field: &str, text: &str) -> I {
        let id = text.parse::<Uuid>().unwrap_or_else(|_| {
            self.refuse(field, if text.is_empty() { "is required" } else { "must be a UUID" });
            Uuid::nil()
        });
        id.into()
    }

    fn optional_id<I: From<Uuid>>(&mut self, field: &str, text: &str) -> Option<I> {
        if text.is_empty() { None } else { Some(self.id(field, text)) }
    }

    fn assignees(&mut self, field: &str, texts: &[String]) -> Vec<EmployeeId> {
        let mut ids = self.ids(field, texts, MAX_ASSIGNEES);
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn time(&mut self, field: &str, time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
        from_proto_time(field, time?).map_err(|violation| self.0.push(violation)).ok()
    }

    fn finish(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::fields(self.0)) }
    }
}
