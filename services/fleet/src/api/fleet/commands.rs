//! What is done with offers and assignments.

use std::sync::Arc;

use callboard_fleet_domain::dispatch::{Assignment, Candidate, DispatchCommand, DispatchState, Offer};
use callboard_fleet_domain::{OfferId, Sight, Ticket};
use callboard_kernel::{Cause, EmployeeId, ErrorKind, Principal, Refusal, TicketId, Version};
use callboard_proto::fleet::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::parse_id;
use callboard_service::telemetry;
use tonic::Request;
use uuid::Uuid;

use super::lists::{Lists, MAX_AVAILABLE};
use super::{FleetApi, ticket_and_employee};
use crate::convert;
use crate::events::{Because, review};
use crate::store::{DispatchView, OfferHome};

/// No ticket has more offers and assignments than employees are named by its groups and by hand.
const MAX_TAKEN: usize = 3_000;

/// The newest offer of an employee, out of a state.
fn offer_of(
    state: &DispatchState,
    ticket: Uuid,
    employee: EmployeeId,
    version: Version,
) -> Option<proto::Offer> {
    state.offers.get(&employee).map(|offer| convert::offer(ticket, offer, version))
}

impl FleetApi {
    /// The dispatch an offer belongs to.
    async fn home(&self, principal: &Principal, offer: OfferId) -> Result<OfferHome, Refusal> {
        let home = self.reads.queries.offer_home(principal.organisation, offer).await.map_err(refusal)?;
        home.ok_or_else(|| Refusal::missing("offer", offer))
    }

    /// An employee that somebody wants to ask or assign.
    async fn candidate(&self, principal: &Principal, id: EmployeeId) -> Result<Candidate, Refusal> {
        let known = self.reads.copies.employees(principal.organisation, &[id]).await.map_err(refusal)?;
        known
            .into_iter()
            .find(|employee| !employee.removed)
            .map(|employee| Candidate { id, departments: employee.departments })
            .ok_or_else(|| Refusal::missing("employee", id))
    }

    /// What moderators' three verbs begin with: who may not do it is told before whether the employee exists.
    async fn managed(&self, mutation: &Mutation, ticket: TicketId) -> Result<(DispatchView, Sight), Refusal> {
        let seen = self.reads.ticket_for_employee(&mutation.principal, ticket).await?;
        if mutation.principal.is_moderator() {
            Ok(seen)
        } else {
            Err(Refusal::denied("requesting, assigning and cancelling is for moderators and administrators"))
        }
    }

    /// The employee may have left, or the device moved, between being looked up and giving the ticket (F-8). `ticket`: as it was then;
    /// `None` for a repeat, whose first call looked.
    async fn look_again(
        &self,
        mutation: &Mutation,
        id: TicketId,
        employee: EmployeeId,
        ticket: Option<Ticket>,
    ) -> Result<(), Refusal> {
        let Some(ticket) = ticket else { return Ok(()) };
        let organisation = mutation.principal.organisation;
        let gone = self.planner.gone_among(organisation, id, &ticket, &[employee]).await.map_err(refusal)?;
        let Some((holding, standing)) = gone.into_iter().next() else { return Ok(()) };
        let cause = Cause { traceparent: telemetry::current_traceparent(), ..Cause::default() };
        let because = Because { organisation, id: mutation.command_id, cause };
        review(&self.dispatches, because, holding, standing)
            .await
            .map_err(|error| Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", error.to_string()))
    }

    async fn answer_offer(
        &self,
        mutation: Mutation,
        id: OfferId,
        command: impl FnOnce(Sight) -> DispatchCommand,
    ) -> Result<proto::Offer, Refusal> {
        let mutation = mutation.about("offer", id);
        let prepared = async {
            let home = self.home(&mutation.principal, id).await?;
            Ok((home.ticket.uuid(), self.reads.sight(&mutation.principal, home.device).await?))
        };
        let (ticket, sight) = match prepared.await {
            Ok(prepared) => prepared,
            Err(refusal) => return mutation.repeated(&self.dispatches, refusal).await,
        };
        mutation
            .ask(&self.dispatches, ticket, command(sight), move |state, _, version| {
                state.offer(id).map(|offer| convert::offer(ticket, offer, version)).unwrap_or_default()
            })
            .await
    }

    pub(super) async fn accept(
        &self,
        request: &Request<proto::AcceptOfferRequest>,
    ) -> Result<proto::Offer, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AcceptOffer", &message.request_id)?;
        let id: OfferId = parse_id("offer_id", &message.offer_id)?;
        self.answer_offer(mutation, id, |sight| DispatchCommand::Accept { sight, offer: id }).await
    }

