//! What changes tickets.

use std::sync::Arc;

use callboard_kernel::{EventId, Refusal, Role, Version};
use callboard_proto::support::v1 as proto;
use callboard_proto::support::v1::publish_event_request::Event;
use callboard_service::Mutation;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_service::database::refusal;
use callboard_service::request::{parse_id, parse_optional_id};
use callboard_support_domain::ticket::{Standing, TicketCommand, TicketEvent, TicketState};
use tonic::Request;
use uuid::Uuid;

use super::SupportApi;
use crate::convert;
use crate::intake::Told;

/// How often a target is looked for anew: a domain may be decided about between looking and asking.
const TRIES: usize = 3;

/// An enum value of a request.
fn word<P: TryFrom<i32>, D>(field: &str, number: i32, from: fn(P) -> Option<D>) -> Result<D, Refusal> {
    P::try_from(number)
        .ok()
        .and_then(from)
        .ok_or_else(|| Refusal::field(field, "is required, one of the known values"))
}

impl SupportApi {
    /// A command for a ticket, answered by the ticket.
    async fn change(
        &self,
        mutation: Mutation,
        ticket: &str,
        etag: &str,
        command: impl FnOnce(Standing) -> TicketCommand,
    ) -> Result<proto::Ticket, Refusal> {
        let id: Uuid = parse_id("ticket_id", ticket)?;
        let mutation = mutation.about("support_ticket", id).expecting("etag", etag)?;
        let principal = Arc::clone(&mutation.principal);
        let standing = self.standing(&principal).await?;
        let answer = move |state: &TicketState, _: &[_], version| {
            convert::ticket(id, state, version, &principal, standing.is_agent)
        };
        mutation.ask(&self.tickets, id, command(standing), answer).await
    }

    /// A remark, answered by itself.
    async fn remark(
        &self,
        mutation: Mutation,
        ticket: &str,
        command: impl FnOnce(Standing) -> TicketCommand,
    ) -> Result<proto::Remark, Refusal> {
        let id: Uuid = parse_id("ticket_id", ticket)?;
        let mutation = mutation.about("support_ticket", id);
        let standing = self.standing(&mutation.principal).await?;
        mutation.ask(&self.tickets, id, command(standing), written).await
    }

