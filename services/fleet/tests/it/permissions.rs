//! Who may do what: every RPC as a member, an outsider, a stranger and nobody.

use callboard_kernel::{Principal, Role};
use callboard_proto::fleet::v1 as fleet;
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::house::{House, offer_of};
use callboard_stage::{id, signed};

/// The outcomes of every RPC, in the order of the protos; `Ok` where it was carried out.
async fn codes(
    house: &House,
    who: Option<&Principal>,
    ticket: &str,
    offer: &str,
    employee: &str,
) -> Vec<(&'static str, Code)> {
    fn code<T>(outcome: Result<T, Status>) -> Code {
        outcome.map_or_else(|status| status.code(), |_| Code::Ok)
    }
    macro_rules! call {
        ($client:expr, $method:ident, $message:expr) => {{
            let request = match who {
                Some(who) => signed(who, $message),
                None => Request::new($message),
            };
            (stringify!($method), code($client.$method(request).await))
        }};
    }
    let (ticket_id, offer_id, employee_id) = (ticket.to_owned(), offer.to_owned(), employee.to_owned());
    let template_id = house.template.to_string();
    let request_id = || id().to_string();
    let mut fleet = house.fleet();
    let mut groups = house.group_service();
    vec![
        call!(fleet, get_dispatch, fleet::GetDispatchRequest { ticket_id: ticket_id.clone() }),
        call!(fleet, get_offer, fleet::GetOfferRequest { offer_id: offer_id.clone() }),
        call!(
            fleet,
            list_offers,
            fleet::ListOffersRequest { ticket_id: ticket_id.clone(), ..Default::default() }
        ),
        call!(
            fleet,
            accept_offer,
            fleet::AcceptOfferRequest { request_id: request_id(), offer_id: offer_id.clone() }
        ),
        call!(
            fleet,
            decline_offer,
            fleet::DeclineOfferRequest { request_id: request_id(), offer_id, reason: String::new() }
        ),
        call!(
            fleet,
            mark_seen,
            fleet::MarkSeenRequest { request_id: request_id(), ticket_id: ticket_id.clone() }
        ),
        call!(
            fleet,
            request_employee,
            fleet::RequestEmployeeRequest {
                request_id: request_id(),
                ticket_id: ticket_id.clone(),
                employee_id: employee_id.clone()
            }
        ),
        call!(
            fleet,
            assign_employee,
            fleet::AssignEmployeeRequest {
                request_id: request_id(),
                ticket_id: ticket_id.clone(),
                employee_id: employee_id.clone()
            }
        ),
        call!(
            fleet,
            cancel_employee,
            fleet::CancelEmployeeRequest {
                request_id: request_id(),
                ticket_id: ticket_id.clone(),
                employee_id: employee_id.clone()
            }
        ),
        call!(
            fleet,
            list_rounds,
            fleet::ListRoundsRequest { ticket_id: ticket_id.clone(), ..Default::default() }
        ),
        call!(fleet, explain_employee, fleet::ExplainEmployeeRequest { ticket_id, employee_id }),
        call!(groups, list_groups, fleet::ListGroupsRequest { template_id: template_id.clone() }),
        call!(
            groups,
            put_group,
            fleet::PutGroupRequest { request_id: request_id(), group: Some(house.group(&[])) }
        ),
        call!(
            groups,
            copy_groups,
            fleet::CopyGroupsRequest {
                request_id: request_id(),
                from_template_id: template_id.clone(),
                to_template_id: template_id
            }
        ),
    ]
}

fn every(codes: &[(&'static str, Code)], wanted: Code) {
    for (method, code) in codes {
        assert_eq!(*code, wanted, "{method}");
    }
}

#[tokio::test]
async fn everyone_gets_what_the_table_of_actors_says() {
    let house = House::new().await;
    let people = house.hire_many(2).await;
    house.knows(2).await;
    house.put_group(house.group(&people)).await;
    let ticket = house.ticket();
    let dispatch = house.open(&ticket).await;
    let offer = offer_of(&dispatch, &people[0]).id.clone();
    let employee = people[0].to_string();
    let ask = async |who: Option<&Principal>| codes(&house, who, &ticket.ticket_id, &offer, &employee).await;

    every(&ask(None).await, Code::Unauthenticated);
    // Another organisation: nothing of this one exists.
    let foreign = Uuid::from_u128(0xF0E);
    let stranger = Principal {
        organisation: foreign.into(),
        ..house.people.employee(people[0], Role::Administrator, &[])
    };
    every(&ask(Some(&stranger)).await, Code::NotFound);
    // A code user who sees the ticket is told that fleet is not for outsiders; one who does not, that there is none.
    let insider = house.people.code_user(ticket.device_id.parse().expect("an id"));
    every(&ask(Some(&insider)).await, Code::PermissionDenied);
    for (method, code) in ask(Some(&house.people.code_user(id()))).await {
        let groups = matches!(method, "list_groups" | "put_group" | "copy_groups");
        assert_eq!(code, if groups { Code::PermissionDenied } else { Code::NotFound }, "{method}");
    }
    // A colleague sees everything, answers no offer but the own, and steers nothing.
    for (method, code) in ask(Some(&house.member(people[1]))).await {
        let wanted = match method {
            "get_dispatch" | "get_offer" | "list_offers" | "mark_seen" | "list_rounds"
            | "explain_employee" => Code::Ok,
            _ => Code::PermissionDenied,
        };
        assert_eq!(code, wanted, "{method}");
    }
    // The employee asked: accepts; after that declining is over.
    for (method, code) in ask(Some(&house.member(people[0]))).await {
        let wanted = match method {
            "decline_offer" => Code::FailedPrecondition,
            "get_dispatch" | "get_offer" | "list_offers" | "accept_offer" | "mark_seen" | "list_rounds"
            | "explain_employee" => Code::Ok,
            _ => Code::PermissionDenied,
        };
        assert_eq!(code, wanted, "{method}");
    }
    house.stage.stop().await;
}

#[tokio::test]
async fn own_offers_are_listed_page_by_page() {
    let house = House::new().await;
    let people = house.hire_many(1).await;
    house.knows(1).await;
    house.put_group(house.group(&people)).await;
    for _ in 0..3 {
        house.open(&house.ticket()).await;
    }
    let me = house.member(people[0]);
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = fleet::ListOffersRequest {
            statuses: vec![fleet::OfferStatus::Unseen.into()],
            page_size: 2,
            page_token: page_token.clone(),
            ..Default::default()
        };
        let page = house.fleet().list_offers(signed(&me, request)).await.expect("a page").into_inner();
        found.extend(page.offers.into_iter().map(|offer| offer.ticket_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        // A token belongs to its query.
        let other = fleet::ListOffersRequest { page_token: page_token.clone(), ..Default::default() };
        let refused = house.fleet().list_offers(signed(&me, other)).await.expect_err("another query");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    assert_eq!(found.len(), 3);
    found.dedup();
    assert_eq!(found.len(), 3);
    house.stage.stop().await;
}
