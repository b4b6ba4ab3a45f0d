//! Lives of tickets, seen by fleet.

use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::fleet::v1::OfferStatus;
use callboard_proto::tickets::v1 as tickets;
use tonic::Code;
use uuid::Uuid;

use crate::house::{House, offer_of};
use callboard_stage::{id, reason, signed};

fn with(facts: &tickets::TicketFacts, status: tickets::TicketStatus) -> Option<tickets::TicketFacts> {
    Some(tickets::TicketFacts { status: status.into(), ..facts.clone() })
}

fn status(dispatch: &fleet::Dispatch, employee: &Uuid) -> OfferStatus {
    offer_of(dispatch, employee).status()
}

#[tokio::test]
async fn f_2_departments_teams_and_the_serving_local_team_are_offered_the_ticket_at_once() {
    let house = House::new().await;
    let (north, south, meta, department, customer) = (id(), id(), id(), id(), id());
    let organisation_id = house.organisation.to_string();
    for team in [north, south] {
        let message =
            directory::TeamChanged { team_id: team.to_string(), organisation_id: organisation_id.clone() };
        house.tell(team, 1, &message).await;
    }
    let message = directory::MetaTeamChanged {
        meta_team_id: meta.to_string(),
        organisation_id: organisation_id.clone(),
        team_ids: vec![north.to_string(), south.to_string()],
    };
    house.tell(meta, 1, &message).await;
    let facts = directory::CustomerFacts {
        customer_id: customer.to_string(),
        organisation_id: organisation_id.clone(),
        serving_team_ids: [(meta.to_string(), south.to_string())].into(),
        ..Default::default()
    };
    house.tell(customer, 1, &directory::CustomerChanged { customer: Some(facts), previous: None }).await;
    let northerner = house.hire(&[], &[north]).await;
    let southerner = house.hire(&[], &[south]).await;
    let colleague = house.hire(&[department], &[]).await;
    let bystander = house.hire(&[], &[]).await;
    house.knows(4).await;
    let mut group = house.group(&[southerner]);
    group.meta_team_ids = vec![meta.to_string()];
    group.department_ids = vec![department.to_string()];
    house.put_group(group).await;

    let mut ticket = house.ticket();
    ticket.customer_id = customer.to_string();
    let dispatch = house.open(&ticket).await;
    let mut offered: Vec<_> = dispatch.requested.iter().map(|offer| offer.employee_id.clone()).collect();
    offered.sort();
    assert_eq!(offered, [southerner.to_string(), colleague.to_string()]);
    // F-4: everybody else is available.
    let mut available = dispatch.available_employee_ids.clone();
    available.sort();
    assert_eq!(available, [northerner.to_string(), bystander.to_string()]);

    // F-10: why not them? Told in the language of who asks.
    let german = callboard_kernel::Principal { language: callboard_kernel::Language::De, ..house.boss() };
    let why = async |employee: Uuid| {
        let request = fleet::ExplainEmployeeRequest {
            ticket_id: ticket.ticket_id.clone(),
            employee_id: employee.to_string(),
        };
        house.fleet().explain_employee(signed(&german, request)).await.expect("why").into_inner()
    };
    assert_eq!(why(northerner).await.reason(), fleet::LeftOutReason::OtherLocalTeam);
    let not_in_group = why(bystander).await;
    assert_eq!(not_in_group.reason(), fleet::LeftOutReason::NotInGroup);
    assert_eq!(not_in_group.text, "Ist nicht in der angefragten Gruppe.");
    assert!(why(colleague).await.offer.is_some());

    // Without a customer the meta team means nobody.
    let plain = house.ticket();
    assert_eq!(house.open(&plain).await.requested.len(), 2, "named and by department");
    house.stage.stop().await;
}

