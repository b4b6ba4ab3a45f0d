//! What the messenger keeps of the directory's events.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::Isolation;
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::reaction::decode;
use futures::future::BoxFuture;

use crate::not_now;
use crate::store::Copies;

/// The durable's name.
pub const CONSUMER: &str = "messenger-directory";

/// Keeps the read copies.
#[derive(Debug, Clone)]
pub struct DirectoryHandler {
    /// They.
    pub copies: Copies,
}

impl DirectoryHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        if event.kind != proto::OrganisationChanged::TYPE {
            return Ok(Handled::Ignored);
        }
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
}
