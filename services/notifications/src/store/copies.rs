//! Read copies: what other contexts told last, newest version first.

use std::sync::Arc;
use std::time::Duration;

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{
    CodeId, CustomerId, CustomerUserId, DepartmentId, DeviceId, EmployeeId, Isolation, Language,
    OrganisationId, Role, Timestamp,
};
use callboard_notifications_domain::audience::{Call, Colleague};
use callboard_notifications_domain::{Person, SubjectKind};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use moka::future::Cache;
use sqlx::Connection as _;
use sqlx::Row as _;
use sqlx::types::Json;
use uuid::Uuid;

use super::calls::{Called, call_all};
use super::known::KnownEmployee;
use super::lists::{List, listed_all};
use super::subjects::{Judged, Kept, TOGETHER, judge_all, keep_all};
use super::{Sql, decoded, placed};

/// How long a copy may be read from memory.
const TTL: Duration = Duration::from_secs(2);

/// An employee, as far as hearing of something goes.
#[derive(Debug, Clone)]
pub struct Hearer {
    /// Who, for isolation.
    pub colleague: Colleague,
    /// Of the profile.
    pub language: Language,
    /// The role.
    pub role: Role,
    /// Works at the support desk.
    pub is_agent: bool,
}

/// The read copies.
#[derive(Debug, Clone)]
pub struct Copies {
    pub(super) pool: Pool,
    pub(super) subjects: Gather<Kept>,
    pub(super) judged: Gather<(OrganisationId, Uuid), Option<Judged>>,
    pub(super) calls: Gather<Called, Option<Call>>,
    pub(super) lists: Gather<(List, EmployeeId), bool>,
    colleagues: Gather<(OrganisationId, EmployeeId), Option<Hearer>>,
    isolations: Cache<OrganisationId, (Isolation, Language)>,
}

