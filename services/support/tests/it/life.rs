//! Lives of tickets (S-1 to S-3).

use callboard_proto::partners::v1 as partners;
use callboard_proto::support::v1 as support;
use callboard_proto::support::v1::publish_event_request::Event;
use callboard_proto::support::v1::{TicketStatus, TicketType};
use callboard_stage::{done, id, refused, signed};
use callboard_testkit::{PATIENCE, eventually};

use crate::desk::{Desk, concern, employee, purchase};

#[tokio::test]
async fn s_1_every_event_opens_its_type_of_ticket_over_nats_and_grpc_once() {
    let desk = Desk::new().await;
    let service = partners::ServiceRequested {
        concern: concern("a-1"),
        kind: partners::ServiceKind::General.into(),
        title: "A lift is needed".into(),
        ..Default::default()
    };
    let permission = partners::PermissionRequested {
        concern: concern("a-1"),
        permission: "reports.read".into(),
        text: String::new(),
    };
    let account = partners::AccountCreated { concern: concern("a-1") };
    let bought = partners::PurchaseMade { concern: concern("a-1"), product: "Lamp".into(), quantity: 2 };
    let seat = partners::SeatAdded { concern: concern("a-1"), seats: 7 };
    let domain = crate::desk::domain("partner.example.com");
    let ids: Vec<_> = (0..6).map(|_| id()).collect();
    desk.tell(ids[0], &service).await;
    desk.tell(ids[1], &permission).await;
    desk.tell(ids[2], &account).await;
    desk.tell(ids[3], &bought).await;
    desk.tell(ids[4], &seat).await;
    desk.tell(ids[5], &domain).await;
    let tickets = eventually("six tickets", PATIENCE, || async {
        let page = desk.list(&desk.agent, support::ListTicketsRequest::default()).await.expect("a page");
        if page.tickets.len() >= 6 { Ok(page.tickets) } else { Err(page.tickets.len()) }
    })
    .await;
    // And once more by the call, which knows what came the other way.
    let events = [
        Event::ServiceRequested(service),
        Event::PermissionRequested(permission),
        Event::AccountCreated(account),
        Event::PurchaseMade(bought),
        Event::SeatAdded(seat),
        Event::DomainSubmitted(domain),
    ];
    let types = [
        TicketType::ServiceRequest,
        TicketType::PermissionRequest,
        TicketType::AccountCreated,
        TicketType::Purchase,
        TicketType::SeatAdded,
        TicketType::DomainApproval,
    ];
    for ((event_id, event), kind) in ids.into_iter().zip(events).zip(types) {
        let ticket = desk.publish_as(&desk.system, event_id, event).await.expect("known");
        assert_eq!((ticket.r#type(), ticket.request_count), (kind, 1));
        assert_eq!((ticket.status(), ticket.assignee_id.as_str()), (TicketStatus::New, ""));
        assert!(tickets.iter().any(|listed| listed.id == ticket.id));
    }
    let page = desk.list(&desk.agent, support::ListTicketsRequest::default()).await.expect("a page");
    assert_eq!(page.tickets.len(), 6);
    desk.stage.stop().await;
}

#[tokio::test]
async fn s_2_requester_and_staff_comment_on_care_coordination_and_notes_stay_with_staff() {
    let desk = Desk::new().await;
    let (ticket, requester) = desk.care().await;
    desk.note(&desk.agent, &ticket.id, "difficult").await.expect("noted");
    desk.comment(&desk.agent, &ticket.id, "Nora does").await.expect("commented");
    let mine = desk.comment(&requester, &ticket.id, "Thank you").await.expect("commented");
    assert_eq!((mine.number, mine.text.as_str()), (3, "Thank you"));
    let list =
        support::ListCommentsRequest { ticket_id: ticket.id.clone(), page_size: 1, ..Default::default() };
    let first = done(desk.client().list_comments(signed(&requester, list.clone())).await).expect("a page");
    let next = support::ListCommentsRequest { page_token: first.next_page_token.clone(), ..list };
    let second = done(desk.client().list_comments(signed(&requester, next)).await).expect("a page");
    let texts: Vec<_> =
        [first.comments, second.comments].concat().into_iter().map(|comment| comment.text).collect();
    assert_eq!((texts, second.next_page_token.as_str()), (vec!["Nora does".into(), "Thank you".into()], ""));
    let seen = desk.get(&requester, &ticket.id).await.expect("the own request");
    assert_eq!((seen.note_count, seen.comment_count), (0, 2));
    let notes = support::ListNotesRequest { ticket_id: ticket.id.clone(), ..Default::default() };
    let hidden = desk.client().list_notes(signed(&requester, notes.clone())).await;
    assert_eq!(refused(done(hidden)), "PERMISSION_DENIED");
    let notes = done(desk.client().list_notes(signed(&desk.agent, notes)).await).expect("notes");
    assert_eq!(notes.notes.len(), 1);
    // The requester of anything else is nobody here.
    let bought = desk.publish(purchase("a-1")).await;
    assert_eq!(refused(desk.comment(&requester, &bought.id, "mine?").await), "NOT_FOUND");
    // Texts of remarks are in no event.
    desk.stage.told(ticket.id.parse().expect("an id"), "ticket.commented").await;
    let told: i64 = sqlx::query_scalar(
        "select count(*) from outbox where position(convert_to($1, 'UTF8') in payload) > 0",
    )
    .bind("Nora does")
    .fetch_one(desk.stage.pool())
    .await
    .expect("a count");
    assert_eq!(told, 0);
    desk.stage.stop().await;
}

#[tokio::test]
async fn s_3_editing_assigns_oneself_and_being_assigned_by_another_mails_at_once() {
    let desk = Desk::new().await;
    let ticket = desk.publish(purchase("a-1")).await;
    let key = ticket.id.parse().expect("an id");
    let taken = desk.set_status(&desk.agent, &ticket.id, TicketStatus::Open).await.expect("opened");
    assert_eq!(taken.assignee_id, employee(&desk.agent).to_string());
    desk.assign(&desk.agent, &ticket.id, &desk.colleague).await.expect("assigned");
    // The one who was assigned takes nothing away by editing, nor does whoever assigned.
    let after = desk.set_status(&desk.agent, &ticket.id, TicketStatus::Pending).await.expect("changed");
    assert_eq!(after.assignee_id, employee(&desk.colleague).to_string());
    let told = desk.stage.until_told(key, "both assignments", |names| names.len() >= 5).await;
    assert_eq!(
        told,
        [
            "ticket.opened",
            "ticket.status_changed",
            "ticket.assigned",
            "ticket.assigned",
            "ticket.status_changed"
        ]
    );
    let assigned: Vec<support::TicketAssigned> = desk.stage.messages(key).await;
    let mails: Vec<_> = assigned.iter().map(|message| message.mail_at_once).collect();
    assert_eq!(mails, [false, true]);
    assert_eq!(assigned[1].previous_assignee_id, employee(&desk.agent).to_string());
    let stranger = desk.people.member();
    assert_eq!(refused(desk.assign(&desk.agent, &ticket.id, &stranger).await), "ASSIGNEE_NO_AGENT");
    desk.stage.stop().await;
}

#[tokio::test]
async fn s_3_who_loses_the_support_role_loses_the_desk_and_its_tickets() {
    let desk = Desk::new().await;
    let ticket = desk.publish(purchase("a-1")).await;
    desk.set_status(&desk.agent, &ticket.id, TicketStatus::Open).await.expect("opened");
    desk.tell_employee(employee(&desk.agent), 2, false).await;
    eventually("nobody is assigned", PATIENCE, || async {
        let found = desk.get(&desk.colleague, &ticket.id).await.expect("a ticket");
        if found.assignee_id.is_empty() { Ok(()) } else { Err(found.assignee_id) }
    })
    .await;
    assert_eq!(refused(desk.get(&desk.agent, &ticket.id).await), "NOT_FOUND");
    // A late event about the past changes nothing.
    desk.tell_employee(employee(&desk.agent), 1, true).await;
    desk.tell_employee(employee(&desk.colleague), 2, true).await;
    assert_eq!(refused(desk.get(&desk.agent, &ticket.id).await), "NOT_FOUND");
    desk.stage.stop().await;
}

#[tokio::test]
async fn statuses_follow_their_rules_and_etags_guard() {
    let desk = Desk::new().await;
    let ticket = desk.publish(purchase("a-1")).await;
    let solved = desk.set_status(&desk.agent, &ticket.id, TicketStatus::Solved).await;
    assert_eq!(refused(solved), "STATUS_TRANSITION");
    let message = support::SetTicketStatusRequest {
        request_id: callboard_stage::request_id(),
        ticket_id: ticket.id.clone(),
        status: TicketStatus::Closed.into(),
        etag: "\"9\"".into(),
    };
    let stale = desk.client().set_ticket_status(signed(&desk.agent, message.clone())).await;
    assert_eq!(refused(done(stale)), "ETAG_MISMATCH");
    let message = support::SetTicketStatusRequest { etag: ticket.etag, ..message };
    let closed = desk.client().set_ticket_status(signed(&desk.agent, message.clone())).await;
    let closed = done(closed).expect("closed");
    // AIP-155: the same request again gets the same answer.
    let again = desk.client().set_ticket_status(signed(&desk.agent, message)).await;
    assert_eq!(done(again).expect("the same answer"), closed);
    let new = desk.set_status(&desk.agent, &ticket.id, TicketStatus::New).await;
    assert_eq!(refused(new), "STATUS_TRANSITION");
    desk.stage.stop().await;
}
