//! Making tickets: drafts, and tickets that open at once (T-1 to T-4). The hot path.

use std::sync::Arc;

use callboard_kernel::{
    DeviceId, ErrorKind, FieldViolation, Isolation, Principal, Refusal, Subject, TicketId, derive_uuid,
};
use callboard_proto::tickets::v1 as proto;
use callboard_service::Mutation;
use callboard_service::request::{parse_id, parse_optional_id};
use callboard_tickets_domain::{
    Answer, AnswerValue, Command, Event, Flow, FlowId, MAX_STEPS, NewTicket, Place, State,
};
use tonic::Request;

use super::attachments::of_answers;
use super::ticket_service::{Reply, TicketApi, shown};
use crate::convert::{from_proto_answer, from_proto_priority, from_proto_visibility, optional_word};

/// The most answers in one request.
const MAX_ANSWERS: usize = MAX_STEPS;

impl TicketApi {
    /// Where a new ticket of the caller's would hang.
    async fn place(&self, caller: &Principal, device_id: &str) -> Reply<(DeviceId, Place)> {
        let id: DeviceId = match &caller.subject {
            Subject::CodeUser(user) => match parse_optional_id("device_id", device_id)? {
                None => user.device,
                Some(id) if id == user.device => id,
                Some(id) => return Err(Refusal::missing("device", id)),
            },
            Subject::Employee(_) | Subject::CustomerUser(_) | Subject::System => {
                parse_id("device_id", device_id)?
            }
        };
        let device = self.0.copies.device(caller.organisation, id).await?;
        let device = device.filter(|device| !device.removed).ok_or_else(|| Refusal::missing("device", id))?;
        let sees = match &caller.subject {
            Subject::CodeUser(_) | Subject::System => true,
            Subject::CustomerUser(user) => device.place.customer == Some(user.customer),
            Subject::Employee(employee) => {
                let isolation = if employee.departments.is_empty() {
                    Isolation::Off
                } else {
                    self.0.copies.isolation(caller.organisation).await?
                };
                isolation.admits(&employee.departments, &device.place.departments)
            }
        };
        if sees { Ok((id, device.place.clone())) } else { Err(Refusal::missing("device", id)) }
    }

    async fn flow(&self, caller: &Principal, place: &Place, id: &str) -> Reply<Option<Arc<Flow>>> {
        let Some(id) = parse_optional_id::<FlowId>("flow_id", id)? else { return Ok(None) };
        let flows = self.0.copies.flows(caller.organisation, place.template).await?;
        let flow = flows.0.flow(id).ok_or_else(|| Refusal::missing("flow", id))?;
        if !flow.active {
            return Err(Refusal::new(
                ErrorKind::FailedPrecondition,
                "FLOW_INACTIVE",
                "no new tickets are made by this flow",
            ));
        }
        Ok(Some(Arc::new(flow.clone())))
    }

    /// The ticket to be made. Reads nothing when the caches are warm, but takes a number when it opens at once.
    async fn new_ticket(
        &self,
        caller: &Principal,
        id: TicketId,
        message: proto::CreateTicketRequest,
    ) -> Reply<NewTicket> {
        let mut violations = Vec::new();
        if message.answers.len() > MAX_ANSWERS {
            return Err(Refusal::field("answers", format!("at most {MAX_ANSWERS} answers")));
        }
        let mut answers = Vec::with_capacity(message.answers.len());
        for (index, answer) in message.answers.into_iter().enumerate() {
            let path = format!("answers[{index}]");
            match from_proto_answer(&path, answer) {
                Ok((step, Some(value))) => answers.push(Answer { step, value }),
                Ok((_, None)) => violations.push(FieldViolation::new(path, "has no value")),
                Err(violation) => violations.push(violation),
            }
        }
        let mut keep = |violation| violations.push(violation);
        let visibility = optional_word("visibility", message.visibility, from_proto_visibility);
        let visibility = visibility.map_err(&mut keep).ok().flatten();
        let priority = optional_word("priority", message.priority, from_proto_priority);
        let priority = priority.map_err(&mut keep).ok().flatten();
        if !violations.is_empty() {
            return Err(Refusal::fields(violations));
        }
        let (device, place) = self.place(caller, &message.device_id).await?;
        let flow = self.flow(caller, &place, &message.flow_id).await?;
        let open = if message.open { Some(self.0.numbers.next(caller.organisation).await?) } else { None };
        Ok(NewTicket {
            id,
            device,
            place,
            flow,
            title: message.title,
            description: message.description,
            answers,
            visibility,
            priority,
            open,
        })
    }

    pub(super) async fn create(
        &self,
        request: Request<proto::CreateTicketRequest>,
    ) -> Reply<proto::CreateTicketResponse> {
        let call = Mutation::new(&request, "CreateTicket", &request.get_ref().request_id)?.creating();
        // Derived, so that a repeat comes to the same ticket and finds its receipt there.
        let id = TicketId(derive_uuid(call.command_id.uuid(), &[b"ticket"]));
        let call = call.about("ticket", id);
        // The device or the flow may have gone since the first call.
        let prepared = async {
            let new = self.new_ticket(&call.principal, id, request.into_inner()).await?;
            for (index, answer) in new.answers.iter().enumerate() {
                if let AnswerValue::Attachments(ids) = &answer.value {
                    let field = format!("answers[{index}].attachments");
                    self.0.attachable(&call.principal, &of_answers(id), &field, ids).await?;
                }
            }
            Ok((id.uuid(), Command::Create(Box::new(new))))
        };
        let answer = |state: &State, _: &[Event], version| proto::CreateTicketResponse {
            ticket: shown(state, version),
        };
        call.carry_out(&self.0.tickets, prepared, answer).await
    }
}
