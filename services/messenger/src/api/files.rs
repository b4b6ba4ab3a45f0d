//! Files of messages: who may bring them, and who may see them (M-1 to M-3).

use callboard_attachments::{Owner, Owners};
use callboard_kernel::{Principal, Refusal};
use callboard_messenger_domain::conversation::ConversationRejection;
use callboard_service::database::refusal;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::store::{Copies, Queries, Stored};

callboard_attachments::serve!(callboard_proto::messenger::v1, "messenger");

/// The kind of owner that a message is. Stored, also by the triggers: never changes.
const MESSAGE: &str = "message";

/// A message that is yet to be sent, as owner of files: no file is its own already.
pub fn of_message(conversation: Uuid) -> Owner {
    Owner { kind: MESSAGE.to_owned(), id: Uuid::nil(), aggregate: conversation }
}

/// Judges by conversations and messages as they are now.
#[derive(Debug, Clone)]
pub struct MessageOwners {
    /// The tables.
    pub queries: Queries,
    /// Read copies of the directory.
    pub copies: Copies,
}

impl MessageOwners {
    async fn visible(&self, principal: &Principal, id: Uuid) -> Result<Option<Stored>, Refusal> {
        let found = self.queries.conversation(principal.organisation, id).await.map_err(refusal)?;
        let Some(found) = found else { return Ok(None) };
        let device = found.state.ticket.as_ref().map(|ticket| ticket.device);
        let sight = self.copies.sight(principal, device).await.map_err(refusal)?;
        Ok(Some(found).filter(|found| found.state.visible_to(principal, &sight).is_some()))
    }
}

impl Owners for MessageOwners {
    /// Whoever may write (M-3). Before there is a conversation, whoever is logged in or stands before a device: such files
    /// are counted for each uploader and collected after a day.
    fn may_upload<'a>(
        &'a self,
        principal: &'a Principal,
        subject: Option<Uuid>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let Some(id) = subject else { return Ok(()) };
            let found = self.visible(principal, id).await?;
            let found = found.ok_or_else(|| Refusal::missing("conversation", id))?;
            if found.state.may_write(principal) {
                return Ok(());
            }
            Err(Refusal::from(&if principal.is_outsider() {
                ConversationRejection::Locked
            } else {
                ConversationRejection::Denied("writing is for those involved, moderators and administrators")
            }))
        })
    }

    /// Whoever sees the conversation; what came with a message that was taken back only employees, as its trace (M-6).
    fn may_see<'a>(
        &'a self,
        principal: &'a Principal,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            if owner.kind != MESSAGE || self.visible(principal, owner.aggregate).await?.is_none() {
                return Ok(false);
            }
            if !principal.is_outsider() {
                return Ok(true);
            }
            self.queries.shows_files(owner.aggregate, owner.id).await.map_err(refusal)
        })
    }
}
