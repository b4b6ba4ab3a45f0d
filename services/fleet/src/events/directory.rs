//! What fleet makes of the directory's events: read copies, and F-8.

use std::collections::BTreeMap;

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_fleet_domain::Device;
use callboard_fleet_domain::dispatch::Standing;
use callboard_fleet_domain::group::{GroupSetCommand, group_set_id};
use callboard_kernel::{DeviceId, EmployeeId, Isolation, TemplateId};
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use super::{Because, Planner, review};
use crate::store::{EmployeeCopy, Whose};
use crate::{Dispatches, GroupSets, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "fleet-directory";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::EmployeeCreated::SUBJECT,
    proto::EmployeeChanged::SUBJECT,
    proto::EmployeeDepartmentsChanged::SUBJECT,
    proto::EmployeeRemoved::SUBJECT,
    proto::OrganisationChanged::SUBJECT,
    proto::TeamChanged::SUBJECT,
    proto::TeamRemoved::SUBJECT,
    proto::MetaTeamChanged::SUBJECT,
    proto::MetaTeamRemoved::SUBJECT,
    proto::CustomerChanged::SUBJECT,
    proto::CustomerRemoved::SUBJECT,
    proto::TemplateChanged::SUBJECT,
    proto::TemplateRemoved::SUBJECT,
    proto::DeviceChanged::SUBJECT,
    proto::DeviceRemoved::SUBJECT,
];

/// Holdings looked at in one query.
const PAGE: i64 = 500;
/// Commands under way at once for one event.
const AT_ONCE: usize = 32;

/// Keeps the read copies, and takes away what F-8 says.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// Dispatches.
    pub dispatches: Dispatches,
    /// Sets of groups.
    pub group_sets: GroupSets,
    /// Knows the copies.
    pub planner: Planner,
}

fn missing(event: &Event) -> HandleError {
    HandleError::Poison(format!("{} lacks its record", event.kind))
}