    pub(super) async fn publish_event(
        &self,
        request: &Request<proto::PublishEventRequest>,
    ) -> Result<proto::PublishEventResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "PublishEvent", &message.request_id)?;
        // A system that calls has an employee of its own: what may be told in an organisation's name is for its
        // administrators. Systems that shall be trusted less publish on NATS, where their account allows nothing else.
        if !mutation.principal.has_role(Role::Administrator) {
            return Err(Refusal::denied("publishing events is for administrators"));
        }
        let told = match message.event.clone() {
            Some(Event::ServiceRequested(message)) => Told::Service(message),
            Some(Event::DomainSubmitted(message)) => Told::Domain(message),
            Some(Event::PermissionRequested(message)) => Told::Permission(message),
            Some(Event::AccountCreated(message)) => Told::Account(message),
            Some(Event::PurchaseMade(message)) => Told::Purchase(message),
            Some(Event::SeatAdded(message)) => Told::Seat(message),
            None => return Err(Refusal::field("event", "is required")),
        };
        let matter = told.matter().map_err(Refusal::fields)?;
        let event = EventId(parse_id("request_id", &message.request_id)?);
        let organisation = mutation.principal.organisation;
        let mut outcome = Err(Refusal::not_found("support ticket"));
        for _ in 0..TRIES {
            let (id, command) =
                self.intake.target(organisation, event, matter.clone()).await.map_err(refusal)?;
            let principal = Arc::clone(&mutation.principal);
            let answer = move |state: &TicketState, _: &[TicketEvent], version: Version| {
                convert::ticket(id, state, version, &principal, true)
            };
            outcome = mutation.ask(&self.tickets, id, command, answer).await;
            match &outcome {
                Err(refusal) if refusal.reason == "DOMAIN_DECIDED" => {}
                _ => break,
            }
        }
        Ok(proto::PublishEventResponse { ticket: Some(outcome?) })
    }

    pub(super) async fn set_ticket_status(
        &self,
        request: &Request<proto::SetTicketStatusRequest>,
    ) -> Result<proto::SetTicketStatusResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "SetTicketStatus", &message.request_id)?;
        let status = word("status", message.status, convert::from_status)?;
        let command = |standing| TicketCommand::SetStatus(standing, status);
        let ticket = self.change(mutation, &message.ticket_id, &message.etag, command).await?;
        Ok(proto::SetTicketStatusResponse { ticket: Some(ticket) })
    }

    pub(super) async fn set_ticket_priority(
        &self,
        request: &Request<proto::SetTicketPriorityRequest>,
    ) -> Result<proto::SetTicketPriorityResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "SetTicketPriority", &message.request_id)?;
        let priority = word("priority", message.priority, convert::from_priority)?;
        let command = |standing| TicketCommand::SetPriority(standing, priority);
        let ticket = self.change(mutation, &message.ticket_id, &message.etag, command).await?;
        Ok(proto::SetTicketPriorityResponse { ticket: Some(ticket) })
    }

    pub(super) async fn assign_ticket(
        &self,
        request: &Request<proto::AssignTicketRequest>,
    ) -> Result<proto::AssignTicketResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AssignTicket", &message.request_id)?;
        let to = parse_optional_id("assignee_id", &message.assignee_id)?;
        let is_agent = match to {
            Some(to) => self.copies.is_agent(mutation.principal.organisation, to).await.map_err(refusal)?,
            None => false,
        };
        let command = |standing| TicketCommand::Assign { standing, to, is_agent };
        let ticket = self.change(mutation, &message.ticket_id, &message.etag, command).await?;
        Ok(proto::AssignTicketResponse { ticket: Some(ticket) })
    }

    pub(super) async fn decide_domain(
        &self,
        request: &Request<proto::DecideDomainRequest>,
    ) -> Result<proto::DecideDomainResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DecideDomain", &message.request_id)?;
        let decision = word("decision", message.decision, convert::from_decision)?;
        let command = |standing| TicketCommand::Decide(standing, decision);
        let ticket = self.change(mutation, &message.ticket_id, &message.etag, command).await?;
        Ok(proto::DecideDomainResponse { ticket: Some(ticket) })
    }

    pub(super) async fn add_note(
        &self,
        request: &Request<proto::AddNoteRequest>,
    ) -> Result<proto::AddNoteResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AddNote", &message.request_id)?;
        let text = message.text.trim().to_owned();
        let command = |standing| TicketCommand::AddNote(standing, text);
        let note = self.remark(mutation, &message.ticket_id, command).await?;
        Ok(proto::AddNoteResponse { note: Some(note) })
    }

    pub(super) async fn add_comment(
        &self,
        request: &Request<proto::AddCommentRequest>,
    ) -> Result<proto::AddCommentResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AddComment", &message.request_id)?;
        let text = message.text.trim().to_owned();
        let command = |standing| TicketCommand::AddComment(standing, text);
        let comment = self.remark(mutation, &message.ticket_id, command).await?;
        Ok(proto::AddCommentResponse { comment: Some(comment) })
    }
}

/// The remark that a step wrote.
fn written(_: &TicketState, events: &[TicketEvent], _: Version) -> proto::Remark {
    let mut answer = proto::Remark::default();
    for event in events {
        match event {
            TicketEvent::Remarked(remark) => {
                answer.number = remark.number;
                answer.author = Some(to_proto_actor(remark.author));
                answer.text.clone_from(&remark.text);
            }
            TicketEvent::Touched(at) => answer.create_time = Some(to_proto_time(*at)),
            _ => {}
        }
    }
    answer
}
