//! Read copies of the directory: what it told last, newest version first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_fleet_domain::{Colleague, Device, Group, MetaTeam, MetaTeamId, Roster, TeamId};
use callboard_journal::Pool;
use callboard_kernel::{
    CustomerId, DepartmentId, DeviceId, EmployeeId, Isolation, OrganisationId, TemplateId,
};
use moka::future::Cache;
use uuid::Uuid;

/// How long a copy may be read from memory.
const TTL: Duration = Duration::from_secs(2);

/// An employee as the directory told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmployeeCopy {
    /// Who.
    pub id: EmployeeId,
    /// Departments.
    pub departments: Vec<DepartmentId>,
    /// Local teams.
    pub teams: Vec<TeamId>,
    /// Left.
    pub removed: bool,
}

/// The read copies.
#[derive(Debug, Clone)]
pub struct Copies {
    pool: Pool,
    isolations: Cache<OrganisationId, Isolation>,
    devices: Cache<(OrganisationId, DeviceId), Option<Arc<Device>>>,
}

type Sql<T> = Result<T, sqlx::Error>;

fn uuids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}

fn typed<I: From<Uuid>>(ids: Vec<Uuid>) -> Vec<I> {
    ids.into_iter().map(I::from).collect()
}

type EmployeeRow = (Uuid, Vec<Uuid>, Vec<Uuid>, bool);

fn employee((id, departments, teams, removed): EmployeeRow) -> EmployeeCopy {
    EmployeeCopy { id: id.into(), departments: typed(departments), teams: typed(teams), removed }
}

/// Version, customer, departments, removed.
pub(super) type DeviceRow = (i64, Option<Uuid>, Vec<Uuid>, bool);

