//! Read copies of the directory: what it told last, newest version first.

use std::sync::Arc;
use std::time::Duration;

use callboard_journal::Pool;
use callboard_kernel::{DeviceId, Isolation, OrganisationId, TemplateId};
use callboard_ratings_domain::request::Device;
use moka::future::Cache;
use uuid::Uuid;

/// How long a copy may be read from memory.
const TTL: Duration = Duration::from_secs(2);

type Sql<T> = Result<T, sqlx::Error>;

/// The read copies.
#[derive(Debug, Clone)]
pub struct Copies {
    pool: Pool,
    isolations: Cache<OrganisationId, Isolation>,
}

impl Copies {
    /// The copies in this database.
    pub fn new(pool: Pool) -> Self {
        Self { pool, isolations: Cache::builder().max_capacity(10_000).time_to_live(TTL).build() }
    }

    /// The isolation of an organisation; off when the directory has not told yet.
    pub async fn isolation(&self, organisation: OrganisationId) -> Sql<Isolation> {
        let load = async {
            let word: Option<String> =
                sqlx::query_scalar("select isolation from known_organisation where id = $1")
                    .bind(organisation.uuid())
                    .fetch_optional(&self.pool)
                    .await?;
            word.map_or(Ok(Isolation::Off), |word| {
                word.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
            })
        };
        self.isolations.try_get_with(organisation, load).await.map_err(|error| {
            Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
        })
    }

    /// Keeps an organisation.
    pub async fn keep_organisation(&self, id: OrganisationId, version: i64, isolation: Isolation) -> Sql<()> {
        sqlx::query(
            "insert into known_organisation (id, version, isolation) values ($1, $2, $3)
             on conflict (id) do update set version = excluded.version, isolation = excluded.isolation
             where excluded.version > known_organisation.version",
        )
        .bind(id.uuid())
        .bind(version)
        .bind(isolation.as_str())
        .execute(&self.pool)
        .await?;
        self.isolations.invalidate(&id).await;
        Ok(())
    }

    /// Keeps a device.
    pub async fn keep_device(&self, organisation: OrganisationId, id: DeviceId, device: &Device) -> Sql<()> {
        let departments: Vec<Uuid> = device.departments.iter().map(|department| department.uuid()).collect();
        sqlx::query(
            "insert into known_device (id, organisation_id, version, removed, customer_id, department_ids)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 customer_id = excluded.customer_id, department_ids = excluded.department_ids
             where excluded.version > known_device.version
               and excluded.organisation_id = known_device.organisation_id",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(device.version)
        .bind(device.removed)
        .bind(device.customer.map(Uuid::from))
        .bind(departments)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a template.
    pub async fn keep_template(
        &self,
        organisation: OrganisationId,
        id: TemplateId,
        version: i64,
        removed: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_template (id, organisation_id, version, removed) values ($1, $2, $3, $4)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed
             where excluded.version > known_template.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// True when the organisation has this template.
    pub async fn has_template(&self, organisation: OrganisationId, template: TemplateId) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select 1 from known_template
             where id = $1 and organisation_id = $2 and not removed)",
        )
        .bind(template.uuid())
        .bind(organisation.uuid())
        .fetch_one(&self.pool)
        .await
    }
}
