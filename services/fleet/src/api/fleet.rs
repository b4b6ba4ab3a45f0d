//! Offers and assignments.

use std::collections::HashSet;
use std::sync::Arc;

use callboard_fleet_domain::dispatch::{
    Assignment, Candidate, DispatchCommand, DispatchState, Offer, OfferStatus,
};
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
use callboard_service::telemetry;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Reads, employees_only, explain};
use crate::events::{Because, Planner, review};
use crate::store::{DispatchView, OfferCursor, StoredOffer};
use crate::{Dispatches, convert};

/// The most employees in *available* (F-4).
const MAX_AVAILABLE: usize = 1_000;
/// No ticket has more offers and assignments than employees are named by its groups and by hand.
const MAX_TAKEN: usize = 3_000;

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

/// The three lists of a ticket (F-4).
struct Lists<'a> {
    id: TicketId,
    /// The newest of each employee, in order.
    offers: &'a [Offer],
    /// In order.
    assignments: &'a [Assignment],
    /// Every employee who may see the ticket, at least [`MAX_AVAILABLE`] of those in neither of the other lists.
    may_see: &'a [EmployeeId],
}

impl Lists<'_> {
    fn message(&self, principal: &Principal, required_workers: i32, version: Version) -> proto::Dispatch {
        let assigned: Vec<EmployeeId> =
            self.assignments.iter().map(|assignment| assignment.employee).collect();
        // Whose offer was taken back is available again (F-6); whoever accepted is assigned.
        let requested: Vec<&Offer> = self
            .offers
            .iter()
            .filter(|offer| {
                !matches!(offer.status, OfferStatus::Cancelled | OfferStatus::Accepted)
                    && !assigned.contains(&offer.employee)
            })
            .collect();
        let taken: HashSet<EmployeeId> =
            assigned.iter().copied().chain(requested.iter().map(|offer| offer.employee)).collect();
        let own = principal.employee().map(|employee| employee.id);
        let own_offer = requested.iter().find(|offer| Some(offer.employee) == own && offer.status.is_open());
        proto::Dispatch {
            ticket_id: self.id.to_string(),
            own_offer_id: own_offer.map(|offer| offer.id.to_string()).unwrap_or_default(),
            assigned: self.assignments.iter().map(convert::assignment).collect(),
            requested: requested.iter().map(|offer| convert::offer(self.id.uuid(), offer, version)).collect(),
            available_employee_ids: self
                .may_see
                .iter()
                .filter(|employee| !taken.contains(employee))
                .take(MAX_AVAILABLE)
                .map(ToString::to_string)
                .collect(),
            required_workers,
            may_manage: principal.is_moderator(),
            etag: version.etag(),
        }
    }
}

impl FleetApi {
    async fn dispatch_of(&self, principal: &Principal, id: TicketId) -> Result<proto::Dispatch, Refusal> {
        let (view, isolation) = self.reads.ticket_for_employee(principal, id).await?;
        let organisation = principal.organisation;
        let queries = &self.reads.queries;
        let (offers, assignments) =
            tokio::try_join!(queries.newest_offers(organisation, id), queries.assignments(organisation, id))
                .map_err(refusal)?;
        let offers: Vec<Offer> = offers.into_iter().map(|stored| stored.offer).collect();
        let limit = MAX_AVAILABLE + offers.len() + assignments.len();
        let may_see = self.who_may_see(principal, isolation, &view.ticket, limit).await?;
        let lists = Lists { id, offers: &offers, assignments: &assignments, may_see: &may_see };
        Ok(lists.message(principal, view.required_workers, view.version))
    }