    pub(super) async fn decline(
        &self,
        request: &Request<proto::DeclineOfferRequest>,
    ) -> Result<proto::Offer, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeclineOffer", &message.request_id)?;
        let id: OfferId = parse_id("offer_id", &message.offer_id)?;
        let reason = Some(message.reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        self.answer_offer(mutation, id, |sight| DispatchCommand::Decline { sight, offer: id, reason }).await
    }

    pub(super) async fn seen(
        &self,
        request: &Request<proto::MarkSeenRequest>,
    ) -> Result<proto::MarkSeenResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "MarkSeen", &message.request_id)?;
        let ticket: Uuid = parse_id("ticket_id", &message.ticket_id)?;
        let mutation = mutation.about("ticket", ticket);
        let sight = self.reads.sight_of(&mutation.principal, ticket.into()).await?;
        let own = mutation.principal.employee().map(|employee| employee.id);
        let command = DispatchCommand::MarkSeen { sight };
        mutation
            .ask(&self.dispatches, ticket, command, move |state, _, version| proto::MarkSeenResponse {
                offer: own.and_then(|own| offer_of(state, ticket, own, version)),
            })
            .await
    }

    pub(super) async fn request(
        &self,
        request: &Request<proto::RequestEmployeeRequest>,
    ) -> Result<proto::RequestEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "RequestEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let mutation = mutation.about("ticket", ticket);
        let mut asked_for = None;
        let prepared = async {
            let (view, sight) = self.managed(&mutation, ticket).await?;
            let candidate = self.candidate(&mutation.principal, employee).await?;
            asked_for = Some(view.ticket);
            Ok((ticket.uuid(), DispatchCommand::Request { sight, candidate }))
        };
        let answer = move |state: &DispatchState, _: &[_], version| proto::RequestEmployeeResponse {
            offer: offer_of(state, ticket.uuid(), employee, version),
        };
        let answer = mutation.carry_out(&self.dispatches, prepared, answer).await?;
        self.look_again(&mutation, ticket, employee, asked_for).await?;
        Ok(answer)
    }

    pub(super) async fn assign(
        &self,
        request: &Request<proto::AssignEmployeeRequest>,
    ) -> Result<proto::AssignEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AssignEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let mutation = mutation.about("ticket", ticket);
        let mut asked_for = None;
        let prepared = async {
            let (view, sight) = self.managed(&mutation, ticket).await?;
            let candidate = self.candidate(&mutation.principal, employee).await?;
            asked_for = Some(view.ticket);
            Ok((ticket.uuid(), DispatchCommand::Assign { sight, candidate }))
        };
        let answer = move |state: &DispatchState, _: &[_], _| proto::AssignEmployeeResponse {
            assignment: state.assignments.get(&employee).map(convert::assignment),
        };
        let answer = mutation.carry_out(&self.dispatches, prepared, answer).await?;
        self.look_again(&mutation, ticket, employee, asked_for).await?;
        Ok(answer)
    }

    pub(super) async fn cancel(
        &self,
        request: &Request<proto::CancelEmployeeRequest>,
    ) -> Result<proto::CancelEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CancelEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let mutation = mutation.about("ticket", ticket);
        let prepared = async {
            let (view, sight) = self.managed(&mutation, ticket).await?;
            // What the aggregate does not know (who is available) is read before, so that the answer can be kept.
            let may_see =
                self.who_may_see(&mutation.principal, &sight, &view.ticket, MAX_AVAILABLE + MAX_TAKEN);
            let may_see = may_see.await?;
            Ok((sight, may_see))
        };
        let (sight, may_see) = match prepared.await {
            Ok(prepared) => prepared,
            Err(refusal) => return mutation.repeated(&self.dispatches, refusal).await,
        };
        let command = DispatchCommand::Cancel { sight, employee };
        let principal = Arc::clone(&mutation.principal);
        let answer = move |state: &DispatchState, _: &[_], version| {
            // In the order of the lists that are read.
            let mut offers: Vec<Offer> = state.offers.values().cloned().collect();
            offers.sort_by_key(|offer| (offer.created_at, offer.id));
            let mut assignments: Vec<Assignment> = state.assignments.values().cloned().collect();
            assignments.sort_by_key(|assignment| (assignment.created_at, assignment.employee));
            let lists = Lists { id: ticket, offers: &offers, assignments: &assignments, may_see: &may_see };
            let dispatch = lists.message(&principal, convert::int(state.required_workers), version);
            proto::CancelEmployeeResponse { dispatch: Some(dispatch) }
        };
        mutation.ask(&self.dispatches, ticket.uuid(), command, answer).await
    }
}
