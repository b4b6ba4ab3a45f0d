//! What can be called.

mod files;
mod reading;
mod service;
mod writing;

use std::sync::Arc;

use callboard_attachments::Attachments;
use callboard_auth::Verifier;
use callboard_kernel::{Clock, Isolation, Principal, Refusal};
use callboard_service::database::refusal;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::Conversations;
use crate::live::Hub;
use crate::store::{Copies, Queries, Stored};

pub use files::{AttachmentApi, MessageOwners};

/// Serves `MessengerService`.
#[derive(Debug, Clone)]
pub struct MessengerApi {
    /// Conversations.
    pub conversations: Conversations,
    /// The tables.
    pub queries: Queries,
    /// Read copies of the directory.
    pub copies: Copies,
    /// Those who watch.
    pub hub: Hub,
    /// Judges the tokens of those who watch, for as long as they do.
    pub verifier: Arc<Verifier>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// The time for editing (M-6).
    pub window: TimeDelta,
    /// Files of messages.
    pub attachments: Attachments,
}

impl MessengerApi {
    async fn isolation(&self, principal: &Principal) -> Result<Isolation, Refusal> {
        self.copies.isolation(principal.organisation).await.map_err(refusal)
    }

    /// A conversation that the caller may see now, without read markers.
    async fn visible(&self, principal: &Principal, id: Uuid) -> Result<(Stored, Isolation), Refusal> {
        let isolation = self.isolation(principal).await?;
        let found = self.queries.conversation(principal.organisation, id).await.map_err(refusal)?;
        let found = found
            .filter(|found| found.state.visible_to(principal, isolation).is_some())
            .ok_or_else(|| Refusal::missing("conversation", id))?;
        Ok((found, isolation))
    }
}
