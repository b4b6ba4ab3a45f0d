//! Read copies of what people are told about: tickets, tasks, video sessions and so on.

use callboard_journal::Pool;
use callboard_kernel::{DepartmentId, EmployeeId, OrganisationId};
use callboard_notifications_domain::audience::{Device, Subject};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::known::{SUBJECT, subject};
use super::{Copies, KnownSubject, Sql, placed};

/// Subjects that are written at once.
pub(super) const TOGETHER: usize = 64;

/// A subject to be kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    organisation: OrganisationId,
    subject: KnownSubject,
}

impl Kept {
    pub(super) const fn id(&self) -> Uuid {
        self.subject.id
    }
}

/// A subject, and how the domain judges by it: by its device as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// As its own context told.
    pub known: KnownSubject,
    /// As it is judged.
    pub subject: Subject,
}

/// Writes subjects in one statement, in the order of their ids, so that replicas do not wait for each other in a circle.
pub(super) fn keep_all(pool: Pool, mut all: Vec<Kept>) -> BoxFuture<'static, Sql<()>> {
    async move {
        all.sort_by_key(Kept::id);
        let subjects = || all.iter().map(|kept| &kept.subject);
        sqlx::query(
            "insert into known_subject (id, organisation_id, kind, version, deleted, number, device_id, customer_id,
                 internal, department_ids, involved, group_id, device_version)
             select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::boolean[], $6::bigint[],
                 $7::uuid[], $8::uuid[], $9::boolean[], $10::jsonb[], $11::jsonb[], $12::uuid[], $13::bigint[])
             on conflict (id) do update set kind = excluded.kind, version = excluded.version,
                 deleted = excluded.deleted, number = excluded.number, device_id = excluded.device_id,
                 customer_id = excluded.customer_id, internal = excluded.internal,
                 department_ids = excluded.department_ids, involved = excluded.involved,
                 group_id = excluded.group_id, device_version = excluded.device_version
             where excluded.version > known_subject.version and not known_subject.deleted
               -- Some ids are their makers' to choose: they name nothing of others.
               and known_subject.organisation_id = excluded.organisation_id and known_subject.kind = excluded.kind",
        )
        .bind(all.iter().map(Kept::id).collect::<Vec<_>>())
        .bind(all.iter().map(|kept| kept.organisation.uuid()).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.kind.as_str()).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.version).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.deleted).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.number).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.device.map(Uuid::from)).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.customer.map(Uuid::from)).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.internal).collect::<Vec<_>>())
        .bind(subjects().map(|subject| Json(subject.departments.clone())).collect::<Vec<_>>())
        .bind(subjects().map(|subject| Json(subject.involved.clone())).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.group.map(Uuid::from)).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.device_version).collect::<Vec<_>>())
        .execute(&pool)
        .await?;
        Ok(())
    }
    .boxed()
}

impl Copies {
    /// Keeps a subject. Its own context's word counts more than what others said of it. Those that come at the same time
    /// are written together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_subject(&self, organisation: OrganisationId, subject: &KnownSubject) -> Sql<()> {
        self.subjects.put(Kept { organisation, subject: subject.clone() }).await
    }

    /// A subject; `None`: never heard of. Those that are asked for at the same time are read together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn judged(&self, organisation: OrganisationId, id: Uuid) -> Sql<Option<Judged>> {
        self.judged.put((organisation, id)).await
    }
}

/// Reads subjects in one statement, each by its key. The limits say that there is one at most: a plan that was made while
/// the table was empty and is kept would else read all of it each time.
pub(super) fn judge_all(
    pool: Pool,
    all: Vec<(OrganisationId, Uuid)>,
) -> BoxFuture<'static, Sql<Vec<Option<Judged>>>> {
    async move {
        let sql = format!(
            "select a.place, {SUBJECT}, d.version as placed_version, d.customer_id as owner_id,
                 d.department_ids as placed_department_ids, d.removed as device_removed,
                 array(select employee_id from known_decline k
                       where k.organisation_id = s.organisation_id and k.ticket_id = s.id and k.declined) as declined
             from unnest($1::uuid[], $2::uuid[]) with ordinality as a(organisation_id, id, place)
             cross join lateral (
                 select * from known_subject s where s.organisation_id = a.organisation_id and s.id = a.id limit 1) s
             left join lateral (
                 select * from known_device d
                 where d.id = s.device_id and d.organisation_id = s.organisation_id limit 1) d on true"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(all.iter().map(|(organisation, _)| organisation.uuid()).collect::<Vec<_>>())
            .bind(all.iter().map(|(_, id)| *id).collect::<Vec<_>>())
            .fetch_all(&pool)
            .await?;
        placed(all.len(), &rows, judged)
    }
    .boxed()
}

fn judged(row: &PgRow) -> Sql<Judged> {
    let known = subject(row)?;
    let device = match row.try_get::<Option<i64>, _>("placed_version")? {
        None => None,
        Some(version) => Some(Device {
            version,
            customer: row.try_get::<Option<Uuid>, _>("owner_id")?.map(Into::into),
            departments: row.try_get::<Json<Vec<DepartmentId>>, _>("placed_department_ids")?.0,
            removed: row.try_get("device_removed")?,
        }),
    };
    let declined: Vec<Uuid> = row.try_get("declined")?;
    let judged =
        Subject { declined: declined.into_iter().map(EmployeeId::from).collect(), ..known.as_told() };
    let subject = judged.placed(known.device_version, device);
    Ok(Judged { known, subject })
}
