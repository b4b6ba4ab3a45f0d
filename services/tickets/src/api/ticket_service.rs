//! `TicketService`.

use std::sync::{Arc, OnceLock};

use callboard_kernel::{FieldViolation, Principal, Refusal, TicketId, Version, derive_uuid};
use callboard_proto::tickets::v1 as proto;
use callboard_service::Mutation;
use callboard_service::error::IntoStatus;
use callboard_service::page::{Room, page};
use callboard_service::request::{
    decode_page_token, encode_page_token, page_query, page_size, parse_id, principal,
};
use callboard_tickets_domain::{
    Action, AnswerValue, Command, Edit, Event, Fact, State, Status as Stands, Visibility, can, moves,
};
use futures::stream::{self, BoxStream, StreamExt as _};
use serde::Serialize;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::ask::Api;
use super::attachments::{of_answers, of_update};
use super::{SERVICE, lists};
use crate::convert::{
    from_proto_answer, from_proto_priority, from_proto_status, from_proto_visibility, optional_word,
    to_proto_draft_flow, to_proto_entry, to_proto_moves, to_proto_ticket, to_proto_ticket_for,
    to_proto_update, word,
};
use crate::store::{Cursor, Found, StoredUpdate};

/// Default and most entries of a page.
pub(super) const PAGE: (u32, u32) = (50, 200);
/// The most paths of an update mask.
const MAX_PATHS: usize = 20;
/// The most ids in one question.
const MAX_ASKED: usize = 500;

/// Answers `TicketService`.
#[derive(Debug, Clone)]
pub struct TicketApi(pub Arc<Api>);

pub(super) type Reply<R> = Result<R, Refusal>;

/// The ticket of a state after a command.
pub(super) fn shown(state: &State, version: Version) -> Option<proto::Ticket> {
    state.live().map(|ticket| to_proto_ticket(ticket, version))
}

/// A ticket as it is read by itself.
pub(super) fn whole(caller: &Principal, found: &Found) -> proto::Ticket {
    let mut ticket = to_proto_ticket_for(caller, &found.ticket, found.version);
    let template = found.ticket.place.template.uuid();
    ticket.draft_flow = found.ticket.draft_flow.as_deref().map(|flow| to_proto_draft_flow(template, flow));
    ticket
}

