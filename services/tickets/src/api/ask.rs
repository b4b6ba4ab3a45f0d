//! What every handler goes through: who is asking, may they see it, ask the actor, answer.

use std::sync::Arc;

use callboard_attachments::{Attachments, Owner};
use callboard_kernel::{Clock, Principal, Refusal, TicketId, Version};
use callboard_proto::common::v1::Attachment;
use callboard_proto::tickets::v1::Update;
use callboard_service::Mutation;
use callboard_tickets_domain::{Command, Event, MAX_ATTACHMENTS, State};
use prost::Message;
use uuid::Uuid;

use crate::events::inbound::{Flows, Tickets};
use crate::store::{Copies, Found, Numbers, Reads, Viewer};

/// What the handlers share.
#[derive(Debug)]
pub struct Api {
    /// The tickets.
    pub tickets: Tickets,
    /// The creation flows.
    pub flows: Flows,
    /// What is known of other contexts.
    pub copies: Copies,
    /// What is stored.
    pub reads: Reads,
    /// T-14.
    pub numbers: Numbers,
    /// Files of updates and answers.
    pub attachments: Attachments,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

impl Api {
    /// The caller as one who looks at tickets.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn viewer(&self, principal: &Principal) -> Result<Viewer, Refusal> {
        Ok(self.copies.viewer(principal).await?)
    }

    /// A ticket that the caller may see.
    ///
    /// # Errors
    /// `NOT_FOUND`, whether it is not there or not to be seen.
    pub(super) async fn visible(&self, principal: &Principal, id: TicketId) -> Result<Found, Refusal> {
        let viewer = self.viewer(principal).await?;
        self.reads.ticket(&viewer, id).await?.ok_or_else(|| Refusal::missing("ticket", id))
    }

    /// Asks a ticket that the caller may see. What the caller may do with it is decided by the ticket itself.
    ///
    /// # Errors
    /// `NOT_FOUND`, or what the ticket says.
    pub(super) async fn change<R: Message + Default>(
        &self,
        call: &Mutation,
        id: TicketId,
        command: Command,
        answer: impl Fn(&State, &[Event], Version) -> R + Send + Sync + 'static,
    ) -> Result<R, Refusal> {
        self.change_with(call, id, command, std::future::ready(Ok(())), answer).await
    }

    /// As [`Self::change`], where more is to be looked up once it is known that the caller may see the ticket.
    ///
    /// # Errors
    /// `NOT_FOUND`, that of `more`, or what the ticket says.
    pub(super) async fn change_with<R: Message + Default>(
        &self,
        call: &Mutation,
        id: TicketId,
        command: Command,
        more: impl Future<Output = Result<(), Refusal>>,
        answer: impl Fn(&State, &[Event], Version) -> R + Send + Sync + 'static,
    ) -> Result<R, Refusal> {
        let prepared = async {
            let viewer = self.viewer(&call.principal).await?;
            if self.reads.visible(&viewer, &[id.uuid()]).await?.is_empty() {
                return Err(Refusal::missing("ticket", id));
            }
            more.await?;
            Ok((id.uuid(), command))
        };
        call.carry_out(&self.tickets, prepared, answer).await
    }

    /// Makes sure that the caller may give these files to this owner, where there are any.
    ///
    /// # Errors
    /// Names each that is not to be had.
    pub(super) async fn attachable(
        &self,
        principal: &Principal,
        owner: &Owner,
        field: &str,
        ids: &[String],
    ) -> Result<Vec<Attachment>, Refusal> {
        // More than that is refused by the ticket, which names the rule.
        let looked_at = &ids[..ids.len().min(MAX_ATTACHMENTS)];
        self.attachments.check(principal, owner, field, looked_at).await
    }

    /// Adds to updates what is known of their files.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn with_attachments(&self, updates: &mut [Update]) -> Result<(), Refusal> {
        let ids = updates.iter().flat_map(|update| &update.attachment_ids);
        let ids: Vec<Uuid> = ids.filter_map(|id| id.parse().ok()).collect();
        let known = self.attachments.find(&ids).await?;
        for update in updates {
            let of = update.attachment_ids.iter().filter_map(|id| known.get(&id.parse().ok()?).cloned());
            update.attachments = of.collect();
        }
        Ok(())
    }
}
