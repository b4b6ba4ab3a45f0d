//! F-8 where leaving crosses what somebody is being given.

use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::tickets::v1 as tickets;
use callboard_testkit::{PATIENCE, eventually};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::house::{House, offer_of};
use callboard_stage::{id, signed};

/// Carries out `act`, and lets an employee leave after the directory's word was read and before anything is written
/// to `table`. Whoever handles the leaving has finished by then and cannot have seen it.
async fn leaves_meanwhile<T>(
    house: &House,
    table: &'static str,
    employee: Uuid,
    act: impl Future<Output = T>,
) -> T {
    let pool = house.stage.pool();
    let mut lent = pool.acquire().await.expect("a transaction");
    let mut held = lent.begin().await.expect("a transaction");
    let lock = format!("lock table fleet.{table} in share mode");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *held).await.expect("a lock");
    let leaving = async {
        eventually("a write waits", PATIENCE, || async {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_locks where not granted and relation = ('fleet.' || $1)::regclass",
            )
            .bind(table)
            .fetch_one(pool)
            .await
            .expect("a count");
            if waiting > 0 { Ok(()) } else { Err("none") }
        })
        .await;
        let facts = Some(house.people.employee_facts(employee, &[], &[]));
        house.tell(employee, 2, &directory::EmployeeRemoved { employee: facts }).await;
        // Under the same key, so it is handled after the leaving.
        let team = id();
        let organisation_id = house.organisation.to_string();
        let mark = directory::TeamChanged { team_id: team.to_string(), organisation_id };
        house.tell(employee, 3, &mark).await;
        eventually("the leaving is handled", PATIENCE, || async {
            let known: bool =
                sqlx::query_scalar("select exists (select 1 from fleet.known_team where id = $1)")
                    .bind(team)
                    .fetch_one(pool)
                    .await
                    .expect("an answer");
            if known { Ok(()) } else { Err("not yet") }
        })
        .await;
        held.rollback().await.expect("released");
    };
    tokio::join!(act, leaving).0
}

fn holds_nothing(dispatch: &fleet::Dispatch, employee: Uuid) -> bool {
    let employee = employee.to_string();
    dispatch.requested.iter().all(|offer| offer.employee_id != employee)
        && dispatch.assigned.iter().all(|assignment| assignment.employee_id != employee)
}

#[tokio::test]
async fn f_8_leaving_while_a_round_is_expanded() {
    let house = House::new().await;
    let people = house.hire_many(2).await;
    house.knows(2).await;
    house.put_group(house.group(&people)).await;
    let ticket = house.ticket();
    let opened = tickets::TicketOpened { ticket: Some(ticket.clone()) };
    let open = house.tell_ticket(&ticket.ticket_id, 1, &opened);
    leaves_meanwhile(&house, "offer", people[0], open).await;
    house
        .until("one has an offer", &ticket.ticket_id, |dispatch| {
            dispatch.requested.len() == 1 && holds_nothing(dispatch, people[0])
        })
        .await;
    assert_eq!(house.rounds(&ticket.ticket_id).await[0].eligible_employee_ids.len(), 2, "they did cross");
    house.stage.stop().await;
}

#[tokio::test]
async fn f_8_leaving_while_a_ticket_is_escalated() {
    let house = House::new().await;
    let people = house.hire_many(2).await;
    house.knows(2).await;
    let day = Some(prost_types::Duration { seconds: 86_400, nanos: 0 });
    house.put_group(fleet::Group { escalate_after: day, ..house.group(&people[..1]) }).await;
    house.put_group(house.group(&people[1..])).await;
    let ticket = house.ticket();
    house.open(&ticket).await;
    let pool = house.stage.pool();
    let due = async {
        sqlx::query("update fleet.timer set due_at = now()").execute(pool).await.expect("due");
    };
    leaves_meanwhile(&house, "offer", people[1], due).await;
    assert!(house.told(&ticket.ticket_id, "ticket.escalated").await.len() > 1);
    house
        .until("the second lost the offer", &ticket.ticket_id, |dispatch| holds_nothing(dispatch, people[1]))
        .await;
    let told = house.told(&ticket.ticket_id, "offer.cancelled").await;
    assert_eq!(told, ["offers.made", "ticket.escalated", "offers.made", "offer.cancelled"], "they did cross");
    house.stage.stop().await;
}

