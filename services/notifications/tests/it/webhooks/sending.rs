//! What an endpoint is sent, and what follows from what it answers.

use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::{EventType, WebhookDeliveryState, WebhookDisabledReason};
use callboard_proto::tickets::v1 as tickets;
use callboard_stage::id;
use callboard_testkit::{PATIENCE, eventually};

use super::super::house::{House, uuid};
use super::{Backend, Behaviour, verified};

const MESSAGES: &str = "callboard.messenger.v1.*";

#[tokio::test]
async fn an_event_reaches_its_endpoint_as_a_signed_cloud_event_and_others_do_not() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let (hook, secret) = house.hook(&boss, &url, &[MESSAGES]).await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    let (event, message) = house.say(&ticket, &nora).await;
    let sent = backend.once(1).await.remove(0);
    assert_eq!(sent.header("webhook-id"), event.to_string());
    assert_eq!(sent.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert!(verified(&sent, &secret));
    assert!(!verified(&sent, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let said = sent.json();
    assert_eq!(said["specversion"], "1.0");
    assert_eq!(said["id"], event.to_string());
    assert_eq!(said["type"], "callboard.messenger.v1.MessageSent");
    assert_eq!(said["source"], "/callboard/messenger");
    assert_eq!(said["subject"], ticket.id());
    assert_eq!(said["tenantid"], house.people.id.to_string());
    assert_eq!(said["datacontenttype"], "application/json");
    assert_eq!(said["data"]["message"]["messageId"], message.to_string());
    assert_eq!(said["data"]["message"]["author"]["kind"], "EMPLOYEE");
    let attempt = house.tried(&boss, &hook.id, &event.to_string()).await;
    assert_eq!((attempt.number, attempt.status_code, attempt.reason.as_str()), (1, 204, ""));
    let log = house.hook_deliveries(&boss, &hook.id).await;
    assert_eq!(log.len(), 1, "the ticket's own events were not asked for: {log:?}");
    assert_eq!(log[0].state(), WebhookDeliveryState::Delivered);
    assert_eq!(backend.all().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_retry_after_is_honoured_and_redelivery_has_the_same_name() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (elsewhere, other) = Backend::start().await;
    let elsewhere: &'static str = elsewhere.leak();
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&boss, &url, &[MESSAGES]).await;
    backend.behaves(Behaviour::With(302, "location", elsewhere));
    let event = house.test_hook(&boss, &hook.id).await;
    let attempt = house.tried(&boss, &hook.id, &event).await;
    assert_eq!((attempt.status_code, attempt.reason.as_str()), (302, "REDIRECTED"));
    assert!(other.all().is_empty());

    backend.behaves(Behaviour::With(429, "retry-after", "600"));
    assert_eq!(house.redeliver(&boss, &hook.id, &event).await, 1);
    let due = eventually("it is told to wait", PATIENCE, || async {
        let log = house.hook_deliveries(&boss, &hook.id).await;
        let waits = log.iter().find(|one| one.reason == "TOO_MANY_REQUESTS").cloned();
        waits.ok_or(log)
    })
    .await;
    let wait = due.next_time.expect("a time").seconds - due.update_time.expect("a time").seconds;
    assert!((599..=601).contains(&wait), "{wait}");
    assert!(house.hook_now(&boss, &hook.id).await.fail_time.is_some());

    backend.behaves(Behaviour::Says(200));
    assert_eq!(house.redeliver(&boss, &hook.id, &event).await, 1);
    let sent = backend.once(3).await;
    assert!(sent.iter().all(|one| one.header("webhook-id") == event && one.body == sent[0].body));
    eventually("it is delivered", PATIENCE, || async {
        let log = house.hook_deliveries(&boss, &hook.id).await;
        let done = log[0].state() == WebhookDeliveryState::Delivered && log[0].attempts == 3;
        if done { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(house.hook_now(&boss, &hook.id).await.fail_time, None);
    // What has arrived can be sent again too; what was never queued cannot.
    assert_eq!(house.redeliver(&boss, &hook.id, &event).await, 1);
    backend.once(4).await;
    let unknown = id().to_string();
    let missing = house.redeliver_all(&boss, &hook.id, &[&event, &unknown, "nonsense", &event]).await;
    assert_eq!(callboard_stage::fields(missing), ["event_ids[2]"], "what is no id");
    let missing = house.redeliver_all(&boss, &hook.id, &[&event, &unknown]).await;
    assert_eq!(callboard_stage::fields(missing), ["event_ids[1]"]);
    assert_eq!(house.redeliver(&boss, &hook.id, &event).await, 1);
    backend.once(5).await;
    house.at_rest(&boss, &hook.id).await;
    assert_eq!(backend.all().len(), 5, "all of them or none");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_tried_again_by_itself() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&boss, &url, &[]).await;
    backend.behaves(Behaviour::Says(500));
    let event = house.test_hook(&boss, &hook.id).await;
    house.tried(&boss, &hook.id, &event).await;
    backend.behaves(Behaviour::Says(200));
    let sent = backend.once(2).await;
    assert_eq!(sent[1].header("webhook-id"), event);
}

#[tokio::test]
async fn n_5_a_slow_endpoint_holds_up_nobody_else() {
    let house = House::with(|stage| {
        stage.with("notifications.webhooks.timeout", "3s").with("notifications.webhooks.concurrency", 6)
    })
    .await;
    let boss = house.people.administrator();
    let (slow_url, slow) = Backend::start().await;
    let (fast_url, fast) = Backend::start().await;
    slow.behaves(Behaviour::Hangs);
    let (slow_hook, _) = house.hook(&boss, &slow_url, &[MESSAGES]).await;
    house.hook(&boss, &fast_url, &[MESSAGES]).await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    for _ in 0..12 {
        house.say(&ticket, &nora).await;
    }
    fast.once(12).await;
    // Of six seats it never has more than four.
    assert!(slow.all().len() <= 8, "{}", slow.all().len());
    let timeout = eventually("it took too long", PATIENCE, || async {
        let attempts = house.hook_attempts(&boss, &slow_hook.id, "").await;
        attempts.first().cloned().ok_or(attempts)
    })
    .await;
    assert_eq!((timeout.status_code, timeout.reason.as_str()), (0, "TIMEOUT"));
    assert!(timeout.duration_ms >= 2_900, "{timeout:?}");
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_switched_off_and_administrators_read_of_it() {
    let house = House::new().await;
    let boss = house.known(house.people.administrator(), "en", "Boss").await;
    let moderator = house.known(house.people.moderator(), "en", "Mona").await;
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&boss, &url, &[MESSAGES]).await;
    backend.behaves(Behaviour::Says(410));
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    house.say(&ticket, &nora).await;
    let off = eventually("it is switched off", PATIENCE, || async {
        let now = house.hook_now(&boss, &hook.id).await;
        if now.enabled { Err(now) } else { Ok(now) }
    })
    .await;
    assert_eq!(off.disabled_reason(), WebhookDisabledReason::Gone);
    let notice = house.entry(&boss, EventType::WebhookDisabled, |_| true).await;
    assert_eq!(
        (notice.text.as_str(), notice.subject_id.as_str(), notice.count),
        ("A webhook was switched off: its endpoint says that it is gone", hook.id.as_str(), 1)
    );
    assert_eq!(house.entries(&moderator).await, []);
    // Nothing is queued for it any more; by hand it is tried all the same.
    backend.behaves(Behaviour::Says(200));
    let (event, _) = house.say(&ticket, &nora).await;
    house.decided(event).await;
    let test = house.test_hook(&boss, &hook.id).await;
    backend.once(2).await;
    let log = house.hook_deliveries(&boss, &hook.id).await;
    assert!(log.iter().all(|one| one.event_id != event.to_string()), "{log:?}");
    house.tried(&boss, &hook.id, &test).await;
    let on = house.update_hook(&boss, proto::Webhook { enabled: true, ..off }).await;
    assert_eq!(on.disabled_reason(), WebhookDisabledReason::Unspecified);
    house.say(&ticket, &nora).await;
    backend.once(3).await;
}

#[tokio::test]
async fn an_endpoint_that_does_nothing_but_fail_is_switched_off_in_the_end() {
    let house = House::with(|stage| stage.with("notifications.webhooks.disable_after", "1ms")).await;
    let boss = house.known(house.people.administrator(), "de", "Boss").await;
    let (url, backend) = Backend::start().await;
    // Of nothing but what is asked for below.
    let (hook, _) = house.hook(&boss, &url, &[MESSAGES]).await;
    backend.behaves(Behaviour::Says(503));
    for count in 1..=10 {
        assert!(house.hook_now(&boss, &hook.id).await.enabled, "{count}");
        let event = house.test_hook(&boss, &hook.id).await;
        house.tried(&boss, &hook.id, &event).await;
    }
    let off = house.hook_now(&boss, &hook.id).await;
    assert_eq!((off.enabled, off.disabled_reason()), (false, WebhookDisabledReason::Failing));
    let notice = house.entry(&boss, EventType::WebhookDisabled, |_| true).await;
    assert_eq!(notice.count, 1);
}

#[tokio::test]
async fn what_a_dead_worker_held_is_sent_again_under_the_same_name() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&boss, &url, &[]).await;
    backend.behaves(Behaviour::Hangs);
    let event = house.test_hook(&boss, &hook.id).await;
    backend.once(1).await;
    // Whoever waits for the answer is taken for dead.
    sqlx::query("update webhook_delivery set lease = now() - interval '1 second' where state = 'CLAIMED'")
        .execute(house.stage.pool())
        .await
        .expect("written");
    backend.behaves(Behaviour::Says(200));
    let sent = backend.once(2).await;
    assert_eq!((sent[0].header("webhook-id"), sent[1].header("webhook-id")), (&*event, &*event));
    assert_eq!(sent[0].body, sent[1].body);
    let attempts = eventually("both attempts", PATIENCE, || async {
        let attempts = house.hook_attempts(&boss, &hook.id, &event).await;
        if attempts.len() == 2 { Ok(attempts) } else { Err(attempts) }
    })
    .await;
    let reasons: Vec<&str> = attempts.iter().map(|attempt| attempt.reason.as_str()).collect();
    assert_eq!(reasons, ["", "INTERRUPTED"]);
}

#[tokio::test]
async fn t_11_what_waits_of_a_deleted_ticket_is_not_sent_but_the_deletion_is() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let types = [MESSAGES, "callboard.tickets.v1.TicketDeleted"];
    let (hook, _) = house.hook(&boss, &url, &types).await;
    backend.behaves(Behaviour::Says(503));
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    let (event, _) = house.say(&ticket, &nora).await;
    house.tried(&boss, &hook.id, &event.to_string()).await;
    let message = tickets::TicketDeleted {
        ticket_id: ticket.id().into(),
        organisation_id: house.people.id.to_string(),
        ..Default::default()
    };
    let deleted = house.stage.publish(house.people.id, ticket.key(), 9, &message).await;
    eventually("only the deletion waits", PATIENCE, || async {
        let log = house.hook_deliveries(&boss, &hook.id).await;
        let left: Vec<String> = log.into_iter().map(|one| one.event_id).collect();
        if left == [deleted.to_string()] { Ok(()) } else { Err(left) }
    })
    .await;
    eventually("the ticket is known to be gone", PATIENCE, || async {
        let gone: bool = sqlx::query_scalar("select deleted from known_subject where id = $1")
            .bind(ticket.key())
            .fetch_one(house.stage.pool())
            .await
            .map_err(|error| error.to_string())?;
        if gone { Ok(()) } else { Err("known".to_owned()) }
    })
    .await;
    // Late news of it are none.
    let (late, _) = house.say(&ticket, &nora).await;
    let other = house.ticket(&[&nora]).await;
    let (kept, _) = house.say(&other, &nora).await;
    eventually("what came behind is queued", PATIENCE, || async {
        let log = house.hook_deliveries(&boss, &hook.id).await;
        let known = |id: uuid::Uuid| log.iter().any(|one| one.event_id == id.to_string());
        assert!(!known(late));
        if known(kept) { Ok(()) } else { Err(log) }
    })
    .await;
    backend.behaves(Behaviour::Says(200));
    house.redeliver(&boss, &hook.id, &deleted.to_string()).await;
    eventually("the deletion is told", PATIENCE, || async {
        let sent = backend.all();
        let told = sent.iter().any(|one| one.header("webhook-id") == deleted.to_string());
        if told { Ok(()) } else { Err(sent) }
    })
    .await;
    assert!(uuid(&nora) != ticket.key());
}
