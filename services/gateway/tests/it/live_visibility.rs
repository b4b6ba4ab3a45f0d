//! Who hears of what on the live stream, where the gateway alone does not know.

use std::time::Duration;

use callboard_kernel::{Principal, Refusal};
use callboard_proto::{
    directory::v1 as directory, fleet::v1 as fleet, support::v1 as support, tickets::v1 as tickets,
};
use callboard_service::convert::to_proto_actor;
use callboard_service::error::status;

use crate::live::{OTHER, Reader, append, event_of, facts, publish};
use crate::world::{
    CUSTOMER, DEPARTMENT, DEVICE, OFFER, ORGANISATION, TICKET, World, customer_user, member, visitor,
};

const CHECK: &str = "callboard.tickets.v1.TicketService/CheckVisibility";

/// What the tickets service says of who asks.
fn visible(world: &World, seen: impl Fn(&String) -> bool + Send + Sync + 'static) {
    world.tickets.on(CHECK, move |asked: tickets::CheckVisibilityRequest| {
        let visible = asked.ticket_ids.into_iter().filter(|id| seen(id)).collect();
        Ok(tickets::CheckVisibilityResponse { visible_ticket_ids: visible })
    });
}

#[tokio::test]
async fn departments_isolate_by_what_the_organisation_says() {
    const GET: &str = "callboard.directory.v1.DirectoryService/GetOrganisation";
    let world = World::new().await;
    visible(&world, |id| *id != TICKET.to_string());
    world.directory.on(GET, |_: directory::GetOrganisationRequest| {
        let organisation =
            directory::Organisation { isolation: directory::Isolation::Basic.into(), ..Default::default() };
        Ok(directory::GetOrganisationResponse { organisation: Some(organisation) })
    });
    let mut stranger = Reader::open(&world, &member(&[OTHER]), None).await;
    stranger.ready().await;
    let in_department = tickets::TicketFacts {
        department_ids: vec![DEPARTMENT.to_string()],
        ..facts(1, tickets::Visibility::Public)
    };
    publish(&world, &tickets::TicketStarted { ticket: Some(in_department.clone()), ..Default::default() })
        .await;
    let free = tickets::TicketFacts { ticket_id: OTHER.to_string(), ..facts(2, tickets::Visibility::Public) };
    publish(&world, &tickets::TicketStarted { ticket: Some(free), ..Default::default() }).await;
    assert_eq!(stranger.titles(1).await, ["ticket.started 2"], "basic: what has no department is seen");
    let off = directory::Organisation { isolation: directory::Isolation::Off.into(), ..Default::default() };
    append(
        &world,
        event_of(
            ORGANISATION,
            ORGANISATION,
            &directory::OrganisationChanged { organisation: Some(off), previous: None },
        ),
    )
    .await;
    assert_eq!(stranger.next().await.unwrap().data["name"], "organisation.changed");
    publish(&world, &tickets::TicketDone { ticket: Some(in_department), ..Default::default() }).await;
    assert_eq!(stranger.titles(1).await, ["ticket.done 1"]);
}

#[tokio::test]
async fn a_device_that_moved_takes_its_tickets_out_of_the_streams_of_those_it_left() {
    const GET: &str = "callboard.directory.v1.DirectoryService/GetOrganisation";
    let world = World::new().await;
    world.directory.on(GET, |_: directory::GetOrganisationRequest| {
        let organisation =
            directory::Organisation { isolation: directory::Isolation::Basic.into(), ..Default::default() };
        Ok(directory::GetOrganisationResponse { organisation: Some(organisation) })
    });
    // The device of one ticket has another department and another owner now.
    visible(&world, |id| *id != TICKET.to_string());
    let mut colleague = Reader::open(&world, &member(&[DEPARTMENT]), None).await;
    let mut owner = Reader::open(&world, &customer_user(CUSTOMER), None).await;
    colleague.ready().await;
    owner.ready().await;
    let of = |ticket: uuid::Uuid, number| tickets::TicketFacts {
        ticket_id: ticket.to_string(),
        department_ids: vec![DEPARTMENT.to_string()],
        customer_id: CUSTOMER.to_string(),
        ..facts(number, tickets::Visibility::Public)
    };
    for (ticket, number) in [(TICKET, 1), (OTHER, 2)] {
        let message = tickets::TicketStarted { ticket: Some(of(ticket, number)), ..Default::default() };
        append(&world, event_of(ORGANISATION, ticket, &message)).await;
    }
    assert_eq!(colleague.titles(1).await, ["ticket.started 2"]);
    assert_eq!(owner.titles(1).await, ["ticket.started 2"]);
}

