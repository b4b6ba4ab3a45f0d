//! The support desk through REST (S-1 to S-5).

use callboard_e2e_tests::{Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

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
