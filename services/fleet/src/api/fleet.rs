//! Offers and assignments.

use callboard_fleet_domain::dispatch::{Candidate, DispatchCommand, DispatchState, OfferStatus};
use callboard_fleet_domain::{OfferId, Ticket};
use callboard_kernel::{
    Cause, EmployeeId, ErrorKind, FieldViolation, Isolation, Principal, Refusal, TicketId, Version,
};
use callboard_proto::fleet::v1 as proto;
use callboard_proto::fleet::v1::fleet_service_server::FleetService;
use callboard_service::Mutation;
use callboard_service::convert::to_proto_time;
use callboard_service::database::refusal;
use callboard_service::error::IntoStatus;
use callboard_service::request::{
    self, decode_page_token, encode_page_token, page_size, parse_id, parse_optional_id,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Reads, employees_only, explain};
use crate::events::{Because, Planner, review};
use crate::store::{DispatchView, OfferCursor, StoredOffer};
use crate::{Dispatches, convert};

/// The most employees in *available* (F-4).
const MAX_AVAILABLE: usize = 1_000;

/// Serves `FleetService`.
#[derive(Debug, Clone)]
pub struct FleetApi {
    /// Dispatches.
    pub dispatches: Dispatches,
    /// What is read.
    pub reads: Reads,
    /// Knows who may hold what.
    pub planner: Planner,
}

