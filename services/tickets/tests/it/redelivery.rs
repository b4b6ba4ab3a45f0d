//! Delivery is at least once: what comes again, or to another replica, has one effect.

use std::sync::Arc;

use callboard_actor::{Options, Registry};
use callboard_bus::{Event, Handled, Handler};
use callboard_journal::{JournalOptions, PgJournal};
use callboard_kernel::{RandomIds, SystemClock};
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::tickets::v1::TicketStatus;
use callboard_tickets::events::inbound::{FromFleet, FromRatings, Tickets};
use callboard_tickets::store::{Copies, TicketMapping};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::life::{becomes, rating};
use crate::support::*;

/// The actors of another replica: nothing in memory, the same database.
fn replica(world: &World) -> Tickets {
    let journal = PgJournal::new(world.pool.clone(), JournalOptions::new("tickets"), TaskTracker::new());
    let store = journal.store(TicketMapping::default());
    Registry::new(store, Options::default(), Arc::new(SystemClock), Arc::new(RandomIds), TaskTracker::new())
}

/// What a ticket has left behind: lines of its timeline, its version, its events.
async fn traces(world: &World, ticket: Uuid) -> (i64, i64, i64) {
    sqlx::query_as(
        "select (select count(*) from ticket_timeline where aggregate_id = $1), \
         (select version from ticket where id = $1), (select count(*) from outbox where aggregate_id = $1)",
    )
    .bind(ticket)
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

async fn again(handler: &impl Handler, event: &Event) {
    for _ in 0..2 {
        assert_eq!(handler.handle(event).await.unwrap(), Handled::Done);
    }
}

#[test]
fn an_event_that_comes_again_has_one_effect() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (worker, moderator) = (tenant.member(), tenant.moderator());
        let ticket = tenant.open("It leaks").await;
        let key: Uuid = ticket.id.parse().unwrap();
        let tickets = replica(world);
        let from_fleet = FromFleet { tickets: tickets.clone(), copies: Copies::new(world.pool.clone()) };
        let from_ratings = FromRatings { tickets };
        assert_eq!(traces(world, key).await, (2, 1, 1), "created, opened");

        // The running service takes it from the stream; then it comes again, to the replica, twice.
        let assigned = fleet::EmployeeAssigned {
            ticket_id: ticket.id.clone(),
            organisation_id: tenant.organisation.to_string(),
            employee_id: employee_id(&worker).to_string(),
            ..Default::default()
        };
        let assigned = event(tenant.organisation, key, 1, &assigned);
        world.publish_event(assigned.clone()).await;
        becomes(&worker, &ticket.id, TicketStatus::Assigned).await;
        assert_eq!(traces(world, key).await, (4, 2, 2), "involved, assigned");
        again(&from_fleet, &assigned).await;
        assert_eq!(traces(world, key).await, (4, 2, 2));

        // Older than what has happened since: nobody is assigned anew.
        let cancelled = fleet::AssignmentCancelled {
            ticket_id: ticket.id.clone(),
            organisation_id: tenant.organisation.to_string(),
            employee_id: employee_id(&worker).to_string(),
            ..Default::default()
        };
        let cancelled = event(tenant.organisation, key, 2, &cancelled);
        again(&from_fleet, &cancelled).await;
        world.publish_event(cancelled.clone()).await;
        again(&from_fleet, &assigned).await;
        again(&from_fleet, &cancelled).await;
        let open = becomes(&worker, &ticket.id, TicketStatus::Open).await;
        assert!(open.involved_employee_ids.is_empty());
        assert_eq!(traces(world, key).await, (6, 3, 3), "not involved, open");

        // A rating closes its DONE once, also when the ticket is worked on and DONE again.
        moderator.set_status(&ticket.id, TicketStatus::Done).await.unwrap();
        let submitted = ratings::RatingSubmitted {
            rating: rating(&tenant, &ticket.id, 1),
            score: 4,
            ..Default::default()
        };
        let submitted = event(tenant.organisation, key, 2, &submitted);
        again(&from_ratings, &submitted).await;
        world.publish_event(submitted.clone()).await;
        assert_eq!(becomes(&worker, &ticket.id, TicketStatus::Closed).await.rating, 4);
        assert_eq!(traces(world, key).await, (9, 5, 6), "done, rated, closed");
        for status in [TicketStatus::InProgress, TicketStatus::Done] {
            moderator.set_status(&ticket.id, status).await.unwrap();
        }
        again(&from_ratings, &submitted).await;
        assert_eq!(moderator.get(&ticket.id).await.unwrap().status(), TicketStatus::Done);
        assert_eq!(traces(world, key).await, (11, 7, 8));

        // T-11: late events find it gone.
        moderator.delete(id(), &ticket.id).await.unwrap();
        let deleted = traces(world, key).await;
        assert_eq!(deleted.0, 0);
        for late in [&assigned, &cancelled] {
            again(&from_fleet, late).await;
        }
        again(&from_fleet, &Event { id: id().into(), ..assigned }).await;
        again(&from_ratings, &Event { id: id().into(), ..submitted }).await;
        assert_eq!(traces(world, key).await, deleted);
    });
}
