//! What a ticket's screen shows, in one call: who asks is judged once, and the ticket is read once.

use callboard_kernel::TicketId;
use callboard_proto::tickets::v1 as proto;
use callboard_service::page::Room;
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
        let list = |visibility: Visibility| {
            page_query(&proto::ListUpdatesRequest {
                ticket_id: asked.clone(),
                visibility: to_proto_visibility(visibility).into(),
                ..Default::default()
            })
        };
        // The tokens of the next pages are for the lists themselves.
        let of_public = list(Visibility::Public);
        let of_internal = list(Visibility::Internal);
        let of_timeline =
            page_query(&proto::ListTimelineRequest { ticket_id: asked.clone(), ..Default::default() });
        let internal = async {
            if !sees_internal {
                return Ok(None);
            }
            self.updates(id, Some(Visibility::Internal), (size, "", of_internal)).await.map(Some)
        };
        let timeline = async {
            if !sees_internal {
                return Ok(None);
            }
            self.entries(id, (size, "", of_timeline)).await.map(Some)
        };
        let template = found.ticket.place.template;
        let flow = async {
            let Some(flow) = found.ticket.flow else { return Ok(None) };
            let flows = self.0.copies.flows(caller.organisation, template).await?;
            let (set, version) = &*flows;
            Ok(set.flow(flow).map(|flow| to_proto_flow(template.uuid(), flow, *version)))
        };
        let public = self.updates(id, Some(Visibility::Public), (size, "", of_public));
        let (public, internal, timeline, flow) = tokio::try_join!(public, internal, timeline, flow)?;
        let mut answer = proto::GetTicketScreenResponse {
            ticket: Some(whole(&caller, &found)),
            moves: Some(to_proto_moves(&moves(&caller, &found.ticket))),
            flow,
            ..Default::default()
        };
        // Three lists in one message, which is taken as a whole or not at all.
        let mut room = Room::default().beside(&answer);
        let (updates, last) = room.page_of(if sees_internal { 3 } else { 1 }, public, size);
        answer.public_updates =
            Some(proto::ListUpdatesResponse { updates, next_page_token: self.next(last, of_public) });
        answer.internal_updates = internal.map(|internal| {
            let (updates, last) = room.page_of(2, internal, size);
            proto::ListUpdatesResponse { updates, next_page_token: self.next(last, of_internal) }
        });
        answer.timeline = timeline.map(|timeline| {
            let (entries, last) = room.page(timeline, size);
            proto::ListTimelineResponse { entries, next_page_token: self.next(last, of_timeline) }
        });
        Ok(answer)
    }
}
