//! What the messenger keeps of the directory's events.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::Isolation;
use callboard_messenger_domain::conversation::Device;
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;

use crate::not_now;
use crate::store::Copies;

/// The durable's name.
pub const CONSUMER: &str = "messenger-directory";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] =
    &[proto::OrganisationChanged::SUBJECT, proto::DeviceChanged::SUBJECT, proto::DeviceRemoved::SUBJECT];

/// Keeps the read copies.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// They.
    pub copies: Copies,
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::OrganisationChanged::TYPE => self.keep_organisation(event).await,
            proto::DeviceChanged::TYPE => {
                self.keep_device(event, decode::<proto::DeviceChanged>(event)?.device, false).await
            }
            proto::DeviceRemoved::TYPE => {
                self.keep_device(event, decode::<proto::DeviceRemoved>(event)?.device, true).await
            }
            _ => Ok(Handled::Ignored),
        }
    }

    async fn keep_device(
        &self,
        event: &Event,
        facts: Option<proto::DeviceFacts>,
        removed: bool,
    ) -> Result<Handled, HandleError> {
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} lacks its record", event.kind)))?;
        let customer = match facts.customer_id.as_str() {
            "" => None,
            text => Some(event_id("customer_id", text)?),
        };
        let departments = facts.department_ids.iter().map(|text| event_id("department_ids", text));
        let device = Device {
            version: event.aggregate_version.0,
            customer,
            departments: departments.collect::<Result<_, _>>()?,
            removed,
        };
        let id = event_id("device_id", &facts.device_id)?;
        self.copies.keep_device(event.organisation, id, &device).await.map_err(not_now)?;
        Ok(Handled::Done)
    }

    async fn keep_organisation(&self, event: &Event) -> Result<Handled, HandleError> {
        let organisation = decode::<proto::OrganisationChanged>(event)?
            .organisation
            .ok_or_else(|| HandleError::Poison(format!("{} lacks its record", event.kind)))?;
        let isolation = match organisation.isolation() {
            proto::Isolation::Unspecified | proto::Isolation::Off => Isolation::Off,
            proto::Isolation::Basic => Isolation::Basic,
            proto::Isolation::Strict => Isolation::Strict,
        };
        self.copies
            .keep_organisation(event.organisation, event.aggregate_version.0, isolation)
            .await
            .map_err(not_now)?;
        Ok(Handled::Done)
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
