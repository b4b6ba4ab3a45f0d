//! Notification groups (N-4).

use callboard_kernel::{FieldViolation, Refusal};
use callboard_notifications_domain::GroupId;
use callboard_notifications_domain::group::{GroupCommand, Members};
use callboard_proto::notifications::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::{
    self, decode_page_token, encode_page_token, page_size, parse_id, parse_optional_id,
};
use tonic::Request;
use uuid::Uuid;

use super::GroupApi;
use crate::convert;

fn members(group: &proto::Group) -> Result<Members, Refusal> {
    fn ids<I: From<Uuid>>(field: &str, texts: &[String], wrong: &mut Vec<FieldViolation>) -> Vec<I> {
        let mut ids = Vec::new();
        for (index, text) in texts.iter().enumerate().take(1_000) {
            match text.parse::<Uuid>() {
                Ok(id) => ids.push(id.into()),
                Err(_) => {
                    wrong.push(FieldViolation::new(format!("group.{field}[{index}]"), "must be a UUID"))
                }
            }
        }
        ids
    }
    let mut wrong = Vec::new();
    let members = Members {
        name: group.name.trim().to_owned(),
        employees: ids("employee_ids", &group.employee_ids, &mut wrong),
        departments: ids("department_ids", &group.department_ids, &mut wrong),
        teams: ids("team_ids", &group.team_ids, &mut wrong),
    };
    if wrong.is_empty() { Ok(members) } else { Err(Refusal::fields(wrong)) }
}

fn required(group: Option<&proto::Group>) -> Result<&proto::Group, Refusal> {
    group.ok_or_else(|| Refusal::field("group", "is required"))
}

impl GroupApi {
    fn admit<T>(request: &Request<T>) -> Result<callboard_kernel::OrganisationId, Refusal> {
        let principal = request::principal(request)?;
        // Other contexts look nothing up here; the system is none of the readers.
        if principal.employee().is_none() {
            return Err(Refusal::denied("notification groups are for employees"));
        }
        Ok(principal.organisation)
    }

    pub(super) async fn create_group(
        &self,
        request: &Request<proto::CreateGroupRequest>,
    ) -> Result<proto::CreateGroupResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CreateGroup", &message.request_id)?;
        let sent = required(message.group.as_ref())?;
        let given: Option<GroupId> = parse_optional_id("group.id", &sent.id)?;
        let id = given.unwrap_or_else(|| mutation.command_id.0.into());
        let command = GroupCommand::Create(members(sent)?);
        mutation
            .about("notification_group", id)
            .ask(&self.groups, id.uuid(), command, move |state, _, version| proto::CreateGroupResponse {
                group: Some(convert::group(id, state, version)),
            })
            .await
    }

    pub(super) async fn get_group(
        &self,
        request: &Request<proto::GetGroupRequest>,
    ) -> Result<proto::GetGroupResponse, Refusal> {
        let organisation = Self::admit(request)?;
        let id: GroupId = parse_id("group_id", &request.get_ref().group_id)?;
        let found = self.tables.groups.group(organisation, id).await.map_err(refusal)?;
        let found = found.ok_or_else(|| Refusal::missing("notification_group", id))?;
        Ok(proto::GetGroupResponse { group: Some(convert::group(id, &found.state, found.version)) })
    }

    pub(super) async fn list_groups(
        &self,
        request: &Request<proto::ListGroupsRequest>,
    ) -> Result<proto::ListGroupsResponse, Refusal> {
        let organisation = Self::admit(request)?;
        let message = request.get_ref();
        let size = page_size(message.page_size, 50, 200)?;
        let query = request::fingerprint(&proto::ListGroupsRequest::default());
        let now = self.clock.now();
        let after: Option<(String, Uuid)> = decode_page_token(&message.page_token, query, now)?;
        let mut found = self.tables.groups.list(organisation, after, size + 1).await.map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let groups: Vec<proto::Group> =
            found.iter().map(|one| convert::group(one.id, &one.state, one.version)).collect();
        let next_page_token = match found.last().zip(groups.last()).filter(|_| more) {
            Some((last, shown)) => encode_page_token(&(shown.name.clone(), last.id.uuid()), query, now),
            None => String::new(),
        };
        Ok(proto::ListGroupsResponse { groups, next_page_token })
    }

    pub(super) async fn update_group(
        &self,
        request: &Request<proto::UpdateGroupRequest>,
    ) -> Result<proto::UpdateGroupResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "UpdateGroup", &message.request_id)?;
        let sent = required(message.group.as_ref())?;
        let id: GroupId = parse_id("group.id", &sent.id)?;
        let command = GroupCommand::Update(members(sent)?);
        mutation
            .about("notification_group", id)
            .expecting("group.etag", &sent.etag)?
            .ask(&self.groups, id.uuid(), command, move |state, _, version| proto::UpdateGroupResponse {
                group: Some(convert::group(id, state, version)),
            })
            .await
    }

    pub(super) async fn delete_group(
        &self,
        request: &Request<proto::DeleteGroupRequest>,
    ) -> Result<proto::DeleteGroupResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeleteGroup", &message.request_id)?;
        let id: GroupId = parse_id("group_id", &message.group_id)?;
        mutation
            .about("notification_group", id)
            .expecting("etag", &message.etag)?
            .ask(&self.groups, id.uuid(), GroupCommand::Delete, |_, _, _| proto::DeleteGroupResponse {})
            .await
    }
}
