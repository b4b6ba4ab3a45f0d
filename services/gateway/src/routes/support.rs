//! The support desk: its tickets, notes, comments and domains (S-1 to S-5).

use callboard_proto::support::v1 as proto;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, show, show_inner};
use crate::call::{Call, Id};
use crate::extract::{Json, Query};
use crate::model::Time;
use crate::model::common::time_range;
use crate::model::mirror::Mirror;
use crate::model::support::{
    CommentPage, DomainDecision, DomainPage, NewAssignee, NewDecision, NewRemark, NewSupportPriority,
    NewSupportStatus, NotePage, PartnerEvent, Remark, SupportOrder, SupportPriority, SupportStatus,
    SupportTicket, SupportTicketPage, SupportTicketType,
};
use crate::openapi::{Resource, Route};

/// Which tickets.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Types; repeat it for several.
    #[param(inline)]
    r#type: Vec<SupportTicketType>,
    /// Statuses; repeat it for several.
    #[param(inline)]
    status: Vec<SupportStatus>,
    /// Priorities; repeat it for several.
    #[param(inline)]
    priority: Vec<SupportPriority>,
    /// Assignees; repeat it for several.
    assignee_id: Vec<String>,
    /// Only those nobody is assigned to.
    unassigned: bool,
    /// Only those I am assigned to.
    mine: bool,
    /// The partner system's own names of accounts; repeat it for several.
    account_id: Vec<String>,
    /// Plans; repeat it for several.
    plan: Vec<String>,
    /// Decisions; repeat it for several.
    #[param(inline)]
    decision: Vec<DomainDecision>,
    /// Arisen at or after.
    #[param(inline)]
    created_from: Option<Time>,
    /// Arisen before.
    #[param(inline)]
    created_before: Option<Time>,
    /// Words of title, text, person, account, plan, domain; in web-search syntax.
    text: String,
    /// How it is sorted.
    #[param(inline)]
    order_by: Option<SupportOrder>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedPage {
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which domains.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedDomains {
    /// Decisions; repeat it for several.
    #[param(inline)]
    decision: Vec<DomainDecision>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

async fn publish(call: Call, Json(event): Json<PartnerEvent>) -> Answer<SupportTicket> {
    let message = proto::PublishEventRequest { request_id: call.request_uuid(), event: Some(event.back()) };
    show_inner(ask!(call, support.publish_event(message)).ticket)
}

async fn get(call: Call, Id(ticket_id): Id) -> Answer<SupportTicket> {
    show_inner(ask!(call, support.get_ticket(proto::GetTicketRequest { ticket_id })).ticket)
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<SupportTicketPage> {
    let message = proto::ListTicketsRequest {
        types: SupportTicketType::numbers(asked.r#type),
        statuses: SupportStatus::numbers(asked.status),
        priorities: SupportPriority::numbers(asked.priority),
        assignee_ids: asked.assignee_id,
        unassigned: asked.unassigned,
        mine: asked.mine,
        account_ids: asked.account_id,
        plans: asked.plan,
        decisions: DomainDecision::numbers(asked.decision),
        created: time_range(asked.created_from, asked.created_before),
        text: asked.text,
        order: asked.order_by.back(),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, support.list_tickets(message)))
}

async fn set_status(
    call: Call,
    Id(ticket_id): Id,
    Json(new): Json<NewSupportStatus>,
) -> Answer<SupportTicket> {
    let message = proto::SetTicketStatusRequest {
        request_id: call.request_uuid(),
        ticket_id,
        status: Some(new.status).back(),
        etag: call.etag(None),
    };
    show_inner(ask!(call, support.set_ticket_status(message)).ticket)
}

async fn set_priority(
    call: Call,
    Id(ticket_id): Id,
    Json(new): Json<NewSupportPriority>,
) -> Answer<SupportTicket> {
    let message = proto::SetTicketPriorityRequest {
        request_id: call.request_uuid(),
        ticket_id,
        priority: Some(new.priority).back(),
        etag: call.etag(None),
    };
    show_inner(ask!(call, support.set_ticket_priority(message)).ticket)
}

async fn assign(call: Call, Id(ticket_id): Id, Json(new): Json<NewAssignee>) -> Answer<SupportTicket> {
    let message = proto::AssignTicketRequest {
        request_id: call.request_uuid(),
        ticket_id,
        assignee_id: new.assignee_id.unwrap_or_default(),
        etag: call.etag(None),
    };
    show_inner(ask!(call, support.assign_ticket(message)).ticket)
}

async fn decide(call: Call, Id(ticket_id): Id, Json(new): Json<NewDecision>) -> Answer<SupportTicket> {
    let message = proto::DecideDomainRequest {
        request_id: call.request_uuid(),
        ticket_id,
        decision: Some(new.decision).back(),
        etag: call.etag(None),
    };
    show_inner(ask!(call, support.decide_domain(message)).ticket)
}

async fn notes(call: Call, Id(ticket_id): Id, Query(asked): Query<AskedPage>) -> Answer<NotePage> {
    let AskedPage { page_size, page_token } = asked;
    show(ask!(call, support.list_notes(proto::ListNotesRequest { ticket_id, page_size, page_token })))
}

async fn add_note(call: Call, Id(ticket_id): Id, Json(new): Json<NewRemark>) -> Answer<Remark> {
    let message = proto::AddNoteRequest { request_id: call.request_uuid(), ticket_id, text: new.text };
    show_inner(ask!(call, support.add_note(message)).note)
}

async fn comments(call: Call, Id(ticket_id): Id, Query(asked): Query<AskedPage>) -> Answer<CommentPage> {
    let AskedPage { page_size, page_token } = asked;
    show(ask!(call, support.list_comments(proto::ListCommentsRequest { ticket_id, page_size, page_token })))
}

async fn add_comment(call: Call, Id(ticket_id): Id, Json(new): Json<NewRemark>) -> Answer<Remark> {
    let message = proto::AddCommentRequest { request_id: call.request_uuid(), ticket_id, text: new.text };
    show_inner(ask!(call, support.add_comment(message)).comment)
}

async fn domains(call: Call, Query(asked): Query<AskedDomains>) -> Answer<DomainPage> {
    let message = proto::ListDomainsRequest {
        decisions: DomainDecision::numbers(asked.decision),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, support.list_domains(message)))
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "support",
        about: "The support desk: tickets for the operator's own partners and clients.",
        routes: vec![
            Route::post("/v1/partnerEvents", publish)
                .rpc(rpc!("support.v1.SupportService", "PublishEvent"))
                .body::<PartnerEvent>()
                .answers::<SupportTicket>()
                .about("What a partner or account system tells. Administrators. The Idempotency-Key is the event's id (S-1)."),
            Route::get("/v1/supportTickets", list)
                .rpc(rpc!("support.v1.SupportService", "ListTickets"))
                .named("listSupportTickets")
                .query::<Asked>()
                .answers::<SupportTicketPage>()
                .about("Tickets of the support desk. Support agents (S-5)."),
            Route::get("/v1/supportTickets/{id}", get)
                .rpc(rpc!("support.v1.SupportService", "GetTicket"))
                .named("getSupportTicket")
                .answers::<SupportTicket>()
                .about("A ticket. Support agents; the requester of care coordination."),
            Route::post("/v1/supportTickets/{id}:setStatus", set_status)
                .rpc(rpc!("support.v1.SupportService", "SetTicketStatus"))
                .named("setSupportTicketStatus")
                .body::<NewSupportStatus>()
                .answers::<SupportTicket>()
                .conditional()
                .about("Sets the status. Support agents."),
            Route::post("/v1/supportTickets/{id}:setPriority", set_priority)
                .rpc(rpc!("support.v1.SupportService", "SetTicketPriority"))
                .named("setSupportTicketPriority")
                .body::<NewSupportPriority>()
                .answers::<SupportTicket>()
                .conditional()
                .about("Sets the priority. Support agents."),
            Route::post("/v1/supportTickets/{id}:assign", assign)
                .rpc(rpc!("support.v1.SupportService", "AssignTicket"))
                .named("assignSupportTicket")
                .body::<NewAssignee>()
                .answers::<SupportTicket>()
                .conditional()
                .about("Makes a support agent the assignee, or nobody. Support agents (S-3)."),
            Route::post("/v1/supportTickets/{id}:decide", decide)
                .rpc(rpc!("support.v1.SupportService", "DecideDomain"))
                .body::<NewDecision>()
                .answers::<SupportTicket>()
                .conditional()
                .about("Decides about the domain. Support agents (S-4)."),
            Route::get("/v1/supportTickets/{id}/notes", notes)
                .rpc(rpc!("support.v1.SupportService", "ListNotes"))
                .query::<AskedPage>()
                .answers::<NotePage>()
                .about("Notes, oldest first. Support agents (S-2)."),
            Route::post("/v1/supportTickets/{id}/notes", add_note)
                .rpc(rpc!("support.v1.SupportService", "AddNote"))
                .body::<NewRemark>()
                .answers::<Remark>()
                .about("Writes a note. Support agents (S-2)."),
            Route::get("/v1/supportTickets/{id}/comments", comments)
                .rpc(rpc!("support.v1.SupportService", "ListComments"))
                .query::<AskedPage>()
                .answers::<CommentPage>()
                .about("Comments, oldest first. Support agents; the requester of care coordination (S-2)."),
            Route::post("/v1/supportTickets/{id}/comments", add_comment)
                .rpc(rpc!("support.v1.SupportService", "AddComment"))
                .body::<NewRemark>()
                .answers::<Remark>()
                .about("Writes a comment. Support agents; the requester of care coordination (S-2)."),
            Route::get("/v1/supportDomains", domains)
                .rpc(rpc!("support.v1.SupportService", "ListDomains"))
                .query::<AskedDomains>()
                .answers::<DomainPage>()
                .about("Domains that were decided about. Support agents, administrators (S-4)."),
        ],
    }
}
