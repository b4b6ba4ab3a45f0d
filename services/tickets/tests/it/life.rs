//! The life of a ticket, over calls and over NATS.

use callboard_kernel::Version;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::{TicketStatus, Visibility};
use callboard_service::error::Report;
use callboard_testkit::{PATIENCE, eventually};
use callboard_tickets::store::Copies;
use sqlx::Connection as _;
use uuid::Uuid;

use crate::support::*;

fn offer(tenant: &Tenant, ticket: &str, employee: Uuid, status: fleet::OfferStatus) -> fleet::OfferFacts {
    fleet::OfferFacts {
        offer_id: id().to_string(),
        ticket_id: ticket.into(),
        organisation_id: tenant.organisation.to_string(),
        employee_id: employee.to_string(),
        status: status.into(),
        round: 1,
    }
}

pub async fn accept(tenant: &Tenant, ticket: &str, employee: Uuid, version: i64) -> Uuid {
    let message = fleet::OfferAccepted {
        offer: Some(offer(tenant, ticket, employee, fleet::OfferStatus::Accepted)),
        previous_status: fleet::OfferStatus::Seen.into(),
        assigned_employee_ids: vec![employee.to_string()],
    };
    tenant.world.publish(tenant.organisation, ticket.parse().unwrap(), version, &message).await
}

pub fn rating(tenant: &Tenant, ticket: &str, done_round: i32) -> Option<ratings::RatingFacts> {
    Some(ratings::RatingFacts {
        subject_kind: ratings::SubjectKind::Ticket.into(),
        subject_id: ticket.into(),
        organisation_id: tenant.organisation.to_string(),
        done_round,
        ..Default::default()
    })
}

pub async fn becomes(caller: &Caller, ticket: &str, status: TicketStatus) -> proto::Ticket {
    eventually("the status", PATIENCE, || async {
        let found = caller.get(ticket).await.map_err(|report| report.reason)?;
        if found.status() == status { Ok(found) } else { Err(found.status().as_str_name().to_owned()) }
    })
    .await
}

#[test]
fn from_open_to_closed_with_everything_that_belongs_to_it() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (code_user, worker, moderator) = (tenant.code_user(), tenant.member(), tenant.moderator());
        let ticket = code_user.create(tenant.plain("It leaks", true)).await.unwrap();
        assert_eq!((ticket.status(), ticket.visibility()), (TicketStatus::Open, Visibility::Public));
        assert_eq!((ticket.number, ticket.etag.as_str()), (1, "\"1\""));
        assert_eq!(ticket.customer_id, tenant.customer.to_string());

        // T-5, with what caused it.
        let cause = accept(&tenant, &ticket.id, employee_id(&worker), 2).await;
        let assigned = becomes(&worker, &ticket.id, TicketStatus::Assigned).await;
        assert_eq!(assigned.involved_employee_ids, [employee_id(&worker).to_string()]);

        worker.set_status(&ticket.id, TicketStatus::InProgress).await.unwrap();
        worker.post(&ticket.id, "Seal replaced", Visibility::Public).await.unwrap();
        worker.post(&ticket.id, "Third time this year", Visibility::Internal).await.unwrap();
        worker.set_status(&ticket.id, TicketStatus::Done).await.unwrap();

        // T-8.
        let submitted = ratings::RatingSubmitted {
            rating: rating(&tenant, &ticket.id, 1),
            score: 5,
            ..Default::default()
        };
        world.publish(tenant.organisation, ticket.id.parse().unwrap(), 2, &submitted).await;
        let closed = becomes(&code_user, &ticket.id, TicketStatus::Closed).await;
        assert_eq!(closed.rating, 5);

        // T-12: the record is public; outsiders see no more of the updates, employees all.
        let record = proto::GetServiceRecordRequest { ticket_id: ticket.id.clone(), ..Default::default() };
        let record = done(code_user.tickets().get_service_record(code_user.request(record)).await).unwrap();
        assert_eq!(
            record.updates.iter().map(|update| update.text.as_str()).collect::<Vec<_>>(),
            ["Seal replaced"]
        );
        let updates = |caller: &Caller, visibility: Visibility| {
            let message = proto::ListUpdatesRequest {
                ticket_id: ticket.id.clone(),
                visibility: visibility.into(),
                ..Default::default()
            };
            let (mut client, request) = (caller.tickets(), caller.request(message));
            async move { done(client.list_updates(request).await).map(|page| page.updates.len()) }
        };
        assert_eq!(updates(&code_user, Visibility::Unspecified).await, Ok(1));
        assert_eq!(updates(&worker, Visibility::Unspecified).await, Ok(2));
        assert_eq!(updates(&worker, Visibility::Internal).await, Ok(1));
        assert_eq!(refused(updates(&code_user, Visibility::Internal).await), "PERMISSION_DENIED");

        // T-9.
        assert_eq!(refused(code_user.post(&ticket.id, "Thanks", Visibility::Public).await), "TICKET_LOCKED");
        let reopen = proto::ReopenTicketRequest {
            request_id: id().to_string(),
            ticket_id: ticket.id.clone(),
            etag: closed.etag.clone(),
        };
        let reopened = done(worker.tickets().reopen_ticket(worker.request(reopen)).await).unwrap();
        assert_eq!(reopened.ticket.unwrap().status(), TicketStatus::InProgress);

        // T-13.
        moderator.set_visibility(&ticket.id, Visibility::Internal).await.unwrap();
        assert_eq!(refused(code_user.get(&ticket.id).await), "NOT_FOUND");

        world
            .expect_events(
                &ticket.id,
                &[
                    "ticket.opened",
                    "ticket.assigned",
                    "ticket.started",
                    "ticket.update_posted",
                    "ticket.update_posted",
                    "ticket.done",
                    "ticket.rated",
                    "ticket.closed",
                    "ticket.reopened",
                    "ticket.visibility_changed",
                ],
            )
            .await;

        // T-14.
        let timeline = proto::ListTimelineRequest { ticket_id: ticket.id.clone(), ..Default::default() };
        let timeline = done(worker.tickets().list_timeline(worker.request(timeline)).await).unwrap().entries;
        assert!(timeline.iter().map(|entry| entry.sequence).eq(1..=i64::try_from(timeline.len()).unwrap()));
        let entry = timeline.iter().find(|entry| entry.after == "ASSIGNED").unwrap();
        assert_eq!((entry.field.as_str(), entry.before.as_str(), entry.automatic), ("status", "OPEN", true));
        assert_eq!(entry.cause_event_id, cause.to_string());
        assert_eq!(entry.cause_event_type, "callboard.fleet.v1.OfferAccepted");
        assert!(timeline.iter().any(|entry| entry.after == "IN_PROGRESS" && !entry.automatic));
    });
}

