//! The read copy of the directory: who is a support agent.

use callboard_journal::Pool;
use callboard_kernel::{EmployeeId, OrganisationId, Principal};

type Sql<T> = Result<T, sqlx::Error>;

/// The read copy.
#[derive(Debug, Clone)]
pub struct Copies {
    pool: Pool,
}

impl Copies {
    /// The copy in this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Keeps an employee.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_employee(
        &self,
        organisation: OrganisationId,
        id: EmployeeId,
        version: i64,
        removed: bool,
        is_agent: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_employee (id, organisation_id, version, removed, is_agent)
             values ($1, $2, $3, $4, $5)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 is_agent = excluded.is_agent
             where excluded.version > known_employee.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(is_agent)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Whether this employee of the organisation is a support agent.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn is_agent(&self, organisation: OrganisationId, employee: EmployeeId) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from known_employee
             where id = $1 and organisation_id = $2 and is_agent and not removed)",
        )
        .bind(employee.uuid())
        .bind(organisation.uuid())
        .fetch_one(&self.pool)
        .await
    }

    /// Whether the caller is a support agent.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn admits(&self, principal: &Principal) -> Sql<bool> {
        match principal.employee() {
            Some(employee) => self.is_agent(principal.organisation, employee.id).await,
            None => Ok(false),
        }
    }
}
