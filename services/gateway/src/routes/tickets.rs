//! Tickets: drafts, verbs, updates, timeline, lists, the view.

use callboard_kernel::FieldViolation;
use callboard_proto::tickets::v1 as proto;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::crud::Page;
use super::{ask, rpc};
use crate::answer::{Answer, Gone, show, show_created, show_inner};
use crate::call::{Call, Id, IdAndKey};
use crate::extract::{Json, OptionalJson, Patch, Patchable, Query};
use crate::model::Time;
use crate::model::common::time_range;
use crate::model::mirror::Mirror;
use crate::model::tickets::{
    Answer as StepAnswer, AnsweredDraft, NewStatus, NewTicket, NewUpdate, Priority, ServiceRecord,
    Submission, Ticket, TicketMoves, TicketOrder, TicketPage, TicketStatus, TimelinePage, Update, UpdatePage,
    Visibility,
};
use crate::openapi::{Resource, Route};
use crate::problem::Problem;
use crate::views::screen::TicketView;
use crate::views::ticket::view;

impl Patchable for Ticket {
    const WRITABLE: &'static [&'static str] = &["title", "description", "priority", "visibility"];
}

/// Which tickets. All given conditions hold at once; within one, any value; repeat a parameter for several values.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Statuses.
    #[param(inline)]
    status: Vec<TicketStatus>,
    /// Visibilities.
    #[param(inline)]
    visibility: Vec<Visibility>,
    /// Priorities.
    #[param(inline)]
    priority: Vec<Priority>,
    /// Categories; `plain` names tickets without a flow.
    flow_id: Vec<String>,
    /// Devices.
    device_id: Vec<String>,
    /// Customers.
    customer_id: Vec<String>,
    /// Involved employees.
    involved_employee_id: Vec<String>,
    /// 1 to 5; 0: not rated.
    rating: Vec<i32>,
    /// Created at or after.
    #[param(inline)]
    created_from: Option<Time>,
    /// Created before.
    #[param(inline)]
    created_before: Option<Time>,
    /// Changed at or after.
    #[param(inline)]
    updated_from: Option<Time>,
    /// Changed before.
    #[param(inline)]
    updated_before: Option<Time>,
    /// Full text over number, title, description, answers and updates; web-search syntax, at most 200 characters.
    text: String,
    /// The caller is involved.
    mine: bool,
    /// The caller has an offer that is open.
    offered_to_me: bool,
    /// Nobody is involved.
    unassigned: bool,
    /// How it is sorted; default: newest created first.
    #[param(inline)]
    order_by: Option<TicketOrder>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which updates.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedUpdates {
    /// Not given: all the caller may see.
    #[param(inline)]
    visibility: Option<Visibility>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Answers that can be passed on.
pub(super) fn check_answers(answers: &[StepAnswer]) -> Result<(), Problem> {
    let violations: Vec<FieldViolation> = answers
        .iter()
        .enumerate()
        .filter_map(|(index, answer)| answer.check(&format!("answers[{index}]")).err())
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(Problem::fields(violations)) }
}

async fn create(call: Call, Json(new): Json<NewTicket>) -> Answer<Ticket> {
    check_answers(&new.answers)?;
    let message = proto::CreateTicketRequest {
        request_id: call.request_uuid(),
        device_id: new.device_id.unwrap_or_default(),
        flow_id: new.flow_id.unwrap_or_default(),
        title: new.title.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        answers: new.answers.back(),
        visibility: new.visibility.back(),
        priority: new.priority.back(),
        open: new.open,
    };
    show_created(ask!(call, tickets.create_ticket(message)).ticket, "/v1/tickets")
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<TicketPage> {
    let filter = proto::TicketFilter {
        statuses: TicketStatus::numbers(asked.status),
        visibilities: Visibility::numbers(asked.visibility),
        priorities: Priority::numbers(asked.priority),
        flow_ids: asked.flow_id,
        device_ids: asked.device_id,
        customer_ids: asked.customer_id,
        involved_employee_ids: asked.involved_employee_id,
        ratings: asked.rating,
        created: time_range(asked.created_from, asked.created_before),
        updated: time_range(asked.updated_from, asked.updated_before),
        text: asked.text,
        mine: asked.mine,
        offered_to_me: asked.offered_to_me,
        unassigned: asked.unassigned,
    };
    let message = proto::ListTicketsRequest {
        filter: Some(filter),
        order: asked.order_by.back(),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, tickets.list_tickets(message)))
}

async fn get(call: Call, Id(ticket_id): Id) -> Answer<Ticket> {
    show_inner(ask!(call, tickets.get_ticket(proto::GetTicketRequest { ticket_id })).ticket)
}

async fn update(call: Call, Id(id): Id, patch: Patch<Ticket>) -> Answer<Ticket> {
    let etag = call.etag(patch.resource.etag.clone());
    // Only what may be edited goes along: answers and the rest are output here.
    let ticket = proto::Ticket {
        id,
        etag,
        title: patch.resource.title.unwrap_or_default(),
        description: patch.resource.description.unwrap_or_default(),
        priority: patch.resource.priority.back(),
        visibility: patch.resource.visibility.back(),
        ..proto::Ticket::default()
    };
    let message = proto::UpdateTicketRequest {
        request_id: call.request_uuid(),
        ticket: Some(ticket),
        update_mask: Some(prost_types::FieldMask { paths: patch.mask }),
    };
    show_inner(ask!(call, tickets.update_ticket(message)).ticket)
}

