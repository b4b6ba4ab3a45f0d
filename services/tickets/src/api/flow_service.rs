//! `FlowService`: creation flows of templates (T-1).

use std::sync::Arc;

use callboard_kernel::{Principal, Refusal, Subject, TemplateId};
use callboard_proto::tickets::v1 as proto;
use callboard_service::Mutation;
use callboard_service::error::IntoStatus;
use callboard_service::request::{parse_id, principal};
use callboard_tickets_domain::{FlowId, FlowSet, FlowSetCommand, FlowSetRejection, may_edit_flows};
use tonic::{Request, Response, Status};

use super::SERVICE;
use super::ask::Api;
use crate::convert::{from_proto_flow, to_proto_flow};

/// Answers `FlowService`.
#[derive(Debug, Clone)]
pub struct FlowApi(pub Arc<Api>);

type Answer<R> = Result<Response<R>, Status>;

fn answer<R>(result: Result<R, Refusal>) -> Answer<R> {
    result.map(Response::new).map_err(|refusal| refusal.into_status(SERVICE))
}

impl FlowApi {
    /// Reading is for everyone who sees a device of the template.
    async fn readable(&self, principal: &Principal, template: TemplateId) -> Result<(), Refusal> {
        let api = &self.0;
        let organisation = principal.organisation;
        let sees = api.copies.has_template(organisation, template).await?
            && match &principal.subject {
                Subject::Employee(_) | Subject::System => true,
                Subject::CodeUser(user) => {
                    let device = api.copies.device(organisation, user.device).await?;
                    device.is_some_and(|device| !device.removed && device.place.template == template)
                }
                Subject::CustomerUser(user) => {
                    api.copies.owns_device_of(organisation, user.customer, template).await?
                }
            };
        if sees { Ok(()) } else { Err(Refusal::missing("template", template)) }
    }

    async fn list(
        &self,
        request: Request<proto::ListFlowsRequest>,
    ) -> Result<proto::ListFlowsResponse, Refusal> {
        let caller = principal(&request)?;
        let template: TemplateId = parse_id("template_id", &request.get_ref().template_id)?;
        self.readable(&caller, template).await?;
        let all = request.get_ref().include_inactive;
        if all && !may_edit_flows(&caller) {
            return Err(Refusal::denied("inactive flows are shown to moderators and administrators"));
        }
        let flows = self.0.copies.flows(caller.organisation, template).await?;
        let (set, version) = &*flows;
        let flows = set.flows.iter().filter(|flow| all || flow.active);
        let flows = flows.map(|flow| to_proto_flow(template.uuid(), flow, *version)).collect();
        Ok(proto::ListFlowsResponse { flows })
    }

    /// Inactive flows too: whoever reads an old ticket needs the labels of its answers.
    async fn get(&self, request: Request<proto::GetFlowRequest>) -> Result<proto::GetFlowResponse, Refusal> {
        let caller = principal(&request)?;
        let template: TemplateId = parse_id("template_id", &request.get_ref().template_id)?;
        let flow: FlowId = parse_id("flow_id", &request.get_ref().flow_id)?;
        self.readable(&caller, template).await?;
        let flows = self.0.copies.flows(caller.organisation, template).await?;
        let (set, version) = &*flows;
        let flow = set.flow(flow).ok_or_else(|| Refusal::missing("flow", flow))?;
        Ok(proto::GetFlowResponse { flow: Some(to_proto_flow(template.uuid(), flow, *version)) })
    }

    /// Editing is for moderators and administrators of the template's organisation.
    async fn editable(&self, caller: &Principal, template: TemplateId) -> Result<(), Refusal> {
        self.readable(caller, template).await?;
        if may_edit_flows(caller) { Ok(()) } else { Err(Refusal::from(&FlowSetRejection::Denied)) }
    }

    async fn put(&self, request: Request<proto::PutFlowRequest>) -> Result<proto::PutFlowResponse, Refusal> {
        let call = Mutation::new(&request, "PutFlow", &request.get_ref().request_id)?;
        let flow = request.into_inner().flow.ok_or_else(|| Refusal::field("flow", "is required"))?;
        let template: TemplateId = parse_id("flow.template_id", &flow.template_id)?;
        let call = call.about("template", template).expecting("flow.etag", &flow.etag)?;
        let id = flow.id.parse().ok().map(FlowId);
        let prepared = async {
            self.editable(&call.principal, template).await?;
            let flow = from_proto_flow(flow).map_err(Refusal::fields)?;
            Ok((template.uuid(), FlowSetCommand::Put(flow)))
        };
        let answer = move |set: &FlowSet, _: &[_], version| proto::PutFlowResponse {
            flow: id.and_then(|id| set.flow(id)).map(|flow| to_proto_flow(template.uuid(), flow, version)),
        };
        let answer = call.carry_out(&self.0.flows, prepared, answer).await?;
        self.0.copies.forget_flows(template).await;
        Ok(answer)
    }

    async fn delete(
        &self,
        request: Request<proto::DeleteFlowRequest>,
    ) -> Result<proto::DeleteFlowResponse, Refusal> {
        let call = Mutation::new(&request, "DeleteFlow", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let template: TemplateId = parse_id("template_id", &message.template_id)?;
        let flow: FlowId = parse_id("flow_id", &message.flow_id)?;
        let call = call.about("flow", flow).expecting("etag", &message.etag)?;
        let prepared = async {
            self.editable(&call.principal, template).await?;
            Ok((template.uuid(), FlowSetCommand::Delete(flow)))
        };
        let answer = |_: &_, _: &[_], _| proto::DeleteFlowResponse {};
        let answer = call.carry_out(&self.0.flows, prepared, answer).await?;
        self.0.copies.forget_flows(template).await;
        Ok(answer)
    }
}

#[tonic::async_trait]
impl proto::flow_service_server::FlowService for FlowApi {
    async fn list_flows(
        &self,
        request: Request<proto::ListFlowsRequest>,
    ) -> Answer<proto::ListFlowsResponse> {
        answer(self.list(request).await)
    }

    async fn get_flow(&self, request: Request<proto::GetFlowRequest>) -> Answer<proto::GetFlowResponse> {
        answer(self.get(request).await)
    }

    async fn put_flow(&self, request: Request<proto::PutFlowRequest>) -> Answer<proto::PutFlowResponse> {
        answer(self.put(request).await)
    }

    async fn delete_flow(
        &self,
        request: Request<proto::DeleteFlowRequest>,
    ) -> Answer<proto::DeleteFlowResponse> {
        answer(self.delete(request).await)
    }
}
