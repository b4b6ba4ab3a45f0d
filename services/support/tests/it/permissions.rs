//! Who may do what.

use callboard_kernel::Principal;
use callboard_proto::support::v1 as support;
use callboard_proto::support::v1::{DomainDecision, TicketPriority, TicketStatus};
use callboard_stage::{Organisation, id, request_id, signed};
use tonic::Code;

use crate::desk::{Desk, purchase};

/// What every method about one ticket answers to somebody.
async fn ask(desk: &Desk, who: &Principal, ticket: &str) -> Vec<(&'static str, Code)> {
    let mut answers = Vec::new();
    macro_rules! call {
        ($method:ident, $message:expr) => {
            let code = match desk.client().$method(signed(who, $message)).await {
                Ok(_) => Code::Ok,
                Err(status) => status.code(),
            };
            answers.push((stringify!($method), code));
        };
    }
    let ticket_id = || ticket.to_owned();
    call!(get_ticket, support::GetTicketRequest { ticket_id: ticket_id() });
    call!(list_comments, support::ListCommentsRequest { ticket_id: ticket_id(), ..Default::default() });
    call!(
        add_comment,
        support::AddCommentRequest { request_id: request_id(), ticket_id: ticket_id(), text: "x".into() }
    );
    call!(list_notes, support::ListNotesRequest { ticket_id: ticket_id(), ..Default::default() });
    call!(
        add_note,
        support::AddNoteRequest { request_id: request_id(), ticket_id: ticket_id(), text: "x".into() }
    );
    call!(
        set_ticket_status,
        support::SetTicketStatusRequest {
            request_id: request_id(),
            ticket_id: ticket_id(),
            status: TicketStatus::Open.into(),
            etag: String::new()
        }
    );
    call!(
        set_ticket_priority,
        support::SetTicketPriorityRequest {
            request_id: request_id(),
            ticket_id: ticket_id(),
            priority: TicketPriority::Low.into(),
            etag: String::new()
        }
    );
    call!(
        assign_ticket,
        support::AssignTicketRequest {
            request_id: request_id(),
            ticket_id: ticket_id(),
            ..Default::default()
        }
    );
    call!(
        decide_domain,
        support::DecideDomainRequest {
            request_id: request_id(),
            ticket_id: ticket_id(),
            decision: DomainDecision::Approved.into(),
            etag: String::new()
        }
    );
    answers
}

#[tokio::test]
async fn the_desk_is_for_agents_care_coordination_also_for_its_requester_and_nobody_else_sees_a_ticket() {
    let desk = Desk::new().await;
    let (ticket, requester) = desk.care().await;
    let foreign = Principal { organisation: Organisation::new().id.into(), ..desk.agent.clone() };
    let strangers = [
        foreign,
        desk.people.administrator(),
        desk.people.moderator(),
        desk.people.member(),
        desk.people.code_user(id()),
        desk.people.customer_user(id()),
    ];
    for stranger in &strangers {
        for (method, code) in ask(&desk, stranger, &ticket.id).await {
            assert_eq!(code, Code::NotFound, "{method} {stranger:?}");
        }
        let list = desk.list(stranger, support::ListTicketsRequest::default()).await;
        assert_eq!(list.expect_err("refused").reason, "PERMISSION_DENIED");
    }
    for (method, code) in ask(&desk, &requester, &ticket.id).await {
        let expected = match method {
            "get_ticket" | "list_comments" | "add_comment" => Code::Ok,
            _ => Code::PermissionDenied,
        };
        assert_eq!(code, expected, "{method}");
    }
    for (method, code) in ask(&desk, &desk.agent, &ticket.id).await {
        let expected = if method == "decide_domain" { Code::FailedPrecondition } else { Code::Ok };
        assert_eq!(code, expected, "{method}");
    }
    desk.stage.stop().await;
}

#[tokio::test]
async fn events_are_published_by_administrators_and_domains_listed_by_them_and_agents() {
    let desk = Desk::new().await;
    let (agent, moderator) = (desk.agent.clone(), desk.people.moderator());
    for who in [&agent, &moderator, &desk.people.code_user(id()), &desk.people.customer_user(id())] {
        let refused = desk.publish_as(who, id(), purchase("a-1")).await.expect_err("refused");
        assert_eq!(refused.reason, "PERMISSION_DENIED");
    }
    let list = |who: &Principal| signed(who, support::ListDomainsRequest::default());
    assert!(desk.client().list_domains(list(&agent)).await.is_ok());
    assert!(desk.client().list_domains(list(&desk.system)).await.is_ok());
    let refused = desk.client().list_domains(list(&moderator)).await.expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
    desk.stage.stop().await;
}
