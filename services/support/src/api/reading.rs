//! What is read of tickets.

use callboard_kernel::Refusal;
use callboard_proto::support::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_service::database::refusal;
use callboard_service::page::page;
use callboard_service::request::{
    self, decode_page_token, encode_page_token, page_query, page_size, parse_id,
};
use tonic::Request;
use uuid::Uuid;

use super::{SupportApi, lists};
use crate::convert;
use crate::store::{Cursor, RemarkRow, StoredTicket};

/// Entries of a page where nothing is asked for, and the most.
const PAGE: (u32, u32) = (50, 200);

impl SupportApi {
    /// A ticket that this caller may see: any for support agents, care coordination for its requester. With it, whether
    /// the caller is an agent.
    async fn seen<T>(&self, request: &Request<T>, ticket: &str) -> Result<(StoredTicket, bool), Refusal> {
        let principal = request::principal(request)?;
        let id: Uuid = parse_id("ticket_id", ticket)?;
        let is_agent = self.standing(&principal).await?.is_agent;
        let found = self.queries.ticket(principal.organisation, id).await.map_err(refusal)?;
        found
            .filter(|found| is_agent || found.state.is_requester(&principal))
            .map(|found| (found, is_agent))
            .ok_or_else(|| Refusal::missing("support_ticket", id))
    }

    pub(super) async fn get_ticket(
        &self,
        request: &Request<proto::GetTicketRequest>,
    ) -> Result<proto::GetTicketResponse, Refusal> {
        let principal = request::principal(request)?;
        let (found, is_agent) = self.seen(request, &request.get_ref().ticket_id).await?;
        let ticket = convert::ticket(found.id, &found.state, found.version, &principal, is_agent);
        Ok(proto::GetTicketResponse { ticket: Some(ticket) })
    }

    pub(super) async fn list_tickets(
        &self,
        request: &Request<proto::ListTicketsRequest>,
    ) -> Result<proto::ListTicketsResponse, Refusal> {
        let principal = request::principal(request)?;
        self.admit(&principal).await?;
        let message = request.get_ref();
        let me = principal.employee().map(|employee| employee.id.uuid()).unwrap_or_default();
        let (filter, order) = lists::read(message, me)?;
        let size = page_size(message.page_size, PAGE.0, PAGE.1)?;
        let query = page_query(message);
        let after: Option<Cursor> = decode_page_token(&message.page_token, query, self.clock.now())?;
        let organisation = principal.organisation;
        let found = self
            .queries
            .list(organisation, &filter, order, after.as_ref(), size + 1)
            .await
            .map_err(refusal)?;
        let shown =
            found.iter().map(|one| (one, convert::ticket(one.id, &one.state, one.version, &principal, true)));
        let (tickets, last) = page(shown, size);
        let next_page_token = last
            .map(|last| encode_page_token(&order.cursor(last), query, self.clock.now()))
            .unwrap_or_default();
        Ok(proto::ListTicketsResponse { tickets, next_page_token })
    }

    /// A page of notes or comments, and the token of the next, for `(page_size, page_token, page_query)`.
    async fn remarks(
        &self,
        ticket: Uuid,
        notes: bool,
        (asked, token, query): (i32, &str, i64),
    ) -> Result<(Vec<proto::Remark>, String), Refusal> {
        let size = page_size(asked, PAGE.0, PAGE.1)?;
        let after: Option<i32> = decode_page_token(token, query, self.clock.now())?;
        let found =
            self.queries.remarks(ticket, notes, after.unwrap_or(0), size + 1).await.map_err(refusal)?;
        let (remarks, last) = page(found.into_iter().map(|row| (row.number, remark(row))), size);
        let next = last.map(|last| encode_page_token(&last, query, self.clock.now())).unwrap_or_default();
        Ok((remarks, next))
    }

    pub(super) async fn list_notes(
        &self,
        request: &Request<proto::ListNotesRequest>,
    ) -> Result<proto::ListNotesResponse, Refusal> {
        let message = request.get_ref();
        let (found, is_agent) = self.seen(request, &message.ticket_id).await?;
        if !is_agent {
            return Err(Refusal::denied("notes are for support agents"));
        }
        let (notes, next_page_token) = self
            .remarks(found.id, true, (message.page_size, &message.page_token, page_query(message)))
            .await?;
        Ok(proto::ListNotesResponse { notes, next_page_token })
    }

    pub(super) async fn list_comments(
        &self,
        request: &Request<proto::ListCommentsRequest>,
    ) -> Result<proto::ListCommentsResponse, Refusal> {
        let message = request.get_ref();
        let (found, _) = self.seen(request, &message.ticket_id).await?;
        let (comments, next_page_token) = self
            .remarks(found.id, false, (message.page_size, &message.page_token, page_query(message)))
            .await?;
        Ok(proto::ListCommentsResponse { comments, next_page_token })
    }

    pub(super) async fn list_domains(
        &self,
        request: &Request<proto::ListDomainsRequest>,
    ) -> Result<proto::ListDomainsResponse, Refusal> {
        let principal = request::principal(request)?;
        self.admit_to_domains(&principal).await?;
        let message = request.get_ref();
        let mut violations = Vec::new();
        let decisions =
            lists::words("decisions", &message.decisions, convert::from_decision, &mut violations);
        if !violations.is_empty() {
            return Err(Refusal::fields(violations));
        }
        let size = page_size(message.page_size, PAGE.0, PAGE.1)?;
        let query = page_query(message);
        let after: Option<String> = decode_page_token(&message.page_token, query, self.clock.now())?;
        let mut found = self
            .queries
            .domains(principal.organisation, &decisions, after.as_deref().unwrap_or_default(), size + 1)
            .await
            .map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => encode_page_token(&last.domain, query, self.clock.now()),
            None => String::new(),
        };
        let domains = found
            .into_iter()
            .map(|row| proto::Domain {
                domain: row.domain,
                decision: convert::decision(row.decision).into(),
                decided_by: Some(to_proto_actor(row.by)),
                decide_time: Some(to_proto_time(row.at)),
                ticket_id: row.ticket.to_string(),
            })
            .collect();
        Ok(proto::ListDomainsResponse { domains, next_page_token })
    }
}

fn remark(row: RemarkRow) -> proto::Remark {
    proto::Remark {
        number: row.number,
        author: Some(to_proto_actor(row.author)),
        text: row.text,
        create_time: Some(to_proto_time(row.at)),
    }
}
