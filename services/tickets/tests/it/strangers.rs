//! Every RPC as a stranger of another organisation, and without a token.

use callboard_proto::tickets::v1 as proto;
use callboard_service::error::report;
use tonic::{Code, Request, Status};

use crate::flows::{put_flow, repair};
use crate::support::*;

/// Calls every RPC with what names this ticket and flow, with or without a token; answers RPC and outcome.
async fn every_rpc(
    caller: &Caller,
    token: bool,
    tenant: &Tenant,
    ticket: &str,
    flow: &proto::Flow,
) -> Vec<(&'static str, Result<String, Status>)> {
    let (mut tickets, mut flows) = (caller.tickets(), caller.flows());
    let mut outcomes = Vec::new();
    macro_rules! call {
        ($client:ident.$rpc:ident($message:expr)) => {
            let request = if token { caller.request($message) } else { Request::new($message) };
            let outcome = $client.$rpc(request).await.map(|answer| format!("{:?}", answer.into_inner()));
            outcomes.push((stringify!($rpc), outcome));
        };
    }
    let request_id = || id().to_string();
    let ticket_id = || ticket.to_owned();
    let template_id = || tenant.template.to_string();
    let etag = String::new;
    call!(tickets.create_ticket(tenant.plain("x", true)));
    call!(tickets.answer_step(proto::AnswerStepRequest {
        request_id: request_id(),
        ticket_id: ticket_id(),
        answer: Some(proto::Answer::default()),
        etag: etag(),
    }));
    call!(tickets.submit_ticket(proto::SubmitTicketRequest {
        request_id: request_id(),
        ticket_id: ticket_id(),
        ..Default::default()
    }));
    call!(tickets.get_ticket(proto::GetTicketRequest { ticket_id: ticket_id() }));
    call!(tickets.list_tickets(proto::ListTicketsRequest::default()));
    call!(tickets.update_ticket(proto::UpdateTicketRequest {
        request_id: request_id(),
        ticket: Some(proto::Ticket { id: ticket_id(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["description".into()] }),
    }));
    call!(tickets.set_ticket_status(proto::SetTicketStatusRequest {
        request_id: request_id(),
        ticket_id: ticket_id(),
        status: proto::TicketStatus::Done.into(),
        etag: etag(),
    }));
    call!(tickets.reopen_ticket(proto::ReopenTicketRequest {
        request_id: request_id(),
        ticket_id: ticket_id(),
        etag: etag(),
    }));
    call!(tickets.cancel_ticket(proto::CancelTicketRequest {
        request_id: request_id(),
        ticket_id: ticket_id(),
        etag: etag(),
    }));
    call!(tickets.delete_ticket(proto::DeleteTicketRequest {
        request_id: request_id(),
        ticket_id: ticket_id(),
        etag: etag(),
    }));
    call!(tickets.post_update(proto::PostUpdateRequest {
        request_id: request_id(),
        ticket_id: ticket_id(),
        text: "x".into(),
        ..Default::default()
    }));
    call!(tickets.list_updates(proto::ListUpdatesRequest { ticket_id: ticket_id(), ..Default::default() }));
    call!(
        tickets.get_service_record(proto::GetServiceRecordRequest {
            ticket_id: ticket_id(),
            ..Default::default()
        })
    );
    call!(tickets.list_timeline(proto::ListTimelineRequest { ticket_id: ticket_id(), ..Default::default() }));
    call!(tickets.get_ticket_moves(proto::GetTicketMovesRequest { ticket_id: ticket_id() }));
    call!(tickets.get_ticket_screen(proto::GetTicketScreenRequest { ticket_id: ticket_id(), page_size: 0 }));
    call!(tickets.check_visibility(proto::CheckVisibilityRequest { ticket_ids: vec![ticket_id()] }));
    call!(flows.list_flows(proto::ListFlowsRequest { template_id: template_id(), include_inactive: false }));
    call!(flows.get_flow(proto::GetFlowRequest { template_id: template_id(), flow_id: flow.id.clone() }));
    call!(flows.put_flow(proto::PutFlowRequest { request_id: request_id(), flow: Some(flow.clone()) }));
    call!(flows.delete_flow(proto::DeleteFlowRequest {
        request_id: request_id(),
        template_id: template_id(),
        flow_id: flow.id.clone(),
        etag: etag(),
    }));
    outcomes
}

#[test]
fn a_stranger_of_another_organisation_finds_nothing() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let flow = put_flow(&tenant, &repair(&tenant)).await;
        let ticket = tenant.open("It leaks").await;
        let before = tenant.moderator().get(&ticket.id).await.unwrap();
        let other = Tenant::new(world).await;
        let customer = other.customer_user(tenant.customer);
        for stranger in [
            other.employee(callboard_kernel::Role::Administrator),
            other.code_user_at(tenant.device),
            customer,
        ] {
            for (rpc, outcome) in every_rpc(&stranger, true, &tenant, &ticket.id, &flow).await {
                match (rpc, outcome) {
                    ("list_tickets" | "check_visibility", Ok(answer)) => {
                        assert!(!answer.contains(&ticket.id), "{rpc}: {answer}");
                    }
                    (_, Err(status)) => assert_eq!(report(&status).reason, "NOT_FOUND", "{rpc}"),
                    (_, Ok(answer)) => panic!("{rpc} answered {answer}"),
                }
            }
        }
        assert_eq!(tenant.moderator().get(&ticket.id).await.unwrap(), before);
    });
}

#[test]
fn without_a_token_nothing_is_answered() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let flow = repair(&tenant);
        let outcomes = every_rpc(&tenant.moderator(), false, &tenant, &id().to_string(), &flow).await;
        assert_eq!(outcomes.len(), 21, "a new RPC needs its line here");
        for (rpc, outcome) in outcomes {
            assert_eq!(outcome.unwrap_err().code(), Code::Unauthenticated, "{rpc}");
        }
    });
}

#[test]
fn moves_and_visibility_are_told_to_those_who_see() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let ticket = tenant.open("It leaks").await;
        let moves = |caller: Caller| {
            let message = proto::GetTicketMovesRequest { ticket_id: ticket.id.clone() };
            async move { done(caller.tickets().get_ticket_moves(caller.request(message)).await).unwrap() }
        };
        let (code_user, member, moderator) =
            (moves(tenant.code_user()).await, moves(tenant.member()).await, moves(tenant.moderator()).await);
        assert_eq!(code_user.statuses, [i32::from(proto::TicketStatus::Cancelled)]);
        assert!(code_user.may_cancel && code_user.may_post_public_update && !code_user.may_edit);
        assert_eq!(member, proto::GetTicketMovesResponse::default());
        assert!(moderator.may_delete && moderator.may_edit && moderator.statuses.len() == 5);
        let check = proto::CheckVisibilityRequest { ticket_ids: vec![ticket.id.clone(), id().to_string()] };
        let caller = tenant.member();
        let seen = done(caller.tickets().check_visibility(caller.request(check)).await).unwrap();
        assert_eq!(seen.visible_ticket_ids, std::slice::from_ref(&ticket.id));
        let many = proto::CheckVisibilityRequest { ticket_ids: vec![id().to_string(); 501] };
        assert_eq!(
            fields(done(caller.tickets().check_visibility(caller.request(many)).await)),
            ["ticket_ids"]
        );
    });
}
