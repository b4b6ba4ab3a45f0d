//! `FlowService` (T-1).

use std::collections::BTreeMap;

use callboard_proto::common::v1::LocalizedText;
use callboard_proto::directory::v1 as directory;
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::StepKind;
use callboard_proto::tickets::v1::answer::Value;
use callboard_service::error::Report;
use callboard_testkit::{PATIENCE, eventually};

use crate::support::*;

fn text(en: &str) -> Option<LocalizedText> {
    Some(LocalizedText {
        by_language: BTreeMap::from([("en".into(), en.into()), ("de".into(), format!("{en} (de)"))]),
    })
}

pub fn answer(step: &str, value: Value) -> proto::Answer {
    proto::Answer { step: step.into(), value: Some(value) }
}

/// A flow of the tenant's template: what (text), colour (choice), when (date, may be left out).
pub fn repair(tenant: &Tenant) -> proto::Flow {
    let step = |key: &str, kind: StepKind, required| proto::Step {
        key: key.into(),
        kind: kind.into(),
        required,
        label: text(key),
        ..Default::default()
    };
    let choice = |key: &str| proto::Choice { key: key.into(), label: text(key) };
    let mut colour = step("colour", StepKind::SingleChoice, true);
    colour.choices = vec![choice("red"), choice("blue")];
    proto::Flow {
        id: id().to_string(),
        template_id: tenant.template.to_string(),
        label: text("Repair"),
        steps: vec![step("what", StepKind::Text, true), colour, step("when", StepKind::Date, false)],
        title_step: "what".into(),
        active: true,
        ..Default::default()
    }
}

async fn try_put(caller: &Caller, flow: &proto::Flow) -> Result<proto::Flow, Report> {
    let message = proto::PutFlowRequest { request_id: id().to_string(), flow: Some(flow.clone()) };
    done(caller.flows().put_flow(caller.request(message)).await).map(|answer| answer.flow.unwrap())
}

/// Puts a flow once the template is known.
pub async fn put_flow(tenant: &Tenant, flow: &proto::Flow) -> proto::Flow {
    tenant.known("template", tenant.template, 1).await;
    try_put(&tenant.moderator(), flow).await.unwrap()
}

async fn list(tenant: &Tenant, caller: &Caller, all: bool) -> Result<Vec<proto::Flow>, Report> {
    let message = proto::ListFlowsRequest { template_id: tenant.template.to_string(), include_inactive: all };
    done(caller.flows().list_flows(caller.request(message)).await).map(|answer| answer.flows)
}

#[test]
fn t_1_flows_are_put_read_and_removed() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let moderator = tenant.moderator();
        let first = put_flow(&tenant, &repair(&tenant)).await;
        let second = put_flow(&tenant, &proto::Flow { active: false, ..repair(&tenant) }).await;
        assert_eq!((first.etag.as_str(), second.etag.as_str()), ("\"1\"", "\"2\""));
        let ids = |flows: Vec<proto::Flow>| flows.into_iter().map(|flow| flow.id).collect::<Vec<_>>();
        for caller in [tenant.member(), tenant.code_user(), tenant.customer_user(tenant.customer)] {
            assert_eq!(ids(list(&tenant, &caller, false).await.unwrap()), std::slice::from_ref(&first.id));
            assert_eq!(refused(list(&tenant, &caller, true).await), "PERMISSION_DENIED");
            assert_eq!(refused(try_put(&caller, &repair(&tenant)).await), "PERMISSION_DENIED");
        }
        for caller in
            [tenant.code_user_at(id()), tenant.customer_user(id()), Tenant::new(world).await.moderator()]
        {
            assert_eq!(refused(list(&tenant, &caller, false).await), "NOT_FOUND");
            assert_eq!(refused(try_put(&caller, &repair(&tenant)).await), "NOT_FOUND");
        }
        assert_eq!(
            ids(list(&tenant, &moderator, true).await.unwrap()),
            [first.id.clone(), second.id.clone()]
        );
        let stale = proto::Flow { title_step: String::new(), ..first.clone() };
        assert_eq!(refused(try_put(&moderator, &stale).await), "ETAG_MISMATCH");
        let fresh = proto::Flow { etag: second.etag.clone(), ..stale };
        assert_eq!(try_put(&moderator, &fresh).await.unwrap().etag, "\"3\"");
        // An inactive flow makes no new tickets.
        let message = proto::CreateTicketRequest { flow_id: second.id.clone(), ..tenant.plain("", false) };
        assert_eq!(refused(tenant.member().create(message).await), "FLOW_INACTIVE");
        let message = proto::CreateTicketRequest { flow_id: id().to_string(), ..tenant.plain("", false) };
        assert_eq!(refused(tenant.member().create(message).await), "NOT_FOUND");
    });
}

#[test]
fn t_1_a_wrong_flow_names_every_field() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        tenant.known("template", tenant.template, 1).await;
        let moderator = tenant.moderator();
        let mut flow = repair(&tenant);
        flow.steps[0].key = "Not A Key".into();
        flow.steps[1].choices.clear();
        flow.title_step = "gone".into();
        assert_eq!(
            fields(try_put(&moderator, &flow).await),
            ["flow.steps[0].key", "flow.steps[1].choices", "flow.title_step"]
        );
        // Limits come first: nothing is said a thousand times.
        let many = proto::Flow { steps: vec![proto::Step::default(); 1000], ..repair(&tenant) };
        assert_eq!(fields(try_put(&moderator, &many).await), ["flow.steps"]);
        let mut many = repair(&tenant);
        let languages = (b'a'..=b'z').flat_map(|a| (b'a'..=b'z').map(move |b| [a, b]));
        let languages = languages.map(|two| (String::from_utf8(two.to_vec()).unwrap(), String::new()));
        many.label = Some(LocalizedText { by_language: languages.collect() });
        assert_eq!(fields(try_put(&moderator, &many).await), ["flow.label"]);
        let unread = proto::Flow { id: "7".into(), group_id: "x".into(), ..repair(&tenant) };
        assert_eq!(fields(try_put(&moderator, &unread).await), ["flow.id", "flow.group_id"]);
    });
}

#[test]
fn a_removed_template_takes_its_flows_along_and_aip_155_repeats_are_answered() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let moderator = tenant.moderator();
        put_flow(&tenant, &repair(&tenant)).await;
        let put = proto::PutFlowRequest { request_id: id().to_string(), flow: Some(repair(&tenant)) };
        let first = done(moderator.flows().put_flow(moderator.request(put.clone())).await).unwrap();
        let removed = directory::TemplateRemoved {
            template_id: tenant.template.to_string(),
            organisation_id: tenant.organisation.to_string(),
        };
        world.publish(tenant.organisation, tenant.template, 2, &removed).await;
        eventually("the flows to go", PATIENCE, || async {
            let left: i64 = sqlx::query_scalar("select count(*) from flow where aggregate_id = $1")
                .bind(tenant.template)
                .fetch_one(&world.pool)
                .await
                .unwrap();
            if left == 0 { Ok(()) } else { Err(left) }
        })
        .await;
        assert_eq!(refused(list(&tenant, &tenant.moderator(), true).await), "NOT_FOUND");
        let again = done(moderator.flows().put_flow(moderator.request(put.clone())).await);
        assert_eq!(again, Ok(first));
        let fresh = proto::PutFlowRequest { request_id: id().to_string(), ..put };
        let fresh = done(moderator.flows().put_flow(moderator.request(fresh)).await);
        assert_eq!(refused(fresh), "NOT_FOUND");
    });
}