#[tokio::test]
async fn f_8_leaving_while_being_assigned_or_requested() {
    let house = House::new().await;
    let people = house.hire_many(2).await;
    house.knows(2).await;
    let ticket = house.ticket();
    house.open(&ticket).await;
    let (ticket_id, boss) = (ticket.ticket_id.clone(), house.boss());
    let request_id = || id().to_string();
    let employee_id = people[0].to_string();
    let assign =
        fleet::AssignEmployeeRequest { request_id: request_id(), ticket_id: ticket_id.clone(), employee_id };
    let mut client = house.fleet();
    let call = client.assign_employee(signed(&boss, assign));
    leaves_meanwhile(&house, "assignment", people[0], call).await.expect("they did cross");
    house.until("unassigned again", &ticket_id, |dispatch| holds_nothing(dispatch, people[0])).await;

    let employee_id = people[1].to_string();
    let ask =
        fleet::RequestEmployeeRequest { request_id: request_id(), ticket_id: ticket_id.clone(), employee_id };
    let call = client.request_employee(signed(&boss, ask));
    leaves_meanwhile(&house, "offer", people[1], call).await.expect("they did cross");
    house.until("the offer is gone", &ticket_id, |dispatch| holds_nothing(dispatch, people[1])).await;
    house.stage.stop().await;
}

#[tokio::test]
async fn f_8_leaving_while_a_ticket_is_opened_again() {
    let house = House::new().await;
    let people = house.hire_many(1).await;
    house.knows(1).await;
    house.put_group(house.group(&people)).await;
    let ticket = house.ticket();
    let dispatch = house.open(&ticket).await;
    house.accept(&house.member(people[0]), &offer_of(&dispatch, &people[0]).id).await.expect("accepted");
    let with = |status: tickets::TicketStatus| {
        Some(tickets::TicketFacts { status: status.into(), ..ticket.clone() })
    };
    let closed = tickets::TicketClosed { ticket: with(tickets::TicketStatus::Closed), ..Default::default() };
    house.tell_ticket(&ticket.ticket_id, 2, &closed).await;
    let pool = house.stage.pool();
    eventually("it is closed", PATIENCE, || async {
        let closed: bool = sqlx::query_scalar("select bool_and(status = 'CLOSED') from fleet.dispatch")
            .fetch_one(pool)
            .await
            .expect("an answer");
        if closed { Ok(()) } else { Err("not yet") }
    })
    .await;
    let reopened =
        tickets::TicketReopened { ticket: with(tickets::TicketStatus::InProgress), ..Default::default() };
    let open = house.tell_ticket(&ticket.ticket_id, 3, &reopened);
    leaves_meanwhile(&house, "dispatch", people[0], open).await;
    house.until("nobody is involved", &ticket.ticket_id, |dispatch| dispatch.assigned.is_empty()).await;
    house.stage.stop().await;
}

/// Another replica handled the organisation's change; this one has read the isolation of before a moment ago.
#[tokio::test]
async fn f_8_isolation_that_another_replica_heard_of_counts_at_once() {
    let house = House::new().await;
    let (here, there) = (id(), id());
    let stranger = house.hire(&[there], &[]).await;
    house.knows(1).await;
    house.put_group(house.group(&[stranger])).await;
    let pool = house.stage.pool();
    // Read, so that it is known.
    assert!(house.rounds(&id().to_string()).await.is_empty());
    sqlx::query("insert into fleet.known_organisation (id, version, isolation) values ($1, 1, 'strict')")
        .bind(house.organisation)
        .execute(pool)
        .await
        .expect("kept");
    let ticket = tickets::TicketFacts { department_ids: vec![here.to_string()], ..house.ticket() };
    house.tell_ticket(&ticket.ticket_id, 1, &tickets::TicketOpened { ticket: Some(ticket.clone()) }).await;
    house.told(&ticket.ticket_id, "ticket.unserved").await;
    let dispatch = house.dispatch(&house.boss(), &ticket.ticket_id).await.expect("a dispatch");
    assert!(holds_nothing(&dispatch, stranger), "{dispatch:?}");
    let open: i64 = sqlx::query_scalar("select count(*) from fleet.offer where status in ('UNSEEN', 'SEEN')")
        .fetch_one(pool)
        .await
        .expect("a count");
    assert_eq!(open, 0);
    house.stage.stop().await;
}
