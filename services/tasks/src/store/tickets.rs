//! Read copies of tickets, as far as links need them.

use callboard_journal::Pool;
use callboard_kernel::{CustomerId, DeviceId, OrganisationId, TicketId};
use futures::FutureExt;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{Copies, Sql};

/// Tickets that are written at once.
pub(super) const TOGETHER: usize = 64;

/// A ticket as far as links need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCopy {
    /// Its device.
    pub device: DeviceId,
    /// Its customer.
    pub customer: Option<CustomerId>,
    /// Whether it is seen from outside.
    pub public: bool,
}

/// A ticket to be kept.
#[derive(Debug, Clone)]
pub(super) struct KeptTicket {
    organisation: OrganisationId,
    version: i64,
    id: TicketId,
    ticket: Option<TicketCopy>,
}

impl KeptTicket {
    pub(super) fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

/// Writes tickets in one statement, in the order of their ids, so that replicas do not wait for each other in a circle.
pub(super) fn keep_all(pool: Pool, mut all: Vec<KeptTicket>) -> BoxFuture<'static, Sql<()>> {
    async move {
        all.sort_by_key(KeptTicket::key);
        let copies = || all.iter().map(|kept| kept.ticket.as_ref());
        sqlx::query(
            "insert into known_ticket (id, organisation_id, version, deleted, device_id, customer_id, public)
             select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::boolean[], $5::uuid[], $6::uuid[],
                 $7::boolean[])
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

impl Copies {
    /// Keeps a ticket; `None`: it was deleted (T-11), and nothing but that is kept, for good. Those that come at the same
    /// time are written together.
    pub async fn keep_ticket(
        &self,
        organisation: OrganisationId,
        version: i64,
        id: TicketId,
        ticket: Option<&TicketCopy>,
    ) -> Sql<()> {
        self.tickets.put(KeptTicket { organisation, version, id, ticket: ticket.cloned() }).await
    }

    /// A ticket of the organisation that is there.
    pub async fn ticket(&self, organisation: OrganisationId, id: TicketId) -> Sql<Option<TicketCopy>> {
        let row: Option<(Uuid, Option<Uuid>, bool)> = sqlx::query_as(
            "select device_id, customer_id, public from known_ticket
             where id = $1 and organisation_id = $2 and not deleted and device_id is not null",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(device, customer, public)| TicketCopy {
            device: device.into(),
            customer: customer.map(Into::into),
            public,
        }))
    }
}