impl TicketApi {
    async fn answer_step(
        &self,
        request: Request<proto::AnswerStepRequest>,
    ) -> Reply<proto::AnswerStepResponse> {
        let call = Mutation::new(&request, "AnswerStep", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let call = call.about("ticket", id).expecting("etag", &message.etag)?;
        let answer = message.answer.ok_or_else(|| Refusal::field("answer", "is required"))?;
        let (step, value) =
            from_proto_answer("answer", answer).map_err(|violation| Refusal::fields(vec![violation]))?;
        let files = match &value {
            Some(AnswerValue::Attachments(ids)) => ids.clone(),
            _ => Vec::new(),
        };
        let attachable = async {
            let owner = of_answers(id);
            self.0.attachable(&call.principal, &owner, "answer.attachments", &files).await.map(drop)
        };
        self.0
            .change_with(&call, id, Command::Answer { step, value }, attachable, |state, _, version| {
                let missing = state.live().map(|ticket| ticket.missing()).unwrap_or_default();
                proto::AnswerStepResponse {
                    ticket: shown(state, version),
                    missing_steps: missing.into_iter().map(str::to_owned).collect(),
                }
            })
            .await
    }

    async fn submit(
        &self,
        request: Request<proto::SubmitTicketRequest>,
    ) -> Reply<proto::SubmitTicketResponse> {
        let call = Mutation::new(&request, "SubmitTicket", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let call = call.about("ticket", id).expecting("etag", &message.etag)?;
        let visibility = optional_word("visibility", message.visibility, from_proto_visibility)
            .map_err(|violation| Refusal::fields(vec![violation]))?;
        let prepared = async {
            let found = self.0.visible(&call.principal, id).await?;
            // The device as it is now, if it is still there.
            let device = self.0.copies.device(call.principal.organisation, found.ticket.device).await?;
            let place = device.filter(|device| !device.removed).map(|device| device.place.clone());
            // One that is open already will say so (or repeat its answer): no number for it.
            let number = match found.ticket.status {
                Stands::Draft => self.0.numbers.next(call.principal.organisation).await?,
                _ => 0,
            };
            Ok((id.uuid(), Command::Submit { number, visibility, place }))
        };
        let answer = |state: &State, _: &[Event], version| proto::SubmitTicketResponse {
            ticket: shown(state, version),
        };
        call.carry_out(&self.0.tickets, prepared, answer).await
    }

    async fn get(&self, request: Request<proto::GetTicketRequest>) -> Reply<proto::GetTicketResponse> {
        let caller = principal(&request)?;
        let found = self.0.visible(&caller, parse_id("ticket_id", &request.get_ref().ticket_id)?).await?;
        Ok(proto::GetTicketResponse { ticket: Some(whole(&caller, &found)) })
    }

    async fn list(&self, request: Request<proto::ListTicketsRequest>) -> Reply<proto::ListTicketsResponse> {
        let caller = principal(&request)?;
        let mut message = request.into_inner();
        let size = page_size(message.page_size, PAGE.0, PAGE.1)?;
        let token = std::mem::take(&mut message.page_token);
        message.page_size = 0;
        let query = page_query(&message);
        let order = lists::order(message.order)?;
        let (filter, impossible) = lists::filter(&message.filter.unwrap_or_default(), &caller)?;
        let after: Option<Cursor> = decode_page_token(&token, query, self.0.clock.now())?;
        if impossible {
            return Ok(proto::ListTicketsResponse::default());
        }
        let viewer = self.0.viewer(&caller).await?;
        let found = self.0.reads.list(&viewer, &filter, order, after.as_ref(), size + 1).await?;
        let shown = found.iter().map(|one| (one, to_proto_ticket_for(&caller, &one.ticket, one.version)));
        let (tickets, last) = page(shown, size);
        let next_page_token = self.next(last.map(|last| order.cursor(last)), query);
        Ok(proto::ListTicketsResponse { tickets, next_page_token })
    }

    async fn update(
        &self,
        request: Request<proto::UpdateTicketRequest>,
    ) -> Reply<proto::UpdateTicketResponse> {
        let call = Mutation::new(&request, "UpdateTicket", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let ticket = message.ticket.ok_or_else(|| Refusal::field("ticket", "is required"))?;
        let id: TicketId = parse_id("ticket.id", &ticket.id)?;
        let call = call.about("ticket", id).expecting("ticket.etag", &ticket.etag)?;
        let edit = edit(&ticket, &message.update_mask.unwrap_or_default().paths)?;
        self.0
            .change(&call, id, Command::Edit(edit), |state, _, version| proto::UpdateTicketResponse {
                ticket: shown(state, version),
            })
            .await
    }

    async fn set_status(
        &self,
        request: Request<proto::SetTicketStatusRequest>,
    ) -> Reply<proto::SetTicketStatusResponse> {
        let call = Mutation::new(&request, "SetTicketStatus", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let call = call.about("ticket", id).expecting("etag", &message.etag)?;
        let status = word("status", message.status, from_proto_status)
            .map_err(|violation| Refusal::fields(vec![violation]))?;
        self.0
            .change(&call, id, Command::SetStatus(status), |state, _, version| {
                proto::SetTicketStatusResponse { ticket: shown(state, version) }
            })
            .await
    }

    async fn reopen(
        &self,
        request: Request<proto::ReopenTicketRequest>,
    ) -> Reply<proto::ReopenTicketResponse> {
        let call = Mutation::new(&request, "ReopenTicket", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let call = call.about("ticket", id).expecting("etag", &message.etag)?;
        self.0
            .change(&call, id, Command::Reopen, |state, _, version| proto::ReopenTicketResponse {
                ticket: shown(state, version),
            })
            .await
    }

    async fn cancel(
        &self,
        request: Request<proto::CancelTicketRequest>,
    ) -> Reply<proto::CancelTicketResponse> {
        let call = Mutation::new(&request, "CancelTicket", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let call = call.about("ticket", id).expecting("etag", &message.etag)?;
        let caller = call.principal.clone();
        self.0
            .change(&call, id, Command::Cancel, move |state, _, version| {
                let shown = |ticket| to_proto_ticket_for(&caller, ticket, version);
                proto::CancelTicketResponse { ticket: state.live().map(shown) }
            })
            .await
    }

    async fn delete(
        &self,
        request: Request<proto::DeleteTicketRequest>,
    ) -> Reply<proto::DeleteTicketResponse> {
        let call = Mutation::new(&request, "DeleteTicket", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let call = call.about("ticket", id).expecting("etag", &message.etag)?;
        let gone =
            self.0.change(&call, id, Command::Delete, |_, _, _| proto::DeleteTicketResponse {}).await?;
        self.0.attachments.wake();
        Ok(gone)
    }

    async fn post_update(
        &self,
        request: Request<proto::PostUpdateRequest>,
    ) -> Reply<proto::PostUpdateResponse> {
        let call = Mutation::new(&request, "PostUpdate", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let call = call.about("ticket", id);
        let visibility = optional_word("visibility", message.visibility, from_proto_visibility)
            .map_err(|violation| Refusal::fields(vec![violation]))?;
        let update = derive_uuid(call.command_id.uuid(), &[b"update"]);
        let files = message.attachment_ids.clone();
        let command = Command::PostUpdate {
            id: update.into(),
            text: message.text,
            visibility,
            attachments: message.attachment_ids,
        };
        // Looked up before the ticket is asked, shown in its answer.
        let shown = Arc::new(OnceLock::new());
        let found = Arc::clone(&shown);
        let attachable = async {
            let owner = of_update(id, update);
            let files = self.0.attachable(&call.principal, &owner, "attachment_ids", &files).await?;
            // Set once: this is the only place.
            let _ = found.set(files);
            Ok(())
        };
        self.0
            .change_with(&call, id, command, attachable, move |_, events, _| {
                let update = posted(id, events).as_ref().map(|update| proto::Update {
                    attachments: shown.get().cloned().unwrap_or_default(),
                    ..to_proto_update(update)
                });
                proto::PostUpdateResponse { update }
            })
            .await
    }

    /// The token of the next page, where there is one; `bound` is what it is bound to.
    pub(super) fn next(&self, last: Option<impl Serialize>, bound: i64) -> String {
        last.map(|last| encode_page_token(&last, bound, self.0.clock.now())).unwrap_or_default()
    }

    /// Updates with their files by sequence, one more than a page has if there is one: what fits is for the caller to
    /// say. `bound` is what the token is bound to.
    pub(super) async fn updates(
        &self,
        ticket: TicketId,
        visibility: Option<Visibility>,
        (size, token, bound): (u32, &str, i64),
    ) -> Reply<Vec<(i64, proto::Update)>> {
        let after: Option<i64> = decode_page_token(token, bound, self.0.clock.now())?;
        let found = self.0.reads.updates(ticket, visibility, after.unwrap_or(0), size + 1).await?;
        let mut updates: Vec<_> = found.iter().map(to_proto_update).collect();
        self.0.with_attachments(&mut updates).await?;
        Ok(found.iter().map(|update| update.sequence).zip(updates).collect())
    }

    async fn list_updates(
        &self,
        request: Request<proto::ListUpdatesRequest>,
    ) -> Reply<proto::ListUpdatesResponse> {
        let caller = principal(&request)?;
        let mut message = request.into_inner();
        let size = page_size(message.page_size, PAGE.0, PAGE.1)?;
        let token = std::mem::take(&mut message.page_token);
        message.page_size = 0;
        let asked = optional_word("visibility", message.visibility, from_proto_visibility)
            .map_err(|violation| Refusal::fields(vec![violation]))?;
        let id = parse_id("ticket_id", &message.ticket_id)?;
        let found = self.0.visible(&caller, id).await?;
        let internal = can(&caller, Action::SeeInternal, &found.ticket);
        let visibility = match (asked, internal) {
            (Some(Visibility::Internal), Err(rejection)) => return Err(Refusal::from(&rejection)),
            (asked, Ok(())) => asked,
            (_, Err(_)) => Some(Visibility::Public),
        };
        let bound = page_query(&message);
        let (updates, last) = page(self.updates(id, visibility, (size, &token, bound)).await?, size);
        Ok(proto::ListUpdatesResponse { updates, next_page_token: self.next(last, bound) })
    }

    async fn service_record(
        &self,
        request: Request<proto::GetServiceRecordRequest>,
    ) -> Reply<proto::GetServiceRecordResponse> {
        let caller = principal(&request)?;
        let mut message = request.into_inner();
        let size = page_size(message.page_size, PAGE.1, PAGE.1)?;
        let token = std::mem::take(&mut message.page_token);
        message.page_size = 0;
        let id = parse_id("ticket_id", &message.ticket_id)?;
        let found = self.0.visible(&caller, id).await?;
        let bound = page_query(&message);
        let public = self.updates(id, Some(Visibility::Public), (size, &token, bound)).await?;
        let ticket = to_proto_ticket_for(&caller, &found.ticket, found.version);
        let (updates, last) = Room::default().beside(&ticket).page(public, size);
        let next_page_token = self.next(last, bound);
        Ok(proto::GetServiceRecordResponse { ticket: Some(ticket), updates, next_page_token })
    }

    async fn timeline(
        &self,
        request: Request<proto::ListTimelineRequest>,
    ) -> Reply<proto::ListTimelineResponse> {
        let caller = principal(&request)?;
        let mut message = request.into_inner();
        let size = page_size(message.page_size, PAGE.0, PAGE.1)?;
        let token = std::mem::take(&mut message.page_token);
        message.page_size = 0;
        let id = parse_id("ticket_id", &message.ticket_id)?;
        let found = self.0.visible(&caller, id).await?;
        can(&caller, Action::SeeInternal, &found.ticket).map_err(|rejection| Refusal::from(&rejection))?;
        let bound = page_query(&message);
        let (entries, last) = page(self.entries(id, (size, &token, bound)).await?, size);
        Ok(proto::ListTimelineResponse { entries, next_page_token: self.next(last, bound) })
    }

    /// As [`Self::updates`], of the timeline.
    pub(super) async fn entries(
        &self,
        ticket: TicketId,
        (size, token, bound): (u32, &str, i64),
    ) -> Reply<Vec<(i64, proto::TimelineEntry)>> {
        let after: Option<i64> = decode_page_token(token, bound, self.0.clock.now())?;
        let found = self.0.reads.timeline(ticket, after.unwrap_or(0), size + 1).await?;
        Ok(found.iter().map(|entry| (entry.sequence, to_proto_entry(entry))).collect())
    }

    async fn moves(
        &self,
        request: Request<proto::GetTicketMovesRequest>,
    ) -> Reply<proto::GetTicketMovesResponse> {
        let caller = principal(&request)?;
        let found = self.0.visible(&caller, parse_id("ticket_id", &request.get_ref().ticket_id)?).await?;
        Ok(to_proto_moves(&moves(&caller, &found.ticket)))
    }

    async fn check(
        &self,
        request: Request<proto::CheckVisibilityRequest>,
    ) -> Reply<proto::CheckVisibilityResponse> {
        let caller = principal(&request)?;
        let asked = &request.get_ref().ticket_ids;
        if asked.len() > MAX_ASKED {
            return Err(Refusal::field("ticket_ids", format!("at most {MAX_ASKED} ids")));
        }
        let ids = asked.iter().enumerate().map(|(index, id)| parse_id(&format!("ticket_ids[{index}]"), id));
        let ids: Vec<Uuid> = ids.collect::<Result<_, _>>()?;
        let viewer = self.0.viewer(&caller).await?;
        let visible = self.0.reads.visible(&viewer, &ids).await?;
        Ok(proto::CheckVisibilityResponse {
            visible_ticket_ids: visible.iter().map(ToString::to_string).collect(),
        })
    }
}

/// What an update mask asks for. `*` names all that can be edited.
fn edit(ticket: &proto::Ticket, paths: &[String]) -> Reply<Edit> {
    let mut violations = Vec::new();
    let mut edit = Edit::default();
    if paths.is_empty() || paths.len() > MAX_PATHS {
        return Err(Refusal::field("update_mask", format!("is required: 1 to {MAX_PATHS} paths")));
    }
    let all = ["title", "description", "priority", "visibility"];
    let paths: Vec<&str> = match paths {
        [star] if star == "*" => all.to_vec(),
        paths => paths.iter().map(String::as_str).collect(),
    };
    for path in paths {
        match path {
            "title" => edit.title = Some(ticket.title.clone()),
            "description" => edit.description = Some(ticket.description.clone()),
            "priority" => match word("ticket.priority", ticket.priority, from_proto_priority) {
                Ok(priority) => edit.priority = Some(priority),
                Err(violation) => violations.push(violation),
            },
            "visibility" => match word("ticket.visibility", ticket.visibility, from_proto_visibility) {
                Ok(visibility) => edit.visibility = Some(visibility),
                Err(violation) => violations.push(violation),
            },
            _ => violations.push(FieldViolation::new(
                "update_mask",
                "only title, description, priority and visibility are edited; a status has verbs of its own",
            )),
        }
    }
    if violations.is_empty() { Ok(edit) } else { Err(Refusal::fields(violations)) }
}

fn posted(ticket: TicketId, events: &[Event]) -> Option<StoredUpdate> {
    events.iter().find_map(|event| match &event.fact {
        Fact::UpdatePosted(update) => Some(StoredUpdate {
            sequence: update.sequence,
            id: update.id,
            ticket,
            author: update.author,
            visibility: update.visibility,
            text: update.text.clone(),
            attachments: update.attachments.clone(),
            create_time: event.at,
        }),
        _ => None,
    })
}

macro_rules! serve {
    ($($rpc:ident => $handler:ident: $request:ident, $response:ident;)+) => {
        #[tonic::async_trait]
        impl proto::ticket_service_server::TicketService for TicketApi {
            $(async fn $rpc(
                &self,
                request: Request<proto::$request>,
            ) -> Result<Response<proto::$response>, Status> {
                let result = self.$handler(request).await;
                result.map(Response::new).map_err(|refusal| refusal.into_status(SERVICE))
            })+

            type ExportServiceRecordStream =
                BoxStream<'static, Result<proto::ExportServiceRecordResponse, Status>>;

            async fn export_service_record(
                &self,
                request: Request<proto::ExportServiceRecordRequest>,
            ) -> Result<Response<Self::ExportServiceRecordStream>, Status> {
                let parts = self.export(request).await.map_err(|refusal| refusal.into_status(SERVICE))?;
                Ok(Response::new(stream::iter(parts.into_iter().map(Ok)).boxed()))
            }
        }
    };
}

serve! {
    create_ticket => create: CreateTicketRequest, CreateTicketResponse;
    answer_step => answer_step: AnswerStepRequest, AnswerStepResponse;
    submit_ticket => submit: SubmitTicketRequest, SubmitTicketResponse;
    get_ticket => get: GetTicketRequest, GetTicketResponse;
    list_tickets => list: ListTicketsRequest, ListTicketsResponse;
    update_ticket => update: UpdateTicketRequest, UpdateTicketResponse;
    set_ticket_status => set_status: SetTicketStatusRequest, SetTicketStatusResponse;
    reopen_ticket => reopen: ReopenTicketRequest, ReopenTicketResponse;
    cancel_ticket => cancel: CancelTicketRequest, CancelTicketResponse;
    delete_ticket => delete: DeleteTicketRequest, DeleteTicketResponse;
    post_update => post_update: PostUpdateRequest, PostUpdateResponse;
    list_updates => list_updates: ListUpdatesRequest, ListUpdatesResponse;
    get_service_record => service_record: GetServiceRecordRequest, GetServiceRecordResponse;
    list_timeline => timeline: ListTimelineRequest, ListTimelineResponse;
    get_ticket_moves => moves: GetTicketMovesRequest, GetTicketMovesResponse;
    get_ticket_screen => screen: GetTicketScreenRequest, GetTicketScreenResponse;
    check_visibility => check: CheckVisibilityRequest, CheckVisibilityResponse;
}
