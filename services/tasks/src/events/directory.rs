//! What tasks make of the directory's events: read copies, and what follows from them.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::{Actor, CustomerId, DepartmentId, DeviceId, EmployeeId, Isolation};
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use callboard_tasks_domain::Place;
use callboard_tasks_domain::definition::DefinitionCommand;
use callboard_tasks_domain::device_event::DeviceEventCommand;
use callboard_tasks_domain::feed::FeedCommand;
use callboard_tasks_domain::task::TaskCommand;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::api::Reads;
use crate::store::{Assigned, Concerned, DeviceCopy};
use crate::{Actors, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "tasks-directory";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::OrganisationChanged::SUBJECT,
    proto::TemplateChanged::SUBJECT,
    proto::TemplateRemoved::SUBJECT,
    proto::DeviceChanged::SUBJECT,
    proto::DeviceRemoved::SUBJECT,
    proto::EmployeeCreated::SUBJECT,
    proto::EmployeeChanged::SUBJECT,
    proto::EmployeeDepartmentsChanged::SUBJECT,
    proto::EmployeeRemoved::SUBJECT,
    proto::CustomerUserChanged::SUBJECT,
    proto::CustomerUserRemoved::SUBJECT,
];

/// Keeps the read copies, moves device events with their devices, and takes away what those who left had.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// All actors.
    pub actors: Actors,
    /// The copies.
    pub reads: Reads,
}

type Done = Result<(), HandleError>;

fn missing(event: &Event) -> HandleError {
    HandleError::Poison(format!("{} lacks its record", event.kind))
}