async fn delete(call: Call, Id(ticket_id): Id) -> Gone {
    let message =
        proto::DeleteTicketRequest { request_id: call.request_uuid(), ticket_id, etag: call.etag(None) };
    ask!(call, tickets.delete_ticket(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn answer(
    call: Call,
    IdAndKey(ticket_id, step): IdAndKey,
    Json(mut answer): Json<StepAnswer>,
) -> Answer<AnsweredDraft> {
    if !answer.step.is_empty() && answer.step != step {
        return Err(Problem::field("step", "must be the step in the path, or left out"));
    }
    answer.check("body").map_err(|violation| Problem::fields(vec![violation]))?;
    answer.step = step;
    answer_step(call, ticket_id, answer).await
}

async fn take_back(call: Call, IdAndKey(ticket_id, step): IdAndKey) -> Answer<AnsweredDraft> {
    answer_step(call, ticket_id, StepAnswer { step, ..StepAnswer::default() }).await
}

async fn answer_step(call: Call, ticket_id: String, answer: StepAnswer) -> Answer<AnsweredDraft> {
    let message = proto::AnswerStepRequest {
        request_id: call.request_uuid(),
        ticket_id,
        answer: Some(answer.back()),
        etag: call.etag(None),
    };
    show(ask!(call, tickets.answer_step(message)))
}

async fn submit(
    call: Call,
    Id(ticket_id): Id,
    OptionalJson(how): OptionalJson<Submission>,
) -> Answer<Ticket> {
    let message = proto::SubmitTicketRequest {
        request_id: call.request_uuid(),
        ticket_id,
        etag: call.etag(None),
        visibility: how.visibility.back(),
    };
    show_inner(ask!(call, tickets.submit_ticket(message)).ticket)
}

async fn set_status(
    call: Call,
    Id(ticket_id): Id,
    Json(NewStatus { status }): Json<NewStatus>,
) -> Answer<Ticket> {
    let message = proto::SetTicketStatusRequest {
        request_id: call.request_uuid(),
        ticket_id,
        status: Some(status).back(),
        etag: call.etag(None),
    };
    show_inner(ask!(call, tickets.set_ticket_status(message)).ticket)
}

async fn reopen(call: Call, Id(ticket_id): Id) -> Answer<Ticket> {
    let message =
        proto::ReopenTicketRequest { request_id: call.request_uuid(), ticket_id, etag: call.etag(None) };
    show_inner(ask!(call, tickets.reopen_ticket(message)).ticket)
}

async fn cancel(call: Call, Id(ticket_id): Id) -> Answer<Ticket> {
    let message =
        proto::CancelTicketRequest { request_id: call.request_uuid(), ticket_id, etag: call.etag(None) };
    show_inner(ask!(call, tickets.cancel_ticket(message)).ticket)
}

async fn post_update(call: Call, Id(ticket_id): Id, Json(new): Json<NewUpdate>) -> Answer<Update> {
    let collection = format!("/v1/tickets/{ticket_id}/updates");
    let message = proto::PostUpdateRequest {
        request_id: call.request_uuid(),
        ticket_id,
        text: new.text,
        visibility: new.visibility.back(),
        attachment_ids: new.attachment_ids,
    };
    show_created(ask!(call, tickets.post_update(message)).update, &collection)
}

async fn list_updates(
    call: Call,
    Id(ticket_id): Id,
    Query(asked): Query<AskedUpdates>,
) -> Answer<UpdatePage> {
    let message = proto::ListUpdatesRequest {
        ticket_id,
        visibility: asked.visibility.back(),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, tickets.list_updates(message)))
}

async fn service_record(
    call: Call,
    Id(ticket_id): Id,
    Query(Page { page_size, page_token }): Query<Page>,
) -> Answer<ServiceRecord> {
    let message = proto::GetServiceRecordRequest { ticket_id, page_size, page_token };
    show(ask!(call, tickets.get_service_record(message)))
}

async fn timeline(
    call: Call,
    Id(ticket_id): Id,
    Query(Page { page_size, page_token }): Query<Page>,
) -> Answer<TimelinePage> {
    show(ask!(call, tickets.list_timeline(proto::ListTimelineRequest { ticket_id, page_size, page_token })))
}

async fn moves(call: Call, Id(ticket_id): Id) -> Answer<TicketMoves> {
    show(ask!(call, tickets.get_ticket_moves(proto::GetTicketMovesRequest { ticket_id })))
}

/// The routes.
pub fn resource() -> Resource {
    let mut routes = drafts();
    routes.extend(verbs());
    routes.extend(parts());
    Resource {
        tag: "tickets",
        about: "Requests for help on a device: from a draft to a closed, rated record.",
        routes,
    }
}

fn drafts() -> Vec<Route> {
    vec![
        Route::get("/v1/tickets", list)
            .rpc(rpc!("tickets.v1.TicketService", "ListTickets"))
            .query::<Asked>()
            .answers::<TicketPage>()
            .about("Tickets the caller may see, filtered, sorted and paged (T-15)."),
        Route::post("/v1/tickets", create)
            .rpc(rpc!("tickets.v1.TicketService", "CreateTicket"))
            .body::<NewTicket>()
            .creates::<Ticket>()
            .about(
                "Makes a draft; with `open`, takes all answers and opens the ticket at once (T-1, T-2, T-4).",
            ),
        Route::get("/v1/tickets/{id}", get)
            .rpc(rpc!("tickets.v1.TicketService", "GetTicket"))
            .answers::<Ticket>()
            .about("One ticket the caller may see."),
        Route::patch("/v1/tickets/{id}", update)
            .rpc(rpc!("tickets.v1.TicketService", "UpdateTicket"))
            .body::<Ticket>()
            .answers::<Ticket>()
            .conditional()
            .about("Edits title, description, priority and visibility."),
        Route::delete("/v1/tickets/{id}", delete)
            .rpc(rpc!("tickets.v1.TicketService", "DeleteTicket"))
            .conditional()
            .about("Deletes for good, in every context (T-11); a draft: its author."),
        Route::put("/v1/tickets/{id}/answers/{step}", answer)
            .rpc(rpc!("tickets.v1.TicketService", "AnswerStep"))
            .body::<StepAnswer>()
            .answers::<AnsweredDraft>()
            .conditional()
            .about("Sets one answer of a draft (T-2)."),
        Route::delete("/v1/tickets/{id}/answers/{step}", take_back)
            .rpc(rpc!("tickets.v1.TicketService", "AnswerStep"))
            .named("takeBackAnswer")
            .answers_instead::<AnsweredDraft>()
            .conditional()
            .about("Takes one answer of a draft back (T-2)."),
    ]
}

fn verbs() -> Vec<Route> {
    vec![
        Route::post("/v1/tickets/{id}:submit", submit)
            .rpc(rpc!("tickets.v1.TicketService", "SubmitTicket"))
            .body::<Submission>()
            .answers::<Ticket>()
            .conditional()
            .about("Submits a draft: DRAFT to OPEN once every required step is answered (T-4)."),
        Route::post("/v1/tickets/{id}:setStatus", set_status)
            .rpc(rpc!("tickets.v1.TicketService", "SetTicketStatus"))
            .body::<NewStatus>()
            .answers::<Ticket>()
            .conditional()
            .about("Sets a status by hand (T-7)."),
        Route::post("/v1/tickets/{id}:reopen", reopen)
            .rpc(rpc!("tickets.v1.TicketService", "ReopenTicket"))
            .answers::<Ticket>()
            .conditional()
            .about("CLOSED or CANCELLED to IN_PROGRESS if anyone is involved, else OPEN (T-9)."),
        Route::post("/v1/tickets/{id}:cancel", cancel)
            .rpc(rpc!("tickets.v1.TicketService", "CancelTicket"))
            .answers::<Ticket>()
            .conditional()
            .about("Cancels (T-10)."),
    ]
}

fn parts() -> Vec<Route> {
    vec![
        Route::get("/v1/tickets/{id}/view", view)
            .rpc(rpc!("tickets.v1.TicketService", "GetTicketScreen"))
            .named("viewTicket")
            .answers::<TicketView>()
            .about(
                "The ticket's screen in one call. Contexts that cannot be reached in time are named in `unreachable`; \
                 opening it marks the caller's own offer as seen (F-3).",
            ),
        Route::get("/v1/tickets/{id}/updates", list_updates)
            .rpc(rpc!("tickets.v1.TicketService", "ListUpdates"))
            .query::<AskedUpdates>()
            .answers::<UpdatePage>()
            .about("Updates the caller may see, oldest first (T-12)."),
        Route::post("/v1/tickets/{id}/updates", post_update)
            .rpc(rpc!("tickets.v1.TicketService", "PostUpdate"))
            .body::<NewUpdate>()
            .creates::<Update>()
            .about("Writes an update (T-12)."),
        Route::get("/v1/tickets/{id}/serviceRecord", service_record)
            .rpc(rpc!("tickets.v1.TicketService", "GetServiceRecord"))
            .query::<Page>()
            .answers::<ServiceRecord>()
            .about("The digital service record: public updates in order (T-12)."),
        super::record::route(),
        Route::get("/v1/tickets/{id}/timeline", timeline)
            .rpc(rpc!("tickets.v1.TicketService", "ListTimeline"))
            .query::<Page>()
            .answers::<TimelinePage>()
            .about("Who changed what, when, and why, oldest first. Employees only (T-14)."),
        Route::get("/v1/tickets/{id}/moves", moves)
            .rpc(rpc!("tickets.v1.TicketService", "GetTicketMoves"))
            .answers::<TicketMoves>()
            .about("What the caller may do now."),
    ]
}
