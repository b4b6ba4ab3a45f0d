//! F-7 under fire.

use callboard_testkit::{PATIENCE, eventually};
use futures::StreamExt;
use tonic::Code;

use crate::house::{House, offer_of};
use callboard_stage::reason;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_7_five_hundred_at_once_give_exactly_n_assignments() {
    const PEOPLE: usize = 500;
    const LIMIT: usize = 7;
    let house = House::new().await;
    let people = house.hire_many(PEOPLE).await;
    house.knows(500).await;
    let mut group = house.group(&people);
    group.required_workers = 7;
    house.put_group(group).await;
    let ticket = house.ticket();
    let dispatch = house.open(&ticket).await;
    assert_eq!(dispatch.requested.len(), PEOPLE);

    let outcomes: Vec<_> = futures::stream::iter(&people)
        .map(|person| {
            let offer = offer_of(&dispatch, person).id.clone();
            let (house, who) = (&house, house.member(*person));
            async move { house.accept(&who, &offer).await }
        })
        .buffer_unordered(PEOPLE)
        .collect()
        .await;
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let others = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .filter(|no| reason(no) != "OFFER_FILLED");
    assert_eq!(accepted, LIMIT, "besides OFFER_FILLED: {:?}", others.take(3).collect::<Vec<_>>());
    for status in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!((status.code(), reason(status).as_str()), (Code::FailedPrecondition, "OFFER_FILLED"));
    }
    let after = house.dispatch(&house.boss(), &ticket.ticket_id).await.expect("a dispatch");
    assert_eq!(after.assigned.len(), LIMIT);
    assert_eq!(after.requested.len(), PEOPLE - LIMIT);
    // From the tables and the stream, not from the service's word.
    let pool = house.stage.pool();
    let count =
        async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(pool).await.expect("a count") };
    assert_eq!(count("select count(*) from fleet.assignment").await, 7);
    assert_eq!(count("select count(*) from fleet.offer where status = 'ACCEPTED'").await, 7);
    assert_eq!(count("select count(*) from fleet.offer where status = 'RESCINDED'").await, 493);
    assert_eq!(count("select count(*) from fleet.outbox where name = 'offers.made'").await, 2);
    eventually("all is published", PATIENCE, || async {
        let left = count("select count(*) from fleet.outbox where stream_seq is null").await;
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
    assert_eq!(count("select count(*) from fleet.outbox where name = 'offer.accepted'").await, 7);
    assert_eq!(count("select count(*) from fleet.outbox where name = 'offer.rescinded'").await, 493);

    // Accepting twice is the same answer.
    let winner = after.assigned[0].employee_id.parse().expect("an id");
    let offer = offer_of(&dispatch, &winner).id.clone();
    let again = house.accept(&house.member(winner), &offer).await.expect("the same answer");
    assert_eq!(again.id, offer);
    house.stage.stop().await;
}