#[test]
fn t_6_cancelling_the_last_assignment_opens_again_and_offers_are_known() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let worker = tenant.member();
        let employee = employee_id(&worker);
        let ticket = tenant.open("It leaks").await;
        let key: Uuid = ticket.id.parse().unwrap();
        let offered = || async {
            let filter = proto::TicketFilter { offered_to_me: true, ..Default::default() };
            let list = proto::ListTicketsRequest { filter: Some(filter), ..Default::default() };
            worker.list(list).await.unwrap().tickets.len()
        };
        let mine = || async {
            let filter = proto::TicketFilter { mine: true, ..Default::default() };
            let list = proto::ListTicketsRequest { filter: Some(filter), ..Default::default() };
            worker.list(list).await.unwrap().tickets.len()
        };
        let made = fleet::OffersMade {
            ticket_id: ticket.id.clone(),
            organisation_id: tenant.organisation.to_string(),
            offers: vec![offer(&tenant, &ticket.id, employee, fleet::OfferStatus::Unseen)],
            ..Default::default()
        };
        world.publish(tenant.organisation, key, 1, &made).await;
        eventually("the offer", PATIENCE, || async {
            if offered().await == 1 { Ok(()) } else { Err("none") }
        })
        .await;
        accept(&tenant, &ticket.id, employee, 2).await;
        becomes(&worker, &ticket.id, TicketStatus::Assigned).await;
        assert_eq!((offered().await, mine().await), (0, 1));
        let cancelled = fleet::AssignmentCancelled {
            ticket_id: ticket.id.clone(),
            organisation_id: tenant.organisation.to_string(),
            employee_id: employee.to_string(),
            ..Default::default()
        };
        world.publish(tenant.organisation, key, 3, &cancelled).await;
        let open = becomes(&worker, &ticket.id, TicketStatus::Open).await;
        assert!(open.involved_employee_ids.is_empty());
        assert_eq!((offered().await, mine().await), (0, 0));
        world.expect_events(&ticket.id, &["ticket.opened", "ticket.assigned", "ticket.unassigned"]).await;
    });
}

#[test]
fn t_8_a_waived_rating_closes_and_a_late_one_of_an_earlier_done_does_not() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let moderator = tenant.moderator();
        let ticket = tenant.open("It leaks").await;
        let key: Uuid = ticket.id.parse().unwrap();
        for status in [TicketStatus::Done, TicketStatus::InProgress, TicketStatus::Done] {
            moderator.set_status(&ticket.id, status).await.unwrap();
        }
        let late = ratings::RatingSubmitted {
            rating: rating(&tenant, &ticket.id, 1),
            score: 2,
            ..Default::default()
        };
        world.publish(tenant.organisation, key, 1, &late).await;
        eventually("the late rating", PATIENCE, || async {
            let found = moderator.get(&ticket.id).await.map_err(|report| report.reason)?;
            if found.rating == 2 { Ok(()) } else { Err("not rated".to_owned()) }
        })
        .await;
        assert_eq!(moderator.get(&ticket.id).await.unwrap().status(), TicketStatus::Done);
        let waived = ratings::RatingWaived { rating: rating(&tenant, &ticket.id, 2) };
        world.publish(tenant.organisation, key, 2, &waived).await;
        becomes(&moderator, &ticket.id, TicketStatus::Closed).await;
        world
            .expect_events(
                &ticket.id,
                &[
                    "ticket.opened",
                    "ticket.done",
                    "ticket.reopened",
                    "ticket.done",
                    "ticket.rated",
                    "ticket.closed",
                ],
            )
            .await;
    });
}

