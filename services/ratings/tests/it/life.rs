//! Lives of ratings.

use callboard_kernel::Role;
use callboard_proto::common::v1::TimeRange;
use callboard_proto::directory::v1 as directory;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::ratings::v1::RatingState;
use callboard_proto::tickets::v1 as tickets;
use callboard_testkit::{PATIENCE, eventually};
use tonic::Code;
use uuid::Uuid;

use crate::house::House;
use callboard_stage::{id, reason, signed};

fn device(facts: &tickets::TicketFacts) -> Uuid {
    facts.device_id.parse().expect("an id")
}

#[tokio::test]
async fn r_1_a_done_ticket_is_rated_by_its_device_and_says_so() {
    let house = House::new().await;
    house.switch(true).await;
    let mut ticket = house.ticket();
    let customer = id();
    ticket.customer_id = customer.to_string();
    let user = house.people.code_user(device(&ticket));
    house.tell_ticket(&ticket.ticket_id, 1, &tickets::TicketOpened { ticket: Some(ticket.clone()) }).await;
    house.until("known", &ticket.ticket_id, |_| true).await;
    let early = house.rate(&user, &ticket.ticket_id, 5).await.expect_err("not asked");
    assert_eq!((early.code(), reason(&early).as_str()), (Code::FailedPrecondition, "RATING_NOT_ASKED"));
    assert_eq!(house.done(&ticket).await.state(), RatingState::Requested);
    assert!(house.rating(&user, &ticket.ticket_id).await.expect("a rating").may_submit);
    let rated = house.rate(&user, &ticket.ticket_id, 4).await.expect("rated");
    assert_eq!((rated.state(), rated.score, rated.may_submit), (RatingState::Submitted, 4, false));
    // the first wins.
    let second =
        house.rate(&house.people.customer_user(customer), &ticket.ticket_id, 1).await.expect_err("too late");
    assert_eq!((second.code(), reason(&second).as_str()), (Code::FailedPrecondition, "ALREADY_RATED"));
    let told = house.told(&ticket.ticket_id, 2).await;
    assert_eq!(told, ["rating.requested", "rating.submitted"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn r_2_switched_off_or_internal_is_waived() {
    let house = House::new().await;
    let ticket = house.ticket();
    assert_eq!(house.done(&ticket).await.state(), RatingState::Waived, "off until switched on");
    assert_eq!(house.told(&ticket.ticket_id, 1).await, ["rating.waived"]);
    house.switch(true).await;
    let mut internal = house.ticket();
    internal.visibility = tickets::Visibility::Internal.into();
    assert_eq!(house.done(&internal).await.state(), RatingState::Waived);
    // Hidden while asked: nothing is to be rated any more.
    let mut hidden = house.ticket();
    assert_eq!(house.done(&hidden).await.state(), RatingState::Requested);
    hidden.visibility = tickets::Visibility::Internal.into();
    hidden.done_round = 1;
    let message = tickets::TicketVisibilityChanged { ticket: Some(hidden.clone()), ..Default::default() };
    house.tell_ticket(&hidden.ticket_id, 3, &message).await;
    let told = house.told(&hidden.ticket_id, 3).await;
    assert_eq!(told, ["rating.requested", "rating.withdrawn", "rating.waived"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn r_2_the_switch_at_the_moment_of_done_counts() {
    let house = House::new().await;
    house.switch(true).await;
    let pool = house.stage.pool();
    // DONE happened before the switch was switched on, but is heard of only now.
    sqlx::query("update ratings.switch_change set at = at + interval '1 hour'")
        .execute(pool)
        .await
        .expect("moved");
    let ticket = house.ticket();
    assert_eq!(house.done(&ticket).await.state(), RatingState::Waived);
    house.stage.stop().await;
}

#[tokio::test]
async fn r_3_closed_by_hand_withdraws_and_a_new_done_replaces() {
    let house = House::new().await;
    house.switch(true).await;
    let ticket = house.ticket();
    let user = house.people.code_user(device(&ticket));
    house.done(&ticket).await;
    let facts = |status: tickets::TicketStatus, done_round| {
        Some(tickets::TicketFacts { status: status.into(), done_round, ..ticket.clone() })
    };
    let closed =
        tickets::TicketClosed { ticket: facts(tickets::TicketStatus::Closed, 1), ..Default::default() };
    house.tell_ticket(&ticket.ticket_id, 3, &closed).await;
    let withdrawn = |rating: &ratings::Rating| rating.state() == RatingState::Withdrawn;
    house.until("withdrawn", &ticket.ticket_id, withdrawn).await;
    let late = house.rate(&user, &ticket.ticket_id, 5).await.expect_err("closed by hand");
    assert_eq!((late.code(), reason(&late).as_str()), (Code::FailedPrecondition, "RATING_WITHDRAWN"));

    let done = |round| tickets::TicketDone {
        ticket: facts(tickets::TicketStatus::Done, round),
        ..Default::default()
    };
    let requested = |rating: &ratings::Rating| rating.state() == RatingState::Requested;
    house.tell_ticket(&ticket.ticket_id, 4, &done(2)).await;
    house.until("asked again", &ticket.ticket_id, requested).await;
    house.rate(&user, &ticket.ticket_id, 2).await.expect("rated");
    // The closing that follows from the rating changes nothing.
    let closed =
        tickets::TicketClosed { ticket: facts(tickets::TicketStatus::Closed, 2), ..Default::default() };
    house.tell_ticket(&ticket.ticket_id, 5, &closed).await;
    house.tell_ticket(&ticket.ticket_id, 6, &done(3)).await;
    let asked = house.until("asked a third time", &ticket.ticket_id, requested).await;
    assert_eq!(asked.score, 2, "the old one stands until replaced");
    let rated = house.rate(&user, &ticket.ticket_id, 5).await.expect("rated again");
    assert_eq!(rated.score, 5);
    let told = house.told(&ticket.ticket_id, 6).await;
    assert_eq!(
        told,
        [
            "rating.requested",
            "rating.withdrawn",
            "rating.requested",
            "rating.submitted",
            "rating.requested",
            "rating.submitted"
        ]
    );
    // T-11
    let deleted = tickets::TicketDeleted {
        ticket_id: ticket.ticket_id.clone(),
        organisation_id: house.organisation.to_string(),
        ..Default::default()
    };
    house.tell_ticket(&ticket.ticket_id, 7, &deleted).await;
    let boss = house.boss();
    eventually("it is gone", PATIENCE, || async {
        match house.rating(&boss, &ticket.ticket_id).await {
            Err(status) if status.code() == Code::NotFound => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    house.stage.stop().await;
}

#[tokio::test]
async fn r_4_lists_and_figures_by_template_employee_and_time_within_isolation() {
    let house = House::new().await;
    house.switch(true).await;
    let (ann, ben, mine) = (id(), id(), id());
    let mut last = String::new();
    for (score, involved) in [(5, vec![ann]), (4, vec![ann, ben]), (1, vec![ben])] {
        let mut ticket = house.ticket();
        ticket.involved_employee_ids = involved.iter().map(ToString::to_string).collect();
        ticket.department_ids = vec![mine.to_string()];
        house.done(&ticket).await;
        house.rate(&house.people.code_user(device(&ticket)), &ticket.ticket_id, score).await.expect("rated");
        last = ticket.ticket_id;
    }
    let boss = house.boss();
    let figures = async |request: ratings::GetRatingFiguresRequest, who| {
        let answer = house.service().get_rating_figures(signed(who, request)).await.expect("figures");
        answer.into_inner().figures
    };
    let by = |group_by: ratings::FigureGrouping| ratings::GetRatingFiguresRequest {
        group_by: group_by.into(),
        ..Default::default()
    };
    let whole = figures(by(ratings::FigureGrouping::Unspecified), &boss).await;
    let distribution = whole[0].distribution.clone().expect("a distribution");
    assert_eq!((distribution.counts, distribution.total), (vec![1, 0, 0, 1, 1], 3));
    assert!((distribution.average - 10.0 / 3.0).abs() < 1e-9);
    let template = figures(by(ratings::FigureGrouping::Template), &boss).await;
    assert_eq!(template[0].key, house.template.to_string());
    let employees = figures(by(ratings::FigureGrouping::Employee), &boss).await;
    let of = |figures: &[ratings::RatingFigure], who: Uuid| {
        let figure = figures.iter().find(|figure| figure.key == who.to_string()).expect("a figure");
        figure.distribution.clone().expect("a distribution").total
    };
    assert_eq!((of(&employees, ann), of(&employees, ben), employees.len()), (2, 2, 2));
    let only = ratings::GetRatingFiguresRequest {
        employee_ids: vec![ann.to_string()],
        ..by(ratings::FigureGrouping::Employee)
    };
    assert_eq!(figures(only, &boss).await.len(), 1);
    for (grouping, length) in [(ratings::FigureGrouping::Day, 10), (ratings::FigureGrouping::Month, 7)] {
        assert!(figures(by(grouping), &boss).await.iter().all(|figure| figure.key.len() == length));
    }

    let list = async |request: ratings::ListRatingsRequest, who| {
        let answer = house.service().list_ratings(signed(who, request)).await.expect("a page");
        answer.into_inner()
    };
    let first = list(ratings::ListRatingsRequest { page_size: 2, ..Default::default() }, &boss).await;
    assert_eq!((first.ratings.len(), first.ratings[0].subject_id.as_str()), (2, last.as_str()));
    let second =
        ratings::ListRatingsRequest { page_size: 2, page_token: first.next_page_token, ..Default::default() };
    let second = list(second, &boss).await;
    assert_eq!((second.ratings.len(), second.next_page_token.as_str()), (1, ""));
    let good = ratings::ListRatingsRequest {
        scores: vec![4, 5],
        employee_ids: vec![ben.to_string()],
        ..Default::default()
    };
    assert_eq!(list(good, &boss).await.ratings.len(), 1);
    let never = ratings::ListRatingsRequest {
        submitted: Some(TimeRange { start: None, end: Some(prost_types::Timestamp::default()) }),
        ..Default::default()
    };
    assert!(list(never, &boss).await.ratings.is_empty());

    // Isolation: a stranger to the department sees none of it.
    let organisation = directory::Organisation {
        id: house.organisation.to_string(),
        isolation: directory::Isolation::Strict.into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(organisation), previous: None };
    house.tell(house.organisation, 1, &message).await;
    let stranger = house.people.employee(id(), Role::Administrator, &[id()]);
    eventually("isolation is on", PATIENCE, || async {
        let seen = list(ratings::ListRatingsRequest::default(), &stranger).await.ratings.len();
        if seen == 0 { Ok(()) } else { Err(seen) }
    })
    .await;
    assert!(figures(by(ratings::FigureGrouping::Template), &stranger).await.is_empty());
    let insider = house.people.employee(id(), Role::Member, &[mine]);
    assert_eq!(list(ratings::ListRatingsRequest::default(), &insider).await.ratings.len(), 3);
    house.stage.stop().await;
}

#[tokio::test]
async fn aip_155_a_repeat_is_answered_after_the_template_has_gone() {
    let house = House::new().await;
    let boss = house.boss();
    let switches =
        ratings::Switches { template_id: house.template.to_string(), tickets: true, ..Default::default() };
    let set = ratings::SetSwitchesRequest { request_id: id().to_string(), switches: Some(switches) };
    let first = house.service().set_switches(signed(&boss, set.clone())).await.expect("set").into_inner();
    let removed =
        directory::TemplateRemoved { template_id: house.template.to_string(), ..Default::default() };
    house.tell(house.template, 2, &removed).await;
    eventually("the template is known to be gone", PATIENCE, || async {
        house.switches(&boss).await.map_or_else(|_| Ok(()), Err)
    })
    .await;
    let again = house.service().set_switches(signed(&boss, set)).await.expect("the same answer");
    assert_eq!(again.into_inner(), first);
    house.stage.stop().await;
}
