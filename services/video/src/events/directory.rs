//! What video keeps of the directory's events.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::{DeviceId, Isolation};
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use callboard_video_domain::Place;
use futures::future::BoxFuture;

use crate::not_now;
use crate::store::{Copies, DeviceCopy};

/// The durable's name.
pub const CONSUMER: &str = "video-directory";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::OrganisationChanged::SUBJECT,
    proto::TemplateChanged::SUBJECT,
    proto::TemplateRemoved::SUBJECT,
    proto::DeviceChanged::SUBJECT,
    proto::DeviceRemoved::SUBJECT,
];

/// Keeps the read copies.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// They.
    pub copies: Copies,
}

fn missing(event: &Event) -> HandleError {
    HandleError::Poison(format!("{} lacks its record", event.kind))
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::OrganisationChanged::TYPE => {
                let organisation = decode::<proto::OrganisationChanged>(event)?
                    .organisation
                    .ok_or_else(|| missing(event))?;
                let isolation = match organisation.isolation() {
                    proto::Isolation::Unspecified | proto::Isolation::Off => Isolation::Off,
                    proto::Isolation::Basic => Isolation::Basic,
                    proto::Isolation::Strict => Isolation::Strict,
                };
                let version = event.aggregate_version.0;
                self.copies
                    .keep_organisation(event.organisation, version, isolation)
                    .await
                    .map_err(not_now)?;
            }
            proto::TemplateChanged::TYPE => {
                let message: proto::TemplateChanged = decode(event)?;
                self.keep_template(event, &message.template_id, false).await?;
            }
            proto::TemplateRemoved::TYPE => {
                let message: proto::TemplateRemoved = decode(event)?;
                self.keep_template(event, &message.template_id, true).await?;
            }
            proto::DeviceChanged::TYPE => {
                self.keep_device(event, decode::<proto::DeviceChanged>(event)?.device, false).await?;
            }
            proto::DeviceRemoved::TYPE => {
                self.keep_device(event, decode::<proto::DeviceRemoved>(event)?.device, true).await?;
            }
            _ => return Ok(Handled::Ignored),
        }
        Ok(Handled::Done)
    }

    async fn keep_template(&self, event: &Event, id: &str, removed: bool) -> Result<(), HandleError> {
        let id = event_id("template_id", id)?;
        let version = event.aggregate_version.0;
        self.copies.keep_template(event.organisation, id, version, removed).await.map_err(not_now)
    }

    async fn keep_device(
        &self,
        event: &Event,
        facts: Option<proto::DeviceFacts>,
        removed: bool,
    ) -> Result<(), HandleError> {
        let facts = facts.ok_or_else(|| missing(event))?;
        let customer = match facts.customer_id.as_str() {
            "" => None,
            id => Some(event_id("customer_id", id)?),
        };
        let departments = facts.department_ids.iter().map(|id| event_id("department_ids", id));
        let id: DeviceId = event_id("device_id", &facts.device_id)?;
        let place = Place {
            template: event_id("template_id", &facts.template_id)?,
            customer,
            departments: departments.collect::<Result<_, _>>()?,
        };
        let device = DeviceCopy { id, place, removed };
        let version = event.aggregate_version.0;
        self.copies.keep_device(event.organisation, version, &device).await.map_err(not_now)
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
