//! Dispatch of a ticket: the three lists, requesting, assigning, cancelling, and why (F-4, F-6, F-10).

use callboard_proto::fleet::v1 as proto;
use http::StatusCode;

use super::crud::Page;
use super::{ask, rpc};
use crate::answer::{Answer, Gone, show, show_inner};
use crate::call::{Call, Id, IdAndKey};
use crate::extract::{Json, Query};
use crate::model::fleet::{Assignment, Dispatch, EmployeeChoice, Explanation, Offer, RoundPage};
use crate::openapi::{Resource, Route};

async fn get(call: Call, Id(ticket_id): Id) -> Answer<Dispatch> {
    show_inner(ask!(call, fleet.get_dispatch(proto::GetDispatchRequest { ticket_id })).dispatch)
}

async fn request(call: Call, Id(ticket_id): Id, Json(choice): Json<EmployeeChoice>) -> Answer<Offer> {
    let EmployeeChoice { employee_id } = choice;
    let message = proto::RequestEmployeeRequest { request_id: call.request_uuid(), ticket_id, employee_id };
    show_inner(ask!(call, fleet.request_employee(message)).offer)
}

async fn assign(call: Call, Id(ticket_id): Id, Json(choice): Json<EmployeeChoice>) -> Answer<Assignment> {
    let EmployeeChoice { employee_id } = choice;
    let message = proto::AssignEmployeeRequest { request_id: call.request_uuid(), ticket_id, employee_id };
    show_inner(ask!(call, fleet.assign_employee(message)).assignment)
}

async fn cancel(call: Call, Id(ticket_id): Id, Json(choice): Json<EmployeeChoice>) -> Answer<Dispatch> {
    let EmployeeChoice { employee_id } = choice;
    let message = proto::CancelEmployeeRequest { request_id: call.request_uuid(), ticket_id, employee_id };
    show_inner(ask!(call, fleet.cancel_employee(message)).dispatch)
}

async fn mark_seen(call: Call, Id(ticket_id): Id) -> Gone {
    ask!(call, fleet.mark_seen(proto::MarkSeenRequest { request_id: call.request_uuid(), ticket_id }));
    Ok(StatusCode::NO_CONTENT)
}

async fn rounds(
    call: Call,
    Id(ticket_id): Id,
    Query(Page { page_size, page_token }): Query<Page>,
) -> Answer<RoundPage> {
    show(ask!(call, fleet.list_rounds(proto::ListRoundsRequest { ticket_id, page_size, page_token })))
}

async fn explain(call: Call, IdAndKey(ticket_id, employee_id): IdAndKey) -> Answer<Explanation> {
    show(ask!(call, fleet.explain_employee(proto::ExplainEmployeeRequest { ticket_id, employee_id })))
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "dispatch",
        about: "Who works on a ticket: assigned, requested, available.",
        routes: vec![
            Route::get("/v1/tickets/{id}/dispatch", get)
                .rpc(rpc!("fleet.v1.FleetService", "GetDispatch"))
                .answers::<Dispatch>()
                .about("The three lists of a ticket. Employees (F-4)."),
            Route::post("/v1/tickets/{id}/dispatch:request", request)
                .rpc(rpc!("fleet.v1.FleetService", "RequestEmployee"))
                .body::<EmployeeChoice>()
                .answers::<Offer>()
                .about("Offers the ticket to an employee. Moderators and administrators (F-6)."),
            Route::post("/v1/tickets/{id}/dispatch:assign", assign)
                .rpc(rpc!("fleet.v1.FleetService", "AssignEmployee"))
                .body::<EmployeeChoice>()
                .answers::<Assignment>()
                .about("Assigns an employee. Moderators and administrators (F-6)."),
            Route::post("/v1/tickets/{id}/dispatch:cancelEmployee", cancel)
                .rpc(rpc!("fleet.v1.FleetService", "CancelEmployee"))
                .body::<EmployeeChoice>()
                .answers::<Dispatch>()
                .about(
                    "Takes offer and assignment away from an employee. Moderators and administrators (F-6).",
                ),
            Route::post("/v1/tickets/{id}/dispatch:markSeen", mark_seen)
                .rpc(rpc!("fleet.v1.FleetService", "MarkSeen"))
                .answers_nothing()
                .about("The caller opened the ticket's details (F-3)."),
            Route::get("/v1/tickets/{id}/dispatch/rounds", rounds)
                .rpc(rpc!("fleet.v1.FleetService", "ListRounds"))
                .query::<Page>()
                .answers::<RoundPage>()
                .about("The rounds of offers, newest first (F-10)."),
            Route::get("/v1/tickets/{id}/dispatch/employees/{employeeId}", explain)
                .rpc(rpc!("fleet.v1.FleetService", "ExplainEmployee"))
                .answers::<Explanation>()
                .about("\"Why not her?\" (F-10)"),
        ],
    }
}
