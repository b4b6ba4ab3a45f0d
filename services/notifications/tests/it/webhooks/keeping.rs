//! Who keeps webhooks, what they may be, and their secrets.

use callboard_notifications::store::{HookEvent, Hooks};
use callboard_proto::notifications::v1 as proto;
use callboard_stage::{Organisation, done, fields, id, refused, request_id, signed};

use super::super::house::House;
use super::{Backend, Behaviour, verified, webhook};

#[tokio::test]
async fn webhooks_are_of_their_organisation_and_for_its_administrators() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let (hook, _) = house.hook(&boss, &url, &[]).await;
    let create =
        || proto::CreateWebhookRequest { request_id: request_id(), webhook: Some(webhook(&url, &[])) };
    let get = || proto::GetWebhookRequest { webhook_id: hook.id.clone() };
    let test = || proto::TestWebhookRequest { request_id: request_id(), webhook_id: hook.id.clone() };
    let device = id();
    for who in [
        house.people.moderator(),
        house.people.member(),
        house.people.code_user(device),
        house.people.customer_user(id()),
    ] {
        let denied = done(house.webhooks().create_webhook(signed(&who, create())).await);
        assert_eq!(refused(denied), "PERMISSION_DENIED", "{who:?}");
        let denied = done(house.webhooks().get_webhook(signed(&who, get())).await);
        assert_eq!(refused(denied), "PERMISSION_DENIED", "{who:?}");
        let list = proto::ListWebhooksRequest {};
        assert_eq!(
            refused(done(house.webhooks().list_webhooks(signed(&who, list)).await)),
            "PERMISSION_DENIED"
        );
    }
    let others = Organisation::new();
    let stranger = others.administrator();
    assert_eq!(refused(done(house.webhooks().get_webhook(signed(&stranger, get())).await)), "NOT_FOUND");
    assert_eq!(refused(done(house.webhooks().test_webhook(signed(&stranger, test())).await)), "NOT_FOUND");
    let list = house.webhooks().list_webhooks(signed(&stranger, proto::ListWebhooksRequest {})).await;
    assert_eq!(done(list).expect("a list").webhooks, []);
    let delete = proto::DeleteWebhookRequest {
        request_id: request_id(),
        webhook_id: hook.id.clone(),
        etag: String::new(),
    };
    let foreign = done(house.webhooks().delete_webhook(signed(&stranger, delete.clone())).await);
    assert_eq!(refused(foreign), "NOT_FOUND");

    // What another organisation does is not told here.
    let nora = house.people.member();
    let facts = others.ticket_facts(id());
    let key = facts.ticket_id.parse().expect("an id");
    let opened = callboard_proto::tickets::v1::TicketOpened { ticket: Some(facts) };
    house.stage.publish(others.id, key, 1, &opened).await;
    let ticket = house.ticket(&[&nora]).await;
    let sent = backend.once(1).await;
    assert_eq!(sent[0].json()["subject"], ticket.id(), "the same stream, in order");

    done(house.webhooks().delete_webhook(signed(&boss, delete)).await).expect("removed");
    assert_eq!(refused(done(house.webhooks().get_webhook(signed(&boss, get())).await)), "NOT_FOUND");
    // The id of a webhook is its maker's to choose: chosen like a ticket of another organisation, or of the own one, it
    // takes nothing of that along when it goes.
    for who in [&stranger, &boss] {
        let named = proto::Webhook { id: ticket.id().into(), ..webhook(&url, &[]) };
        let request = proto::CreateWebhookRequest { request_id: request_id(), webhook: Some(named) };
        let made = done(house.webhooks().create_webhook(signed(who, request)).await);
        if made.is_ok() {
            let delete = proto::DeleteWebhookRequest {
                request_id: request_id(),
                webhook_id: ticket.id().into(),
                etag: String::new(),
            };
            done(house.webhooks().delete_webhook(signed(who, delete)).await).expect("removed");
        }
    }
    let (kind, deleted): (String, bool) =
        sqlx::query_as("select kind, deleted from known_subject where id = $1")
            .bind(ticket.key())
            .fetch_one(house.stage.pool())
            .await
            .expect("the ticket");
    assert_eq!((kind.as_str(), deleted), ("TICKET", false));

    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from webhook_delivery) + (select count(*) from webhook where secrets <> '[]')",
    )
    .fetch_one(house.stage.pool())
    .await
    .expect("a count");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_old_and_new_both_sign_while_rotating() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    let create = proto::CreateWebhookRequest { request_id: request_id(), webhook: Some(webhook(&url, &[])) };
    let made = done(house.webhooks().create_webhook(signed(&boss, create.clone())).await).expect("made");
    let first = made.secret.clone();
    assert!(first.starts_with("whsec_") && !format!("{made:?}").contains(&first));
    let again = done(house.webhooks().create_webhook(signed(&boss, create)).await).expect("the same");
    assert_eq!((again.webhook.as_ref(), again.secret.as_str()), (made.webhook.as_ref(), ""));
    let hook = made.webhook.expect("a webhook");
    let rotate = |end_old_now| proto::RotateWebhookSecretRequest {
        request_id: request_id(),
        webhook_id: hook.id.clone(),
        end_old_now,
    };
    let rotated = done(house.webhooks().rotate_webhook_secret(signed(&boss, rotate(false))).await);
    let rotated = rotated.expect("rotated");
    let second = rotated.secret;
    let secrets = rotated.webhook.expect("a webhook").secrets;
    let ends = secrets[1].expire_time.as_ref().expect("an end").seconds;
    let made_at = secrets[0].create_time.as_ref().expect("a time").seconds;
    assert_eq!((secrets.len(), ends - made_at), (2, 24 * 60 * 60));
    house.test_hook(&boss, &hook.id).await;
    let sent = backend.once(1).await.remove(0);
    assert!(verified(&sent, &first) && verified(&sent, &second));
    assert_eq!(sent.header("webhook-signature").split(' ').count(), 2);

    let third = done(house.webhooks().rotate_webhook_secret(signed(&boss, rotate(true))).await);
    let third = third.expect("rotated").secret;
    house.test_hook(&boss, &hook.id).await;
    let sent = backend.once(2).await.remove(1);
    assert!(verified(&sent, &third) && !verified(&sent, &first) && !verified(&sent, &second));

    // Nowhere but where it signs from.
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from command_receipt where position('whsec_'::bytea in answer) > 0",
    )
    .fetch_one(house.stage.pool())
    .await
    .expect("a count");
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn addresses_of_our_own_house_are_refused_and_not_called_either() {
    let house = House::with(|stage| {
        stage
            .with("notifications.webhooks.allow_private", false)
            .with("notifications.webhooks.allow_http", true)
    })
    .await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    for private in [
        url.as_str(),
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/x",
        "https://100.64.1.1/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https://user@hooks.example.com/x",
    ] {
        let request =
            proto::CreateWebhookRequest { request_id: request_id(), webhook: Some(webhook(private, &[])) };
        let answer = done(house.webhooks().create_webhook(signed(&boss, request)).await);
        assert_eq!(fields(answer), ["webhook.url"], "{private}");
    }
    // One that was public when it was entered.
    let (hook, _) = house.hook(&boss, "https://hooks.example.com/x", &[]).await;
    sqlx::query("update webhook set url = $1").bind(&url).execute(house.stage.pool()).await.expect("written");
    let event = house.test_hook(&boss, &hook.id).await;
    let attempt = house.tried(&boss, &hook.id, &event).await;
    assert_eq!((attempt.status_code, attempt.reason.as_str()), (0, "ADDRESS_BLOCKED"));
    assert!(backend.all().is_empty());
}