pub(super) fn device((version, customer, departments, removed): DeviceRow) -> Arc<Device> {
    Arc::new(Device {
        version,
        customer: customer.map(CustomerId::from),
        departments: typed(departments),
        removed,
    })
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

    /// The isolation of an organisation; off when the directory has not told yet.
    pub async fn isolation(&self, organisation: OrganisationId) -> Sql<Isolation> {
        let load = self.isolation_now(organisation);
        self.isolations.try_get_with(organisation, load).await.map_err(shared)
    }

    /// The same from the table: for F-8, which must not miss a change for those two seconds.
    pub async fn isolation_now(&self, organisation: OrganisationId) -> Sql<Isolation> {
        let word: Option<String> =
            sqlx::query_scalar("select isolation from known_organisation where id = $1")
                .bind(organisation.uuid())
                .fetch_optional(&self.pool)
                .await?;
        word.map_or(Ok(Isolation::Off), |word| {
            word.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
        })
    }

    /// Keeps an organisation. True when it was news.
    pub async fn keep_organisation(
        &self,
        id: OrganisationId,
        version: i64,
        isolation: Isolation,
    ) -> Sql<bool> {
        let done = sqlx::query(
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
        Ok(done.rows_affected() > 0)
    }

    /// A device, removed or not; `None`: the directory has not told of it.
    pub async fn device(&self, organisation: OrganisationId, id: DeviceId) -> Sql<Option<Arc<Device>>> {
        let load = self.device_now(organisation, id);
        self.devices.try_get_with((organisation, id), load).await.map_err(shared)
    }

    /// The same from the table: for F-8, which must not miss a change for those two seconds.
    pub async fn device_now(&self, organisation: OrganisationId, id: DeviceId) -> Sql<Option<Arc<Device>>> {
        let row: Option<DeviceRow> = sqlx::query_as(
            "select version, customer_id, department_ids, removed from known_device
             where id = $1 and organisation_id = $2",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(device))
    }

    /// Keeps a device.
    pub async fn keep_device(&self, organisation: OrganisationId, id: DeviceId, device: &Device) -> Sql<()> {
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
        .bind(uuids(&device.departments))
        .execute(&self.pool)
        .await?;
        self.devices.invalidate(&(organisation, id)).await;
        Ok(())
    }

    /// Keeps an employee.
    pub async fn keep_employee(
        &self,
        organisation: OrganisationId,
        version: i64,
        employee: &EmployeeCopy,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_employee (id, organisation_id, version, removed, department_ids, team_ids)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 department_ids = excluded.department_ids, team_ids = excluded.team_ids
             where excluded.version > known_employee.version",
        )
        .bind(employee.id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(employee.removed)
        .bind(uuids(&employee.departments))
        .bind(uuids(&employee.teams))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a team; `removed`: it serves nobody any more.
    pub async fn keep_team(
        &self,
        organisation: OrganisationId,
        id: Uuid,
        version: i64,
        removed: bool,
    ) -> Sql<()> {
        self.keep_plain("known_team", organisation, id, version, removed).await
    }

    /// Keeps a template.
    pub async fn keep_template(
        &self,
        organisation: OrganisationId,
        id: Uuid,
        version: i64,
        removed: bool,
    ) -> Sql<()> {
        self.keep_plain("known_template", organisation, id, version, removed).await
    }

    async fn keep_plain(
        &self,
        table: &'static str,
        organisation: OrganisationId,
        id: Uuid,
        version: i64,
        removed: bool,
    ) -> Sql<()> {
        let sql = format!(
            "insert into {table} (id, organisation_id, version, removed) values ($1, $2, $3, $4)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed
             where excluded.version > {table}.version"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(organisation.uuid())
            .bind(version)
            .bind(removed)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Keeps a meta team.
    pub async fn keep_meta_team(
        &self,
        organisation: OrganisationId,
        id: MetaTeamId,
        version: i64,
        teams: &[TeamId],
        removed: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_meta_team (id, organisation_id, version, removed, team_ids)
             values ($1, $2, $3, $4, $5)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 team_ids = excluded.team_ids
             where excluded.version > known_meta_team.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(uuids(teams))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a customer: which local team of which meta team serves it.
    pub async fn keep_customer(
        &self,
        organisation: OrganisationId,
        id: CustomerId,
        version: i64,
        serving: &BTreeMap<Uuid, Uuid>,
        removed: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_customer (id, organisation_id, version, removed, serving_team_ids)
             values ($1, $2, $3, $4, $5)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 serving_team_ids = excluded.serving_team_ids
             where excluded.version > known_customer.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(sqlx::types::Json(serving))
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

    /// These employees, as far as they are known; those who left included.
    pub async fn employees(
        &self,
        organisation: OrganisationId,
        ids: &[EmployeeId],
    ) -> Sql<Vec<EmployeeCopy>> {
        let rows: Vec<EmployeeRow> = sqlx::query_as(
            "select id, department_ids, team_ids, removed from known_employee
             where organisation_id = $1 and id = any($2)",
        )
        .bind(organisation.uuid())
        .bind(uuids(ids))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(employee).collect())
    }

    /// Employees who see what has these departments, by id; those who left are not among them.
    pub async fn who_may_see(
        &self,
        organisation: OrganisationId,
        isolation: Isolation,
        departments: &[DepartmentId],
        limit: i64,
    ) -> Sql<Vec<EmployeeId>> {
        // The same table as `Isolation::admits`, in SQL.
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "select id from known_employee
             where organisation_id = $1 and not removed
               and ($2 = 'off' or cardinality(department_ids) = 0 or department_ids && $3
                    or ($2 = 'basic' and cardinality($3) = 0))
             order by id limit $4",
        )
        .bind(organisation.uuid())
        .bind(isolation.as_str())
        .bind(uuids(departments))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(typed(ids))
    }

    /// Everything that expanding a group for a customer needs (F-2).
    pub async fn roster(
        &self,
        organisation: OrganisationId,
        group: &Group,
        customer: Option<CustomerId>,
    ) -> Sql<Roster> {
        let isolation = self.isolation(organisation).await?;
        let meta_teams = if group.meta_teams.is_empty() {
            BTreeMap::new()
        } else {
            self.meta_teams(organisation, &group.meta_teams, customer).await?
        };
        let mut teams = uuids(&group.teams);
        teams.extend(meta_teams.values().flat_map(|meta_team| uuids(&meta_team.teams)));
        let rows: Vec<EmployeeRow> = sqlx::query_as(
            "select id, department_ids, team_ids, removed from known_employee
             where organisation_id = $1 and (id = any($2) or department_ids && $3 or team_ids && $4)",
        )
        .bind(organisation.uuid())
        .bind(uuids(&group.employees))
        .bind(uuids(&group.departments))
        .bind(teams)
        .fetch_all(&self.pool)
        .await?;
        let colleagues = rows
            .into_iter()
            .map(|(id, departments, teams, removed)| Colleague {
                id: id.into(),
                departments: typed(departments),
                teams: typed(teams),
                removed,
            })
            .collect();
        Ok(Roster { isolation, colleagues, meta_teams })
    }

    async fn meta_teams(
        &self,
        organisation: OrganisationId,
        ids: &[MetaTeamId],
        customer: Option<CustomerId>,
    ) -> Sql<BTreeMap<MetaTeamId, MetaTeam>> {
        let rows: Vec<(Uuid, Vec<Uuid>, Option<Uuid>)> = sqlx::query_as(
            "select m.id, m.team_ids, t.id from known_meta_team m
             left join known_customer c on c.id = $3 and c.organisation_id = $1 and not c.removed
             left join known_team t on t.id = (c.serving_team_ids ->> m.id::text)::uuid
                  and t.organisation_id = $1 and not t.removed
             where m.organisation_id = $1 and m.id = any($2) and not m.removed",
        )
        .bind(organisation.uuid())
        .bind(uuids(ids))
        .bind(customer.map(Uuid::from))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, teams, serving)| {
                (id.into(), MetaTeam { teams: typed(teams), serving: serving.map(TeamId::from) })
            })
            .collect())
    }
}

/// An error of a load that several waited for.
fn shared(error: Arc<sqlx::Error>) -> sqlx::Error {
    Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
}
