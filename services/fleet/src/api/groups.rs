//! Groups of templates (F-1).

use callboard_fleet_domain::group::{GroupSetCommand, GroupSetEvent, GroupSetState, group_set_id};
use callboard_fleet_domain::{Group, GroupId};
use callboard_kernel::{ErrorKind, FieldViolation, Principal, Refusal, TemplateId, Version, derive_uuid};
use callboard_proto::fleet::v1 as proto;
use callboard_proto::fleet::v1::group_service_server::GroupService;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::error::IntoStatus;
use callboard_service::request::{self, parse_id};
use chrono::TimeDelta;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::Reads;
use crate::{GroupSets, convert};

/// The most ids in one list of a request; the domain's limit over all groups is stricter or equal.
const MAX_IDS: usize = 1_500;

/// Serves `GroupService`.
#[derive(Debug, Clone)]
pub struct GroupApi {
    /// Sets of groups.
    pub group_sets: GroupSets,
    /// What is read.
    pub reads: Reads,
}

fn all(template: TemplateId, state: &GroupSetState, version: Version) -> Vec<proto::Group> {
    state.groups.iter().map(|group| convert::group(template, group, version)).collect()
}

impl GroupApi {
    /// Groups are for moderators and administrators, of templates of their own organisation.
    async fn admit(&self, principal: &Principal, template: TemplateId) -> Result<(), Refusal> {
        if !principal.is_moderator() {
            return Err(Refusal::denied("groups are for moderators and administrators"));
        }
        if self.reads.copies.has_template(principal.organisation, template).await.map_err(refusal)? {
            Ok(())
        } else {
            Err(Refusal::missing("template", template))
        }
    }

    /// Asks the groups of a template that the caller may edit.
    async fn change<R: prost::Message + Default>(
        &self,
        mutation: &Mutation,
        template: TemplateId,
        command: GroupSetCommand,
        answer: impl Fn(&GroupSetState, &[GroupSetEvent], Version) -> R + Send + Sync + 'static,
    ) -> Result<R, Refusal> {
        let prepared = async {
            self.admit(&mutation.principal, template).await?;
            Ok((group_set_id(template), command))
        };
        let answered = mutation.carry_out(&self.group_sets, prepared, answer).await;
        self.reads.queries.forget_groups(mutation.principal.organisation, template).await;
        answered
    }

    async fn list(
        &self,
        request: &Request<proto::ListGroupsRequest>,
    ) -> Result<proto::ListGroupsResponse, Refusal> {
        let principal = request::principal(request)?;
        let template = parse_id("template_id", &request.get_ref().template_id)?;
        self.admit(&principal, template).await?;
        let (state, version) =
            self.reads.queries.groups(principal.organisation, template).await.map_err(refusal)?;
        Ok(proto::ListGroupsResponse { groups: all(template, &state, version) })
    }

    async fn put(
        &self,
        request: &Request<proto::PutGroupRequest>,
    ) -> Result<proto::PutGroupResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "PutGroup", &message.request_id)?;
        let wanted = message.group.as_ref().ok_or_else(|| Refusal::field("group", "is required"))?;
        let (template, group) = read_group(wanted)?;
        let id = group.id;
        let mutation = mutation.about("group", id).expecting("group.etag", &wanted.etag)?;
        let answer = move |state: &GroupSetState, _: &[_], version| proto::PutGroupResponse {
            group: state
                .groups
                .iter()
                .find(|group| group.id == id)
                .map(|group| convert::group(template, group, version)),
        };
        self.change(&mutation, template, GroupSetCommand::Put(group), answer).await
    }

    async fn delete(
        &self,
        request: &Request<proto::DeleteGroupRequest>,
    ) -> Result<proto::DeleteGroupResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeleteGroup", &message.request_id)?;
        let template: TemplateId = parse_id("template_id", &message.template_id)?;
        let group: GroupId = parse_id("group_id", &message.group_id)?;
        let mutation = mutation.about("group", group).expecting("etag", &message.etag)?;
        let answer = |_: &_, _: &[_], _| proto::DeleteGroupResponse {};
        self.change(&mutation, template, GroupSetCommand::Delete(group), answer).await
    }

    async fn order(
        &self,
        request: &Request<proto::OrderGroupsRequest>,
    ) -> Result<proto::OrderGroupsResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "OrderGroups", &message.request_id)?;
        let template: TemplateId = parse_id("template_id", &message.template_id)?;
        let mut violations = Vec::new();
        let order = ids("group_ids", &message.group_ids, &mut violations);
        if !violations.is_empty() {
            return Err(Refusal::fields(violations));
        }
        let mutation = mutation.about("template", template).expecting("etag", &message.etag)?;
        let answer = move |state: &GroupSetState, _: &[_], version| proto::OrderGroupsResponse {
            groups: all(template, state, version),
        };
        self.change(&mutation, template, GroupSetCommand::Order(order), answer).await
    }

    async fn copy(
        &self,
        request: &Request<proto::CopyGroupsRequest>,
    ) -> Result<proto::CopyGroupsResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CopyGroups", &message.request_id)?;
        let from: TemplateId = parse_id("from_template_id", &message.from_template_id)?;
        let to: TemplateId = parse_id("to_template_id", &message.to_template_id)?;
        let mutation = mutation.about("template", to);
        let prepared = async {
            self.admit(&mutation.principal, from).await?;
            self.admit(&mutation.principal, to).await?;
            let (source, _) =
                self.reads.queries.groups(mutation.principal.organisation, from).await.map_err(refusal)?;
            // New ids, the same for the same request.
            let copies = source
                .groups
                .into_iter()
                .map(|group| {
                    let id = derive_uuid(mutation.command_id.uuid(), &[group.id.uuid().as_bytes()]).into();
                    Group { id, ..group }
                })
                .collect();
            Ok((group_set_id(to), GroupSetCommand::Append(copies)))
        };
        let answer = move |state: &GroupSetState, _: &[_], version| proto::CopyGroupsResponse {
            groups: all(to, state, version),
        };
        let answered = mutation.carry_out(&self.group_sets, prepared, answer).await;
        self.reads.queries.forget_groups(mutation.principal.organisation, to).await;
        answered
    }
}