#[test]
fn t_11_deleting_leaves_a_bare_row_and_a_repeat_answers_the_same() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (moderator, worker) = (tenant.moderator(), tenant.member());
        let ticket = tenant.open("It leaks").await;
        let key: Uuid = ticket.id.parse().unwrap();
        accept(&tenant, &ticket.id, employee_id(&worker), 1).await;
        becomes(&worker, &ticket.id, TicketStatus::Assigned).await;
        worker.post(&ticket.id, "Seal replaced", Visibility::Public).await.unwrap();
        assert_eq!(refused(worker.delete(id(), &ticket.id).await), "PERMISSION_DENIED");
        let request_id = id();
        moderator.delete(request_id, &ticket.id).await.unwrap();
        moderator.delete(request_id, &ticket.id).await.unwrap();
        assert_eq!(refused(moderator.delete(id(), &ticket.id).await), "NOT_FOUND");
        assert_eq!(refused(moderator.get(&ticket.id).await), "NOT_FOUND");
        for table in [
            "select count(*) from ticket_update where aggregate_id = $1",
            "select count(*) from ticket_timeline where aggregate_id = $1",
            "select count(*) from ticket_involved where aggregate_id = $1",
            "select count(*) from ticket_offer where ticket_id = $1",
            "select count(*) from ticket where id = $1 and (title is not null or answers is not null \
             or device_id is not null or creator is not null or not deleted)",
        ] {
            let left: i64 = sqlx::query_scalar(table).bind(key).fetch_one(&world.pool).await.unwrap();
            assert_eq!(left, 0, "{table}");
        }
        // What comes late finds it gone and does no harm.
        accept(&tenant, &ticket.id, id(), 2).await;
        let expected = ["ticket.opened", "ticket.assigned", "ticket.update_posted", "ticket.deleted"];
        world.expect_events(&ticket.id, &expected).await;
    });
}

#[test]
fn t_11_an_offer_that_crosses_the_deletion_is_not_kept() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let key: Uuid = tenant.open("It leaks").await.id.parse().unwrap();
        let copies = Copies::new(world.pool.clone());
        let mut lent = world.pool.acquire().await.unwrap();
        let mut deletion = lent.begin().await.unwrap();
        sqlx::query(
            "update ticket set deleted = true, device_id = null, title = null, description = null, \
             answers = null, creator = null where id = $1",
        )
        .bind(key)
        .execute(&mut *deletion)
        .await
        .unwrap();
        let offers = [(id().into(), true)];
        let put = copies.put_offers(tenant.organisation.into(), key.into(), &offers, Version(1));
        let commit = async {
            // It is written already, or waits for the deletion: either way it began before the deletion was there.
            eventually("the offer to come", PATIENCE, || async {
                let come: i64 = sqlx::query_scalar(
                    "select (select count(*) from ticket_offer where ticket_id = $1) \
                     + (select count(*) from pg_stat_activity where datname = current_database() \
                        and wait_event_type = 'Lock' and query like 'insert into ticket_offer%')",
                )
                .bind(key)
                .fetch_one(&world.pool)
                .await
                .unwrap();
                if come > 0 { Ok(()) } else { Err(come) }
            })
            .await;
            deletion.commit().await.unwrap();
        };
        let (put, ()) = tokio::join!(put, commit);
        put.unwrap();
        let left: i64 = sqlx::query_scalar("select count(*) from ticket_offer where ticket_id = $1")
            .bind(key)
            .fetch_one(&world.pool)
            .await
            .unwrap();
        assert_eq!(left, 0);
    });
}

#[test]
fn an_update_mask_is_answered_once_however_long_it_is() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let moderator = tenant.moderator();
        let ticket = tenant.open("It leaks").await;
        assert_eq!(fields(moderator.update(ticket.clone(), &["status"; 200]).await), ["update_mask"]);
        let twice = proto::Ticket { title: "It drips".into(), ..ticket };
        assert_eq!(moderator.update(twice, &["title", "title"]).await.unwrap().title, "It drips");
    });
}

#[test]
fn an_etag_guards_against_what_others_changed_meanwhile() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let moderator = tenant.moderator();
        let ticket = tenant.open("It leaks").await;
        let edited = proto::Ticket { title: "It drips".into(), ..ticket.clone() };
        moderator.update(edited.clone(), &["title"]).await.unwrap();
        let stale: Result<_, Report> = moderator.update(edited.clone(), &["title"]).await;
        assert_eq!(refused(stale), "ETAG_MISMATCH");
        let wrong = proto::Ticket { etag: "7".into(), ..edited };
        assert_eq!(fields(moderator.update(wrong, &["title"]).await), ["ticket.etag"]);
    });
}
