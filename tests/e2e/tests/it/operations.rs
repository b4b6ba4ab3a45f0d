//! What operators do: stopping, rebuilding streams, dead letters, configuration, migrations.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::jetstream;
use callboard_e2e_tests::{Client, Platform, Service, World};
use callboard_kernel::{IdGenerator, RandomIds};
use callboard_testkit::{PATIENCE, eventually};
use futures::TryStreamExt;
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::events::heard_all;
use crate::play::{accept, asked, becomes, open, repair, set_status};

/// Opens tickets under a key each, repeating what was not answered; how many calls it took.
async fn steady(caller: &Client, world: &World, over: &AtomicBool) -> usize {
    let mut opened = 0;
    while !over.load(Ordering::SeqCst) {
        let (key, body) = (RandomIds.next().to_string(), repair(world, "Steady"));
        eventually("an answer", 2 * PATIENCE, || async {
            match caller.try_call(Method::POST, "/v1/tickets", Some(body.clone()), &key).await {
                // Only "not now" is repeated; any other answer is for good.
                Ok(answer) if matches!(answer.status.as_u16(), 429 | 503 | 504) => {
                    Err(answer.body.to_string())
                }
                Ok(answer) => {
                    answer.ok();
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        opened += 1;
    }
    opened
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_fails_no_call_for_good_and_ends_well() {
    let mut platform = Platform::start().await;
    let world = World::make(&platform, "stop.test").await;
    let visitors = join_all((0..4).map(|_| world.visitor())).await;
    let over = AtomicBool::new(false);
    let calls = join_all(visitors.iter().map(|visitor| steady(visitor, &world, &over)));
    let stops = async {
        for service in Service::ALL {
            assert!(
                platform.terminate(service).await,
                "{} ends with 0:\n{}",
                service.name(),
                platform.log(service)
            );
            platform.spawn(service);
            platform.ready(service).await;
        }
        over.store(true, Ordering::SeqCst);
    };
    let (opened, ()) = tokio::join!(calls, stops);
    let opened: usize = opened.into_iter().sum();
    let database = PgPool::connect(&platform.database_url()).await.expect("the database");
    let stored: i64 = sqlx::query_scalar("select count(*) from tickets.ticket where not deleted")
        .fetch_one(&database)
        .await
        .expect("a count");
    assert_eq!(usize::try_from(stored).ok(), Some(opened), "each once");
    assert!(opened > Service::ALL.len(), "something was going on: {opened}");
}

/// Waits until every durable has handled all there is.
async fn caught_up(platform: &Platform) {
    let client = async_nats::connect(platform.nats_url()).await.expect("NATS");
    let context = jetstream::new(client);
    eventually("every consumer to have handled everything", PATIENCE, || async {
        for service in Service::contexts() {
            let name = format!("CALLBOARD_{}", service.name().to_uppercase());
            let stream = context.get_stream(name).await.map_err(|error| error.to_string())?;
            let consumers: Vec<_> =
                stream.consumers().try_collect().await.map_err(|error| error.to_string())?;
            let durables: Vec<_> =
                consumers.into_iter().filter(|consumer| consumer.config.durable_name.is_some()).collect();
            // The stream of notifications stays empty: they read what the others say.
            let nobody_need_read = matches!(
                service,
                Service::Messenger
                    | Service::Support
                    | Service::Tasks
                    | Service::Notifications
                    | Service::Video
            );
            if durables.is_empty() && !nobody_need_read {
                return Err(format!("nobody reads {}", service.name()));
            }
            for consumer in durables {
                if consumer.num_pending > 0 || consumer.num_ack_pending > 0 {
                    return Err(format!("{}: {} to go", consumer.name, consumer.num_pending));
                }
            }
        }
        Ok(())
    })
    .await;
}

/// What may not grow when events come again.
async fn effects(database: &PgPool) -> BTreeMap<String, i64> {
    let mut counted = BTreeMap::new();
    for table in [
        "directory.outbox",
        "tickets.outbox",
        "tickets.ticket_timeline",
        "tickets.command_receipt",
        "fleet.outbox",
        "fleet.offer",
        "fleet.round",
        "fleet.assignment",
        "fleet.command_receipt",
        "ratings.outbox",
        "ratings.rating_request",
        "ratings.command_receipt",
        "video.outbox",
        "video.session",
        "video.command_receipt",
        "notifications.entry",
        "notifications.telling",
        "notifications.delivery",
    ] {
        let rows = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")));
        counted.insert(table.to_owned(), rows.fetch_one(database).await.expect("a count"));
    }
    counted
}

#[tokio::test(flavor = "multi_thread")]
async fn republish_rebuilds_each_stream_beside_running_services_and_nothing_is_done_twice() {
    let platform = Platform::start().await;
    let world = World::make(&platform, "republish.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let ticket = open(&visitor, &world).await;
    accept(&nora, &ticket).await;
    set_status(&nora, &ticket, "DONE").await;
    asked(&visitor, &ticket).await;
    visitor.post(&format!("/v1/tickets/{ticket}/rating:submit"), json!({"score": 5})).await.ok();
    becomes(&nora, &ticket, "CLOSED").await;
    caught_up(&platform).await;
    let database = PgPool::connect(&platform.database_url()).await.expect("the database");
    let before = effects(&database).await;

    let mut rebuilt = 0;
    for service in Service::contexts() {
        let events = |heard: Vec<crate::events::Heard>| -> Vec<(String, String, Vec<u8>)> {
            heard.into_iter().map(|event| (event.id, event.kind, event.payload)).collect()
        };
        let old = events(heard_all(&platform, service.name()).await);
        if old.is_empty() {
            continue;
        }
        rebuilt += 1;
        let told = platform.run(service, &["republish"]).await;
        assert_eq!(told, format!("published {} events again\n", old.len()));
        assert_eq!(
            events(heard_all(&platform, service.name()).await),
            old,
            "{}: the same ids",
            service.name()
        );
    }
    assert!(rebuilt >= 5, "a life leaves events in many contexts");
    caught_up(&platform).await;
    assert_eq!(effects(&database).await, before, "receipts know what was done");

    // And the next life goes on as ever.
    let next = open(&visitor, &world).await;
    accept(&nora, &next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_event_is_parked_by_key_and_can_be_shown_replayed_and_skipped() {
    let platform = Platform::start().await;
    let world = World::make(&platform, "poison.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let ticket = open(&visitor, &world).await;
    accept(&nora, &ticket).await;
    assert_eq!(platform.run(Service::Ratings, &["dlq", "list"]).await, "none\n");

    // An event that nobody can read, published as all are: from the outbox.
    let database = PgPool::connect(&platform.database_url()).await.expect("the database");
    let poison = RandomIds.next();
    let copied = sqlx::query(
        "insert into tickets.outbox (event_id, organisation_id, aggregate_id, aggregate_version, context, name, kind, \
         time, actor, payload) select $1, organisation_id, aggregate_id, aggregate_version, context, name, kind, time, \
         actor, '\\xffff'::bytea from tickets.outbox where aggregate_id = $2 and name = 'ticket.opened'",
    )
    .bind(poison)
    .bind(ticket.parse::<Uuid>().expect("a UUID"))
    .execute(&database)
    .await
    .expect("a row in the outbox");
    assert_eq!(copied.rows_affected(), 1);
    let poison = poison.to_string();
    // Also wakes the relay.
    set_status(&nora, &ticket, "DONE").await;
    let list = eventually("ratings to park it, and what is behind it", PATIENCE, || async {
        let list = platform.run(Service::Ratings, &["dlq", "list"]).await;
        if list.lines().count() == 2 { Ok(list) } else { Err(list) }
    })
    .await;
    assert!(
        list.lines().next().is_some_and(|line| line.contains(&poison) && line.contains(&ticket)),
        "{list}"
    );
    assert!(list.lines().nth(1).is_some_and(|line| line.contains("TicketDone")), "{list}");
    // Others are not held up.
    let other = open(&visitor, &world).await;
    accept(&nora, &other).await;
    set_status(&nora, &other, "DONE").await;
    asked(&visitor, &other).await;
    assert_ne!(visitor.get(&format!("/v1/tickets/{ticket}/rating")).await.body["state"], "REQUESTED");

    assert!(platform.run(Service::Ratings, &["dlq", "show", &poison]).await.contains("TicketOpened"));
    let replayed = platform.run(Service::Ratings, &["dlq", "replay", &poison]).await;
    assert!(replayed.starts_with("handled 0\nstopped at"), "{replayed}");
    let skipped = platform.run(Service::Ratings, &["dlq", "skip", &poison]).await;
    assert_eq!(skipped, "skipped; handled 1 behind it\n");
    asked(&visitor, &ticket).await;
    assert_eq!(platform.run(Service::Ratings, &["dlq", "list"]).await, "none\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_masks_secrets_and_refuses_unknown_keys() {
    let platform = Platform::prepare(Vec::new()).await;
    for service in Service::ALL {
        let secret = [
            ("CALLBOARD__DATABASE__URL", "postgres://callboard:hunter2@localhost/callboard"),
            ("CALLBOARD__NATS__URL", "nats://callboard:hunter3@localhost:4222"),
        ];
        let used = if service == Service::Gateway { &secret[1..] } else { &secret[..] };
        let text = platform.run_with(service, &["check-config"], used).await;
        assert!(!text.contains("hunter"), "{}: {text}", service.name());
        assert!(text.contains("grpc"), "{}: {text}", service.name());
        let refused = platform.try_run(service, &["check-config"], &[("CALLBOARD__GRPC__LISTNE", "x")]).await;
        assert!(refused.is_err_and(|error| error.to_lowercase().contains("listne")), "{}", service.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_then_serve_without_migrating_on_start() {
    let off = |service| (service, "CALLBOARD__DATABASE__MIGRATE_ON_START".to_owned(), "false".to_owned());
    let platform = Platform::prepare(Service::contexts().map(off).collect()).await;
    for service in Service::contexts() {
        let pending = platform.run(service, &["migrate", "--dry-run"]).await;
        platform.run(service, &["migrate"]).await;
        let again = platform.run(service, &["migrate", "--dry-run"]).await;
        assert_ne!(pending, again, "{}: something was to be done, and is done", service.name());
        platform.run(service, &["migrate"]).await;
    }
    let platform = platform.up().await;
    let world = World::make(&platform, "migrate.test").await;
    open(&world.visitor().await, &world).await;
}