#[tokio::test]
async fn filters_are_of_the_catalogue_and_there_are_twenty_at_most() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let unknown =
        ["callboard.tickets.v1.TicketOpened", "callboard.tickets.v1.Unheard", "callboard.nowhere.v1.*", "*"];
    let request = proto::CreateWebhookRequest {
        request_id: request_id(),
        webhook: Some(webhook("https://hooks.example.com/x", &unknown)),
    };
    let answer = done(house.webhooks().create_webhook(signed(&boss, request)).await);
    assert_eq!(
        fields(answer),
        ["webhook.event_types[1]", "webhook.event_types[2]", "webhook.event_types[3]"]
    );
    for _ in 0..20 {
        house.hook(&boss, "https://hooks.example.com/x", &["callboard.tickets.v1.*"]).await;
    }
    let request = proto::CreateWebhookRequest {
        request_id: request_id(),
        webhook: Some(webhook("https://hooks.example.com/x", &[])),
    };
    let answer = done(house.webhooks().create_webhook(signed(&boss, request)).await);
    assert_eq!(refused(answer), "TOO_MANY_WEBHOOKS");
}

#[tokio::test]
async fn n_5_one_delivery_per_event_and_endpoint_however_often_it_comes() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let (url, backend) = Backend::start().await;
    backend.behaves(Behaviour::Says(200));
    let (hook, _) = house.hook(&boss, &url, &[]).await;
    let hooks = Hooks::new(house.stage.pool().clone());
    let event = HookEvent {
        id: id().into(),
        organisation: house.people.id.into(),
        kind: "callboard.tickets.v1.TicketOpened".into(),
        ticket: None,
        body: "{}".into(),
    };
    let now = callboard_kernel::Clock::now(&callboard_kernel::SystemClock);
    let to = [hook.id.parse::<uuid::Uuid>().expect("an id").into()];
    assert_eq!(hooks.queue(&event, &to, false, false, now).await.expect("queued"), 1);
    assert_eq!(hooks.queue(&event, &to, false, false, now).await.expect("queued"), 0);
    backend.once(1).await;
    let test = house.test_hook(&boss, &hook.id).await;
    let sent = backend.once(2).await;
    assert_eq!(sent[1].header("webhook-id"), test);
    // The same page after page.
    let mut request = proto::ListWebhookDeliveriesRequest {
        webhook_id: hook.id.clone(),
        page_size: 1,
        ..Default::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = done(house.webhooks().list_webhook_deliveries(signed(&boss, request.clone())).await);
        let page = page.expect("a page");
        listed.extend(page.webhook_deliveries.into_iter().map(|one| one.event_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed, [test, event.id.to_string()]);
}
