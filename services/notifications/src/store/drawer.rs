//! The drawers (N-1), as their owners see them now: what was hidden since is not shown (T-13).

use callboard_journal::Pool;
use callboard_kernel::{Actor, CustomerId, DepartmentId, DeviceId, Isolation, OrganisationId, Timestamp};
use callboard_notifications_domain::{EventType, Origin, Person, SubjectKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Connection as _, Postgres, Row as _, Transaction};
use uuid::Uuid;

use super::{Sql, decoded};

/// Whose drawer is read, and what that one may see.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The tenant.
    pub organisation: OrganisationId,
    /// Who.
    pub person: Person,
    /// How far departments separate.
    pub isolation: Isolation,
    /// Of an employee.
    pub departments: Vec<DepartmentId>,
    /// Of a customer user.
    pub customer: Option<CustomerId>,
}

/// An entry, with what is known of its subject.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// Which.
    pub id: Uuid,
    /// Its type.
    pub event_type: EventType,
    /// About what.
    pub subject_kind: SubjectKind,
    /// About which.
    pub subject: Uuid,
    /// Short number; 0: none.
    pub number: i64,
    /// The device.
    pub device: Option<Uuid>,
    /// How many.
    pub count: i32,
    /// Not read.
    pub unread: bool,
    /// Of the latest.
    pub origin: Origin,
    /// Of the latest.
    pub actor: Actor,
    /// Of the latest.
    pub at: Timestamp,
    /// Of the latest.
    pub details: Value,
    /// Rises with every change.
    pub position: i64,
}

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only unread ones.
    pub unread_only: bool,
    /// Of these types; none: any.
    pub event_types: Vec<EventType>,
    /// About this.
    pub subject: Option<Uuid>,
}

/// Where the next page starts: behind this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Its position.
    pub position: i64,
}

/// What drawers are read from.
const FROM: &str = "entry e join known_subject s on s.id = e.subject_id
    left join known_device k on k.id = s.device_id and k.organisation_id = s.organisation_id
        and k.version >= s.device_version";

/// `$1` … `$5`: whose drawer, and what may be seen of it, judged by the device as it is now, or by what the subject tells
/// of it while that is the newer. Isolation: the same table as `Isolation::admits`. Customer users: the same as
/// `Subject::placed`. The desk and webhooks have no device and are not divided.
const VISIBLE: &str = "e.organisation_id = $1 and e.person = $2 and not s.deleted
    and case when e.subject_kind in ('SUPPORT_TICKET', 'WEBHOOK') then true
        when e.person like 'employee:%' then
            $3 = 'off' or cardinality($4::text[]) = 0
            or coalesce(k.department_ids, s.department_ids) ?| $4
            or ($3 = 'basic' and coalesce(k.department_ids, s.department_ids) = '[]')
        when e.person like 'customer_user:%' then
            not s.internal and case when k.id is null then s.customer_id = $5
                else not k.removed and k.customer_id = $5 and coalesce(s.customer_id, $5) = $5 end
        else not s.internal end";

fn entry(row: &PgRow) -> Sql<StoredEntry> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(StoredEntry {
        id: row.try_get("id")?,
        event_type: decoded(text("event_type")?.parse())?,
        subject_kind: decoded(text("subject_kind")?.parse())?,
        subject: row.try_get("subject_id")?,
        number: row.try_get("number")?,
        device: row.try_get("device_id")?,
        count: row.try_get("count")?,
        unread: row.try_get("unread")?,
        origin: decoded(text("origin")?.parse())?,
        actor: decoded(text("actor")?.parse())?,
        at: row.try_get("at")?,
        details: row.try_get::<Json<Value>, _>("details")?.0,
        position: row.try_get("position")?,
    })
}

/// Hides a drawer's history, and withholds what was not sent of it.
pub(super) async fn hide(
    transaction: &mut Transaction<'_, Postgres>,
    organisation: OrganisationId,
    person: Person,
    now: Timestamp,
) -> Sql<()> {
    sqlx::query(
        "with theirs as materialized (
             select id from entry where organisation_id = $1 and person = $2 order by id for update)
         delete from entry e using theirs where e.id = theirs.id",
    )
    .bind(organisation.uuid())
    .bind(person.to_string())
    .execute(&mut **transaction)
    .await?;
    sqlx::query(
        "with theirs as materialized (
             select event_id, person, channel from delivery
             where organisation_id = $1 and person = $2 and state in ('WAITING', 'DUE')
             order by event_id, person, channel for update)
         update delivery d set state = 'WITHHELD', updated_at = $3 from theirs t
         where d.event_id = t.event_id and d.person = t.person and d.channel = t.channel
           and d.state in ('WAITING', 'DUE')",
    )
    .bind(organisation.uuid())
    .bind(person.to_string())
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Reads and marks drawers.
#[derive(Debug, Clone)]
pub struct Drawers {
    pool: Pool,
}

