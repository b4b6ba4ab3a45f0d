//! Drafts: one answer at a time, on the server (T-2 to T-4).

use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::answer::Value;
use callboard_proto::tickets::v1::{TicketStatus, Visibility};
use callboard_service::error::Report;

use crate::flows::{answer, put_flow, repair};
use crate::support::*;

async fn answer_step(
    caller: &Caller,
    ticket: &str,
    step: &str,
    value: Option<Value>,
) -> Result<proto::AnswerStepResponse, Report> {
    let message = proto::AnswerStepRequest {
        request_id: id().to_string(),
        ticket_id: ticket.into(),
        answer: Some(proto::Answer { step: step.into(), value }),
        etag: String::new(),
    };
    done(caller.tickets().answer_step(caller.request(message)).await)
}

async fn submit(caller: &Caller, ticket: &str) -> Result<proto::Ticket, Report> {
    let message = proto::SubmitTicketRequest {
        request_id: id().to_string(),
        ticket_id: ticket.into(),
        ..Default::default()
    };
    done(caller.tickets().submit_ticket(caller.request(message)).await).map(|answer| answer.ticket.unwrap())
}

#[test]
fn t_2_a_draft_is_left_and_continued_and_seen_by_its_author_and_moderators() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (author, moderator) = (tenant.code_user(), tenant.moderator());
        let flow = put_flow(&tenant, &repair(&tenant)).await;
        let draft = proto::CreateTicketRequest {
            request_id: id().to_string(),
            flow_id: flow.id.clone(),
            ..Default::default()
        };
        let draft = author.create(draft).await.unwrap();
        assert_eq!((draft.status(), draft.number), (TicketStatus::Draft, 0));
        assert_eq!(draft.device_id, tenant.device.to_string(), "the own device");

        for stranger in [tenant.code_user(), tenant.member(), tenant.customer_user(tenant.customer)] {
            assert_eq!(refused(stranger.get(&draft.id).await), "NOT_FOUND");
            assert_eq!(refused(submit(&stranger, &draft.id).await), "NOT_FOUND");
            let filter =
                proto::TicketFilter { statuses: vec![TicketStatus::Draft.into()], ..Default::default() };
            let list = proto::ListTicketsRequest { filter: Some(filter), ..Default::default() };
            assert!(stranger.list(list).await.unwrap().tickets.is_empty());
        }
        assert!(moderator.get(&draft.id).await.is_ok());
        assert_eq!(refused(submit(&moderator, &draft.id).await), "PERMISSION_DENIED");

        assert_eq!(refused(submit(&author, &draft.id).await), "STEPS_MISSING");
        let wrong = answer_step(&author, &draft.id, "colour", Some(Value::Choice("green".into()))).await;
        assert_eq!(fields(wrong), ["answer.choice"]);
        let wrong = answer_step(&author, &draft.id, "when", Some(Value::Date("21.11.2026".into()))).await;
        assert_eq!(fields(wrong), ["answer.date"]);
        let answered =
            answer_step(&author, &draft.id, "what", Some(Value::Text("It leaks".into()))).await.unwrap();
        assert_eq!(answered.missing_steps, ["colour"]);
        // The flow goes; the draft goes on with the one it began with.
        let delete = proto::DeleteFlowRequest {
            request_id: id().to_string(),
            template_id: tenant.template.to_string(),
            flow_id: flow.id.clone(),
            etag: String::new(),
        };
        done(moderator.flows().delete_flow(moderator.request(delete)).await).unwrap();
        let read = author.get(&draft.id).await.unwrap();
        let own = read.draft_flow.expect("what it is answered by");
        assert_eq!((own.id, own.steps, own.etag.as_str()), (flow.id.clone(), flow.steps.clone(), ""));
        answer_step(&author, &draft.id, "colour", Some(Value::Choice("red".into()))).await.unwrap();
        let open = submit(&author, &draft.id).await.unwrap();
        assert_eq!((open.status(), open.title.as_str()), (TicketStatus::Open, "It leaks"));
        assert_eq!(open.flow_id, flow.id);
        assert_eq!(author.get(&draft.id).await.unwrap().draft_flow, None);
        assert_eq!(refused(submit(&author, &draft.id).await), "TICKET_NOT_DRAFT");
        // Nobody heard of the draft.
        world.expect_events(&draft.id, &["ticket.opened"]).await;
    });
}

#[test]
fn t_4_one_call_brings_all_answers_and_a_repeat_answers_the_same() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let caller = tenant.member();
        let flow = put_flow(&tenant, &repair(&tenant)).await;
        let message = proto::CreateTicketRequest {
            request_id: id().to_string(),
            device_id: tenant.device.to_string(),
            flow_id: flow.id.clone(),
            answers: vec![
                answer("what", Value::Text("It leaks".into())),
                answer("colour", Value::Choice("red".into())),
            ],
            open: true,
            ..Default::default()
        };
        let ticket = caller.create(message.clone()).await.unwrap();
        assert_eq!(ticket.visibility(), Visibility::Internal, "T-3");
        assert_eq!(caller.create(message.clone()).await.unwrap(), ticket);
        let other = proto::CreateTicketRequest { description: "other".into(), ..message.clone() };
        assert_eq!(refused(caller.create(other).await), "REQUEST_ID_REUSED");
        let missing = proto::CreateTicketRequest {
            request_id: id().to_string(),
            answers: vec![answer("colour", Value::Number(f64::NAN))],
            ..message
        };
        assert_eq!(fields(caller.create(missing).await), ["answers[0].number"]);
    });
}