#[tokio::test]
async fn unknown_tickets_are_judged_by_their_owner_with_the_caller_s_own_token() {
    let world = World::new().await;
    visible(&world, |id| *id == TICKET.to_string());
    let mut reader = Reader::open(&world, &member(&[]), None).await;
    reader.ready().await;
    for ticket in [OTHER, TICKET] {
        let offer = fleet::OfferFacts { ticket_id: ticket.to_string(), ..Default::default() };
        append(&world, event_of(ORGANISATION, ticket, &fleet::OfferSeen { offer: Some(offer) })).await;
    }
    assert_eq!(reader.next().await.unwrap().data["ticketId"], TICKET.to_string());
    let asked = world.tickets.asked::<tickets::CheckVisibilityRequest>(CHECK);
    assert_eq!(asked.len(), 2);
    assert!(asked[0].1["authorization"].to_str().unwrap().starts_with("Bearer ey"));
}

#[tokio::test]
async fn s_2_s_5_the_desk_s_tickets_are_told_to_who_may_see_them() {
    const GET: &str = "callboard.support.v1.SupportService/GetTicket";
    let world = World::new().await;
    // For these callers: all but the first.
    world.support.on(GET, |asked: support::GetTicketRequest| {
        if asked.ticket_id == TICKET.to_string() {
            return Err(status("support", &Refusal::not_found("support_ticket")));
        }
        Ok(support::GetTicketResponse::default())
    });
    let opened = |ticket_id: uuid::Uuid, requester: Option<&Principal>| support::TicketOpened {
        ticket: Some(support::TicketFacts {
            ticket_id: ticket_id.to_string(),
            requester: requester.map(|requester| to_proto_actor(requester.actor())),
            ..Default::default()
        }),
        ..Default::default()
    };
    let (colleague, here, buyer) = (member(&[]), visitor(DEVICE), customer_user(CUSTOMER));
    let mut readers = Vec::new();
    for who in [&colleague, &here, &buyer] {
        let mut reader = Reader::open(&world, who, None).await;
        reader.ready().await;
        readers.push(reader);
    }
    publish(&world, &opened(TICKET, Some(&here))).await;
    publish(&world, &opened(OTHER, Some(&here))).await;
    publish(&world, &opened(OFFER, Some(&buyer))).await;
    for (reader, expected) in readers.iter_mut().zip([&[OTHER, OFFER][..], &[OTHER], &[OFFER]]) {
        for ticket in expected {
            let told = reader.next().await.unwrap().data;
            assert_eq!(told["name"], "support_ticket.opened");
            assert_eq!(told["type"], "callboard.support.v1.TicketOpened");
            assert_eq!(told["data"]["ticket"]["ticketId"], ticket.to_string());
            assert!(told.get("ticketId").is_none(), "that is a device's: {told}");
        }
    }
    let asked = world.support.asked::<support::GetTicketRequest>(GET).len();
    assert_eq!(asked, 3 + 2 + 1, "those outside are asked for only where they requested it");
}

#[tokio::test]
async fn what_nobody_can_judge_now_waits_with_its_context_and_all_else_goes_on() {
    let world = World::with(|settings| settings.view_budget = Duration::from_millis(300)).await;
    world.tickets.hang(CHECK);
    let mut reader = Reader::open(&world, &member(&[]), None).await;
    reader.ready().await;
    let offer =
        |ticket: uuid::Uuid| fleet::OfferFacts { ticket_id: ticket.to_string(), ..Default::default() };
    // A ticket that the feed has not heard of, and one that it will know: the second must not overtake the first.
    append(&world, event_of(ORGANISATION, OTHER, &fleet::OfferSeen { offer: Some(offer(OTHER)) })).await;
    let known = Some(facts(1, tickets::Visibility::Public));
    publish(&world, &tickets::TicketStarted { ticket: known.clone(), ..Default::default() }).await;
    assert_eq!(reader.titles(1).await, ["ticket.started 1"]);
    append(&world, event_of(ORGANISATION, TICKET, &fleet::OfferSeen { offer: Some(offer(TICKET)) })).await;
    publish(&world, &tickets::TicketDone { ticket: known, ..Default::default() }).await;
    let block = reader.next().await.unwrap();
    assert_eq!(block.data["name"], "ticket.done");
    assert!(block.id.contains("-fl0-"), "whoever comes back from here misses nothing: {}", block.id);
    visible(&world, |_| true);
    for ticket in [OTHER, TICKET] {
        let told = reader.next().await.unwrap();
        assert_eq!(
            (&told.data["name"], &told.data["ticketId"]),
            (&"offer.seen".into(), &ticket.to_string().into())
        );
    }
}
