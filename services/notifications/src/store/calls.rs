//! Who was called to a ticket, as fleet tells: offered it, assigned to it, and who declined it (F-5, V-2, N-3).

use callboard_journal::Pool;
use callboard_kernel::{EmployeeId, OrganisationId};
use callboard_notifications_domain::audience::Call;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Copies, Sql, placed};

/// What an event of fleet says of somebody and a ticket; `None`: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallChange {
    /// They declined it, or were asked again (F-5).
    pub declined: Option<bool>,
    /// They have an open offer.
    pub offered: Option<bool>,
    /// They are assigned.
    pub assigned: Option<bool>,
}

/// Whose call is asked for, and to which ticket.
pub(super) type Called = (OrganisationId, Uuid, EmployeeId);

/// Reads calls in one statement, each by its key.
pub(super) fn call_all(pool: Pool, all: Vec<Called>) -> BoxFuture<'static, Sql<Vec<Option<Call>>>> {
    async move {
        let rows = sqlx::query(
            "select a.place, k.offered, k.assigned
             from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality
                 as a(organisation_id, ticket_id, employee_id, place)
             cross join lateral (
                 select * from known_decline k
                 where k.organisation_id = a.organisation_id and k.ticket_id = a.ticket_id
                   and k.employee_id = a.employee_id limit 1) k",
        )
        .bind(all.iter().map(|(organisation, _, _)| organisation.uuid()).collect::<Vec<_>>())
        .bind(all.iter().map(|(_, ticket, _)| *ticket).collect::<Vec<_>>())
        .bind(all.iter().map(|(_, _, employee)| employee.uuid()).collect::<Vec<_>>())
        .fetch_all(&pool)
        .await?;
        placed(all.len(), &rows, |row| {
            Ok(Call { offered: row.try_get("offered")?, assigned: row.try_get("assigned")? })
        })
    }
    .boxed()
}

impl Copies {
    /// Where an employee stands with a ticket. Those that are asked for at the same time are read together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn call(&self, organisation: OrganisationId, ticket: Uuid, id: EmployeeId) -> Sql<Call> {
        Ok(self.calls.put((organisation, ticket, id)).await?.unwrap_or_default())
    }

    /// Keeps what an event says of these people and a ticket. Events of one ticket come in order, and several may have one
    /// version.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_calls(
        &self,
        organisation: OrganisationId,
        ticket: Uuid,
        employees: &[EmployeeId],
        version: i64,
        change: CallChange,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_decline (ticket_id, employee_id, organisation_id, version, declined, offered, assigned)
             select $1, employee, $3, $4, coalesce($5, false), $6, $7 from unnest($2::uuid[]) employee
             where not exists (select from known_subject where id = $1 and deleted)
             on conflict (ticket_id, employee_id) do update set version = excluded.version,
                 declined = coalesce($5, known_decline.declined),
                 offered = coalesce(excluded.offered, known_decline.offered),
                 assigned = coalesce(excluded.assigned, known_decline.assigned)
             where excluded.version >= known_decline.version",
        )
        .bind(ticket)
        .bind(super::uuids(employees))
        .bind(organisation.uuid())
        .bind(version)
        .bind(change.declined)
        .bind(change.offered)
        .bind(change.assigned)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Who is offered, assigned to or involved in any of these tickets: everybody, or this one if so.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn called_to(
        &self,
        organisation: OrganisationId,
        tickets: &[Uuid],
        among: Option<EmployeeId>,
    ) -> Sql<Vec<EmployeeId>> {
        if tickets.is_empty() {
            return Ok(Vec::new());
        }
        let found: Vec<Uuid> = sqlx::query_scalar(
            "select employee_id from known_decline
             where organisation_id = $1 and ticket_id = any($2) and (offered or assigned)
               and ($3::uuid is null or employee_id = $3)
             union
             select i::uuid from known_subject s, jsonb_array_elements_text(s.involved) i
             where s.organisation_id = $1 and s.id = any($2) and s.kind = 'TICKET' and not s.deleted
               and ($3::uuid is null or i::uuid = $3)",
        )
        .bind(organisation.uuid())
        .bind(tickets)
        .bind(among.map(Uuid::from))
        .fetch_all(&self.pool)
        .await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}
