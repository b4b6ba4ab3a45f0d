//! Offers and assignments.

mod commands;
mod lists;
mod reads;

use callboard_kernel::{EmployeeId, FieldViolation, Refusal, TicketId};
use callboard_proto::fleet::v1 as proto;
use callboard_proto::fleet::v1::fleet_service_server::FleetService;
use callboard_service::error::IntoStatus;
use callboard_service::request::{self, parse_id};
use tonic::{Request, Response, Status};

use super::Reads;
use crate::Dispatches;
use crate::events::Planner;

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
