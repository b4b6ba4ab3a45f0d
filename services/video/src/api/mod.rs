//! What can be called.

mod acts;
mod fields;
mod files;
mod flows;
mod service;
mod sessions;

use std::sync::Arc;

use callboard_attachments::Attachments;
use callboard_kernel::{Clock, DeviceId, Isolation, OrganisationId, Principal, Refusal, Subject, TemplateId};
use callboard_service::database::refusal;
use callboard_video_domain::SessionId;
use callboard_video_domain::session::{Around, Timing};

use crate::call::Calls;
use crate::config::VideoConfig;
use crate::provider::Providers;
use crate::store::{Copies, DeviceCopy, Queries, StoredSession, Viewer};
use crate::token::Signer;
use crate::{Flows, Sessions};

pub use files::{AttachmentApi, SessionOwners};

/// What is read.
#[derive(Debug, Clone)]
pub struct Reads {
    /// The tables.
    pub queries: Queries,
    /// Read copies.
    pub copies: Copies,
    /// For page tokens, and what ends.
    pub clock: Arc<dyn Clock>,
    /// How long things take.
    pub timing: Timing,
}

/// Serves `VideoService`.
#[derive(Debug, Clone)]
pub struct VideoApi {
    pub(crate) sessions: Sessions,
    pub(crate) flows: Flows,
    pub(crate) reads: Reads,
    pub(crate) calls: Calls,
    pub(crate) signer: Arc<Signer>,
    pub(crate) config: Arc<VideoConfig>,
    /// What carries calls.
    pub(crate) providers: Providers,
    /// Recordings and screenshots.
    pub(crate) attachments: Attachments,
}

impl Reads {
    /// What this caller sees.
    async fn viewer(&self, principal: &Principal) -> Result<Viewer, Refusal> {
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

    /// A session the caller may see.
    async fn session(&self, principal: &Principal, id: SessionId) -> Result<StoredSession, Refusal> {
        let viewer = self.viewer(principal).await?;
        let found = self.queries.session(&viewer, id).await.map_err(refusal)?;
        found.ok_or_else(|| Refusal::missing("session", id))
    }

    /// What a decision about this session must know, for a caller.
    async fn around(&self, principal: &Principal, found: &StoredSession) -> Result<Around, Refusal> {
        let template = found.content.place.template;
        let around = self.around_system(principal.organisation, template).await.map_err(refusal)?;
        Ok(Around { offered: found.offered, ..around })
    }

    /// What a decision must know that Callboard makes by itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn around_system(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
    ) -> Result<Around, sqlx::Error> {
        let rated = self.copies.is_rated(organisation, template).await?;
        Ok(Around { offered: false, rated, timing: self.timing })
    }
}
