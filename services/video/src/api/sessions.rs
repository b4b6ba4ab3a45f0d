//! Making, finding and listing sessions (V-1, M-7).

use std::sync::Arc;

use callboard_kernel::{Actor, DeviceId, ErrorKind, Principal, Refusal, TicketId, Version};
use callboard_proto::video::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::page::page;
use callboard_service::request::{self, decode_page_token, encode_page_token, page_size, parse_id};
use callboard_video_domain::session::{NewSession, SessionCommand, SessionState};
use callboard_video_domain::{MAX_TICKETS, SessionId};
use tonic::Request;
use uuid::Uuid;

use super::VideoApi;
use super::fields::Fields;
use crate::convert::{self, Eyes};
use crate::store::{DeviceCopy, ListCursor, SessionFilter, StoredSession};

/// The most ids in one list of a filter.
const MAX_FILTER: usize = 100;

/// A session as it was read.
pub(super) fn shown(principal: &Arc<Principal>, found: &StoredSession) -> proto::Session {
    let eyes = Eyes { principal: Arc::clone(principal), offered: found.offered, seen: found.seen.clone() };
    eyes.on_content(found.id.uuid(), &found.content, found.version)
}

/// What a request gives besides its device.
struct Given<'a> {
    requester_name: &'a str,
    reason: &'a str,
    consents: bool,
    tickets: Vec<TicketId>,
    conversation: Option<TicketId>,
}

