//! What is read from the tables: one ticket, its updates, its timeline.

use callboard_journal::Pool;
use callboard_journal::{Cells, selected};
use callboard_kernel::{Actor, EmployeeId, OrganisationId, TicketId, Timestamp, Version};
use callboard_tickets_domain::{State, Ticket, UpdateId, Visibility};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use super::tables::TICKET;
use super::ticket::ticket_of;
use super::{ReadError, Viewer};

/// Reads from the context's own tables.
#[derive(Debug, Clone)]
pub struct Reads {
    pub(super) pool: Pool,
}

/// A ticket as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The ticket.
    pub ticket: Ticket,
    /// Its version: the etag.
    pub version: Version,
}

/// An update as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpdate {
    /// 1, 2, 3 … within the ticket.
    pub sequence: i64,
    /// Itself.
    pub id: UpdateId,
    /// What it was written on.
    pub ticket: TicketId,
    /// Who wrote it.
    pub author: Actor,
    /// Who sees it.
    pub visibility: Visibility,
    /// What it says.
    pub text: String,
    /// Attachment ids.
    pub attachments: Vec<String>,
    /// When.
    pub create_time: Timestamp,
}

/// A line of the timeline as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// 1, 2, 3 … within the ticket.
    pub sequence: i64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What changed.
    pub field: String,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
    /// By itself.
    pub automatic: bool,
    /// The event that caused it.
    pub cause_event_id: Option<Uuid>,
    /// Its type.
    pub cause_event_type: Option<String>,
}

/// `select` and everything of tickets that makes a [`Found`]; `prefix` may be `explain `.
pub(super) fn select_tickets(prefix: &str) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(prefix);
    query.push("select t.organisation_id, t.version");
    for column in TICKET.columns {
        query.push(", t.\"").push(column.name).push("\"");
    }
    query.push(
        ", case when t.involved_count > 0 then \
         array(select i.employee_id from ticket_involved i where i.aggregate_id = t.id order by i.position) \
         else '{}' end as involved from ticket t where",
    );
    query
}

pub(super) fn found(row: &PgRow) -> Result<Option<Found>, ReadError> {
    let organisation = OrganisationId(row.try_get("organisation_id")?);
    let involved: Vec<Uuid> = row.try_get("involved")?;
    let involved = involved.into_iter().map(EmployeeId).collect();
    let version = Version(row.try_get("version")?);
    let cells = Cells::using_up(&TICKET, selected(&TICKET, row)?);
    match ticket_of(cells, Some(organisation), involved)? {
        State::Live(ticket) => Ok(Some(Found { ticket: *ticket, version })),
        State::None | State::Gone => Ok(None),
    }
}

fn corrupt(column: &'static str, error: impl ToString) -> ReadError {
    ReadError::Sql(sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.to_string().into() })
}

fn word<T: std::str::FromStr<Err: ToString>>(row: &PgRow, column: &'static str) -> Result<T, ReadError> {
    row.try_get::<&str, _>(column)?.parse().map_err(|error| corrupt(column, error))
}

impl Reads {
    /// Reads through this pool.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A ticket that the viewer may see.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn ticket(&self, viewer: &Viewer, id: TicketId) -> Result<Option<Found>, ReadError> {
        let mut query = select_tickets("");
        viewer.restrict(&mut query);
        query.push(" and t.id = ").push_bind(id.uuid());
        let row = query.build().fetch_optional(&self.pool).await?;
        row.map_or(Ok(None), |row| found(&row))
    }

    /// Those of these tickets that the viewer may see.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn visible(&self, viewer: &Viewer, ids: &[Uuid]) -> Result<Vec<Uuid>, ReadError> {
        let mut query = QueryBuilder::new("select t.id from ticket t where");
        viewer.restrict(&mut query);
        query.push(" and t.id = any(").push_bind(ids).push(")");
        Ok(query.build_query_scalar().fetch_all(&self.pool).await?)
    }

    /// Updates of a ticket after a sequence, oldest first, at most `limit`; of one visibility, where given. The caller
    /// has made sure that the ticket may be seen.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn updates(
        &self,
        ticket: TicketId,
        visibility: Option<Visibility>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StoredUpdate>, ReadError> {
        let rows = sqlx::query(
            "select sequence, id, author, visibility, text, attachments, create_time from ticket_update \
             where aggregate_id = $1 and sequence > $2 and ($3::text is null or visibility = $3) \
             order by sequence limit $4",
        )
        .bind(ticket.uuid())
        .bind(after)
        .bind(visibility.map(Visibility::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let update = |row: &PgRow| -> Result<StoredUpdate, ReadError> {
            let attachments: sqlx::types::Json<Vec<String>> = row.try_get("attachments")?;
            Ok(StoredUpdate {
                sequence: row.try_get("sequence")?,
                id: UpdateId(row.try_get("id")?),
                ticket,
                author: word(row, "author")?,
                visibility: word(row, "visibility")?,
                text: row.try_get("text")?,
                attachments: attachments.0,
                create_time: row.try_get("create_time")?,
            })
        };
        rows.iter().map(update).collect()
    }

    /// Who sees an update, if it is there.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn update_visibility(
        &self,
        ticket: TicketId,
        update: Uuid,
    ) -> Result<Option<Visibility>, ReadError> {
        let row = sqlx::query("select visibility from ticket_update where aggregate_id = $1 and id = $2")
            .bind(ticket.uuid())
            .bind(update)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| word(&row, "visibility")).transpose()
    }

    /// The timeline of a ticket after a sequence, oldest first, at most `limit`. The caller has made sure that it may
    /// be seen.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn timeline(
        &self,
        ticket: TicketId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<TimelineEntry>, ReadError> {
        let rows = sqlx::query(
            "select sequence, time, actor, field, before, after, automatic, cause_event_id, cause_event_type \
             from ticket_timeline where aggregate_id = $1 and sequence > $2 order by sequence limit $3",
        )
        .bind(ticket.uuid())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let entry = |row: &PgRow| -> Result<TimelineEntry, ReadError> {
            Ok(TimelineEntry {
                sequence: row.try_get("sequence")?,
                time: row.try_get("time")?,
                actor: word(row, "actor")?,
                field: row.try_get("field")?,
                before: row.try_get("before")?,
                after: row.try_get("after")?,
                automatic: row.try_get("automatic")?,
                cause_event_id: row.try_get("cause_event_id")?,
                cause_event_type: row.try_get("cause_event_type")?,
            })
        };
        rows.iter().map(entry).collect()
    }
}
