//! Read copies of the directory: what it told last, newest version first.

use std::sync::Arc;
use std::time::Duration;

use callboard_journal::Pool;
use callboard_kernel::{CustomerId, DepartmentId, DeviceId, Isolation, OrganisationId, Principal, Subject};
use callboard_messenger_domain::conversation::{Device, Sight};
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
    devices: Cache<(OrganisationId, DeviceId), Option<Arc<Device>>>,
}

/// An error of a load that several waited for.
fn shared(error: Arc<sqlx::Error>) -> sqlx::Error {
    Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
}

impl Copies {
    /// The copies in this database.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            isolations: Cache::builder().max_capacity(10_000).time_to_live(TTL).build(),
            devices: Cache::builder().max_capacity(20_000).time_to_live(TTL).build(),
        }
    }

    /// How far somebody sees the conversations about a device. It is looked at only where it makes a difference: most
    /// employees are told apart by nothing, and who stands before a device sees what is about it.
    pub async fn sight(&self, principal: &Principal, device: Option<DeviceId>) -> Sql<Sight> {
        let isolation = self.isolation(principal.organisation).await?;
        let matters = match &principal.subject {
            Subject::System | Subject::CodeUser(_) => false,
            Subject::CustomerUser(_) => true,
            Subject::Employee(employee) => isolation != Isolation::Off && !employee.departments.is_empty(),
        };
        let device = match device.filter(|_| matters) {
            Some(device) => self.device(principal.organisation, device).await?,
            None => None,
        };
        Ok(Sight { isolation, device })
    }

    async fn device(&self, organisation: OrganisationId, id: DeviceId) -> Sql<Option<Arc<Device>>> {
        type Row = (i64, Option<Uuid>, Vec<Uuid>, bool);
        let load = async {
            let row: Option<Row> = sqlx::query_as(
                "select version, customer_id, department_ids, removed from known_device
                 where id = $1 and organisation_id = $2",
            )
            .bind(id.uuid())
            .bind(organisation.uuid())
            .fetch_optional(&self.pool)
            .await?;
            Ok(row.map(|(version, customer, departments, removed)| {
                Arc::new(Device {
                    version,
                    customer: customer.map(CustomerId::from),
                    departments: departments.into_iter().map(DepartmentId::from).collect(),
                    removed,
                })
            }))
        };
        self.devices.try_get_with((organisation, id), load).await.map_err(shared)
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
        self.devices.invalidate(&(organisation, id)).await;
        Ok(())
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
        self.isolations.try_get_with(organisation, load).await.map_err(shared)
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
}
