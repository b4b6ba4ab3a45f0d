//! Session flows of templates (V-1).

use callboard_kernel::{Principal, Refusal, Subject, TemplateId};
use callboard_proto::video::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::{self, parse_id};
use callboard_video_domain::flow::{Choice, Flow, FlowCommand, MAX_RESPONSIBLE};
use tonic::Request;

use super::VideoApi;
use super::fields::Fields;
use crate::convert;

impl VideoApi {
    /// A template that the caller may look at: employees any; from outside that of one's own devices.
    async fn template(&self, principal: &Principal, template: TemplateId) -> Result<(), Refusal> {
        let (organisation, copies) = (principal.organisation, &self.reads.copies);
        let seen = match &principal.subject {
            Subject::Employee(_) | Subject::System => copies.has_template(organisation, template).await,
            Subject::CodeUser(user) => {
                copies.has_device_of(organisation, template, Some(user.device), None).await
            }
            Subject::CustomerUser(user) => {
                copies.has_device_of(organisation, template, None, Some(user.customer)).await
            }
        };
        if seen.map_err(refusal)? { Ok(()) } else { Err(Refusal::missing("template", template)) }
    }

    pub(super) async fn flow(
        &self,
        request: &Request<proto::GetSessionFlowRequest>,
    ) -> Result<proto::SessionFlow, Refusal> {
        let principal = request::principal(request)?;
        let template: TemplateId = parse_id("template_id", &request.get_ref().template_id)?;
        self.template(&principal, template).await?;
        let found = self.reads.queries.flow(principal.organisation, template).await.map_err(refusal)?;
        Ok(convert::flow(template.uuid(), &found.flow, found.version, principal.is_outsider()))
    }

    pub(super) async fn put_flow(
        &self,
        request: &Request<proto::PutSessionFlowRequest>,
    ) -> Result<proto::SessionFlow, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "PutSessionFlow", &message.request_id)?;
        let wanted = message.session_flow.as_ref();
        let wanted = wanted.ok_or_else(|| Refusal::field("session_flow", "is required"))?;
        let mut fields = Fields::default();
        let template: TemplateId = fields.id("session_flow.template_id", &wanted.template_id);
        let mut asked = |field: &str, asked: i32| {
            proto::FlowField::try_from(asked).map(convert::from_asked).unwrap_or_else(|_| {
                fields.refuse(field, "OPTIONAL or REQUIRED, or not asked");
                callboard_video_domain::flow::Asked::Not
            })
        };
        let name = asked("session_flow.requester_name", wanted.requester_name);
        let reason = asked("session_flow.reason", wanted.reason);
        let flow = Flow {
            requests_allowed: wanted.requests_allowed,
            name,
            reason,
            reasons: wanted.reasons.iter().map(|text| Choice(text.by_language.clone())).collect(),
            asks_consent: wanted.asks_consent,
            employees: fields.ids(
                "session_flow.responsible_employee_ids",
                &wanted.responsible_employee_ids,
                MAX_RESPONSIBLE,
            ),
            departments: fields.ids(
                "session_flow.responsible_department_ids",
                &wanted.responsible_department_ids,
                MAX_RESPONSIBLE,
            ),
        };
        fields.finish()?;
        let mutation = mutation.about("template", template).expecting("session_flow.etag", &wanted.etag)?;
        let prepared = async {
            self.template(&mutation.principal, template).await?;
            Ok((template.uuid(), FlowCommand::Put(flow)))
        };
        let answer =
            move |state: &Flow, _: &[_], version| convert::flow(template.uuid(), state, version, false);
        mutation.carry_out(&self.flows, prepared, answer).await
    }
}
