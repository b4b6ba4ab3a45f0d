//! Domain approval (S-4).

use callboard_proto::common::v1::ActorKind;
use callboard_proto::support::v1 as support;
use callboard_proto::support::v1::publish_event_request::Event;
use callboard_proto::support::v1::{DomainDecision, TicketStatus};
use callboard_stage::{done, fields, id, signed};
use futures::future::join_all;

use crate::desk::{Desk, domain, employee};

#[tokio::test]
async fn s_4_asked_for_twice_while_pending_is_settled_once_and_listed_is_approved_by_itself() {
    let desk = Desk::new().await;
    let first = desk.publish(Event::DomainSubmitted(domain("WWW.Example.co.uk"))).await;
    assert_eq!((first.domain.as_str(), first.decision()), ("example.co.uk", DomainDecision::Unspecified));
    let second = desk.publish(Event::DomainSubmitted(domain("https://shop.example.co.uk/x"))).await;
    assert_eq!((&second.id, second.request_count), (&first.id, 2));
    let decided = desk.decide(&desk.agent, &first.id, DomainDecision::Cleared).await.expect("decided");
    assert_eq!(decided.decided_by.as_ref().expect("somebody").id, employee(&desk.agent).to_string());
    assert_eq!((decided.status(), decided.decide_time.is_some()), (TicketStatus::Solved, true));
    let key = first.id.parse().expect("an id");
    desk.stage.told(key, "domain.decided").await;
    let told: Vec<support::DomainDecided> = desk.stage.messages(key).await;
    assert_eq!((told.len(), told[0].event_ids.len()), (1, 2), "one decision for both");
    let third = desk.publish(Event::DomainSubmitted(domain("example.CO.UK"))).await;
    assert_ne!(third.id, first.id);
    assert_eq!((third.decision(), third.status()), (DomainDecision::Approved, TicketStatus::Solved));
    assert_eq!(third.decided_by.expect("somebody").kind(), ActorKind::System);
    // Taken from the list again, the next one is asked about.
    desk.decide(&desk.agent, &third.id, DomainDecision::Declined).await.expect("decided otherwise");
    let fourth = desk.publish(Event::DomainSubmitted(domain("example.co.uk"))).await;
    assert_eq!((fourth.decision(), fourth.status()), (DomainDecision::Unspecified, TicketStatus::New));
    let list = support::ListDomainsRequest::default();
    let domains =
        done(desk.client().list_domains(signed(&desk.system, list)).await).expect("domains").domains;
    assert_eq!(domains.len(), 1);
    assert_eq!((domains[0].decision(), &domains[0].ticket_id), (DomainDecision::Declined, &third.id));
    desk.stage.stop().await;
}

#[tokio::test]
async fn s_4_many_at_once_meet_in_one_ticket_and_other_organisations_have_their_own() {
    let desk = Desk::new().await;
    let ids: Vec<_> = (0..16).map(|_| id()).collect();
    let asked = ids.iter().map(|event| {
        desk.publish_as(&desk.system, *event, Event::DomainSubmitted(domain("crowd.example.com")))
    });
    let tickets = join_all(asked).await;
    let tickets: Vec<_> = tickets.into_iter().map(|ticket| ticket.expect("published").id).collect();
    assert!(tickets.iter().all(|ticket| *ticket == tickets[0]), "{tickets:?}");
    assert_eq!(desk.get(&desk.agent, &tickets[0]).await.expect("a ticket").request_count, 16);
    let other = callboard_stage::Organisation::new().administrator();
    let elsewhere =
        desk.publish_as(&other, ids[0], Event::DomainSubmitted(domain("crowd.example.com"))).await;
    assert_ne!(elsewhere.expect("published").id, tickets[0]);
    desk.stage.stop().await;
}

#[tokio::test]
async fn s_4_what_is_no_domain_is_refused_by_field() {
    let desk = Desk::new().await;
    for wrong in ["", "co.uk", "localhost", "no domain"] {
        let event = Event::DomainSubmitted(domain(wrong));
        assert_eq!(fields(desk.publish_as(&desk.system, id(), event).await), ["domain"], "{wrong}");
    }
    let empty = callboard_proto::partners::v1::SeatAdded::default();
    let wrong = fields(desk.publish_as(&desk.system, id(), Event::SeatAdded(empty)).await);
    assert_eq!(wrong, ["seats", "concern.person.name", "concern.account.id", "concern.account.name"]);
    desk.stage.stop().await;
}
