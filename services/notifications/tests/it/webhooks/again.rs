//! What is sent again, and what keeps one organisation's trouble its own.

use callboard_kernel::{Clock as _, SystemClock};
use callboard_notifications::store::{HookEvent, Hooks};
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::WebhookDeliveryState;
use callboard_stage::{Organisation, done, id, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tokio::sync::Notify;

use super::super::house::House;
use super::{Backend, Behaviour, webhook};

impl House {
    /// Waits until nothing waits or is under way.
    pub(super) async fn at_rest(&self, boss: &callboard_kernel::Principal, id: &str) {
        eventually("all to be done", PATIENCE, || async {
            let log = self.hook_deliveries(boss, id).await;
            let rests = log.iter().all(|one| one.state() != WebhookDeliveryState::Due);
            if rests { Ok(()) } else { Err(log) }
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_asked_for_again_while_it_is_being_sent_is_sent_once_more() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&boss, &url, &[]).await;
    let until = std::sync::Arc::new(Notify::new());
    backend.behaves(Behaviour::Holds(until.clone()));
    let event = house.test_hook(&boss, &hook.id).await;
    backend.once(1).await;
    assert_eq!(house.redeliver(&boss, &hook.id, &event).await, 1);
    backend.behaves(Behaviour::Says(204));
    until.notify_one();
    let sent = backend.once(2).await;
    assert_eq!(sent[1].header("webhook-id"), event);
    house.at_rest(&boss, &hook.id).await;
    let log = house.hook_deliveries(&boss, &hook.id).await;
    assert_eq!((log.len(), log[0].state(), log[0].attempts), (1, WebhookDeliveryState::Delivered, 2));
}

#[tokio::test]
async fn what_is_asked_for_of_an_endpoint_that_is_switched_off_is_tried_once() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&boss, &url, &[]).await;
    let off = house.update_hook(&boss, proto::Webhook { enabled: false, ..hook }).await;
    backend.behaves(Behaviour::Says(500));
    let event = house.test_hook(&boss, &off.id).await;
    house.tried(&boss, &off.id, &event).await;
    house.at_rest(&boss, &off.id).await;
    let log = house.hook_deliveries(&boss, &off.id).await;
    assert_eq!((log[0].state(), log[0].reason.as_str()), (WebhookDeliveryState::Failed, "SERVER_ERROR"));
}

#[tokio::test]
async fn what_is_kept_of_an_answer_holds_no_address() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let secret = "https://hooks.example.com/x?key=do-not-keep";
    let create =
        proto::CreateWebhookRequest { request_id: request_id(), webhook: Some(webhook(secret, &[])) };
    let made = done(house.webhooks().create_webhook(signed(&boss, create.clone())).await).expect("made");
    let hook = made.webhook.expect("a webhook");
    assert_eq!(hook.url, secret);
    let again = done(house.webhooks().create_webhook(signed(&boss, create)).await).expect("the same");
    assert_eq!(again.webhook.as_ref(), Some(&hook), "a repeat is answered as it was");
    let other = "https://hooks.example.com/y?key=do-not-keep";
    let update = proto::UpdateWebhookRequest {
        request_id: request_id(),
        webhook: Some(proto::Webhook { url: other.into(), ..hook.clone() }),
    };
    for _ in 0..2 {
        let updated = done(house.webhooks().update_webhook(signed(&boss, update.clone())).await);
        assert_eq!(updated.expect("changed").webhook.expect("it").url, other);
    }
    let rotate = proto::RotateWebhookSecretRequest {
        request_id: request_id(),
        webhook_id: hook.id.clone(),
        ..Default::default()
    };
    let rotated = done(house.webhooks().rotate_webhook_secret(signed(&boss, rotate)).await);
    assert_eq!(rotated.expect("rotated").webhook.expect("it").url, other);
    let kept: Vec<Vec<u8>> =
        sqlx::query_scalar("select answer from notifications.command_receipt where aggregate_id = $1::uuid")
            .bind(&hook.id)
            .fetch_all(house.stage.pool())
            .await
            .expect("receipts");
    assert_eq!(kept.len(), 3);
    for answer in kept {
        assert!(!String::from_utf8_lossy(&answer).contains("do-not-keep"), "an address is kept");
    }
}

#[tokio::test]
async fn n_5_an_organisation_with_many_slow_endpoints_holds_up_no_other() {
    let house = House::with(|stage| {
        stage.with("notifications.webhooks.timeout", "60s").with("notifications.webhooks.concurrency", 20)
    })
    .await;
    let boss = house.people.administrator();
    let (slow_url, slow) = Backend::start().await;
    slow.behaves(Behaviour::Hangs);
    for _ in 0..6 {
        let (hook, _) = house.hook(&boss, &slow_url, &[]).await;
        for _ in 0..4 {
            house.test_hook(&boss, &hook.id).await;
        }
    }
    slow.once(16).await;
    let neighbour = Organisation::new().administrator();
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&neighbour, &url, &[]).await;
    house.test_hook(&neighbour, &hook.id).await;
    backend.once(1).await;
    assert_eq!(slow.all().len(), 16, "no more at once");
}

#[tokio::test]
async fn n_5_an_endpoint_whose_secrets_cannot_be_read_fails_alone() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let (broken, _) = house.hook(&boss, &url, &["callboard.tasks.v1.*"]).await;
    let (whole, _) = house.hook(&boss, &url, &["callboard.tasks.v1.*"]).await;
    sqlx::query("update notifications.webhook set secrets = '[{\"id\": 7}]' where id = $1::uuid")
        .bind(&broken.id)
        .execute(house.stage.pool())
        .await
        .expect("broken");
    let event = HookEvent {
        id: id().into(),
        organisation: house.people.id.into(),
        kind: "callboard.tasks.v1.TaskDue".into(),
        ticket: None,
        body: "{}".into(),
    };
    let to = [&broken, &whole].map(|one| one.id.parse::<uuid::Uuid>().expect("an id").into());
    let hooks = Hooks::new(house.stage.pool().clone());
    hooks.queue(&event, &to, false, false, SystemClock.now()).await.expect("queued");
    backend.once(1).await;
    let reason = eventually("a reason", PATIENCE, || async {
        let found: Option<String> = sqlx::query_scalar(
            "select reason from notifications.webhook_attempt where webhook_id = $1::uuid",
        )
        .bind(&broken.id)
        .fetch_optional(house.stage.pool())
        .await
        .expect("a query");
        found.ok_or("none")
    })
    .await;
    assert_eq!(reason, "SECRETS_UNREADABLE");
    assert_eq!(backend.all().len(), 1);
}
