//! What can be called.

mod lists;
mod reading;
mod writing;

use std::sync::Arc;

use callboard_kernel::{Clock, Principal, Refusal, Role};
use callboard_proto::support::v1 as proto;
use callboard_proto::support::v1::support_service_server::SupportService;
use callboard_service::database::refusal;
use callboard_service::error::IntoStatus;
use callboard_support_domain::ticket::Standing;
use tonic::{Request, Response, Status};

use crate::Tickets;
use crate::intake::Intake;
use crate::store::{Copies, Queries};

/// Serves `SupportService`.
#[derive(Debug, Clone)]
pub struct SupportApi {
    /// The actors.
    pub tickets: Tickets,
    /// The tables.
    pub queries: Queries,
    /// The read copy of the directory.
    pub copies: Copies,
    /// Finds the ticket that an event belongs to.
    pub intake: Intake,
    /// For page tokens.
    pub clock: Arc<dyn Clock>,
}

impl SupportApi {
    async fn standing(&self, principal: &Principal) -> Result<Standing, Refusal> {
        let is_agent = self.copies.admits(principal).await.map_err(refusal)?;
        Ok(Standing { is_agent })
    }

    /// Lists are for support agents.
    async fn admit(&self, principal: &Principal) -> Result<(), Refusal> {
        if self.standing(principal).await?.is_agent {
            Ok(())
        } else {
            Err(Refusal::denied("this is for support agents"))
        }
    }

    /// The list of domains is also for administrators, who answer for it.
    async fn admit_to_domains(&self, principal: &Principal) -> Result<(), Refusal> {
        if principal.has_role(Role::Administrator) { Ok(()) } else { self.admit(principal).await }
    }
}

macro_rules! serve {
    ($($method:ident($request:ident) -> $response:ident;)+) => {
        #[tonic::async_trait]
        impl SupportService for SupportApi {
            $(
                async fn $method(
                    &self,
                    request: Request<proto::$request>,
                ) -> Result<Response<proto::$response>, Status> {
                    let outcome = SupportApi::$method(self, &request).await;
                    outcome.map(Response::new).map_err(|refusal| refusal.into_status(crate::NAME))
                }
            )+
        }
    };
}

serve! {
    publish_event(PublishEventRequest) -> PublishEventResponse;
    get_ticket(GetTicketRequest) -> GetTicketResponse;
    list_tickets(ListTicketsRequest) -> ListTicketsResponse;
    set_ticket_status(SetTicketStatusRequest) -> SetTicketStatusResponse;
    set_ticket_priority(SetTicketPriorityRequest) -> SetTicketPriorityResponse;
    assign_ticket(AssignTicketRequest) -> AssignTicketResponse;
    decide_domain(DecideDomainRequest) -> DecideDomainResponse;
    add_note(AddNoteRequest) -> AddNoteResponse;
    list_notes(ListNotesRequest) -> ListNotesResponse;
    add_comment(AddCommentRequest) -> AddCommentResponse;
    list_comments(ListCommentsRequest) -> ListCommentsResponse;
    list_domains(ListDomainsRequest) -> ListDomainsResponse;
}