impl VideoApi {
    pub(super) async fn request(
        &self,
        request: &Request<proto::RequestSessionRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "RequestSession", &message.request_id)?;
        if !mutation.principal.is_outsider() {
            return Err(Refusal::denied("sessions are requested by code users and customer users (V-1)"));
        }
        let mut fields = Fields::default();
        let device = fields.id("device_id", &message.device_id);
        let ticket: Option<TicketId> = fields.optional_id("ticket_id", &message.ticket_id);
        fields.finish()?;
        let given = Given {
            requester_name: message.requester_name.trim(),
            reason: message.reason.trim(),
            consents: message.consents,
            tickets: ticket.into_iter().collect(),
            conversation: None,
        };
        self.make(mutation, device, "ticket_id", given).await
    }

    pub(super) async fn create(
        &self,
        request: &Request<proto::CreateSessionRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CreateSession", &message.request_id)?;
        if mutation.principal.employee().is_none() {
            return Err(Refusal::denied("sessions are created by employees; others request them (V-1)"));
        }
        let mut fields = Fields::default();
        let device = fields.id("device_id", &message.device_id);
        let tickets = fields.ids("ticket_ids", &message.ticket_ids, MAX_TICKETS);
        let conversation = fields.optional_id("conversation_ticket_id", &message.conversation_ticket_id);
        fields.finish()?;
        let given = Given {
            requester_name: "",
            reason: message.reason.trim(),
            consents: false,
            tickets,
            conversation,
        };
        self.make(mutation, device, "ticket_ids", given).await
    }

    async fn make(
        &self,
        mutation: Mutation,
        device_id: DeviceId,
        tickets_field: &str,
        given: Given<'_>,
    ) -> Result<proto::Session, Refusal> {
        let mutation = mutation.creating().about("device", device_id);
        let principal = Arc::clone(&mutation.principal);
        let id: SessionId = mutation.command_id.uuid().into();
        let eyes = Eyes {
            principal: Arc::clone(&principal),
            offered: false,
            // Whoever may link a ticket sees it.
            seen: given.tickets.clone(),
        };
        let prepared = async {
            let device = self.reads.device(&principal, device_id).await?;
            for ticket in &given.tickets {
                self.linkable(&principal, tickets_field, *ticket, &device).await?;
            }
            let conversation = match given.conversation {
                Some(ticket) => {
                    self.linkable(&principal, "conversation_ticket_id", ticket, &device).await?;
                    Some((ticket, self.may_write(&principal, ticket).await?))
                }
                None => None,
            };
            let flow = self.reads.queries.flow(principal.organisation, device.place.template);
            let new = NewSession {
                device: device_id,
                place: device.place,
                flow: flow.await.map_err(refusal)?.flow,
                requester_name: given.requester_name.to_owned(),
                reason: given.reason.to_owned(),
                consents: given.consents,
                tickets: given.tickets.clone(),
                conversation,
            };
            Ok((id.uuid(), SessionCommand::Create(Box::new(new))))
        };
        let answer =
            move |state: &SessionState, _: &[_], version: Version| eyes.on(id.uuid(), state, version);
        self.with_files(mutation.carry_out(&self.sessions, prepared, answer).await?).await
    }

    /// A ticket that can be linked: it is there, seen by the caller, and of the same device, so that whoever sees the
    /// session sees it.
    pub(super) async fn linkable(
        &self,
        principal: &Principal,
        field: &str,
        ticket: TicketId,
        device: &DeviceCopy,
    ) -> Result<(), Refusal> {
        let missing = || Refusal::missing("ticket", ticket);
        let known = self.reads.copies.ticket(principal.organisation, ticket).await.map_err(refusal)?;
        let known = known.ok_or_else(missing)?;
        if principal.is_outsider() && !known.public {
            return Err(missing());
        }
        if known.device == device.id {
            return Ok(());
        }
        match self.reads.device(principal, known.device).await {
            Ok(_) => Err(Refusal::field(field, "names a ticket of another device")),
            Err(refusal) if refusal.kind == ErrorKind::NotFound => Err(missing()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether an employee may write in a ticket's conversation (M-3): moderators and administrators in any.
    async fn may_write(&self, principal: &Principal, ticket: TicketId) -> Result<bool, Refusal> {
        let Some(employee) = principal.employee() else { return Ok(false) };
        if principal.is_moderator() {
            return Ok(true);
        }
        self.reads.copies.is_assigned(principal.organisation, ticket, employee.id).await.map_err(refusal)
    }

    pub(super) async fn get(
        &self,
        request: &Request<proto::GetSessionRequest>,
    ) -> Result<proto::Session, Refusal> {
        let principal = request::principal(request)?;
        let id: SessionId = parse_id("session_id", &request.get_ref().session_id)?;
        self.with_files(shown(&principal, &self.reads.session(&principal, id).await?)).await
    }

    pub(super) async fn list(
        &self,
        request: &Request<proto::ListSessionsRequest>,
    ) -> Result<proto::ListSessionsResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let now = self.reads.clock.now();
        let filter = filter(&message.filter.clone().unwrap_or_default(), &principal)?;
        let size = page_size(message.page_size, 50, 200)?;
        let query = request::page_query(message);
        let after: Option<ListCursor> = decode_page_token(&message.page_token, query, now)?;
        let viewer = self.reads.viewer(&principal).await?;
        let found = self.reads.queries.sessions(&viewer, &filter, after, size + 1).await.map_err(refusal)?;
        let mut sessions: Vec<_> = found.iter().map(|found| shown(&principal, found)).collect();
        self.show_files(&mut sessions).await?;
        let (sessions, last) = page(found.iter().zip(sessions), size);
        let next_page_token = last.map_or_else(String::new, |last| {
            let cursor = ListCursor { at: last.content.created_at, id: last.id.uuid() };
            encode_page_token(&cursor, query, now)
        });
        Ok(proto::ListSessionsResponse { sessions, next_page_token })
    }
}

fn filter(asked: &proto::SessionFilter, principal: &Principal) -> Result<SessionFilter, Refusal> {
    let mut fields = Fields::default();
    let mut statuses = Vec::new();
    for status in &asked.statuses {
        match proto::SessionStatus::try_from(*status).ok().and_then(convert::from_status) {
            Some(status) if asked.statuses.len() <= 6 => statuses.push(status),
            Some(_) | None => fields.refuse("filter.statuses", "known statuses, each once"),
        }
    }
    if proto::Visibility::try_from(asked.visibility).is_err() {
        fields.refuse("filter.visibility", "INTERNAL or PUBLIC");
    }
    if asked.ratings.len() > 5 || asked.ratings.iter().any(|score| !(1..=5).contains(score)) {
        fields.refuse("filter.ratings", "at most five, each 1 to 5 (R-1)");
    }
    let mut employees = fields.ids("filter.employee_ids", &asked.employee_ids, MAX_FILTER);
    if principal.is_outsider() && !employees.is_empty() {
        fields.refuse("filter.employee_ids", "is for employees");
    }
    let mut requesters = Vec::new();
    if asked.mine {
        match principal.employee() {
            Some(employee) => employees.push(employee.id),
            // Whoever may withdraw it (V-5) finds it here: also who scanned again since.
            None => requesters = own_kinds(principal),
        }
    }
    let created = asked.created.as_ref();
    let filter = SessionFilter {
        statuses,
        visibility: convert::from_visibility(asked.visibility()),
        devices: fields.ids("filter.device_ids", &asked.device_ids, MAX_FILTER),
        templates: fields.ids("filter.template_ids", &asked.template_ids, MAX_FILTER),
        customers: fields.ids("filter.customer_ids", &asked.customer_ids, MAX_FILTER),
        ticket: fields.optional_id("filter.ticket_id", &asked.ticket_id),
        employees,
        requesters,
        ratings: asked.ratings.clone(),
        from: created.and_then(|created| fields.time("filter.created.start", created.start.as_ref())),
        before: created.and_then(|created| fields.time("filter.created.end", created.end.as_ref())),
    };
    fields.finish()?;
    Ok(filter)
}

/// The kinds of people whose requests the caller calls their own, as actors are stored.
fn own_kinds(principal: &Principal) -> Vec<String> {
    [Actor::CodeUser(Uuid::nil().into()), Actor::CustomerUser(Uuid::nil().into())]
        .into_iter()
        .filter(|maker| principal.calls_own(*maker))
        .filter_map(|maker| maker.to_string().split_once(':').map(|(kind, _)| kind.to_owned()))
        .collect()
}
