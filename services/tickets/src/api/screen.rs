//! What a ticket's screen shows, in one call: who asks is judged once, and the ticket is read once.

use callboard_kernel::TicketId;
use callboard_proto::tickets::v1 as proto;
use callboard_service::request::{page_query, page_size, parse_id, principal};
use callboard_tickets_domain::{Action, Visibility, can, moves};
use tonic::Request;

use super::ticket_service::{PAGE, Reply, TicketApi, whole};
use crate::convert::{to_proto_flow, to_proto_moves, to_proto_visibility};

impl TicketApi {
    pub(super) async fn screen(
        &self,
        request: Request<proto::GetTicketScreenRequest>,
    ) -> Reply<proto::GetTicketScreenResponse> {
        let caller = principal(&request)?;
        let message = request.into_inner();
        let size = page_size(message.page_size, PAGE.0, PAGE.1)?;
        // As it was written: page tokens are bound to it.
        let asked = &message.ticket_id;
        let id: TicketId = parse_id("ticket_id", asked)?;
        let found = self.0.visible(&caller, id).await?;
        let sees_internal = can(&caller, Action::SeeInternal, &found.ticket).is_ok();
        let internal = async {
            if sees_internal {
                self.first_updates(id, asked, Visibility::Internal, size).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let timeline = async {
            if !sees_internal {
                return Ok(None);
            }
            let query =
                page_query(&proto::ListTimelineRequest { ticket_id: asked.clone(), ..Default::default() });
            let (entries, next_page_token) = self.entries(id, (size, "", query)).await?;
            Ok(Some(proto::ListTimelineResponse { entries, next_page_token }))
        };
        let template = found.ticket.place.template;
        let flow = async {
            let Some(flow) = found.ticket.flow else { return Ok(None) };
            let flows = self.0.copies.flows(caller.organisation, template).await?;
            let (set, version) = &*flows;
            Ok(set.flow(flow).map(|flow| to_proto_flow(template.uuid(), flow, *version)))
        };
        let public = self.first_updates(id, asked, Visibility::Public, size);
        let (public, internal_updates, timeline, flow) = tokio::try_join!(public, internal, timeline, flow)?;
        Ok(proto::GetTicketScreenResponse {
            ticket: Some(whole(&caller, &found)),
            moves: Some(to_proto_moves(&moves(&caller, &found.ticket))),
            flow,
            public_updates: Some(public),
            internal_updates,
            timeline,
        })
    }

    /// The first page of updates of one visibility; the token of the next is for `ListUpdates`.
    async fn first_updates(
        &self,
        id: TicketId,
        asked: &str,
        visibility: Visibility,
        size: u32,
    ) -> Reply<proto::ListUpdatesResponse> {
        let query = page_query(&proto::ListUpdatesRequest {
            ticket_id: asked.to_owned(),
            visibility: to_proto_visibility(visibility).into(),
            ..Default::default()
        });
        let (updates, next_page_token) = self.updates(id, Some(visibility), (size, "", query)).await?;
        Ok(proto::ListUpdatesResponse { updates, next_page_token })
    }
}
