//! The calendar and its feeds (K-5).

use callboard_proto::directory::v1 as directory;
use callboard_proto::tasks::v1 as tasks;
use callboard_stage::{done, fields, id, refused, request_id};
use callboard_testkit::{PATIENCE, eventually};

use crate::house::{House, proto_time, time};

fn span(from: &str, to: &str) -> tasks::GetCalendarRequest {
    tasks::GetCalendarRequest { from: proto_time(from), to: proto_time(to), ..Default::default() }
}

#[tokio::test]
async fn k_5_the_calendar_shows_what_falls_due_and_what_has_as_its_task() {
    let house = House::new().await;
    let boss = house.boss();
    let definition = house.define("Maintenance", &[]).await;
    let event = house.put_event(&boss, house.plan(&definition, "FREQ=WEEKLY")).await.expect("planned");
    house.clock.set(time("2026-01-05T07:00:00Z"));
    let made = house.tasks_of(&event.id, 1).await;
    let january = span("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let ask = async |who, request: tasks::GetCalendarRequest| {
        done(house.calendar().get_calendar(house.signed(who, request)).await)
    };
    let shown = ask(&boss, january.clone()).await.expect("a calendar").entries;
    let shown: Vec<_> = shown
        .iter()
        .map(|entry| (entry.time.as_ref().map_or(0, |time| time.seconds), entry.task_id.as_str()))
        .collect();
    let monday = |text| time(text).timestamp();
    let expected = [
        (monday("2026-01-05T07:00:00Z"), made[0].id.as_str()),
        (monday("2026-01-12T07:00:00Z"), ""),
        (monday("2026-01-19T07:00:00Z"), ""),
        (monday("2026-01-26T07:00:00Z"), ""),
    ];
    assert_eq!(shown, expected);
    let visitor = house.visitor();
    assert!(ask(&visitor, january).await.expect("a calendar").entries.is_empty(), "internal");
    let long = span("2026-01-01T00:00:00Z", "2027-02-01T00:00:00Z");
    assert_eq!(fields(ask(&boss, long).await), ["to"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn k_3_what_passed_in_a_downtime_made_no_task_and_is_not_in_the_calendar() {
    let house = House::new().await;
    let boss = house.boss();
    let definition = house.define("Maintenance", &[]).await;
    let event = house.put_event(&boss, house.plan(&definition, "FREQ=WEEKLY")).await.expect("planned");
    // Four Mondays pass at once, and one task arises; the fifth is still to come.
    house.clock.set(time("2026-01-27T00:00:00Z"));
    let made = house.tasks_of(&event.id, 1).await;
    let request = house.signed(&boss, span("2026-01-01T00:00:00Z", "2026-02-04T00:00:00Z"));
    let shown = done(house.calendar().get_calendar(request).await).expect("a calendar").entries;
    let shown: Vec<_> = shown
        .iter()
        .map(|entry| (entry.time.as_ref().map_or(0, |time| time.seconds), entry.task_id.as_str()))
        .collect();
    let monday = |text| time(text).timestamp();
    assert_eq!(
        shown,
        [(monday("2026-01-05T07:00:00Z"), made[0].id.as_str()), (monday("2026-02-02T07:00:00Z"), "")]
    );
    // Where nothing is said, the next 31 days are meant.
    let request = house.signed(&boss, tasks::GetCalendarRequest::default());
    let shown = done(house.calendar().get_calendar(request).await).expect("a calendar").entries;
    assert_eq!(shown.len(), 4, "2, 9, 16, 23 February: {shown:?}");
    house.stage.stop().await;
}

#[tokio::test]
async fn k_5_a_feed_has_a_private_token_that_is_kept_only_as_its_hash_and_ends_when_revoked() {
    let house = House::new().await;
    let boss = house.boss();
    let member = house.member();
    house.kept("known_employee", house.worker, 1).await;
    let definition = house.define("Wartung; jährlich", &[]).await;
    house.put_event(&boss, house.plan(&definition, "FREQ=YEARLY")).await.expect("planned");
    let request = tasks::CreateFeedRequest { request_id: request_id(), name: "My phone".into(), scope: 0 };
    let made =
        done(house.calendar().create_feed(house.signed(&member, request.clone())).await).expect("made");
    let again = done(house.calendar().create_feed(house.signed(&member, request)).await).expect("the same");
    assert_eq!((again.feed.clone(), again.token.as_str()), (made.feed.clone(), ""), "shown once");
    let read = async |token: &str| {
        let request = tasks::ReadFeedRequest { token: token.into() };
        done(house.calendar().read_feed(tonic::Request::new(request)).await)
    };
    let text = read(&made.token).await.expect("a calendar").icalendar;
    assert!(text.contains("DTSTART:20260105T070000Z") && text.contains(r"Wartung\;"), "{text}");
    assert_eq!(refused(read("guess").await), "NOT_FOUND");
    for table in ["feed", "command_receipt", "outbox"] {
        let sql = format!("select count(*) from tasks.{table} t where t::text like '%' || $1 || '%'");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(&made.token)
            .fetch_one(house.stage.pool())
            .await
            .expect("a count");
        assert_eq!(found, 0, "{table}");
    }
    let feed_id = made.feed.expect("a feed").id;
    let end = |who| {
        let request = tasks::DeleteFeedRequest { request_id: request_id(), feed_id: feed_id.clone() };
        house.signed(who, request)
    };
    assert_eq!(refused(done(house.calendar().delete_feed(end(&boss)).await)), "NOT_FOUND", "somebody else's");
    done(house.calendar().delete_feed(end(&member)).await).expect("ended");
    assert_eq!(refused(read(&made.token).await), "NOT_FOUND");
    let request = tasks::CreateFeedRequest { request_id: request_id(), name: "X".into(), scope: 0 };
    let visitor = house.visitor();
    assert_eq!(
        refused(done(house.calendar().create_feed(house.signed(&visitor, request)).await)),
        "PERMISSION_DENIED"
    );
    house.stage.stop().await;
}

#[tokio::test]
async fn k_5_one_feed_is_not_read_too_often() {
    let house = House::new().await;
    house.kept("known_employee", house.worker, 1).await;
    let request = tasks::CreateFeedRequest { request_id: request_id(), name: "X".into(), scope: 1 };
    let made =
        done(house.calendar().create_feed(house.signed(&house.member(), request)).await).expect("made");
    let mut reason = String::new();
    for _ in 0..12 {
        let request = tasks::ReadFeedRequest { token: made.token.clone() };
        if let Err(report) = done(house.calendar().read_feed(tonic::Request::new(request)).await) {
            reason = report.reason;
        }
    }
    assert_eq!(reason, "FEED_READ_TOO_OFTEN");
    house.stage.stop().await;
}

#[tokio::test]
async fn k_5_whoever_goes_to_another_company_leaves_the_feeds_of_the_old_one_behind() {
    let house = House::new().await;
    let [stays, goes] = [(); 2].map(|()| house.people.customer_user(house.customer));
    let make = async |who: &callboard_kernel::Principal| {
        let request = tasks::CreateFeedRequest { request_id: request_id(), name: "Ours".into(), scope: 0 };
        done(house.calendar().create_feed(house.signed(who, request)).await).expect("made").token
    };
    let read = async |token: &str| {
        let request = tasks::ReadFeedRequest { token: token.into() };
        done(house.calendar().read_feed(tonic::Request::new(request)).await)
    };
    let (kept, ended) = (make(&stays).await, make(&goes).await);
    let changed = async |who: &callboard_kernel::Principal, customer: uuid::Uuid| {
        let user = who.actor().id().expect("somebody");
        let changed = directory::CustomerUserChanged {
            customer_user_id: user.to_string(),
            organisation_id: house.people.id.to_string(),
            customer_id: customer.to_string(),
            language: "en".into(),
        };
        house.stage.publish(house.people.id, user, 2, &changed).await;
    };
    // The one has another name, the other another company.
    changed(&stays, house.customer).await;
    changed(&goes, id()).await;
    eventually("the feed to end", PATIENCE, || async {
        let request = house.signed(&goes, tasks::ListFeedsRequest {});
        let left = done(house.calendar().list_feeds(request).await).expect("a list").feeds;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
    assert_eq!(refused(read(&ended).await), "NOT_FOUND");
    assert!(read(&kept).await.is_ok());
    house.stage.stop().await;
}

#[tokio::test]
async fn k_5_a_feed_made_after_its_owner_s_leaving_was_heard_is_not_readable() {
    let house = House::new().await;
    let [stays, leaves, goes] = [(); 3].map(|()| house.people.customer_user(house.customer));
    let key = |who: &callboard_kernel::Principal| who.actor().id().expect("somebody");
    let removed = directory::CustomerUserRemoved {
        customer_user_id: key(&leaves).to_string(),
        organisation_id: house.people.id.to_string(),
        customer_id: house.customer.to_string(),
    };
    house.stage.publish(house.people.id, key(&leaves), 2, &removed).await;
    for (who, customer) in [(&stays, house.customer), (&goes, id())] {
        let changed = directory::CustomerUserChanged {
            customer_user_id: key(who).to_string(),
            organisation_id: house.people.id.to_string(),
            customer_id: customer.to_string(),
            language: "en".into(),
        };
        house.stage.publish(house.people.id, key(who), 2, &changed).await;
    }
    for who in [&stays, &leaves, &goes] {
        house.kept("known_customer_user", key(who), 2).await;
    }
    // Their tokens are still good for a moment.
    for (who, readable) in [(&stays, true), (&leaves, false), (&goes, false)] {
        let request = tasks::CreateFeedRequest { request_id: request_id(), name: "Ours".into(), scope: 0 };
        let made = done(house.calendar().create_feed(house.signed(who, request)).await).expect("made");
        let request = tasks::ReadFeedRequest { token: made.token };
        let read = done(house.calendar().read_feed(tonic::Request::new(request)).await);
        if readable {
            assert!(read.is_ok(), "{read:?}");
        } else {
            assert_eq!(refused(read), "NOT_FOUND");
        }
    }
    house.stage.stop().await;
}
