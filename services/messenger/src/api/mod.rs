//! What can be called.

mod files;
mod reading;
mod service;
mod writing;

use std::sync::Arc;

use callboard_attachments::Attachments;
use callboard_auth::Verifier;
use callboard_kernel::{Clock, Isolation, Principal, Refusal};
use callboard_messenger_domain::conversation::Sight;
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
    async fn visible(&self, principal: &Principal, id: Uuid) -> Result<(Stored, Sight), Refusal> {
        let found = self.queries.conversation(principal.organisation, id).await.map_err(refusal)?;
        self.if_visible(principal, id, found).await
    }

    /// What was found, where the caller may see it now.
    async fn if_visible(
        &self,
        principal: &Principal,
        id: Uuid,
        found: Option<Stored>,
    ) -> Result<(Stored, Sight), Refusal> {
        let missing = || Refusal::missing("conversation", id);
        let found = found.ok_or_else(missing)?;
        let device = found.state.ticket.as_ref().map(|ticket| ticket.device);
        let sight = self.copies.sight(principal, device).await.map_err(refusal)?;
        if found.state.visible_to(principal, &sight).is_none() {
            return Err(missing());
        }
        Ok((found, sight))
    }
}