impl Copies {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        let (writing, judging, meeting, calling, listing) =
            (pool.clone(), pool.clone(), pool.clone(), pool.clone(), pool.clone());
        Self {
            pool,
            subjects: Gather::new(TOGETHER, Kept::id, move |all| keep_all(writing.clone(), all)),
            judged: Gather::asking(TOGETHER, move |all| judge_all(judging.clone(), all)),
            calls: Gather::asking(TOGETHER, move |all| call_all(calling.clone(), all)),
            lists: Gather::asking(TOGETHER, move |all| listed_all(listing.clone(), all)),
            colleagues: Gather::asking(TOGETHER, move |all| meet_all(meeting.clone(), all)),
            isolations: Cache::builder().max_capacity(10_000).time_to_live(TTL).build(),
        }
    }

    async fn organisation(&self, organisation: OrganisationId) -> Sql<(Isolation, Language)> {
        let load = async {
            let row: Option<(String, String)> =
                sqlx::query_as("select isolation, language from known_organisation where id = $1")
                    .bind(organisation.uuid())
                    .fetch_optional(&self.pool)
                    .await?;
            let Some((isolation, language)) = row else { return Ok((Isolation::Off, Language::En)) };
            Ok::<_, sqlx::Error>((decoded(isolation.parse())?, language.parse().unwrap_or_default()))
        };
        self.isolations.try_get_with(organisation, load).await.map_err(|error| {
            Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
        })
    }

    /// The isolation of an organisation; off when the directory has not told yet.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn isolation(&self, organisation: OrganisationId) -> Sql<Isolation> {
        Ok(self.organisation(organisation).await?.0)
    }

    /// The language where a person's own is not known.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn language(&self, organisation: OrganisationId) -> Sql<Language> {
        Ok(self.organisation(organisation).await?.1)
    }

    /// Keeps an organisation.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_organisation(
        &self,
        id: OrganisationId,
        version: i64,
        isolation: Isolation,
        language: Language,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_organisation (id, version, isolation, language) values ($1, $2, $3, $4)
             on conflict (id) do update set version = excluded.version, isolation = excluded.isolation,
                 language = excluded.language
             where excluded.version > known_organisation.version",
        )
        .bind(id.uuid())
        .bind(version)
        .bind(isolation.as_str())
        .bind(language.as_str())
        .execute(&self.pool)
        .await?;
        self.isolations.invalidate(&id).await;
        Ok(())
    }

    /// Keeps an employee.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_employee(
        &self,
        organisation: OrganisationId,
        version: i64,
        removed: bool,
        employee: &KnownEmployee,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_employee (id, organisation_id, version, removed, role, language, department_ids,
                 team_ids, support_roles)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 role = excluded.role, language = excluded.language, department_ids = excluded.department_ids,
                 team_ids = excluded.team_ids, support_roles = excluded.support_roles
             where excluded.version > known_employee.version",
        )
        .bind(employee.id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(employee.role.as_str())
        .bind(employee.language.as_str())
        .bind(Json(&employee.departments))
        .bind(Json(&employee.teams))
        .bind(Json(&employee.support_roles))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a customer user.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_customer_user(
        &self,
        organisation: OrganisationId,
        version: i64,
        removed: bool,
        id: CustomerUserId,
        customer: CustomerId,
        language: Language,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_customer_user (id, organisation_id, version, removed, customer_id, language)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 customer_id = excluded.customer_id, language = excluded.language
             where excluded.version > known_customer_user.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(customer.uuid())
        .bind(language.as_str())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a code. Off its device, its users' history is hidden (D-4): their drawer is theirs alone, so it is emptied,
    /// and what waited to be sent is withheld.
    ///
    /// # Errors
    /// Those of the database.
    #[expect(clippy::too_many_arguments, reason = "the columns of a row")]
    pub async fn keep_code(
        &self,
        organisation: OrganisationId,
        version: i64,
        removed: bool,
        id: CodeId,
        device: Option<DeviceId>,
        active: bool,
        at: Timestamp,
    ) -> Sql<()> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        let before: Option<(i64, Option<Uuid>)> =
            sqlx::query_as("select version, device_id from known_code where id = $1 for update")
                .bind(id.uuid())
                .fetch_optional(&mut *transaction)
                .await?;
        if before.is_some_and(|(known, _)| known >= version) {
            return Ok(());
        }
        sqlx::query(
            "insert into known_code (id, organisation_id, version, removed, device_id, active)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 device_id = excluded.device_id, active = excluded.active
             where excluded.version > known_code.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .bind(device.map(Uuid::from))
        .bind(active)
        .execute(&mut *transaction)
        .await?;
        let was = before.and_then(|(_, device)| device);
        if removed || was.is_some() && was != device.map(Uuid::from) {
            super::drawer::hide(&mut transaction, organisation, Person::Code(id), at).await?;
        }
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    /// Forgets all that was told of a subject, and remembers that it is gone (T-11).
    ///
    /// # Errors
    /// Those of the database.
    pub async fn purge(&self, organisation: OrganisationId, kind: SubjectKind, id: Uuid) -> Sql<()> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        // First, so that whoever is telling of it now is waited for, and whoever comes later finds it gone.
        sqlx::query(
            "insert into known_subject (id, organisation_id, kind, version, deleted, number, internal,
                 department_ids, involved)
             values ($1, $2, $3, 0, true, 0, true, '[]', '[]')
             on conflict (id) do update set deleted = true, number = 0, device_id = null, customer_id = null,
                 internal = true, department_ids = '[]', involved = '[]', group_id = null
             -- Some ids are their makers' to choose: they name nothing of others.
             where known_subject.organisation_id = excluded.organisation_id and known_subject.kind = excluded.kind",
        )
        .bind(id)
        .bind(organisation.uuid())
        .bind(kind.as_str())
        .execute(&mut *transaction)
        .await?;
        for table in ["entry", "telling", "delivery"] {
            let sql = format!("delete from {table} where organisation_id = $1 and subject_id = $2");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(organisation.uuid())
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        for table in ["known_decline", "webhook_event"] {
            let sql = format!("delete from {table} where organisation_id = $1 and ticket_id = $2");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(organisation.uuid())
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    /// An employee who is there, with the language of the profile. Those that are asked for at the same time are read
    /// together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn colleague(&self, organisation: OrganisationId, id: EmployeeId) -> Sql<Option<Hearer>> {
        self.colleagues.put((organisation, id)).await
    }

    /// The company and language of a customer user who is there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn customer_user(
        &self,
        organisation: OrganisationId,
        id: CustomerUserId,
    ) -> Sql<Option<(CustomerId, Language)>> {
        let row: Option<(Uuid, String)> = sqlx::query_as(
            "select customer_id, language from known_customer_user
             where organisation_id = $1 and id = $2 and not removed",
        )
        .bind(organisation.uuid())
        .bind(id.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(customer, language)| (customer.into(), language.parse().unwrap_or_default())))
    }

    /// The device of a code that lets visitors in.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open_code(&self, organisation: OrganisationId, id: CodeId) -> Sql<Option<DeviceId>> {
        let device: Option<Option<Uuid>> = sqlx::query_scalar(
            "select device_id from known_code
             where organisation_id = $1 and id = $2 and active and not removed",
        )
        .bind(organisation.uuid())
        .bind(id.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(device.flatten().map(Into::into))
    }

    /// Whether the organisation has this code.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_code(&self, organisation: OrganisationId, id: CodeId) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from known_code where organisation_id = $1 and id = $2 and not removed)",
        )
        .bind(organisation.uuid())
        .bind(id.uuid())
        .fetch_one(&self.pool)
        .await
    }
}

/// Reads employees in one statement, each by its key.
fn meet_all(
    pool: Pool,
    all: Vec<(OrganisationId, EmployeeId)>,
) -> BoxFuture<'static, Sql<Vec<Option<Hearer>>>> {
    async move {
        let rows = sqlx::query(
            "select a.place, e.id, e.department_ids, e.language, e.role, e.support_roles <> '[]' as is_agent
             from unnest($1::uuid[], $2::uuid[]) with ordinality as a(organisation_id, id, place)
             cross join lateral (
                 select * from known_employee e
                 where e.organisation_id = a.organisation_id and e.id = a.id and not e.removed limit 1) e",
        )
        .bind(all.iter().map(|(organisation, _)| organisation.uuid()).collect::<Vec<_>>())
        .bind(all.iter().map(|(_, id)| id.uuid()).collect::<Vec<_>>())
        .fetch_all(&pool)
        .await?;
        placed(all.len(), &rows, |row| {
            let language: String = row.try_get("language")?;
            Ok(Hearer {
                colleague: Colleague {
                    id: row.try_get::<Uuid, _>("id")?.into(),
                    departments: row.try_get::<Json<Vec<DepartmentId>>, _>("department_ids")?.0,
                },
                language: language.parse().unwrap_or_default(),
                role: decoded(row.try_get::<String, _>("role")?.parse())?,
                is_agent: row.try_get("is_agent")?,
            })
        })
    }
    .boxed()
}
