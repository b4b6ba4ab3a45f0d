//! Definitions of templates (K-1).

use callboard_kernel::{ErrorKind, Principal, Refusal, TemplateId, Version};
use callboard_proto::tasks::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::{self, parse_id};
use callboard_tasks_domain::definition::{Content, DefinitionCommand, DefinitionState, Step};
use callboard_tasks_domain::{DefinitionId, StepId};
use tonic::Request;
use uuid::Uuid;

use super::files::of_definition;
use super::{Fields, TaskApi};
use crate::convert;
use crate::store::MAX_DEFINITIONS;

impl TaskApi {
    async fn template(&self, principal: &Principal, template: TemplateId) -> Result<(), Refusal> {
        if self.reads.copies.has_template(principal.organisation, template).await.map_err(refusal)? {
            Ok(())
        } else {
            Err(Refusal::missing("template", template))
        }
    }

    pub(super) async fn definitions(
        &self,
        request: &Request<proto::ListDefinitionsRequest>,
    ) -> Result<proto::ListDefinitionsResponse, Refusal> {
        let principal = request::principal(request)?;
        let template = parse_id("template_id", &request.get_ref().template_id)?;
        if principal.employee().is_none() {
            return Err(Refusal::denied("definitions are for employees"));
        }
        self.template(&principal, template).await?;
        let found =
            self.reads.queries.definitions(principal.organisation, template).await.map_err(refusal)?;
        let mut definitions: Vec<_> = found
            .iter()
            .filter_map(|found| convert::definition(found.id, &found.state, found.version))
            .collect();
        self.show_files(definitions.iter_mut().flat_map(|definition| &mut definition.steps)).await?;
        Ok(proto::ListDefinitionsResponse { definitions })
    }

    pub(super) async fn put_definition(
        &self,
        request: &Request<proto::PutDefinitionRequest>,
    ) -> Result<proto::PutDefinitionResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "PutDefinition", &message.request_id)?;
        let wanted =
            message.definition.as_ref().ok_or_else(|| Refusal::field("definition", "is required"))?;
        let mut fields = Fields::default();
        let id: DefinitionId = fields.id("definition.id", &wanted.id);
        let template: TemplateId = fields.id("definition.template_id", &wanted.template_id);
        let mut steps = Vec::with_capacity(wanted.steps.len().min(200));
        for (at, step) in wanted.steps.iter().enumerate().take(200) {
            let given: Option<StepId> = fields.optional_id(&format!("definition.steps[{at}].id"), &step.id);
            // The same request names its steps the same.
            let id = given.unwrap_or_else(|| {
                callboard_kernel::derive_uuid(mutation.command_id.uuid(), &[&at.to_be_bytes()]).into()
            });
            // More is refused by the definition, which names the rule.
            let field = format!("definition.steps[{at}].attachment_ids");
            let attachments = fields.ids(&field, &step.attachment_ids, 100);
            steps.push(Step { id, text: step.text.trim().to_owned(), attachments });
        }
        fields.finish()?;
        let mutation = mutation.about("definition", id).expecting("definition.etag", &wanted.etag)?;
        let content = Content {
            template,
            title: wanted.title.trim().to_owned(),
            description: wanted.description.trim().to_owned(),
            steps,
        };
        let prepared = async {
            let principal = &mutation.principal;
            moderators(principal)?;
            self.template(principal, template).await?;
            let known =
                self.reads.queries.definitions(principal.organisation, template).await.map_err(refusal)?;
            let is_new = known.iter().all(|known| known.id != id.uuid());
            if is_new && i64::try_from(known.len()).is_ok_and(|count| count >= MAX_DEFINITIONS) {
                return Err(Refusal::field("definition", "a template has at most 200 definitions"));
            }
            for (at, step) in wanted.steps.iter().enumerate() {
                let field = format!("definition.steps[{at}].attachment_ids");
                let owner = of_definition(id);
                self.attachments.check(principal, &owner, &field, &step.attachment_ids).await?;
            }
            Ok((id.uuid(), DefinitionCommand::Put(content)))
        };
        let answer = move |state: &DefinitionState, _: &[_], version: Version| proto::PutDefinitionResponse {
            definition: convert::definition(id.uuid(), state, version),
        };
        let mut answered = mutation.carry_out(&self.actors.definitions, prepared, answer).await?;
        self.show_files(answered.definition.iter_mut().flat_map(|definition| &mut definition.steps)).await?;
        Ok(answered)
    }

    pub(super) async fn delete_definition(
        &self,
        request: &Request<proto::DeleteDefinitionRequest>,
    ) -> Result<proto::DeleteDefinitionResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeleteDefinition", &message.request_id)?;
        let id: DefinitionId = parse_id("definition_id", &message.definition_id)?;
        let mutation = mutation.about("definition", id).expecting("etag", &message.etag)?;
        let prepared = async {
            let principal = &mutation.principal;
            moderators(principal)?;
            let queries = &self.reads.queries;
            let known = queries.definition(principal.organisation, id).await.map_err(refusal)?;
            if known.is_none() {
                return Err(Refusal::missing("definition", id));
            }
            if queries.is_used(principal.organisation, id).await.map_err(refusal)? {
                return Err(Refusal::new(
                    ErrorKind::FailedPrecondition,
                    "DEFINITION_IN_USE",
                    "device events use the definition: remove them, or give them another",
                ));
            }
            Ok((Uuid::from(id), DefinitionCommand::Delete))
        };
        mutation
            .carry_out(&self.actors.definitions, prepared, |_, _, _| proto::DeleteDefinitionResponse {})
            .await
    }
}

/// Parts of templates, and what is planned on devices, are changed by moderators and administrators.
pub(super) fn moderators(principal: &Principal) -> Result<(), Refusal> {
    if principal.is_moderator() { Ok(()) } else { Err(Refusal::denied("for moderators and administrators")) }
}
