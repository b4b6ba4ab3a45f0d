//! The support desk through REST (S-1 to S-5).

use async_nats::HeaderMap;
use bytes::Bytes;
use callboard_e2e_tests::{Platform, World};
use callboard_proto::partners::v1 as partners;
use callboard_testkit::{PATIENCE, eventually};
use prost::Message as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::play::id;

fn concern(account: &str) -> Value {
    json!({"person": {"name": "Pia Partner"}, "account": {"id": account, "name": "Acme", "plan": "gold"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn s_4_a_domain_is_submitted_decided_and_approved_by_itself_the_next_time() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "support-desk.test").await;
    let (ada, max, nora) = (world.person("ada").await, world.person("max").await, world.person("nora").await);
    let submitted = json!({"domainSubmitted": {"concern": concern("a-1"), "domain": "WWW.Acme.co.uk"}});
    let ticket = ada.post("/v1/partnerEvents", submitted.clone()).await.ok();
    assert_eq!((&ticket["domain"], &ticket["status"]), (&json!("acme.co.uk"), &json!("NEW")));
    let path = format!("/v1/supportTickets/{}", id(&ticket));
    eventually("max is known as an agent", PATIENCE, || async {
        let answer = max.get(&path).await;
        if answer.status.is_success() { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
    assert_eq!(nora.get(&path).await.status, 404, "no agent");
    let list = max.get("/v1/supportTickets?unassigned=true&type=DOMAIN_APPROVAL&text=acme").await.ok();
    assert_eq!(list["tickets"][0]["id"], ticket["id"]);
    // S-3: working on it assigns it.
    max.post(&format!("{path}/notes"), json!({"text": "They are new"})).await.ok();
    let decided = max.post(&format!("{path}:decide"), json!({"decision": "APPROVED"})).await.ok();
    assert_eq!(decided["status"], "SOLVED");
    assert_eq!(decided["assigneeId"], json!(world.demo.employee("max")));
    assert_eq!(decided["decidedBy"]["id"], json!(world.demo.employee("max")));
    let next = ada.post("/v1/partnerEvents", submitted).await.ok();
    assert_eq!((&next["decision"], &next["decidedBy"]["kind"]), (&json!("APPROVED"), &json!("SYSTEM")));
    let domains = max.get("/v1/supportDomains").await.ok();
    assert_eq!(domains["domains"][0]["domain"], "acme.co.uk");
    let closed = max.post(&format!("{path}:setStatus"), json!({"status": "NEW"})).await;
    assert_eq!((closed.status.as_u16(), &closed.body["reason"]), (409, &json!("STATUS_TRANSITION")));
}

/// A CloudEvent as another system writes it: by hand, with the headers that docs/events.md asks for and no more.
fn by_hand(
    organisation: &str,
    tenant: &str,
    account: Uuid,
    id: Uuid,
    domain: &str,
) -> (String, HeaderMap, Bytes) {
    let person = partners::Person { name: "Pia Partner".into(), ..partners::Person::default() };
    let told = partners::Account { id: "a-1".into(), name: "Acme".into(), ..partners::Account::default() };
    let concern = partners::Concern { person: Some(person), account: Some(told) };
    let event = partners::DomainSubmitted { concern: Some(concern), domain: domain.into() };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", &id.to_string()),
        ("ce-source", "/callboard/partners"),
        ("ce-type", "callboard.partners.v1.DomainSubmitted"),
        ("ce-tenantid", tenant),
        ("ce-subject", &account.to_string()),
        ("ce-time", "2026-01-05T09:00:00Z"),
    ] {
        headers.insert(name, value);
    }
    let subject = format!("callboard.{organisation}.partners.domain.submitted.v1");
    (subject, headers, event.encode_to_vec().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn s_1_what_another_system_publishes_by_hand_makes_a_ticket_once_and_in_its_own_organisation() {
    let platform = Platform::shared().await;
    let (own, other) =
        (World::make(platform, "by-hand.test").await, World::make(platform, "others.test").await);
    let (here, there) = (own.organisation.clone(), other.organisation.clone());
    let client = async_nats::connect(platform.nats_url()).await.expect("NATS");
    let jetstream = async_nats::jetstream::new(client);
    let publish = async |(subject, headers, payload): (String, HeaderMap, Bytes)| {
        let stored = jetstream.publish_with_headers(subject, headers, payload).await.expect("published");
        stored.await.expect("stored");
    };
    let account = Uuid::from_u128(1);
    // A system of ours that names another's organisation is not believed, and holds up nothing of that one's, although
    // it chose the same ids.
    publish(by_hand(&here, &there, account, Uuid::from_u128(10), "stolen.co.uk")).await;
    for _ in 0..2 {
        publish(by_hand(&there, &there, account, Uuid::from_u128(10), "www.own.co.uk")).await;
    }
    // Of the same account, so what came before has been taken when this one has.
    publish(by_hand(&there, &there, account, Uuid::from_u128(11), "later.co.uk")).await;
    let (theirs, ours) = (other.person("max").await, own.person("max").await);
    eventually("the tickets", PATIENCE, || async {
        let answer = theirs.get("/v1/supportTickets?pageSize=10").await;
        let all = answer.body["tickets"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<_> =
            all.iter().map(|ticket| (ticket["domain"].as_str(), ticket["requestCount"].as_i64())).collect();
        found.sort_unstable();
        // What came twice was counted once.
        let wanted = [(Some("later.co.uk"), Some(1)), (Some("own.co.uk"), Some(1))];
        if found == wanted { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
    assert_eq!(ours.get("/v1/supportTickets").await.ok()["tickets"], json!([]));
}