fn proto_offer(stored: &StoredOffer) -> proto::Offer {
    convert::offer(stored.ticket, &stored.offer, stored.version)
}

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
    async fn dispatch_of(&self, principal: &Principal, id: TicketId) -> Result<proto::Dispatch, Refusal> {
        let (view, isolation) = self.reads.ticket_for_employee(principal, id).await?;
        let organisation = principal.organisation;
        let queries = &self.reads.queries;
        let (offers, assignments) =
            tokio::try_join!(queries.newest_offers(organisation, id), queries.assignments(organisation, id))
                .map_err(refusal)?;
        let assigned: Vec<EmployeeId> = assignments.iter().map(|assignment| assignment.employee).collect();
        // Whose offer was taken back is available again (F-6); whoever accepted is assigned.
        let requested: Vec<&StoredOffer> = offers
            .iter()
            .filter(|stored| {
                !matches!(stored.offer.status, OfferStatus::Cancelled | OfferStatus::Accepted)
                    && !assigned.contains(&stored.offer.employee)
            })
            .collect();
        let taken: std::collections::HashSet<EmployeeId> =
            assigned.iter().copied().chain(requested.iter().map(|stored| stored.offer.employee)).collect();
        let limit = i64::try_from(MAX_AVAILABLE + taken.len()).unwrap_or(i64::MAX);
        let available = self
            .reads
            .copies
            .who_may_see(organisation, isolation, &view.ticket.departments, limit)
            .await
            .map_err(refusal)?;
        let own = principal.employee().map(|employee| employee.id);
        let own_offer = requested
            .iter()
            .find(|stored| Some(stored.offer.employee) == own && stored.offer.status.is_open());
        Ok(proto::Dispatch {
            ticket_id: id.to_string(),
            own_offer_id: own_offer.map(|stored| stored.offer.id.to_string()).unwrap_or_default(),
            assigned: assignments.iter().map(convert::assignment).collect(),
            requested: requested.into_iter().map(proto_offer).collect(),
            available_employee_ids: available
                .iter()
                .filter(|employee| !taken.contains(employee))
                .take(MAX_AVAILABLE)
                .map(ToString::to_string)
                .collect(),
            required_workers: view.required_workers,
            may_manage: principal.is_moderator(),
            etag: view.version.etag(),
        })
    }

    /// The dispatch an offer belongs to.
    async fn home(&self, principal: &Principal, offer: OfferId) -> Result<Uuid, Refusal> {
        let home = self.reads.queries.offer_home(principal.organisation, offer).await.map_err(refusal)?;
        home.map(|home| home.ticket.uuid()).ok_or_else(|| Refusal::not_found("offer"))
    }

    /// An employee that somebody wants to ask or assign.
    async fn candidate(&self, principal: &Principal, id: EmployeeId) -> Result<Candidate, Refusal> {
        let known = self.reads.copies.employees(principal.organisation, &[id]).await.map_err(refusal)?;
        known
            .into_iter()
            .find(|employee| !employee.removed)
            .map(|employee| Candidate { id, departments: employee.departments })
            .ok_or_else(|| Refusal::not_found("employee"))
    }

    /// What moderators' three verbs begin with: who may not do it is told before whether the employee exists.
    async fn managed(
        &self,
        mutation: &Mutation,
        ticket: TicketId,
    ) -> Result<(DispatchView, Isolation), Refusal> {
        let seen = self.reads.ticket_for_employee(&mutation.principal, ticket).await?;
        if mutation.principal.is_moderator() {
            Ok(seen)
        } else {
            Err(Refusal::denied("requesting, assigning and cancelling is for moderators and administrators"))
        }
    }

    /// The employee may have left between being looked up and being given the ticket (F-8).
    async fn look_again(
        &self,
        mutation: &Mutation,
        id: Uuid,
        employee: EmployeeId,
        ticket: &Ticket,
    ) -> Result<(), Refusal> {
        let organisation = mutation.principal.organisation;
        let standings = self.planner.standings(organisation, &[employee]).await.map_err(refusal)?;
        let gone = standings.into_iter().find(|(_, standing)| !standing.may_hold(ticket));
        let Some((employee, standing)) = gone else { return Ok(()) };
        let because = Because { organisation, id: mutation.command_id, cause: Cause::default() };
        review(&self.dispatches, because, id, employee, standing)
            .await
            .map_err(|error| Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", error.to_string()))
    }

    async fn offer(&self, request: &Request<proto::GetOfferRequest>) -> Result<proto::Offer, Refusal> {
        let principal = request::principal(request)?;
        let id: OfferId = parse_id("offer_id", &request.get_ref().offer_id)?;
        let stored = self.reads.queries.offer(principal.organisation, id).await.map_err(refusal)?;
        let stored = stored.ok_or_else(|| Refusal::not_found("offer"))?;
        self.reads
            .ticket_for_employee(&principal, stored.ticket.into())
            .await
            .map_err(|no| if no.reason == "NOT_FOUND" { Refusal::not_found("offer") } else { no })?;
        Ok(proto_offer(&stored))
    }

    async fn list(
        &self,
        request: &Request<proto::ListOffersRequest>,
    ) -> Result<proto::ListOffersResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let ticket: Option<TicketId> = parse_optional_id("ticket_id", &message.ticket_id)?;
        let size = page_size(message.page_size, 50, 200)?;
        if message.statuses.len() > OfferStatus::ALL.len() {
            return Err(Refusal::field("statuses", "each status at most once (F-3)"));
        }
        let statuses = message
            .statuses
            .iter()
            .enumerate()
            .map(|(at, status)| {
                proto::OfferStatus::try_from(*status).ok().and_then(convert::from_offer_status).ok_or_else(
                    || Refusal::field(format!("statuses[{at}]"), "must be a status of an offer (F-3)"),
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        let query = request::fingerprint(&proto::ListOffersRequest {
            page_size: 0,
            page_token: String::new(),
            ..message.clone()
        });
        let after: Option<OfferCursor> =
            decode_page_token(&message.page_token, query, self.reads.clock.now())?;
        let employee = match ticket {
            Some(ticket) => {
                self.reads.ticket_for_employee(&principal, ticket).await?;
                None
            }
            None => {
                employees_only(&principal)?;
                principal.employee().map(|employee| employee.id)
            }
        };
        let mut found = self
            .reads
            .queries
            .offers(principal.organisation, ticket, employee, &statuses, after, size + 1)
            .await
            .map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => {
                let cursor = OfferCursor { at: last.offer.created_at, id: last.offer.id.uuid() };
                encode_page_token(&cursor, query, self.reads.clock.now())
            }
            None => String::new(),
        };
        Ok(proto::ListOffersResponse { offers: found.iter().map(proto_offer).collect(), next_page_token })
    }

    async fn accept(&self, request: &Request<proto::AcceptOfferRequest>) -> Result<proto::Offer, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AcceptOffer", &message.request_id)?;
        let id: OfferId = parse_id("offer_id", &message.offer_id)?;
        let ticket = self.home(&mutation.principal, id).await?;
        let isolation = self.reads.isolation(&mutation.principal).await?;
        let command = DispatchCommand::Accept { isolation, offer: id };
        self.answer_offer(&mutation, ticket, id, command).await
    }

    async fn decline(&self, request: &Request<proto::DeclineOfferRequest>) -> Result<proto::Offer, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeclineOffer", &message.request_id)?;
        let id: OfferId = parse_id("offer_id", &message.offer_id)?;
        let ticket = self.home(&mutation.principal, id).await?;
        let isolation = self.reads.isolation(&mutation.principal).await?;
        let reason = Some(message.reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        let command = DispatchCommand::Decline { isolation, offer: id, reason };
        self.answer_offer(&mutation, ticket, id, command).await
    }

    async fn answer_offer(
        &self,
        mutation: &Mutation,
        ticket: Uuid,
        id: OfferId,
        command: DispatchCommand,
    ) -> Result<proto::Offer, Refusal> {
        mutation
            .ask(&self.dispatches, ticket, command, move |state, _, version| {
                state.offer(id).map(|offer| convert::offer(ticket, offer, version)).unwrap_or_default()
            })
            .await
    }

    async fn seen(
        &self,
        request: &Request<proto::MarkSeenRequest>,
    ) -> Result<proto::MarkSeenResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "MarkSeen", &message.request_id)?;
        let ticket: Uuid = parse_id("ticket_id", &message.ticket_id)?;
        let isolation = self.reads.isolation(&mutation.principal).await?;
        let own = mutation.principal.employee().map(|employee| employee.id);
        let command = DispatchCommand::MarkSeen { isolation };
        mutation
            .ask(&self.dispatches, ticket, command, move |state, _, version| proto::MarkSeenResponse {
                offer: own.and_then(|own| offer_of(state, ticket, own, version)),
            })
            .await
    }

    async fn request(
        &self,
        request: &Request<proto::RequestEmployeeRequest>,
    ) -> Result<proto::RequestEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "RequestEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let (view, isolation) = self.managed(&mutation, ticket).await?;
        let candidate = self.candidate(&mutation.principal, employee).await?;
        let id = ticket.uuid();
        let command = DispatchCommand::Request { isolation, candidate };
        let answer = mutation
            .ask(&self.dispatches, id, command, move |state, _, version| proto::RequestEmployeeResponse {
                offer: offer_of(state, id, employee, version),
            })
            .await?;
        self.look_again(&mutation, id, employee, &view.ticket).await?;
        Ok(answer)
    }

    async fn assign(
        &self,
        request: &Request<proto::AssignEmployeeRequest>,
    ) -> Result<proto::AssignEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AssignEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let (view, isolation) = self.managed(&mutation, ticket).await?;
        let candidate = self.candidate(&mutation.principal, employee).await?;
        let command = DispatchCommand::Assign { isolation, candidate };
        let answer = mutation
            .ask(&self.dispatches, ticket.uuid(), command, move |state, _, _| proto::AssignEmployeeResponse {
                assignment: state.assignments.get(&employee).map(convert::assignment),
            })
            .await?;
        self.look_again(&mutation, ticket.uuid(), employee, &view.ticket).await?;
        Ok(answer)
    }

    async fn cancel(
        &self,
        request: &Request<proto::CancelEmployeeRequest>,
    ) -> Result<proto::CancelEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CancelEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let isolation = self.reads.isolation(&mutation.principal).await?;
        let command = DispatchCommand::Cancel { isolation, employee };
        // The lists hold what the aggregate does not know (who is available), so they are read, also for a repeat:
        // its answer is the lists of then, not those of the first call.
        mutation
            .ask(&self.dispatches, ticket.uuid(), command, |_, _, _| proto::CancelEmployeeResponse::default())
            .await?;
        let dispatch = self.dispatch_of(&mutation.principal, ticket).await?;
        Ok(proto::CancelEmployeeResponse { dispatch: Some(dispatch) })
    }

    async fn rounds(
        &self,
        request: &Request<proto::ListRoundsRequest>,
    ) -> Result<proto::ListRoundsResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let ticket: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let size = page_size(message.page_size, 10, 50)?;
        let query = request::fingerprint(&message.ticket_id);
        let below: Option<i32> = decode_page_token(&message.page_token, query, self.reads.clock.now())?;
        self.reads.ticket_for_employee(&principal, ticket).await?;
        let mut found = self
            .reads
            .queries
            .rounds(principal.organisation, ticket, below, size + 1)
            .await
            .map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => encode_page_token(&convert::int(last.number), query, self.reads.clock.now()),
            None => String::new(),
        };
        let rounds = found
            .iter()
            .map(|round| proto::Round {
                number: convert::int(round.number),
                group_id: convert::optional_id(round.group),
                eligible_employee_ids: convert::ids(&round.eligible),
                left_out: round
                    .left_out
                    .iter()
                    .map(|left| proto::LeftOut {
                        employee_id: left.employee.to_string(),
                        reason: convert::left_out_reason(left.reason).into(),
                    })
                    .collect(),
                create_time: Some(to_proto_time(round.created_at)),
            })
            .collect();
        Ok(proto::ListRoundsResponse { rounds, next_page_token })
    }

    async fn explain(
        &self,
        request: &Request<proto::ExplainEmployeeRequest>,
    ) -> Result<proto::ExplainEmployeeResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        self.reads.ticket_for_employee(&principal, ticket).await?;
        let organisation = principal.organisation;
        let queries = &self.reads.queries;
        let known = self.reads.copies.employees(organisation, &[employee]).await.map_err(refusal)?;
        let known = known.first().ok_or_else(|| Refusal::not_found("employee"))?;
        let offers = queries.offers(organisation, Some(ticket), Some(employee), &[], None, 1).await;
        let offer = offers.map_err(refusal)?.into_iter().next();
        let round = queries.newest_group_round(organisation, ticket).await.map_err(refusal)?;
        let reason = explain::reason(known, offer.is_some(), round.as_ref());
        Ok(proto::ExplainEmployeeResponse {
            offer: offer.as_ref().map(proto_offer),
            reason: reason.map_or(proto::LeftOutReason::Unspecified, convert::left_out_reason).into(),
            text: explain::text(principal.language, reason).to_owned(),
        })
    }
}