fn ids<I: From<Uuid>>(field: &str, texts: &[String]) -> Result<Vec<I>, HandleError> {
    texts.iter().map(|text| event_id(field, text)).collect()
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::EmployeeCreated::TYPE => {
                let facts = decode::<proto::EmployeeCreated>(event)?.employee;
                self.keep_employee(event, facts, false).await?;
            }
            proto::EmployeeChanged::TYPE => {
                let facts = decode::<proto::EmployeeChanged>(event)?.employee;
                self.keep_employee(event, facts, false).await?;
            }
            proto::EmployeeDepartmentsChanged::TYPE => {
                let facts = decode::<proto::EmployeeDepartmentsChanged>(event)?.employee;
                let employee = self.keep_employee(event, facts, false).await?;
                self.review(event, Whose::Employee(employee)).await?;
            }
            proto::EmployeeRemoved::TYPE => {
                let facts = decode::<proto::EmployeeRemoved>(event)?.employee;
                let employee = self.keep_employee(event, facts, true).await?;
                self.review(event, Whose::Employee(employee)).await?;
            }
            proto::OrganisationChanged::TYPE => self.keep_organisation(event).await?,
            proto::TeamChanged::TYPE => {
                let message: proto::TeamChanged = decode(event)?;
                self.keep_team(event, &message.team_id, false).await?;
            }
            proto::TeamRemoved::TYPE => {
                let message: proto::TeamRemoved = decode(event)?;
                self.keep_team(event, &message.team_id, true).await?;
            }
            proto::MetaTeamChanged::TYPE => {
                let message: proto::MetaTeamChanged = decode(event)?;
                let teams = ids("team_ids", &message.team_ids)?;
                self.keep_meta_team(event, &message.meta_team_id, teams, false).await?;
            }
            proto::MetaTeamRemoved::TYPE => {
                let message: proto::MetaTeamRemoved = decode(event)?;
                self.keep_meta_team(event, &message.meta_team_id, Vec::new(), true).await?;
            }
            proto::CustomerChanged::TYPE => {
                let facts = decode::<proto::CustomerChanged>(event)?.customer;
                self.keep_customer(event, facts, false).await?;
            }
            proto::CustomerRemoved::TYPE => {
                let facts = decode::<proto::CustomerRemoved>(event)?.customer;
                self.keep_customer(event, facts, true).await?;
            }
            proto::TemplateChanged::TYPE => {
                let message: proto::TemplateChanged = decode(event)?;
                self.keep_template(event, &message.template_id, false).await?;
            }
            proto::TemplateRemoved::TYPE => {
                let message: proto::TemplateRemoved = decode(event)?;
                let template: TemplateId = self.keep_template(event, &message.template_id, true).await?;
                let reaction = Reaction { consumer: CONSUMER, event };
                reaction.give(&self.group_sets, group_set_id(template), GroupSetCommand::Clear).await?;
                self.planner.queries.forget_groups(event.organisation, template).await;
            }
            proto::DeviceChanged::TYPE => {
                let facts = decode::<proto::DeviceChanged>(event)?.device;
                self.keep_device(event, facts, false).await?;
            }
            proto::DeviceRemoved::TYPE => {
                let facts = decode::<proto::DeviceRemoved>(event)?.device;
                self.keep_device(event, facts, true).await?;
            }
            // Departments and codes mean nothing here.
            _ => return Ok(Handled::Ignored),
        }
        Ok(Handled::Done)
    }

    async fn keep_employee(
        &self,
        event: &Event,
        facts: Option<proto::EmployeeFacts>,
        removed: bool,
    ) -> Result<EmployeeId, HandleError> {
        let facts = facts.ok_or_else(|| missing(event))?;
        let employee = EmployeeCopy {
            id: event_id("employee_id", &facts.employee_id)?,
            departments: ids("department_ids", &facts.department_ids)?,
            teams: ids("team_ids", &facts.team_ids)?,
            removed,
        };
        self.planner
            .copies
            .keep_employee(event.organisation, event.aggregate_version.0, &employee)
            .await
            .map_err(not_now)?;
        Ok(employee.id)
    }

    /// A device that comes to other departments takes its tickets along: who may no longer see them loses offer and
    /// assignment (F-8). Nobody new is asked (F-2: at opening); with nobody left, F-11 tells the notification group.
    /// Another owner changes nothing for employees, and the groups of tickets opened later only (D-5).
    async fn keep_device(
        &self,
        event: &Event,
        facts: Option<proto::DeviceFacts>,
        removed: bool,
    ) -> Result<(), HandleError> {
        let facts = facts.ok_or_else(|| missing(event))?;
        let id: DeviceId = event_id("device_id", &facts.device_id)?;
        let customer = match facts.customer_id.as_str() {
            "" => None,
            text => Some(event_id("customer_id", text)?),
        };
        let device = Device {
            version: event.aggregate_version.0,
            customer,
            departments: ids("department_ids", &facts.department_ids)?,
            removed,
        };
        let copies = &self.planner.copies;
        copies.keep_device(event.organisation, id, &device).await.map_err(not_now)?;
        // Asked whatever the event says was before: it may be the first that is heard of the device.
        if copies.isolation_now(event.organisation).await.map_err(not_now)? != Isolation::Off {
            self.review(event, Whose::OnDevice(id)).await?;
        }
        Ok(())
    }

    async fn keep_organisation(&self, event: &Event) -> Result<(), HandleError> {
        let organisation =
            decode::<proto::OrganisationChanged>(event)?.organisation.ok_or_else(|| missing(event))?;
        let isolation = match organisation.isolation() {
            proto::Isolation::Unspecified | proto::Isolation::Off => Isolation::Off,
            proto::Isolation::Basic => Isolation::Basic,
            proto::Isolation::Strict => Isolation::Strict,
        };
        let copies = &self.planner.copies;
        let before = copies.isolation_now(event.organisation).await.map_err(not_now)?;
        let news = copies
            .keep_organisation(event.organisation, event.aggregate_version.0, isolation)
            .await
            .map_err(not_now)?;
        // Stricter for everybody at once: F-8 asks of everyone what it asks of one whose departments change. Asked
        // again where the event was interrupted half-way, hence not only when it was news.
        if isolation != Isolation::Off && (before != isolation || !news) {
            self.review(event, Whose::Anybody).await?;
        }
        Ok(())
    }

    async fn keep_team(&self, event: &Event, id: &str, removed: bool) -> Result<(), HandleError> {
        let id = event_id("team_id", id)?;
        let version = event.aggregate_version.0;
        self.planner.copies.keep_team(event.organisation, id, version, removed).await.map_err(not_now)
    }

    async fn keep_meta_team(
        &self,
        event: &Event,
        id: &str,
        teams: Vec<callboard_fleet_domain::TeamId>,
        removed: bool,
    ) -> Result<(), HandleError> {
        let id = event_id("meta_team_id", id)?;
        let version = event.aggregate_version.0;
        let copies = &self.planner.copies;
        copies.keep_meta_team(event.organisation, id, version, &teams, removed).await.map_err(not_now)
    }

    async fn keep_customer(
        &self,
        event: &Event,
        facts: Option<proto::CustomerFacts>,
        removed: bool,
    ) -> Result<(), HandleError> {
        let facts = facts.ok_or_else(|| missing(event))?;
        let id = event_id("customer_id", &facts.customer_id)?;
        let serving = facts
            .serving_team_ids
            .iter()
            .map(|(meta_team, team)| {
                Ok((event_id("serving_team_ids", meta_team)?, event_id("serving_team_ids", team)?))
            })
            .collect::<Result<BTreeMap<Uuid, Uuid>, HandleError>>()?;
        let version = event.aggregate_version.0;
        let copies = &self.planner.copies;
        copies.keep_customer(event.organisation, id, version, &serving, removed).await.map_err(not_now)
    }

    async fn keep_template(&self, event: &Event, id: &str, removed: bool) -> Result<TemplateId, HandleError> {
        let id: Uuid = event_id("template_id", id)?;
        let version = event.aggregate_version.0;
        let copies = &self.planner.copies;
        copies.keep_template(event.organisation, id, version, removed).await.map_err(not_now)?;
        Ok(id.into())
    }

    /// F-8: one command per ticket and employee who holds something. The dispatch decides.
    async fn review(&self, event: &Event, whose: Whose) -> Result<(), HandleError> {
        let organisation = event.organisation;
        let mut after = None;
        loop {
            let page =
                self.planner.queries.holdings(organisation, whose, after, PAGE).await.map_err(not_now)?;
            after = page.last().map(|holding| (holding.ticket, holding.employee.uuid()));
            let mut holders: Vec<EmployeeId> = page.iter().map(|holding| holding.employee).collect();
            holders.sort_unstable();
            holders.dedup();
            let standings = self.planner.standings(organisation, &holders).await.map_err(not_now)?;
            let reviews = page.into_iter().filter_map(|holding| {
                let standing = standings.get(&holding.employee)?;
                match standing {
                    Standing::Present { departments, .. } if departments.is_empty() => None,
                    Standing::Left | Standing::Present { .. } => Some((holding, standing.clone())),
                }
            });
            futures::stream::iter(reviews.collect::<Vec<_>>())
                .map(Ok)
                .try_for_each_concurrent(AT_ONCE, |(holding, standing)| {
                    let because = Because::of(Reaction { consumer: CONSUMER, event }, holding.ticket);
                    review(&self.dispatches, because, holding, standing)
                })
                .await?;
            if after.is_none() {
                return Ok(());
            }
        }
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