#[tokio::test]
async fn f_3_f_5_f_6_seen_accepted_declined_requested_assigned_cancelled() {
    let house = House::new().await;
    let people = house.hire_many(4).await;
    house.knows(4).await;
    house.put_group(house.group(&people[..3])).await;
    let ticket = house.ticket();
    let dispatch = house.open(&ticket).await;
    let boss = house.boss();

    let see = fleet::MarkSeenRequest { request_id: id().to_string(), ticket_id: ticket.ticket_id.clone() };
    let seen = house.fleet().mark_seen(signed(&house.member(people[0]), see.clone())).await;
    assert_eq!(seen.expect("seen").into_inner().offer.expect("an offer").status(), OfferStatus::Seen);
    let nothing = house.fleet().mark_seen(signed(&house.member(people[3]), see)).await;
    assert_eq!(nothing.expect("nothing happens").into_inner().offer, None);

    let offer = offer_of(&dispatch, &people[0]).id.clone();
    house.accept(&house.member(people[0]), &offer).await.expect("accepted");
    let declined = house.decline(&house.member(people[1]), &offer_of(&dispatch, &people[1]).id).await;
    assert_eq!(declined.expect("declined").decline_reason, "On leave");
    let request = fleet::RequestEmployeeRequest {
        request_id: id().to_string(),
        ticket_id: ticket.ticket_id.clone(),
        employee_id: people[1].to_string(),
    };
    let again = house.fleet().request_employee(signed(&boss, request.clone())).await.expect("asked again");
    let again = again.into_inner().offer.expect("an offer");
    assert_eq!((again.status(), again.round), (OfferStatus::Unseen, 2));
    // The same request again is the same answer (AIP-155).
    let repeat = house.fleet().request_employee(signed(&boss, request)).await.expect("a repeat");
    assert_eq!(repeat.into_inner().offer.expect("an offer"), again);

    let assign = fleet::AssignEmployeeRequest {
        request_id: id().to_string(),
        ticket_id: ticket.ticket_id.clone(),
        employee_id: people[2].to_string(),
    };
    let assigned = house.fleet().assign_employee(signed(&boss, assign)).await.expect("assigned");
    let assignment = assigned.into_inner().assignment.expect("an assignment");
    assert_eq!(assignment.source(), fleet::AssignmentSource::Assigned);
    let cancel = fleet::CancelEmployeeRequest {
        request_id: id().to_string(),
        ticket_id: ticket.ticket_id.clone(),
        employee_id: people[0].to_string(),
    };
    let after = house.fleet().cancel_employee(signed(&boss, cancel)).await.expect("cancelled");
    let after = after.into_inner().dispatch.expect("a dispatch");
    let assigned: Vec<_> = after.assigned.iter().map(|assignment| assignment.employee_id.clone()).collect();
    assert_eq!(assigned, [people[2].to_string()]);
    assert!(after.available_employee_ids.contains(&people[0].to_string()));

    let told = house.told(&ticket.ticket_id, "assignment.cancelled").await;
    assert_eq!(
        told,
        [
            "offers.made",
            "offer.seen",
            "offer.accepted",
            "offer.declined",
            "offers.made",
            "offer.cancelled",
            "employee.assigned",
            "offer.cancelled",
            "assignment.cancelled"
        ]
    );
    house.stage.stop().await;
}

#[tokio::test]
async fn f_8_who_leaves_or_sees_less_loses_offer_and_assignment() {
    let house = House::new().await;
    let (mine, other) = (id(), id());
    let organisation = directory::Organisation {
        id: house.organisation.to_string(),
        isolation: directory::Isolation::Strict.into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(organisation), previous: None };
    house.tell(house.organisation, 1, &message).await;
    let leaver = house.hire(&[mine], &[]).await;
    let mover = house.hire(&[mine], &[]).await;
    let stayer = house.hire(&[], &[]).await;
    let stranger = house.hire(&[other], &[]).await;
    house.knows(4).await;
    house.put_group(house.group(&[leaver, mover, stayer, stranger])).await;
    let mut ticket = house.ticket();
    ticket.department_ids = vec![mine.to_string()];
    let dispatch = house.open(&ticket).await;
    assert_eq!(dispatch.requested.len(), 3, "the stranger may not see it");
    assert_eq!(house.rounds(&ticket.ticket_id).await[0].left_out.len(), 1);
    let offer = offer_of(&dispatch, &mover).id.clone();
    house
        .accept(&house.people.employee(mover, callboard_kernel::Role::Member, &[mine]), &offer)
        .await
        .expect("accepted");

    let facts = house.people.employee_facts(leaver, &[mine], &[]);
    house.tell(leaver, 2, &directory::EmployeeRemoved { employee: Some(facts) }).await;
    let facts = house.people.employee_facts(mover, &[other], &[]);
    let moved = directory::EmployeeDepartmentsChanged { employee: Some(facts), previous: None };
    house.tell(mover, 2, &moved).await;
    let boss = house.boss();
    house
        .until("both lost what they had", &ticket.ticket_id, |dispatch| {
            dispatch.assigned.is_empty() && dispatch.requested.len() == 1
        })
        .await;
    let after = house.dispatch(&boss, &ticket.ticket_id).await.expect("a dispatch");
    assert_eq!(status(&after, &stayer), OfferStatus::Unseen);
    assert!(after.available_employee_ids.is_empty(), "one left, one sees nothing of it: {after:?}");
    house.stage.stop().await;
}

