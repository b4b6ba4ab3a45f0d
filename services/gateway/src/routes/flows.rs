//! Creation flows: the part of a template that tickets own (T-1).

use callboard_proto::tickets::v1 as proto;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, show, show_inner};
use crate::call::{Call, Id, IdAndKey};
use crate::extract::{Json, Query};
use crate::model::mirror::Mirror;
use crate::model::tickets::{Flow, FlowList};
use crate::openapi::{Resource, Route};
use crate::start;

/// Which flows.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Also inactive ones; moderators and administrators.
    include_inactive: bool,
}

/// Tells the link that starts it.
fn link(call: &Call, flow: &mut Flow) {
    if let (Some(template), Some(id)) = (&flow.template_id, &flow.id) {
        flow.start_url = Some(start::flow_url(&call.gateway, template, id));
    }
}

async fn list(call: Call, Id(template_id): Id, Query(asked): Query<Asked>) -> Answer<FlowList> {
    let message = proto::ListFlowsRequest { template_id, include_inactive: asked.include_inactive };
    let shown: Answer<FlowList> = show(ask!(call, flows.list_flows(message)));
    Ok(shown?.with(|list| list.flows.iter_mut().for_each(|flow| link(&call, flow))))
}

async fn get(call: Call, IdAndKey(template_id, flow_id): IdAndKey) -> Answer<Flow> {
    let shown: Answer<Flow> =
        show_inner(ask!(call, flows.get_flow(proto::GetFlowRequest { template_id, flow_id })).flow);
    Ok(shown?.with(|flow| link(&call, flow)))
}

async fn put(call: Call, IdAndKey(template_id, id): IdAndKey, Json(flow): Json<Flow>) -> Answer<Flow> {
    let mut flow: proto::Flow = flow.back();
    flow.etag = call.etag(Some(std::mem::take(&mut flow.etag)));
    let flow = proto::Flow { id, template_id, ..flow };
    let message = proto::PutFlowRequest { request_id: call.request_uuid(), flow: Some(flow) };
    let shown: Answer<Flow> = show_inner(ask!(call, flows.put_flow(message)).flow);
    Ok(shown?.with(|flow| link(&call, flow)))
}

async fn delete(call: Call, IdAndKey(template_id, flow_id): IdAndKey) -> Gone {
    let message = proto::DeleteFlowRequest {
        request_id: call.request_uuid(),
        template_id,
        flow_id,
        etag: call.etag(None),
    };
    ask!(call, flows.delete_flow(message));
    Ok(StatusCode::NO_CONTENT)
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "flows",
        about: "Creation flows of a template. Editing: moderators and administrators.",
        routes: vec![
            Route::get("/v1/templates/{id}/flows", list)
                .rpc(rpc!("tickets.v1.FlowService", "ListFlows"))
                .query::<Asked>()
                .answers::<FlowList>()
                .about("Flows of a template, in order."),
            Route::get("/v1/templates/{id}/flows/{flowId}", get)
                .rpc(rpc!("tickets.v1.FlowService", "GetFlow"))
                .answers::<Flow>()
                .about("One flow."),
            Route::put("/v1/templates/{id}/flows/{flowId}", put)
                .rpc(rpc!("tickets.v1.FlowService", "PutFlow"))
                .body::<Flow>()
                .answers::<Flow>()
                .conditional()
                .about("Creates or replaces a flow under the caller's id."),
            Route::delete("/v1/templates/{id}/flows/{flowId}", delete)
                .rpc(rpc!("tickets.v1.FlowService", "DeleteFlow"))
                .conditional()
                .about("Removes a flow. Tickets made by it stay."),
        ],
    }
}