#[test]
fn drafts_are_deleted_by_their_author_and_vanish_without_an_event() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let author = tenant.member();
        let draft = author.create(tenant.plain("", false)).await.unwrap();
        assert_eq!(refused(tenant.member().delete(id(), &draft.id).await), "NOT_FOUND");
        author.delete(id(), &draft.id).await.unwrap();
        assert_eq!(refused(author.get(&draft.id).await), "NOT_FOUND");
        // A ticket opened after it is published; nothing of the draft was.
        let open = author.create(tenant.plain("It leaks", true)).await.unwrap();
        world.expect_events(&open.id, &["ticket.opened"]).await;
        assert!(world.events(&draft.id).await.is_empty());
    });
}

#[test]
fn devices_that_one_does_not_see_are_not_found() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let other = Tenant::new(world).await;
        let on = |device: uuid::Uuid| proto::CreateTicketRequest {
            device_id: device.to_string(),
            ..tenant.plain("It leaks", true)
        };
        let elsewhere = tenant.code_user_at(id());
        for (caller, device) in [
            (tenant.moderator(), other.device),
            (tenant.moderator(), id()),
            (elsewhere, tenant.device),
            (tenant.customer_user(id()), tenant.device),
        ] {
            assert_eq!(refused(caller.create(on(device)).await), "NOT_FOUND");
        }
        let (customer_user, message) = (tenant.customer_user(tenant.customer), on(tenant.device));
        let ticket = customer_user.create(message.clone()).await.unwrap();
        let removed = callboard_proto::directory::v1::DeviceRemoved {
            device: Some(callboard_proto::directory::v1::DeviceFacts {
                device_id: tenant.device.to_string(),
                template_id: tenant.template.to_string(),
                ..Default::default()
            }),
        };
        world.publish(tenant.organisation, tenant.device, 9, &removed).await;
        tenant.known("device", tenant.device, 9).await;
        assert_eq!(refused(tenant.moderator().create(on(tenant.device)).await), "NOT_FOUND");
        // A repeat answers what the first call answered (AIP-155).
        assert_eq!(customer_user.create(message.clone()).await.unwrap(), ticket);
        // T-11: what was answered went with the ticket.
        tenant.moderator().delete(id(), &ticket.id).await.unwrap();
        assert_eq!(refused(customer_user.create(message).await), "NOT_FOUND");
    });
}

#[test]
fn t_1_a_draft_on_a_removed_device_is_not_submitted() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let author = tenant.member();
        let draft = author.create(tenant.plain("It leaks", false)).await.unwrap();
        let done_before = author.create(tenant.plain("It leaks", false)).await.unwrap();
        let message = proto::SubmitTicketRequest {
            request_id: id().to_string(),
            ticket_id: done_before.id,
            ..Default::default()
        };
        let submit_it = async || {
            done(author.tickets().submit_ticket(author.request(message.clone())).await)
                .map(|answer| answer.ticket)
        };
        let open = submit_it().await.unwrap();
        let facts = callboard_proto::directory::v1::DeviceFacts {
            device_id: tenant.device.to_string(),
            template_id: tenant.template.to_string(),
            ..Default::default()
        };
        let removed = callboard_proto::directory::v1::DeviceRemoved { device: Some(facts) };
        world.publish(tenant.organisation, tenant.device, 9, &removed).await;
        tenant.known("device", tenant.device, 9).await;
        let report = submit(&author, &draft.id).await.unwrap_err();
        assert_eq!(report.kind, callboard_kernel::ErrorKind::FailedPrecondition);
        assert_eq!(report.reason, "DEVICE_REMOVED");
        assert_eq!(author.get(&draft.id).await.unwrap().status(), TicketStatus::Draft);
        assert_eq!(submit_it().await.unwrap(), open, "AIP-155: a repeat");
        author.delete(id(), &draft.id).await.unwrap();
    });
}

#[test]
fn how_to_reach_a_person_is_for_employees_and_that_person() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (author, next) = (tenant.code_user(), tenant.code_user());
        let mut flow = repair(&tenant);
        flow.steps.push(proto::Step {
            key: "contact".into(),
            kind: proto::StepKind::Contact.into(),
            label: flow.label.clone(),
            ..Default::default()
        });
        let flow = put_flow(&tenant, &flow).await;
        let draft = proto::CreateTicketRequest {
            request_id: id().to_string(),
            flow_id: flow.id.clone(),
            ..Default::default()
        };
        let draft = author.create(draft).await.unwrap();
        let contact = proto::Contact { phone: "+49 30 1234".into(), ..Default::default() };
        let mut missing =
            answer_step(&author, &draft.id, "contact", Some(Value::Contact(contact))).await.unwrap();
        for step in std::mem::take(&mut missing.missing_steps) {
            let given = flow.steps.iter().find(|of| of.key == step).map(answer_to).unwrap();
            answer_step(&author, &draft.id, &step, Some(given)).await.unwrap();
        }
        submit(&author, &draft.id).await.unwrap();
        let reads = |ticket: &proto::Ticket| ticket.answers.iter().any(|answer| answer.step == "contact");
        for (caller, sees) in [(&author, true), (&next, false), (&tenant.member(), true)] {
            assert_eq!(reads(&caller.get(&draft.id).await.unwrap()), sees);
            let list = caller.list(proto::ListTicketsRequest::default()).await.unwrap();
            assert_eq!(list.tickets.iter().any(reads), sees);
        }
    });
}

/// Any answer that a step takes.
fn answer_to(step: &proto::Step) -> Value {
    match step.kind() {
        proto::StepKind::SingleChoice => Value::Choice(step.choices[0].key.clone()),
        proto::StepKind::YesNo => Value::Yes(true),
        proto::StepKind::Number => Value::Number(1.0),
        _ => Value::Text("something".into()),
    }
}