fn ids<I: From<Uuid>>(field: &str, texts: &[String], violations: &mut Vec<FieldViolation>) -> Vec<I> {
    if texts.len() > MAX_IDS {
        violations.push(FieldViolation::new(field, "at most 1,500 ids"));
        return Vec::new();
    }
    let mut ids = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        match text.parse::<Uuid>() {
            Ok(id) => ids.push(id.into()),
            Err(_) => violations.push(FieldViolation::new(format!("{field}[{at}]"), "must be a UUID")),
        }
    }
    ids
}

fn period(
    field: &str,
    duration: Option<&prost_types::Duration>,
    violations: &mut Vec<FieldViolation>,
) -> Option<TimeDelta> {
    let duration = duration?;
    // To the millisecond: what is stored.
    let period = u32::try_from(duration.nanos)
        .ok()
        .and_then(|nanos| TimeDelta::new(duration.seconds, nanos / 1_000_000 * 1_000_000));
    if period.is_none() {
        violations.push(FieldViolation::new(field, "1 second to 366 days (F-9)"));
    }
    period
}

/// A group out of a request; the domain checks the rest.
fn read_group(wanted: &proto::Group) -> Result<(TemplateId, Group), Refusal> {
    match wanted.strategy() {
        proto::Strategy::Unspecified | proto::Strategy::AllAtOnce => {}
        proto::Strategy::OneAfterAnother | proto::Strategy::LeastLoaded | proto::Strategy::Skills => {
            return Err(Refusal::new(
                ErrorKind::Unimplemented,
                "STRATEGY_UNIMPLEMENTED",
                "group.strategy: only ALL_AT_ONCE is built (F-9)",
            ));
        }
    }
    let mut violations = Vec::new();
    let mut id = |field: &str, text: &str| {
        parse_id::<Uuid>(field, text).unwrap_or_else(|refusal| {
            violations.extend(refusal.violations);
            Uuid::nil()
        })
    };
    let group_id = id("group.id", &wanted.id);
    let template = id("group.template_id", &wanted.template_id);
    if proto::Strategy::try_from(wanted.strategy).is_err() {
        violations.push(FieldViolation::new("group.strategy", "must be a known strategy"));
    }
    let required_workers = u32::try_from(wanted.required_workers).unwrap_or_else(|_| {
        violations.push(FieldViolation::new("group.required_workers", "0 (unlimited) to 750 (F-7)"));
        0
    });
    let group = Group {
        id: group_id.into(),
        name: wanted.name.trim().to_owned(),
        employees: ids("group.employee_ids", &wanted.employee_ids, &mut violations),
        departments: ids("group.department_ids", &wanted.department_ids, &mut violations),
        teams: ids("group.team_ids", &wanted.team_ids, &mut violations),
        meta_teams: ids("group.meta_team_ids", &wanted.meta_team_ids, &mut violations),
        required_workers,
        offer_lifetime: period("group.offer_lifetime", wanted.offer_lifetime.as_ref(), &mut violations),
        escalate_after: period("group.escalate_after", wanted.escalate_after.as_ref(), &mut violations),
    };
    if violations.is_empty() { Ok((template.into(), group)) } else { Err(Refusal::fields(violations)) }
}

fn reply<R>(outcome: Result<R, Refusal>) -> Result<Response<R>, Status> {
    outcome.map(Response::new).map_err(|refusal| refusal.into_status(crate::NAME))
}

#[tonic::async_trait]
impl GroupService for GroupApi {
    async fn list_groups(
        &self,
        request: Request<proto::ListGroupsRequest>,
    ) -> Result<Response<proto::ListGroupsResponse>, Status> {
        reply(self.list(&request).await)
    }

    async fn put_group(
        &self,
        request: Request<proto::PutGroupRequest>,
    ) -> Result<Response<proto::PutGroupResponse>, Status> {
        reply(self.put(&request).await)
    }

    async fn delete_group(
        &self,
        request: Request<proto::DeleteGroupRequest>,
    ) -> Result<Response<proto::DeleteGroupResponse>, Status> {
        reply(self.delete(&request).await)
    }

    async fn order_groups(
        &self,
        request: Request<proto::OrderGroupsRequest>,
    ) -> Result<Response<proto::OrderGroupsResponse>, Status> {
        reply(self.order(&request).await)
    }

    async fn copy_groups(
        &self,
        request: Request<proto::CopyGroupsRequest>,
    ) -> Result<Response<proto::CopyGroupsResponse>, Status> {
        reply(self.copy(&request).await)
    }
}