fn ticket_and_employee(ticket: &str, employee: &str) -> Result<(TicketId, EmployeeId), Refusal> {
    match (parse_id("ticket_id", ticket), parse_id("employee_id", employee)) {
        (Ok(ticket), Ok(employee)) => Ok((ticket, employee)),
        (ticket, employee) => {
            let violations: Vec<FieldViolation> = [ticket.err(), employee.err()]
                .into_iter()
                .flatten()
                .flat_map(|refusal: Refusal| refusal.violations)
                .collect();
            Err(Refusal::fields(violations))
        }
    }
}

fn reply<R>(outcome: Result<R, Refusal>) -> Result<Response<R>, Status> {
    outcome.map(Response::new).map_err(|refusal| refusal.into_status(crate::NAME))
}

#[tonic::async_trait]
impl FleetService for FleetApi {
    async fn get_dispatch(
        &self,
        request: Request<proto::GetDispatchRequest>,
    ) -> Result<Response<proto::GetDispatchResponse>, Status> {
        let outcome = async {
            let principal = request::principal(&request)?;
            let ticket = parse_id("ticket_id", &request.get_ref().ticket_id)?;
            let dispatch = self.dispatch_of(&principal, ticket).await?;
            Ok(proto::GetDispatchResponse { dispatch: Some(dispatch) })
        };
        reply(outcome.await)
    }

