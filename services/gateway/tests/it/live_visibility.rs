//! Who hears of what on the live stream, where the gateway alone does not know.

use callboard_proto::{directory::v1 as directory, fleet::v1 as fleet, tickets::v1 as tickets};

use crate::live::{OTHER, Reader, append, event_of, facts, publish};
use crate::world::{CUSTOMER, DEPARTMENT, ORGANISATION, TICKET, World, customer_user, member};

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
