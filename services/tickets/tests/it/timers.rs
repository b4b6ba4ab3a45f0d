//! Extension of T-8: a time limit after which DONE closes unrated.

use callboard_proto::tickets::v1::TicketStatus;
use callboard_testkit::{PATIENCE, eventually};

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
