//! Who was called to a ticket, as fleet tells: offered it, assigned to it, and who declined it (F-5, V-2, N-3).

use callboard_kernel::{EmployeeId, OrganisationId};
use uuid::Uuid;

use super::{Copies, Sql};

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

impl Copies {
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
