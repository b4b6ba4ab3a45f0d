//! Files on tickets: who may bring them, and who may see them.

use callboard_attachments::{Owner, Owners};
use callboard_kernel::{Principal, Refusal, TicketId};
use callboard_tickets_domain::{Action, Status, Visibility, can};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::store::{Copies, Found, Reads};

callboard_attachments::serve!(callboard_proto::tickets::v1, "tickets");

/// The kind of owner that an update is. Stored: never changes.
const UPDATE: &str = "update";
/// The kind of owner that a ticket is, by the answers to its attachment steps. Stored: never changes.
const ANSWER: &str = "answer";

/// An update as owner of files.
pub fn of_update(ticket: TicketId, update: Uuid) -> Owner {
    Owner { kind: UPDATE.to_owned(), id: update, aggregate: ticket.uuid() }
}

/// The answers of a ticket as owner of files.
pub fn of_answers(ticket: TicketId) -> Owner {
    Owner { kind: ANSWER.to_owned(), id: ticket.uuid(), aggregate: ticket.uuid() }
}

/// Judges by tickets and updates as they are now.
#[derive(Debug, Clone)]
pub struct TicketOwners {
    /// What is known of other contexts.
    pub copies: Copies,
    /// What is stored.
    pub reads: Reads,
}

impl TicketOwners {
    async fn ticket(&self, principal: &Principal, id: TicketId) -> Result<Option<Found>, Refusal> {
        let viewer = self.copies.viewer(principal).await?;
        Ok(self.reads.ticket(&viewer, id).await?)
    }
}

impl Owners for TicketOwners {
    /// Whoever may write on the ticket, or fill in the draft, may upload for it. Where it is yet to be made, whoever
    /// is logged in or stands before a device: such files are counted for each uploader and collected after a day.
    fn may_upload<'a>(
        &'a self,
        principal: &'a Principal,
        subject: Option<Uuid>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let Some(id) = subject.map(TicketId) else { return Ok(()) };
            let found = self.ticket(principal, id).await?.ok_or_else(|| Refusal::missing("ticket", id))?;
            let may = if found.ticket.status == Status::Draft {
                can(principal, Action::FillDraft, &found.ticket)
            } else {
                can(principal, Action::PostPublicUpdate, &found.ticket)
            };
            may.map_err(|rejection| Refusal::from(&rejection))
        })
    }

    /// Files of answers are seen with the ticket, those of an update with the update.
    fn may_see<'a>(
        &'a self,
        principal: &'a Principal,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            let Some(found) = self.ticket(principal, owner.aggregate.into()).await? else { return Ok(false) };
            match owner.kind.as_str() {
                ANSWER => Ok(true),
                UPDATE => {
                    let visibility = self.reads.update_visibility(found.ticket.id, owner.id).await?;
                    Ok(match visibility {
                        Some(Visibility::Public) => true,
                        Some(Visibility::Internal) => {
                            can(principal, Action::SeeInternal, &found.ticket).is_ok()
                        }
                        None => false,
                    })
                }
                _ => Ok(false),
            }
        })
    }
}
