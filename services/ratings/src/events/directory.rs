//! What ratings keep of the directory's events.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::Isolation;
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;

use crate::not_now;
use crate::store::Copies;

/// The durable's name.
pub const CONSUMER: &str = "ratings-directory";

/// Keeps the read copies.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// They.
    pub copies: Copies,
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let version = event.aggregate_version.0;
        match event.kind.as_str() {
            proto::OrganisationChanged::TYPE => {
                let organisation = decode::<proto::OrganisationChanged>(event)?
                    .organisation
                    .ok_or_else(|| HandleError::Poison(format!("{} lacks its record", event.kind)))?;
                let isolation = match organisation.isolation() {
                    proto::Isolation::Unspecified | proto::Isolation::Off => Isolation::Off,
                    proto::Isolation::Basic => Isolation::Basic,
                    proto::Isolation::Strict => Isolation::Strict,
                };
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
            _ => return Ok(Handled::Ignored),
        }
        Ok(Handled::Done)
    }

    async fn keep_template(&self, event: &Event, id: &str, removed: bool) -> Result<(), HandleError> {
        let id = event_id("template_id", id)?;
        let version = event.aggregate_version.0;
        self.copies.keep_template(event.organisation, id, version, removed).await.map_err(not_now)
    }
}

impl Handler for DirectoryHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }
}
