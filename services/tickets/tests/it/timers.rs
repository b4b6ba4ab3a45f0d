//! What happens when a time is over: DONE closes unrated (extension of T-8), drafts that were left go (T-2).

use std::time::Duration;

use callboard_kernel::{Clock, SystemClock};
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::TicketStatus;
use callboard_testkit::{ManualClock, PATIENCE, eventually};

use crate::support::*;

#[test]
fn t_8_extension_done_closes_unrated_after_the_limit_and_only_this_done() {
    alone(async {
        let settings = [("tickets.close_unrated_after", "300ms")];
        let world: &'static World = Box::leak(Box::new(World::new(&settings).await));
        let tenant = Tenant::new(world).await;
        let moderator = tenant.moderator();
        let ticket = tenant.open("It leaks").await;
        moderator.set_status(&ticket.id, TicketStatus::Done).await.unwrap();
        // Leaving DONE cancels the timer; the next DONE sets another.
        moderator.set_status(&ticket.id, TicketStatus::InProgress).await.unwrap();
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from timer").fetch_one(&world.pool).await.unwrap();
        assert_eq!(waiting, 0);
        moderator.set_status(&ticket.id, TicketStatus::Done).await.unwrap();
        let closed = eventually("closed by itself", PATIENCE, || async {
            let found = moderator.get(&ticket.id).await.map_err(|report| report.reason)?;
            if found.status() == TicketStatus::Closed { Ok(found) } else { Err("still DONE".to_owned()) }
        })
        .await;
        assert_eq!(closed.rating, 0);
        world
            .expect_events(
                &ticket.id,
                &["ticket.opened", "ticket.done", "ticket.reopened", "ticket.done", "ticket.closed"],
            )
            .await;
    });
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many rows that a ticket's id is in there are, by table; the bare row of a deleted one aside.
async fn traces(world: &World, ticket: &str) -> Vec<(String, i64)> {
    let sql = "select 'ticket', count(*) from ticket where id = $1 and not deleted
        union all select 'timeline', count(*) from ticket_timeline where aggregate_id = $1
        union all select 'words', count(*) from ticket_words where ticket_id = $1
        union all select 'timer', count(*) from timer where aggregate_id = $1
        union all select 'outbox', count(*) from outbox where aggregate_id = $1";
    let rows: Vec<(String, i64)> =
        sqlx::query_as(sql).bind(ticket.parse::<uuid::Uuid>().unwrap()).fetch_all(&world.pool).await.unwrap();
    rows.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn t_2_a_draft_that_a_code_user_left_goes_after_thirty_days_and_leaves_nothing() {
    alone(async {
        let clock = ManualClock::at(SystemClock.now());
        let world: &'static World = Box::leak(Box::new(World::timed(clock.clone()).await));
        let tenant = Tenant::new(world).await;
        let (visitor, member) = (tenant.code_user(), tenant.member());
        let left = visitor.create(tenant.plain("left", false)).await.unwrap();
        let own = member.create(tenant.plain("an employee's", false)).await.unwrap();
        let touched = visitor.create(tenant.plain("touched", false)).await.unwrap();
        let opened = visitor.create(tenant.plain("opened", false)).await.unwrap();
        clock.advance(Duration::from_secs(60));
        let longer = proto::Ticket { title: "touched again".into(), ..touched.clone() };
        visitor.update(proto::Ticket { etag: String::new(), ..longer }, &["title"]).await.unwrap();
        let submit = proto::SubmitTicketRequest {
            request_id: id().to_string(),
            ticket_id: opened.id.clone(),
            ..Default::default()
        };
        done(visitor.tickets().submit_ticket(visitor.request(submit)).await).unwrap();
        let timers: i64 =
            sqlx::query_scalar("select count(*) from timer").fetch_one(&world.pool).await.unwrap();
        assert_eq!(timers, 2, "neither for what is open nor for employees");

        // Just before the thirty days of the one that was touched.
        clock.advance(30 * DAY - Duration::from_secs(1));
        eventually("what was left is gone", PATIENCE, || async {
            let traces = traces(world, &left.id).await;
            if traces.is_empty() { Ok(()) } else { Err(traces) }
        })
        .await;
        assert_eq!(traces(world, &touched.id).await.len(), 4, "its time begins anew");
        clock.advance(Duration::from_secs(1));
        eventually("it goes too", PATIENCE, || async {
            let traces = traces(world, &touched.id).await;
            if traces.is_empty() { Ok(()) } else { Err(traces) }
        })
        .await;
        for stays in [&own, &opened] {
            assert!(traces(world, &stays.id).await.contains(&("ticket".to_owned(), 1)));
        }
    });
}
