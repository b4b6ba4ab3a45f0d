//! What is read of ratings and switches. Every query is scoped by organisation.

use std::sync::Arc;

use callboard_journal::Pool;
use callboard_journal::selected;
use callboard_kernel::{
    CustomerId, DepartmentId, EmployeeId, Isolation, OrganisationId, TemplateId, Timestamp, Version,
};
use callboard_ratings_domain::Switches;
use callboard_ratings_domain::request::{Device, RequestState, SubjectKind};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::request::{RATING_REQUEST, state};

type Sql<T> = Result<T, sqlx::Error>;

/// The most figures in an answer.
const MAX_FIGURES: i64 = 1_000;

/// A rating as stored.
#[derive(Debug, Clone)]
pub struct StoredRating {
    /// The subject.
    pub id: Uuid,
    /// What is known of it.
    pub state: RequestState,
    /// Its version.
    pub version: Version,
}

/// Who looks: an employee of an organisation under its isolation.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The organisation.
    pub organisation: OrganisationId,
    /// Its isolation.
    pub isolation: Isolation,
    /// The employee's departments.
    pub departments: Vec<DepartmentId>,
}

/// Which ratings. Empty lists: any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What was rated; `None`: anything.
    pub kind: Option<SubjectKind>,
    /// Of these templates.
    pub templates: Vec<TemplateId>,
    /// Where one of these was involved.
    pub employees: Vec<EmployeeId>,
    /// With one of these scores.
    pub scores: Vec<i32>,
    /// Given at or after.
    pub from: Option<Timestamp>,
    /// Given before.
    pub to: Option<Timestamp>,
}

/// Where the next page starts: behind this one, going back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// When it was given.
    pub at: Timestamp,
    /// Its subject.
    pub id: Uuid,
}

/// By what figures are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// One figure.
    None,
    /// By template.
    Template,
    /// By employee involved; a rating counts for each of them.
    Employee,
    /// By calendar day, UTC.
    Day,
    /// By calendar month, UTC.
    Month,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureRow {
    /// What it is of.
    pub key: String,
    /// How many of each score, 1 to 5.
    pub counts: [i64; 5],
}

/// `$1` … `$9`: what both lists and figures filter by, isolation included: the same table as `Isolation::admits`, of the
/// departments of the device as it is now, or of those that the subject tells while those are the newer.
const WHERE: &str = "r.organisation_id = $1 and r.score is not null
    and ($2 = 'off' or cardinality($3::text[]) = 0
         or case when k.id is null
             then r.department_ids ?| $3 or ($2 = 'basic' and r.department_ids = '[]'::jsonb)
             else k.department_ids && $3::text[]::uuid[]
                  or ($2 = 'basic' and cardinality(k.department_ids) = 0)
         end)
    and ($4::text is null or r.kind = $4)
    and (cardinality($5::uuid[]) = 0 or r.template_id = any($5))
    and (cardinality($6::text[]) = 0 or r.involved ?| $6)
    and (cardinality($7::int[]) = 0 or r.score = any($7))
    and ($8::timestamptz is null or r.submitted_at >= $8)
    and ($9::timestamptz is null or r.submitted_at < $9)";

/// What lists and figures are read from.
const FROM: &str = "rating_request r left join known_device k
    on k.id = r.device_id and k.organisation_id = r.organisation_id and k.version >= r.device_version";

/// Reads the tables of ratings.
#[derive(Debug, Clone)]
pub struct Queries {
    pool: Pool,
}

