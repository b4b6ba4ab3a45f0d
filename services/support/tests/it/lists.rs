//! Lists (S-5).

use callboard_proto::support::v1 as support;
use callboard_proto::support::v1::publish_event_request::Event;
use callboard_proto::support::v1::{TicketOrder, TicketPriority, TicketStatus, TicketType};
use callboard_stage::{done, fields, request_id, signed};

use crate::desk::{Desk, domain, employee, purchase};

#[tokio::test]
async fn s_5_lists_filter_search_sort_and_page() {
    let desk = Desk::new().await;
    let mut all = Vec::new();
    for account in ["zeta", "alpha", "midway"] {
        all.push(desk.publish(purchase(account)).await);
    }
    all.push(desk.publish(Event::DomainSubmitted(domain("searched.example.com"))).await);
    let priority = support::SetTicketPriorityRequest {
        request_id: request_id(),
        ticket_id: all[1].id.clone(),
        priority: TicketPriority::High.into(),
        etag: String::new(),
    };
    done(desk.client().set_ticket_priority(signed(&desk.agent, priority)).await).expect("set");
    desk.set_status(&desk.colleague, &all[2].id, TicketStatus::Closed).await.expect("closed");
    let names = async |message: support::ListTicketsRequest| -> Vec<String> {
        let page = desk.list(&desk.agent, message.clone()).await;
        let page = page.unwrap_or_else(|report| panic!("{message:?}: {report:?}"));
        page.tickets.into_iter().map(|ticket| ticket.id).collect()
    };
    let request = support::ListTicketsRequest::default;
    let of = |indexes: &[usize]| -> Vec<String> { indexes.iter().map(|&at| all[at].id.clone()).collect() };
    assert_eq!(names(request()).await, of(&[3, 2, 1, 0]), "newest first");
    let orders = [
        (TicketOrder::CreatedAscending, of(&[0, 1, 2, 3])),
        (TicketOrder::UpdatedDescending, of(&[2, 1, 3, 0])),
        (TicketOrder::Priority, of(&[1, 3, 2, 0])),
        (TicketOrder::Status, of(&[3, 1, 0, 2])),
    ];
    for (order, expected) in orders {
        assert_eq!(names(support::ListTicketsRequest { order: order.into(), ..request() }).await, expected);
    }
    let by_account =
        names(support::ListTicketsRequest { order: TicketOrder::Account.into(), ..request() }).await;
    assert_eq!(by_account, of(&[3, 1, 2, 0]), "a-1, alpha, midway, zeta");
    let filters = [
        (
            support::ListTicketsRequest { types: vec![TicketType::Purchase.into()], ..request() },
            of(&[2, 1, 0]),
        ),
        (support::ListTicketsRequest { statuses: vec![TicketStatus::Closed.into()], ..request() }, of(&[2])),
        (
            support::ListTicketsRequest { priorities: vec![TicketPriority::High.into()], ..request() },
            of(&[1]),
        ),
        (support::ListTicketsRequest { unassigned: true, ..request() }, of(&[3, 0])),
        (support::ListTicketsRequest { mine: true, ..request() }, of(&[1])),
        (
            support::ListTicketsRequest {
                assignee_ids: vec![employee(&desk.colleague).to_string()],
                ..request()
            },
            of(&[2]),
        ),
        (support::ListTicketsRequest { account_ids: vec!["zeta".into()], ..request() }, of(&[0])),
        (support::ListTicketsRequest { plans: vec!["tin".into()], ..request() }, of(&[])),
        (support::ListTicketsRequest { text: "lamp -zeta".into(), ..request() }, of(&[2, 1])),
        (support::ListTicketsRequest { text: "searched.example.com".into(), ..request() }, of(&[])),
        (support::ListTicketsRequest { text: "pia@partner.example".into(), ..request() }, of(&[3, 2, 1, 0])),
    ];
    for (message, expected) in filters {
        // The registrable name is what is kept: the label before it finds nothing.
        assert_eq!(names(message.clone()).await, expected, "{message:?}");
    }
    for order in [TicketOrder::Unspecified, TicketOrder::Priority, TicketOrder::Status, TicketOrder::Title] {
        let whole = names(support::ListTicketsRequest { order: order.into(), ..request() }).await;
        let (mut paged, mut token) = (Vec::new(), String::new());
        loop {
            let message = support::ListTicketsRequest {
                order: order.into(),
                page_size: 1,
                page_token: token,
                ..request()
            };
            let page = desk.list(&desk.agent, message).await.expect("a page");
            paged.extend(page.tickets.into_iter().map(|ticket| ticket.id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(paged, whole, "{order:?}");
    }
    let wrong = support::ListTicketsRequest {
        types: vec![99],
        assignee_ids: vec!["x".into()],
        text: "x".repeat(201),
        order: 99,
        ..request()
    };
    assert_eq!(fields(desk.list(&desk.agent, wrong).await), ["types[0]", "assignee_ids[0]", "text", "order"]);
    desk.stage.stop().await;
}