    async fn get_offer(
        &self,
        request: Request<proto::GetOfferRequest>,
    ) -> Result<Response<proto::GetOfferResponse>, Status> {
        reply(self.offer(&request).await.map(|offer| proto::GetOfferResponse { offer: Some(offer) }))
    }

    async fn list_offers(
        &self,
        request: Request<proto::ListOffersRequest>,
    ) -> Result<Response<proto::ListOffersResponse>, Status> {
        reply(self.list(&request).await)
    }

    async fn accept_offer(
        &self,
        request: Request<proto::AcceptOfferRequest>,
    ) -> Result<Response<proto::AcceptOfferResponse>, Status> {
        reply(self.accept(&request).await.map(|offer| proto::AcceptOfferResponse { offer: Some(offer) }))
    }

    async fn decline_offer(
        &self,
        request: Request<proto::DeclineOfferRequest>,
    ) -> Result<Response<proto::DeclineOfferResponse>, Status> {
        reply(self.decline(&request).await.map(|offer| proto::DeclineOfferResponse { offer: Some(offer) }))
    }

    async fn mark_seen(
        &self,
        request: Request<proto::MarkSeenRequest>,
    ) -> Result<Response<proto::MarkSeenResponse>, Status> {
        reply(self.seen(&request).await)
    }

    async fn request_employee(
        &self,
        request: Request<proto::RequestEmployeeRequest>,
    ) -> Result<Response<proto::RequestEmployeeResponse>, Status> {
        reply(self.request(&request).await)
    }

    async fn assign_employee(
        &self,
        request: Request<proto::AssignEmployeeRequest>,
    ) -> Result<Response<proto::AssignEmployeeResponse>, Status> {
        reply(self.assign(&request).await)
    }

    async fn cancel_employee(
        &self,
        request: Request<proto::CancelEmployeeRequest>,
    ) -> Result<Response<proto::CancelEmployeeResponse>, Status> {
        reply(self.cancel(&request).await)
    }

    async fn list_rounds(
        &self,
        request: Request<proto::ListRoundsRequest>,
    ) -> Result<Response<proto::ListRoundsResponse>, Status> {
        reply(self.rounds(&request).await)
    }

    async fn explain_employee(
        &self,
        request: Request<proto::ExplainEmployeeRequest>,
    ) -> Result<Response<proto::ExplainEmployeeResponse>, Status> {
        reply(self.explain(&request).await)
    }
}