fn texts<I: ToString>(ids: &[I]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn stored(row: &PgRow) -> Sql<StoredRating> {
    let cells = selected(&RATING_REQUEST, row)?;
    let state = state(&cells).map_err(|corrupt| sqlx::Error::Decode(Box::new(corrupt)))?;
    Ok(StoredRating { id: row.try_get("id")?, state, version: Version(row.try_get("version")?) })
}

macro_rules! bind_filter {
    ($query:expr, $viewer:expr, $filter:expr) => {
        $query
            .bind($viewer.organisation.uuid())
            .bind($viewer.isolation.as_str())
            .bind(texts(&$viewer.departments))
            .bind($filter.kind.map(|kind| kind.as_str()))
            .bind($filter.templates.iter().map(|id| id.uuid()).collect::<Vec<_>>())
            .bind(texts(&$filter.employees))
            .bind($filter.scores.clone())
            .bind($filter.from)
            .bind($filter.to)
    };
}

impl Queries {
    /// Queries in this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The rating of a subject; `None`: never heard of it, or deleted.
    pub async fn rating(&self, organisation: OrganisationId, subject: Uuid) -> Sql<Option<StoredRating>> {
        let row = sqlx::query(
            "select * from rating_request where organisation_id = $1 and id = $2 and kind is not null",
        )
        .bind(organisation.uuid())
        .bind(subject)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(stored).transpose()
    }

    /// The device of a subject; `None`: the directory has not told of it, or the subject is not known.
    pub async fn device_of(&self, organisation: OrganisationId, subject: Uuid) -> Sql<Option<Arc<Device>>> {
        type Row = (i64, Option<Uuid>, Vec<Uuid>, bool);
        let row: Option<Row> = sqlx::query_as(
            "select k.version, k.customer_id, k.department_ids, k.removed
             from rating_request r join known_device k
                 on k.id = r.device_id and k.organisation_id = r.organisation_id
             where r.organisation_id = $1 and r.id = $2",
        )
        .bind(organisation.uuid())
        .bind(subject)
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
    }

    /// Ratings given, newest first.
    pub async fn list(
        &self,
        viewer: &Viewer,
        filter: &Filter,
        after: Option<ListCursor>,
        limit: u32,
    ) -> Sql<Vec<StoredRating>> {
        let sql = format!(
            "select r.* from {FROM} where {WHERE}
               and ($10::timestamptz is null or (r.submitted_at, r.id) < ($10, $11))
             order by r.submitted_at desc, r.id desc limit $12"
        );
        let rows = bind_filter!(sqlx::query(sqlx::AssertSqlSafe(sql)), viewer, filter)
            .bind(after.map(|cursor| cursor.at))
            .bind(after.map(|cursor| cursor.id))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(stored).collect()
    }

    /// How many of each score, by key. At most 1,000 keys.
    pub async fn figures(&self, viewer: &Viewer, filter: &Filter, by: Grouping) -> Sql<Vec<FigureRow>> {
        let (key, join) = match by {
            Grouping::None => ("''", ""),
            Grouping::Template => ("r.template_id::text", ""),
            // Asked for certain employees, it answers for them, not for those who worked beside them.
            Grouping::Employee => (
                "e.id",
                "join lateral jsonb_array_elements_text(r.involved) e(id)
                   on cardinality($6::text[]) = 0 or e.id = any($6)",
            ),
            Grouping::Day => ("to_char(r.submitted_at at time zone 'UTC', 'YYYY-MM-DD')", ""),
            Grouping::Month => ("to_char(r.submitted_at at time zone 'UTC', 'YYYY-MM')", ""),
        };
        let counts: String =
            (1..=5).map(|score| format!(", count(*) filter (where r.score = {score}) as s{score}")).collect();
        let sql = format!(
            "select {key} as key {counts} from {FROM} {join} where {WHERE}
             group by 1 order by 1 limit $10"
        );
        let rows = bind_filter!(sqlx::query(sqlx::AssertSqlSafe(sql)), viewer, filter)
            .bind(MAX_FIGURES)
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(FigureRow {
                    key: row.try_get("key")?,
                    counts: [
                        row.try_get("s1")?,
                        row.try_get("s2")?,
                        row.try_get("s3")?,
                        row.try_get("s4")?,
                        row.try_get("s5")?,
                    ],
                })
            })
            .collect()
    }

    /// A template's switches, with the version of the set; both off when never set.
    pub async fn switches(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
    ) -> Sql<(Switches, Version)> {
        let row: Option<(bool, bool, i64)> = sqlx::query_as(
            "select tickets, video_sessions, version from switch_set where organisation_id = $1 and id = $2",
        )
        .bind(organisation.uuid())
        .bind(template.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map_or((Switches::default(), Version::NONE), |(tickets, video_sessions, version)| {
            (Switches { tickets, video_sessions }, Version(version))
        }))
    }

    /// The switches as they were at a moment.
    pub async fn switches_at(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
        at: Timestamp,
    ) -> Sql<Switches> {
        let row: Option<(bool, bool)> = sqlx::query_as(
            "select c.tickets, c.video_sessions from switch_change c join switch_set s on s.id = c.aggregate_id
             where s.organisation_id = $1 and s.id = $2 and c.at <= $3 order by c.number desc limit 1",
        )
        .bind(organisation.uuid())
        .bind(template.uuid())
        .bind(at)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row
            .map_or_else(Switches::default, |(tickets, video_sessions)| Switches { tickets, video_sessions }))
    }
}
