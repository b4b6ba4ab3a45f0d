//! Read copies of the directory: what it told last, newest version first.

use std::sync::Arc;
use std::time::Duration;

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{
    CustomerId, CustomerUserId, DepartmentId, DeviceId, EmployeeId, Isolation, OrganisationId, TemplateId,
};
use callboard_tasks_domain::Place;
use moka::future::Cache;
use sqlx::Row;
use uuid::Uuid;

use super::Sql;
use super::tickets::{KeptTicket, TOGETHER, keep_all};

/// How long a copy may be read from memory.
const TTL: Duration = Duration::from_secs(2);

/// A device as the directory told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCopy {
    /// Which.
    pub id: DeviceId,
    /// Template, customer, departments.
    pub place: Place,
    /// IANA: its own, else the organisation's, else UTC.
    pub time_zone: String,
    /// It was removed: nothing new comes.
    pub removed: bool,
}

/// The read copies.
#[derive(Debug, Clone)]
pub struct Copies {
    pub(super) pool: Pool,
    pub(super) tickets: Gather<KeptTicket>,
    isolations: Cache<OrganisationId, Isolation>,
}

fn uuids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}

fn typed<I: From<Uuid>>(ids: Vec<Uuid>) -> Vec<I> {
    ids.into_iter().map(I::from).collect()
}

impl Copies {
    /// The copies in this database.
    pub fn new(pool: Pool) -> Self {
        let writing = pool.clone();
        Self {
            pool,
            tickets: Gather::new(TOGETHER, KeptTicket::key, move |all| keep_all(writing.clone(), all)),
            isolations: Cache::builder().max_capacity(10_000).time_to_live(TTL).build(),
        }
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
        self.isolations.try_get_with(organisation, load).await.map_err(|error: Arc<sqlx::Error>| {
            Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
        })
    }

    /// Keeps an organisation.
    pub async fn keep_organisation(
        &self,
        id: OrganisationId,
        version: i64,
        isolation: Isolation,
        time_zone: &str,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_organisation (id, version, isolation, time_zone) values ($1, $2, $3, $4)
             on conflict (id) do update set version = excluded.version, isolation = excluded.isolation,
                 time_zone = excluded.time_zone
             where excluded.version > known_organisation.version",
        )
        .bind(id.uuid())
        .bind(version)
        .bind(isolation.as_str())
        .bind(time_zone)
        .execute(&self.pool)
        .await?;
        self.isolations.invalidate(&id).await;
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

    /// Keeps a device; `time_zone` is its own.
    pub async fn keep_device(
        &self,
        organisation: OrganisationId,
        version: i64,
        device: &DeviceCopy,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_device (id, organisation_id, version, removed, template_id, customer_id,
                 department_ids, time_zone)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 template_id = excluded.template_id, customer_id = excluded.customer_id,
                 department_ids = excluded.department_ids, time_zone = excluded.time_zone
             where excluded.version > known_device.version",
        )
        .bind(device.id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(device.removed)
        .bind(device.place.template.uuid())
        .bind(device.place.customer.map(Uuid::from))
        .bind(uuids(&device.place.departments))
        .bind(&device.time_zone)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A device of the organisation, removed or not.
    pub async fn device(&self, organisation: OrganisationId, id: DeviceId) -> Sql<Option<DeviceCopy>> {
        let row = sqlx::query(
            "select d.*, coalesce(nullif(d.time_zone, ''), nullif(o.time_zone, ''), 'UTC') as zone
             from known_device d left join known_organisation o on o.id = d.organisation_id
             where d.id = $1 and d.organisation_id = $2",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(DeviceCopy {
                id,
                place: Place {
                    template: row.try_get::<Uuid, _>("template_id")?.into(),
                    customer: row.try_get::<Option<Uuid>, _>("customer_id")?.map(Into::into),
                    departments: typed(row.try_get("department_ids")?),
                },
                time_zone: row.try_get("zone")?,
                removed: row.try_get("removed")?,
            })
        })
        .transpose()
    }

    /// Keeps an employee.
    pub async fn keep_employee(
        &self,
        organisation: OrganisationId,
        version: i64,
        id: EmployeeId,
        departments: &[DepartmentId],
        removed: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_employee (id, organisation_id, version, removed, department_ids)
             values ($1, $2, $3, $4, $5)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 department_ids = excluded.department_ids
             where excluded.version > known_employee.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(uuids(departments))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a customer user.
    pub async fn keep_customer_user(
        &self,
        organisation: OrganisationId,
        version: i64,
        id: CustomerUserId,
        customer: CustomerId,
        removed: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_customer_user (id, organisation_id, version, removed, customer_id)
             values ($1, $2, $3, $4, $5)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 customer_id = excluded.customer_id
             where excluded.version > known_customer_user.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(customer.uuid())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// True unless the directory told that this customer user was removed, or is of another company. Of whom it told
    /// nothing yet, nothing speaks against what their login said.
    pub async fn may_be_of(
        &self,
        organisation: OrganisationId,
        id: CustomerUserId,
        customer: CustomerId,
    ) -> Sql<bool> {
        sqlx::query_scalar(
            "select not exists (select from known_customer_user
             where id = $1 and organisation_id = $2 and (removed or customer_id <> $3))",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(customer.uuid())
        .fetch_one(&self.pool)
        .await
    }

    /// These employees with their departments, as far as they are there.
    pub async fn employees(
        &self,
        organisation: OrganisationId,
        ids: &[EmployeeId],
    ) -> Sql<Vec<(EmployeeId, Vec<DepartmentId>)>> {
        let rows: Vec<(Uuid, Vec<Uuid>)> = sqlx::query_as(
            "select id, department_ids from known_employee
             where organisation_id = $1 and id = any($2) and not removed",
        )
        .bind(organisation.uuid())
        .bind(uuids(ids))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(id, departments)| (id.into(), typed(departments))).collect())
    }
}
