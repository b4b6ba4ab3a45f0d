//! Read copies of tickets, many written at once.

use callboard_journal::Pool;
use callboard_kernel::{OrganisationId, TicketId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::Sql;
use super::copies::TicketCopy;

/// Tickets that are written at once.
pub(super) const TOGETHER: usize = 64;

/// A ticket to be kept; without a copy it was deleted (T-11).
#[derive(Debug, Clone)]
pub(super) struct KeptTicket {
    pub(super) organisation: OrganisationId,
    pub(super) version: i64,
    pub(super) id: TicketId,
    pub(super) ticket: Option<TicketCopy>,
}

impl KeptTicket {
    pub(super) const fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

/// Writes tickets in one statement, in the order of their ids, so that replicas do not wait for each other in a circle.
pub(super) fn keep_all(pool: Pool, mut all: Vec<KeptTicket>) -> BoxFuture<'static, Sql<()>> {
    async move {
        all.sort_by_key(KeptTicket::key);
        let copies = || all.iter().map(|kept| kept.ticket.as_ref());
        sqlx::query(
            "with told as (
                 select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::boolean[], $5::uuid[], $6::uuid[],
                     $7::boolean[]) as told(id, organisation_id, version, deleted, device_id, customer_id, public)),
             forgotten as (delete from known_offer o using told t where t.deleted and o.ticket_id = t.id)
             insert into known_ticket (id, organisation_id, version, deleted, device_id, customer_id, public)
             select * from told
             on conflict (id) do update set version = excluded.version, deleted = excluded.deleted,
                 device_id = excluded.device_id, customer_id = excluded.customer_id, public = excluded.public
             where not known_ticket.deleted
               and (excluded.version > known_ticket.version or excluded.deleted)",
        )
        .bind(all.iter().map(KeptTicket::key).collect::<Vec<_>>())
        .bind(all.iter().map(|kept| kept.organisation.uuid()).collect::<Vec<_>>())
        .bind(all.iter().map(|kept| kept.version).collect::<Vec<_>>())
        .bind(copies().map(|copy| copy.is_none()).collect::<Vec<_>>())
        .bind(copies().map(|copy| copy.map(|copy| copy.device.uuid())).collect::<Vec<_>>())
        .bind(copies().map(|copy| copy.and_then(|copy| copy.customer).map(Uuid::from)).collect::<Vec<_>>())
        .bind(copies().map(|copy| copy.is_some_and(|copy| copy.public)).collect::<Vec<_>>())
        .execute(&pool)
        .await?;
        Ok(())
    }
    .boxed()
}
