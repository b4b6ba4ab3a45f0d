//! What is read for webhooks, and when.

use callboard_proto::notifications::v1 as proto;
use callboard_stage::{done, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};

use super::super::house::House;
use super::{Backend, webhook};

impl House {
    /// The durable that feeds webhooks with what happens to tickets is there, or is not.
    async fn until_heard(&self, heard: bool) {
        eventually("the durable of webhooks comes or goes", PATIENCE, || async {
            let names = self.stage.durables("tickets").await;
            let there = names.iter().any(|name| name == "notifications-webhooks-tickets");
            if there == heard { Ok(()) } else { Err(names) }
        })
        .await;
    }
}

#[tokio::test]
async fn events_are_read_for_webhooks_only_while_there_are_any_and_none_is_missed() {
    let house = House::new().await;
    let boss = house.people.administrator();
    let nora = house.known(house.people.member(), "en", "Nora").await;
    house.until_heard(false).await;
    house.ticket(&[&nora]).await;

    // What happens right after it was made is sent, though nobody read the stream yet.
    let (url, backend) = Backend::start().await;
    let later = proto::Webhook {
        event_types: vec!["callboard.tickets.v1.TicketOpened".into()],
        ..webhook(&url, &[])
    };
    let request = proto::CreateWebhookRequest { request_id: request_id(), webhook: Some(later) };
    let made = done(house.webhooks().create_webhook(signed(&boss, request)).await).expect("made");
    let webhook_id = made.webhook.expect("a webhook").id;
    let ticket = house.ticket(&[&nora]).await;
    eventually("the ticket is told", PATIENCE, || async {
        let all = backend.all();
        if all.iter().any(|sent| sent.json()["subject"] == ticket.id()) { Ok(()) } else { Err(all.len()) }
    })
    .await;
    house.until_heard(true).await;

    // What was sent is kept for a while and goes with its ticket (T-11): deletions are heard as long as there is any.
    let delete = proto::DeleteWebhookRequest { request_id: request_id(), webhook_id, etag: String::new() };
    done(house.webhooks().delete_webhook(signed(&boss, delete)).await).expect("removed");
    let count = "select count(*) from webhook_event";
    let kept: i64 = sqlx::query_scalar(count).fetch_one(house.stage.pool()).await.expect("a count");
    assert!(kept > 0);
    sqlx::query("delete from webhook_event").execute(house.stage.pool()).await.expect("forgotten with time");
    house.until_heard(false).await;
}