macro_rules! bind_reader {
    ($query:expr, $reader:expr) => {
        $query
            .bind($reader.organisation.uuid())
            .bind($reader.person.to_string())
            .bind($reader.isolation.as_str())
            .bind($reader.departments.iter().map(ToString::to_string).collect::<Vec<_>>())
            .bind($reader.customer.map(Uuid::from))
    };
}

impl Drawers {
    /// In this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Entries, latest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        reader: &Reader,
        filter: &Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Sql<Vec<StoredEntry>> {
        let sql = format!(
            "select e.*, s.number, s.device_id from {FROM} where {VISIBLE}
               and (not $6 or e.unread) and (cardinality($7::text[]) = 0 or e.event_type = any($7))
               and ($8::uuid is null or e.subject_id = $8) and ($9::bigint is null or e.position < $9)
             order by e.position desc limit $10"
        );
        let types: Vec<&str> = filter.event_types.iter().map(|one| one.as_str()).collect();
        bind_reader!(sqlx::query(sqlx::AssertSqlSafe(sql)), reader)
            .bind(filter.unread_only)
            .bind(types)
            .bind(filter.subject)
            .bind(after.map(|cursor| cursor.position))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(entry)
            .collect()
    }

    /// How many entries are unread, and the position of the latest.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unread(&self, reader: &Reader) -> Sql<(i64, i64)> {
        let sql = format!(
            "select count(*) filter (where e.unread), coalesce(max(e.position), 0)
             from {FROM} where {VISIBLE}"
        );
        bind_reader!(sqlx::query_as(sqlx::AssertSqlSafe(sql)), reader).fetch_one(&self.pool).await
    }

    /// One entry, as its owner sees it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn one(&self, reader: &Reader, id: Uuid) -> Sql<Option<StoredEntry>> {
        let sql = format!("select e.*, s.number, s.device_id from {FROM} where {VISIBLE} and e.id = $6");
        bind_reader!(sqlx::query(sqlx::AssertSqlSafe(sql)), reader)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(entry)
            .transpose()
    }

    /// Marks some as read or unread; answers how many of them there are. The same again changes nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mark(&self, reader: &Reader, ids: &[Uuid], unread: bool) -> Sql<i64> {
        let done: i64 = sqlx::query_scalar(
            "with mine as (select id, unread from entry
                           where organisation_id = $1 and person = $2 and id = any($3)
                           -- In the order in which tellings take them, so that none waits for another in a circle.
                           order by id for update),
                  changed as (update entry e set unread = $4, position = nextval('drawer_position') from mine
                              where e.id = mine.id and mine.unread <> $4)
             select count(*) from mine",
        )
        .bind(reader.organisation.uuid())
        .bind(reader.person.to_string())
        .bind(ids)
        .bind(unread)
        .fetch_one(&self.pool)
        .await?;
        Ok(done)
    }

    /// Marks all as read up to a position.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mark_all(&self, reader: &Reader, up_to: i64) -> Sql<()> {
        sqlx::query(
            "with mine as materialized (
                 select id from entry
                 where organisation_id = $1 and person = $2 and unread and position <= $3 order by id for update)
             update entry e set unread = false, position = nextval('drawer_position') from mine
             where e.id = mine.id and e.unread and e.position <= $3",
        )
        .bind(reader.organisation.uuid())
        .bind(reader.person.to_string())
        .bind(up_to)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Marks what was told of a type on a subject as read.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read(
        &self,
        organisation: OrganisationId,
        person: Person,
        event_type: EventType,
        subject: Uuid,
        up_to: Timestamp,
    ) -> Sql<bool> {
        let done = sqlx::query(
            "update entry set unread = false, position = nextval('drawer_position')
             where organisation_id = $1 and person = $2 and event_type = $3 and subject_id = $4
               and unread and at <= $5",
        )
        .bind(organisation.uuid())
        .bind(person.to_string())
        .bind(event_type.as_str())
        .bind(subject)
        .bind(up_to)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Whose drawers hold something of a subject.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn people_of(&self, organisation: OrganisationId, subject: Uuid) -> Sql<Vec<Person>> {
        let people: Vec<String> = sqlx::query_scalar(
            "select distinct person from entry where organisation_id = $1 and subject_id = $2",
        )
        .bind(organisation.uuid())
        .bind(subject)
        .fetch_all(&self.pool)
        .await?;
        people.iter().map(|person| decoded(person.parse())).collect()
    }

    /// Whose drawers hold something of what is on a device.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn people_at(&self, organisation: OrganisationId, device: DeviceId) -> Sql<Vec<Person>> {
        let people: Vec<String> = sqlx::query_scalar(
            "select distinct e.person from entry e join known_subject s on s.id = e.subject_id
             where e.organisation_id = $1 and s.organisation_id = $1 and s.device_id = $2",
        )
        .bind(organisation.uuid())
        .bind(device.uuid())
        .fetch_all(&self.pool)
        .await?;
        people.iter().map(|person| decoded(person.parse())).collect()
    }

    /// Empties a drawer, and withholds what was not sent yet.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn clear(&self, organisation: OrganisationId, person: Person, now: Timestamp) -> Sql<()> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        hide(&mut transaction, organisation, person, now).await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }
}
