//! Device events (K-1).

use std::sync::Arc;

use callboard_kernel::{DeviceId, Refusal, Version};
use callboard_proto::tasks::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::{
    self, decode_page_token, encode_page_token, page_size, parse_id, parse_optional_id,
};
use callboard_tasks_domain::device_event::{DeviceEventCommand, DeviceEventState, Plan};
use callboard_tasks_domain::{DefinitionId, DeviceEventId, Visibility};
use tonic::Request;

use super::definitions::moderators;
use super::{Fields, TaskApi};
use crate::convert;
use crate::store::EventCursor;

impl TaskApi {
    pub(super) async fn device_events(
        &self,
        request: &Request<proto::ListDeviceEventsRequest>,
    ) -> Result<proto::ListDeviceEventsResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let device: Option<DeviceId> = parse_optional_id("device_id", &message.device_id)?;
        let size = page_size(message.page_size, 50, 200)?;
        let query = request::page_query(message);
        let now = self.reads.clock.now();
        let after: Option<EventCursor> = decode_page_token(&message.page_token, query, now)?;
        let viewer = self.reads.viewer(&principal).await?;
        let mut found =
            self.reads.queries.device_events(&viewer, device, after, size + 1).await.map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => {
                let next = last.state.planned.as_ref().and_then(|planned| planned.next);
                encode_page_token(&EventCursor { at: next.map(|next| next.at), id: last.id }, query, now)
            }
            None => String::new(),
        };
        let device_events = found
            .iter()
            .filter_map(|found| convert::device_event(found.id, &found.state, found.version, &principal))
            .collect();
        Ok(proto::ListDeviceEventsResponse { device_events, next_page_token })
    }

    pub(super) async fn device_event(
        &self,
        request: &Request<proto::GetDeviceEventRequest>,
    ) -> Result<proto::DeviceEvent, Refusal> {
        let principal = request::principal(request)?;
        let id: DeviceEventId = parse_id("device_event_id", &request.get_ref().device_event_id)?;
        let viewer = self.reads.viewer(&principal).await?;
        let found = self.reads.queries.device_event(&viewer, id).await.map_err(refusal)?;
        found
            .and_then(|found| convert::device_event(found.id, &found.state, found.version, &principal))
            .ok_or_else(|| Refusal::missing("device_event", id))
    }

    pub(super) async fn put_device_event(
        &self,
        request: &Request<proto::PutDeviceEventRequest>,
    ) -> Result<proto::PutDeviceEventResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "PutDeviceEvent", &message.request_id)?;
        let wanted =
            message.device_event.as_ref().ok_or_else(|| Refusal::field("device_event", "is required"))?;
        let mut fields = Fields::default();
        let id: DeviceEventId = fields.id("device_event.id", &wanted.id);
        let device_id: DeviceId = fields.id("device_event.device_id", &wanted.device_id);
        let definition: Option<DefinitionId> =
            fields.optional_id("device_event.definition_id", &wanted.definition_id);
        let assignees = fields.assignees("device_event.assignee_ids", &wanted.assignee_ids);
        if proto::Visibility::try_from(wanted.visibility).is_err() {
            fields.refuse("device_event.visibility", "INTERNAL or EXTERNAL");
        }
        fields.finish()?;
        let mutation = mutation.about("device_event", id).expecting("device_event.etag", &wanted.etag)?;
        let principal = Arc::clone(&mutation.principal);
        let prepared = async {
            let principal = &mutation.principal;
            // Whoever may not see the device is told that there is none, before anything of rights.
            let device = self.reads.device(principal, device_id).await?;
            moderators(principal)?;
            let mut title = wanted.title.trim().to_owned();
            if let Some(definition) = definition {
                let known = self
                    .reads
                    .queries
                    .definition(principal.organisation, definition)
                    .await
                    .map_err(refusal)?
                    .and_then(|known| known.state.content)
                    .filter(|content| content.template == device.place.template);
                let Some(content) = known else {
                    let rule = "names no definition of the device's template";
                    return Err(Refusal::field("device_event.definition_id", rule));
                };
                if title.is_empty() {
                    title = content.title;
                }
            }
            let departments = &device.place.departments;
            self.reads.assignable(principal, "device_event.assignee_ids", &assignees, departments).await?;
            let plan = Plan {
                device: device_id,
                definition,
                title,
                start: wanted.start.trim().to_owned(),
                rule: wanted.rule.clone(),
                visibility: convert::from_visibility(wanted.visibility()).unwrap_or(Visibility::Internal),
                creates_task: wanted.creates_task,
                assignees,
            };
            let command = DeviceEventCommand::Put { plan, place: device.place, time_zone: device.time_zone };
            Ok((id.uuid(), command))
        };
        let answer = move |state: &DeviceEventState, _: &[_], version: Version| {
            let device_event = convert::device_event(id.uuid(), state, version, &principal);
            proto::PutDeviceEventResponse { device_event }
        };
        mutation.carry_out(&self.actors.device_events, prepared, answer).await
    }

    pub(super) async fn delete_device_event(
        &self,
        request: &Request<proto::DeleteDeviceEventRequest>,
    ) -> Result<proto::DeleteDeviceEventResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeleteDeviceEvent", &message.request_id)?;
        let id: DeviceEventId = parse_id("device_event_id", &message.device_event_id)?;
        let mutation = mutation.about("device_event", id).expecting("etag", &message.etag)?;
        let prepared = async {
            let viewer = self.reads.viewer(&mutation.principal).await?;
            let found = self.reads.queries.device_event(&viewer, id).await.map_err(refusal)?;
            if found.is_none() {
                return Err(Refusal::missing("device_event", id));
            }
            Ok((id.uuid(), DeviceEventCommand::Delete))
        };
        mutation
            .carry_out(&self.actors.device_events, prepared, |_, _, _| proto::DeleteDeviceEventResponse {})
            .await
    }
}