#[tokio::test]
async fn f_9_offers_expire_and_the_next_group_is_asked_once() {
    let house = House::new().await;
    let people = house.hire_many(2).await;
    house.knows(2).await;
    let second = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let first = fleet::Group { escalate_after: second(1), ..house.group(&people[..1]) };
    let first = house.put_group(first).await;
    let next = fleet::Group { offer_lifetime: second(1), ..house.group(&people[1..]) };
    let next = house.put_group(next).await;
    let ticket = house.ticket();
    house.open(&ticket).await;
    let told = house.told(&ticket.ticket_id, "offer.expired").await;
    assert_eq!(told, ["offers.made", "ticket.escalated", "offers.made", "offer.expired"]);
    let rounds = house.rounds(&ticket.ticket_id).await;
    let groups: Vec<_> = rounds.iter().map(|round| round.group_id.clone()).collect();
    assert_eq!(groups, [next.id, first.id], "newest first");
    let dispatch = house.dispatch(&house.boss(), &ticket.ticket_id).await.expect("a dispatch");
    assert_eq!(status(&dispatch, &people[0]), OfferStatus::Unseen);
    assert_eq!(status(&dispatch, &people[1]), OfferStatus::Expired);
    house.stage.stop().await;
}

#[tokio::test]
async fn f_11_nobody_eligible_and_all_declined_are_told() {
    let house = House::new().await;
    // No groups at all.
    let ticket = house.ticket();
    house.open(&ticket).await;
    assert_eq!(house.told(&ticket.ticket_id, "ticket.unserved").await, ["ticket.unserved"]);
    let people = house.hire_many(1).await;
    house.knows(1).await;
    house.put_group(house.group(&people)).await;
    let ticket = house.ticket();
    let dispatch = house.open(&ticket).await;
    house.decline(&house.member(people[0]), &offer_of(&dispatch, &people[0]).id).await.expect("declined");
    let told = house.told(&ticket.ticket_id, "ticket.unserved").await;
    assert_eq!(told, ["offers.made", "offer.declined", "ticket.unserved"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn t_9_t_11_closing_reopening_and_deleting() {
    let house = House::new().await;
    let people = house.hire_many(2).await;
    house.knows(2).await;
    house.put_group(house.group(&people)).await;
    let ticket = house.ticket();
    let dispatch = house.open(&ticket).await;
    let offer = offer_of(&dispatch, &people[0]).id.clone();
    let facts = with(&ticket, tickets::TicketStatus::Cancelled);
    house
        .tell_ticket(&ticket.ticket_id, 2, &tickets::TicketCancelled { ticket: facts, ..Default::default() })
        .await;
    house.until("offers are withdrawn", &ticket.ticket_id, |dispatch| dispatch.requested.is_empty()).await;
    let late = house.accept(&house.member(people[0]), &offer).await.expect_err("too late");
    assert_eq!((late.code(), reason(&late).as_str()), (Code::FailedPrecondition, "OFFER_NOT_OPEN"));

    let facts = with(&ticket, tickets::TicketStatus::Open);
    house
        .tell_ticket(&ticket.ticket_id, 3, &tickets::TicketReopened { ticket: facts, ..Default::default() })
        .await;
    house.until("offers go out again", &ticket.ticket_id, |dispatch| dispatch.requested.len() == 2).await;

    let message = tickets::TicketDeleted {
        ticket_id: ticket.ticket_id.clone(),
        organisation_id: house.organisation.to_string(),
        ..Default::default()
    };
    house.tell_ticket(&ticket.ticket_id, 4, &message).await;
    let pool = house.stage.pool();
    let boss = house.boss();
    callboard_testkit::eventually("all is gone", callboard_testkit::PATIENCE, || async {
        match house.dispatch(&boss, &ticket.ticket_id).await {
            Err(status) if status.code() == Code::NotFound => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    for table in ["offer", "assignment", "round"] {
        let sql = format!("select count(*) from fleet.{table}");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.expect("a count");
        assert_eq!(left, 0, "{table}");
    }
    house.stage.stop().await;
}