fn ids<I: From<Uuid>>(field: &str, texts: &[String]) -> Result<Vec<I>, HandleError> {
    texts.iter().map(|text| event_id(field, text)).collect()
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let version = event.aggregate_version.0;
        match event.kind.as_str() {
            proto::OrganisationChanged::TYPE => self.organisation(event).await?,
            proto::TemplateChanged::TYPE => {
                let id = event_id("template_id", &decode::<proto::TemplateChanged>(event)?.template_id)?;
                let copies = &self.reads.copies;
                copies.keep_template(event.organisation, id, version, false).await.map_err(not_now)?;
            }
            proto::TemplateRemoved::TYPE => {
                let id = event_id("template_id", &decode::<proto::TemplateRemoved>(event)?.template_id)?;
                let copies = &self.reads.copies;
                copies.keep_template(event.organisation, id, version, true).await.map_err(not_now)?;
                for definition in self.concerned(event, Concerned::Definitions(id)).await? {
                    self.because(event)
                        .give(&self.actors.definitions, definition, DefinitionCommand::Delete)
                        .await?;
                }
            }
            proto::DeviceChanged::TYPE => {
                self.device(event, decode::<proto::DeviceChanged>(event)?.device, false).await?;
            }
            proto::DeviceRemoved::TYPE => {
                self.device(event, decode::<proto::DeviceRemoved>(event)?.device, true).await?;
            }
            proto::EmployeeCreated::TYPE => {
                self.employee(event, decode::<proto::EmployeeCreated>(event)?.employee, false).await?;
            }
            proto::EmployeeChanged::TYPE => {
                self.employee(event, decode::<proto::EmployeeChanged>(event)?.employee, false).await?;
            }
            proto::EmployeeDepartmentsChanged::TYPE => {
                let employee = decode::<proto::EmployeeDepartmentsChanged>(event)?.employee;
                self.employee(event, employee, false).await?;
            }
            proto::EmployeeRemoved::TYPE => {
                self.employee(event, decode::<proto::EmployeeRemoved>(event)?.employee, true).await?;
            }
            proto::CustomerUserChanged::TYPE => self.customer_user(event).await?,
            proto::CustomerUserRemoved::TYPE => {
                let removed = decode::<proto::CustomerUserRemoved>(event)?;
                let id: Uuid = event_id("customer_user_id", &removed.customer_user_id)?;
                let customer = event_id("customer_id", &removed.customer_id)?;
                self.keep_customer_user(event, id, customer, true).await?;
                self.end_feeds(event, Actor::CustomerUser(id.into())).await?;
            }
            _ => return Ok(Handled::Ignored),
        }
        Ok(Handled::Done)
    }

    const fn because<'a>(&self, event: &'a Event) -> Reaction<'a> {
        Reaction { consumer: CONSUMER, event }
    }

    /// All that an event concerns. What is done to it may take it out of the list, so the list is read first.
    async fn concerned(&self, event: &Event, by: Concerned) -> Result<Vec<Uuid>, HandleError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let found = self.reads.queries.concerned(event.organisation, by, after).await.map_err(not_now)?;
            after = found.last().copied();
            all.extend(found);
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    async fn organisation(&self, event: &Event) -> Done {
        let organisation =
            decode::<proto::OrganisationChanged>(event)?.organisation.ok_or_else(|| missing(event))?;
        let isolation = match organisation.isolation() {
            proto::Isolation::Unspecified | proto::Isolation::Off => Isolation::Off,
            proto::Isolation::Basic => Isolation::Basic,
            proto::Isolation::Strict => Isolation::Strict,
        };
        let version = event.aggregate_version.0;
        self.reads
            .copies
            .keep_organisation(event.organisation, version, isolation, &organisation.time_zone)
            .await
            .map_err(not_now)?;
        for device in self.concerned(event, Concerned::DevicesWithoutZone).await? {
            self.settle(event, device.into()).await?;
        }
        Ok(())
    }

    async fn device(&self, event: &Event, facts: Option<proto::DeviceFacts>, removed: bool) -> Done {
        let facts = facts.ok_or_else(|| missing(event))?;
        let customer = match facts.customer_id.as_str() {
            "" => None,
            id => Some(event_id("customer_id", id)?),
        };
        let device = DeviceCopy {
            id: event_id("device_id", &facts.device_id)?,
            place: Place {
                template: event_id("template_id", &facts.template_id)?,
                customer,
                departments: ids("department_ids", &facts.department_ids)?,
            },
            time_zone: facts.time_zone,
            removed,
        };
        let version = event.aggregate_version.0;
        self.reads.copies.keep_device(event.organisation, version, &device).await.map_err(not_now)?;
        self.settle(event, device.id).await
    }

    /// The events of a device follow it; with a removed one they end. Its tasks stay, as its tickets do.
    async fn settle(&self, event: &Event, id: DeviceId) -> Done {
        let device = self.reads.copies.device(event.organisation, id).await.map_err(not_now)?;
        let Some(device) = device else { return Ok(()) };
        for planned in self.concerned(event, Concerned::DeviceEventsOf(id)).await? {
            let command = if device.removed {
                DeviceEventCommand::Delete
            } else {
                DeviceEventCommand::Settle {
                    place: device.place.clone(),
                    time_zone: device.time_zone.clone(),
                }
            };
            self.because(event).give(&self.actors.device_events, planned, command).await?;
        }
        Ok(())
    }

    async fn employee(&self, event: &Event, facts: Option<proto::EmployeeFacts>, removed: bool) -> Done {
        let facts = facts.ok_or_else(|| missing(event))?;
        let id: EmployeeId = event_id("employee_id", &facts.employee_id)?;
        let departments: Vec<DepartmentId> = ids("department_ids", &facts.department_ids)?;
        let version = event.aggregate_version.0;
        self.reads
            .copies
            .keep_employee(event.organisation, version, id, &departments, removed)
            .await
            .map_err(not_now)?;
        if removed {
            self.end_feeds(event, Actor::Employee(id)).await?;
        }
        // Whoever left, or may no longer see a task, is not assigned to it any more (as F-8 in fleet).
        let isolation = self.reads.copies.isolation(event.organisation).await.map_err(not_now)?;
        if !removed && (isolation == Isolation::Off || departments.is_empty()) {
            return Ok(());
        }
        for task in self.concerned(event, Concerned::TasksAssigned(id)).await? {
            if removed || !self.sees(Assigned::Task, task, isolation, &departments).await? {
                let command = TaskCommand::Leave { employee: id };
                self.because(event).give(&self.actors.tasks, task, command).await?;
            }
        }
        for planned in self.concerned(event, Concerned::DeviceEventsAssigned(id)).await? {
            if removed || !self.sees(Assigned::DeviceEvent, planned, isolation, &departments).await? {
                let command = DeviceEventCommand::Leave { employee: id };
                self.because(event).give(&self.actors.device_events, planned, command).await?;
            }
        }
        Ok(())
    }

    async fn sees(
        &self,
        table: Assigned,
        id: Uuid,
        isolation: Isolation,
        departments: &[DepartmentId],
    ) -> Result<bool, HandleError> {
        let of_device = self.reads.queries.departments_of(table, id).await.map_err(not_now)?;
        Ok(isolation.admits(departments, &of_device))
    }

    /// Whoever went to another company sees nothing more of the one before, not even in a feed made there.
    async fn customer_user(&self, event: &Event) -> Done {
        let changed: proto::CustomerUserChanged = decode(event)?;
        let id: Uuid = event_id("customer_user_id", &changed.customer_user_id)?;
        let customer: CustomerId = event_id("customer_id", &changed.customer_id)?;
        self.keep_customer_user(event, id, customer, false).await?;
        let owner = Actor::CustomerUser(id.into());
        let feeds = self.reads.queries.feeds(event.organisation, owner).await.map_err(not_now)?;
        for feed in feeds {
            if feed.state.content.is_some_and(|content| content.customer != Some(customer)) {
                self.because(event).give(&self.actors.feeds, feed.id, FeedCommand::End).await?;
            }
        }
        Ok(())
    }

    /// First of all that follows from it: a feed that is made meanwhile is judged by this when it is read.
    async fn keep_customer_user(&self, event: &Event, id: Uuid, customer: CustomerId, removed: bool) -> Done {
        let version = event.aggregate_version.0;
        let copies = &self.reads.copies;
        copies
            .keep_customer_user(event.organisation, version, id.into(), customer, removed)
            .await
            .map_err(not_now)
    }

    async fn end_feeds(&self, event: &Event, owner: Actor) -> Done {
        for feed in self.concerned(event, Concerned::Feeds(owner)).await? {
            self.because(event).give(&self.actors.feeds, feed, FeedCommand::End).await?;
        }
        Ok(())
    }
}

impl Handler for DirectoryHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
