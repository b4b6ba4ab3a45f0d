//! What is read of offers and assignments.

use callboard_fleet_domain::dispatch::{Offer, OfferStatus};
use callboard_fleet_domain::{OfferId, Sight, Ticket};
use callboard_kernel::{EmployeeId, Principal, Refusal, TicketId};
use callboard_proto::fleet::v1 as proto;
use callboard_service::convert::to_proto_time;
use callboard_service::database::refusal;
use callboard_service::request::{
    self, decode_page_token, encode_page_token, page_size, parse_id, parse_optional_id,
};
use tonic::Request;

use super::lists::{Lists, MAX_AVAILABLE};
use super::{FleetApi, ticket_and_employee};
use crate::api::{employees_only, explain};
use crate::convert;
use crate::store::{OfferCursor, StoredOffer};

fn proto_offer(stored: &StoredOffer) -> proto::Offer {
    convert::offer(stored.ticket, &stored.offer, stored.version)
}

impl FleetApi {
    pub(super) async fn dispatch_of(
        &self,
        principal: &Principal,
        id: TicketId,
    ) -> Result<proto::Dispatch, Refusal> {
        let (view, sight) = self.reads.ticket_for_employee(principal, id).await?;
        let organisation = principal.organisation;
        let queries = &self.reads.queries;
        let (offers, assignments) =
            tokio::try_join!(queries.newest_offers(organisation, id), queries.assignments(organisation, id))
                .map_err(refusal)?;
        let offers: Vec<Offer> = offers.into_iter().map(|stored| stored.offer).collect();
        let limit = MAX_AVAILABLE + offers.len() + assignments.len();
        let may_see = self.who_may_see(principal, &sight, &view.ticket, limit).await?;
        let lists = Lists { id, offers: &offers, assignments: &assignments, may_see: &may_see };
        Ok(lists.message(principal, view.required_workers, view.version))
    }

    pub(super) async fn who_may_see(
        &self,
        principal: &Principal,
        sight: &Sight,
        ticket: &Ticket,
        limit: usize,
    ) -> Result<Vec<EmployeeId>, Refusal> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let departments = ticket.departments_now(sight.device.as_deref());
        let found =
            self.reads.copies.who_may_see(principal.organisation, sight.isolation, departments, limit);
        found.await.map_err(refusal)
    }

    pub(super) async fn offer(
        &self,
        request: &Request<proto::GetOfferRequest>,
    ) -> Result<proto::Offer, Refusal> {
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

    pub(super) async fn list(
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
        let query = request::page_query(message);
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

    pub(super) async fn rounds(
        &self,
        request: &Request<proto::ListRoundsRequest>,
    ) -> Result<proto::ListRoundsResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let ticket: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let size = page_size(message.page_size, 10, 50)?;
        let query = request::page_query(message);
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

    pub(super) async fn explain(
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