    async fn who_may_see(
        &self,
        principal: &Principal,
        isolation: Isolation,
        ticket: &Ticket,
        limit: usize,
    ) -> Result<Vec<EmployeeId>, Refusal> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found =
            self.reads.copies.who_may_see(principal.organisation, isolation, &ticket.departments, limit);
        found.await.map_err(refusal)
    }

    /// The dispatch an offer belongs to.
    async fn home(&self, principal: &Principal, offer: OfferId) -> Result<Uuid, Refusal> {
        let home = self.reads.queries.offer_home(principal.organisation, offer).await.map_err(refusal)?;
        home.map(|home| home.ticket.uuid()).ok_or_else(|| Refusal::missing("offer", offer))
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

    /// The employee may have left between being looked up and being given the ticket (F-8). `ticket`: as it was then;
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
        let standings = self.planner.standings(organisation, &[employee]).await.map_err(refusal)?;
        let gone = standings.into_iter().find(|(_, standing)| !standing.may_hold(&ticket));
        let Some((employee, standing)) = gone else { return Ok(()) };
        let cause = Cause { traceparent: telemetry::current_traceparent(), ..Cause::default() };
        let because = Because { organisation, id: mutation.command_id, cause };
        review(&self.dispatches, because, id.uuid(), employee, standing)
            .await
            .map_err(|error| Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", error.to_string()))
    }

    async fn offer(&self, request: &Request<proto::GetOfferRequest>) -> Result<proto::Offer, Refusal> {
        let principal = request::principal(request)?;
        let id: OfferId = parse_id("offer_id", &request.get_ref().offer_id)?;
        let stored = self.reads.queries.offer(principal.organisation, id).await.map_err(refusal)?;
        let stored = stored.ok_or_else(|| Refusal::missing("offer", id))?;
        self.reads
            .ticket_for_employee(&principal, stored.ticket.into())
            .await
            .map_err(|no| if no.reason == "NOT_FOUND" { Refusal::missing("offer", id) } else { no })?;
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
        self.answer_offer(mutation, id, |isolation| DispatchCommand::Accept { isolation, offer: id }).await
    }

    async fn decline(&self, request: &Request<proto::DeclineOfferRequest>) -> Result<proto::Offer, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeclineOffer", &message.request_id)?;
        let id: OfferId = parse_id("offer_id", &message.offer_id)?;
        let reason = Some(message.reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        self.answer_offer(mutation, id, |isolation| DispatchCommand::Decline { isolation, offer: id, reason })
            .await
    }

    async fn answer_offer(
        &self,
        mutation: Mutation,
        id: OfferId,
        command: impl FnOnce(Isolation) -> DispatchCommand,
    ) -> Result<proto::Offer, Refusal> {
        let mutation = mutation.about("offer", id);
        let prepared = async {
            let ticket = self.home(&mutation.principal, id).await?;
            Ok((ticket, self.reads.isolation(&mutation.principal).await?))
        };
        let (ticket, isolation) = match prepared.await {
            Ok(prepared) => prepared,
            Err(refusal) => return mutation.repeated(&self.dispatches, refusal).await,
        };
        mutation
            .ask(&self.dispatches, ticket, command(isolation), move |state, _, version| {
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
        let mutation = mutation.about("ticket", ticket);
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
        let mutation = mutation.about("ticket", ticket);
        let mut asked_for = None;
        let prepared = async {
            let (view, isolation) = self.managed(&mutation, ticket).await?;
            let candidate = self.candidate(&mutation.principal, employee).await?;
            asked_for = Some(view.ticket);
            Ok((ticket.uuid(), DispatchCommand::Request { isolation, candidate }))
        };
        let answer = move |state: &DispatchState, _: &[_], version| proto::RequestEmployeeResponse {
            offer: offer_of(state, ticket.uuid(), employee, version),
        };
        let answer = mutation.carry_out(&self.dispatches, prepared, answer).await?;
        self.look_again(&mutation, ticket, employee, asked_for).await?;
        Ok(answer)
    }

    async fn assign(
        &self,
        request: &Request<proto::AssignEmployeeRequest>,
    ) -> Result<proto::AssignEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AssignEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let mutation = mutation.about("ticket", ticket);
        let mut asked_for = None;
        let prepared = async {
            let (view, isolation) = self.managed(&mutation, ticket).await?;
            let candidate = self.candidate(&mutation.principal, employee).await?;
            asked_for = Some(view.ticket);
            Ok((ticket.uuid(), DispatchCommand::Assign { isolation, candidate }))
        };
        let answer = move |state: &DispatchState, _: &[_], _| proto::AssignEmployeeResponse {
            assignment: state.assignments.get(&employee).map(convert::assignment),
        };
        let answer = mutation.carry_out(&self.dispatches, prepared, answer).await?;
        self.look_again(&mutation, ticket, employee, asked_for).await?;
        Ok(answer)
    }

    async fn cancel(
        &self,
        request: &Request<proto::CancelEmployeeRequest>,
    ) -> Result<proto::CancelEmployeeResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CancelEmployee", &message.request_id)?;
        let (ticket, employee) = ticket_and_employee(&message.ticket_id, &message.employee_id)?;
        let mutation = mutation.about("ticket", ticket);
        let prepared = async {
            let (view, isolation) = self.managed(&mutation, ticket).await?;
            // What the aggregate does not know (who is available) is read before, so that the answer can be kept.
            let may_see =
                self.who_may_see(&mutation.principal, isolation, &view.ticket, MAX_AVAILABLE + MAX_TAKEN);
            Ok((isolation, may_see.await?))
        };
        let (isolation, may_see) = match prepared.await {
            Ok(prepared) => prepared,
            Err(refusal) => return mutation.repeated(&self.dispatches, refusal).await,
        };
        let command = DispatchCommand::Cancel { isolation, employee };
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
        let known = known.first().ok_or_else(|| Refusal::missing("employee", employee))?;
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
