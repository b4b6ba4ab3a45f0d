//! What is read of tickets. Every query is scoped by organisation.

use callboard_journal::Pool;
use callboard_journal::selected;
use callboard_kernel::{Actor, EmployeeId, EventId, OrganisationId, Timestamp, Version};
use callboard_support_domain::Decision;
use callboard_support_domain::ticket::TicketState;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::ticket::{TICKET, state};

pub(super) type Sql<T> = Result<T, sqlx::Error>;

/// `select` and everything that makes a [`StoredTicket`], and no more: the words that are searched are of a type whose
/// reading takes a question of its own.
pub(super) fn select_tickets() -> String {
    let columns: String = TICKET.columns.iter().map(|column| format!(", t.\"{}\"", column.name)).collect();
    format!(
        "select t.version{columns}, array(select r.event_id from ticket_request r
             where r.aggregate_id = t.id order by r.number) as requests from ticket t"
    )
}

/// A ticket as stored.
#[derive(Debug, Clone)]
pub struct StoredTicket {
    /// Which.
    pub id: Uuid,
    /// What is known of it.
    pub state: TicketState,
    /// Its version.
    pub version: Version,
}

/// What was decided about a domain so far (S-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// In how many tickets.
    pub decided: i64,
    /// Whether it is on the organisation's list: the last decision lets partners register with it.
    pub listed: bool,
}

/// A note or comment as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemarkRow {
    /// Within the ticket.
    pub number: i32,
    /// By whom.
    pub author: Actor,
    /// What.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// A domain that was decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRow {
    /// Its registrable name.
    pub domain: String,
    /// The last decision.
    pub decision: Decision,
    /// By whom.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// In which ticket.
    pub ticket: Uuid,
}

/// Reads the tables of tickets.
#[derive(Debug, Clone)]
pub struct Queries {
    pub(super) pool: Pool,
}

fn word<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> Sql<T> {
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(Box::new(error)))
}

pub(super) fn stored(row: &PgRow) -> Sql<StoredTicket> {
    let cells = selected(&TICKET, row)?;
    let state = state(&cells).map_err(|corrupt| sqlx::Error::Decode(Box::new(corrupt)))?;
    let requests: Vec<Uuid> = row.try_get("requests")?;
    let requests = requests.into_iter().map(EventId).collect();
    let (id, version) = (row.try_get("id")?, Version(row.try_get("version")?));
    Ok(StoredTicket { id, state: TicketState { requests, ..state }, version })
}

impl Queries {
    /// Queries in this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A ticket.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ticket(&self, organisation: OrganisationId, id: Uuid) -> Sql<Option<StoredTicket>> {
        let sql = format!("{} where t.organisation_id = $1 and t.id = $2", select_tickets());
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(stored).transpose()
    }

    /// The ticket that an event of a partner system went to.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ticket_of(&self, organisation: OrganisationId, event: EventId) -> Sql<Option<Uuid>> {
        sqlx::query_scalar(
            "select t.id from ticket_request r join ticket t on t.id = r.aggregate_id
             where r.event_id = $2 and t.organisation_id = $1",
        )
        .bind(organisation.uuid())
        .bind(event.uuid())
        .fetch_optional(&self.pool)
        .await
    }

    /// What was decided about a domain so far (S-4).
    ///
    /// # Errors
    /// Those of the database.
    pub async fn history(&self, organisation: OrganisationId, domain: &str) -> Sql<History> {
        let (decided, last): (i64, Option<String>) = sqlx::query_as(
            "select count(*), (array_agg(decision order by decided_at desc, id desc))[1] from ticket
             where organisation_id = $1 and domain = $2 and decision is not null",
        )
        .bind(organisation.uuid())
        .bind(domain)
        .fetch_one(&self.pool)
        .await?;
        let last = last.map(|last| word::<Decision>(&last)).transpose()?;
        Ok(History { decided, listed: last.is_some_and(Decision::lets_register) })
    }

    /// What an employee is assigned to.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn assigned_to(
        &self,
        organisation: OrganisationId,
        employee: EmployeeId,
        limit: i64,
    ) -> Sql<Vec<Uuid>> {
        sqlx::query_scalar(
            "select id from ticket where organisation_id = $1 and assignee_id = $2 order by id limit $3",
        )
        .bind(organisation.uuid())
        .bind(employee.uuid())
        .bind(limit)
        .fetch_all(&self.pool)
        .await
    }

    /// Notes or comments behind a number, oldest first. The caller has seen to it that the ticket may be read.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remarks(&self, ticket: Uuid, notes: bool, after: i32, limit: u32) -> Sql<Vec<RemarkRow>> {
        let rows: Vec<(i32, String, String, Timestamp)> = sqlx::query_as(
            "select number, author, text, at from ticket_remark
             where aggregate_id = $1 and is_note = $2 and number > $3 order by number limit $4",
        )
        .bind(ticket)
        .bind(notes)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(number, author, text, at)| Ok(RemarkRow { number, author: word(&author)?, text, at }))
            .collect()
    }

    /// Domains with their last decision, by name, behind a name.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn domains(
        &self,
        organisation: OrganisationId,
        decisions: &[Decision],
        after: &str,
        limit: u32,
    ) -> Sql<Vec<DomainRow>> {
        let decisions: Vec<&str> = decisions.iter().map(|decision| decision.as_str()).collect();
        let rows: Vec<(String, String, String, Timestamp, Uuid)> = sqlx::query_as(
            "select * from (select distinct on (domain collate \"C\") domain, decision, decided_by, decided_at, id
                 from ticket where organisation_id = $1 and decision is not null and domain collate \"C\" > $3
                 order by domain collate \"C\", decided_at desc, id desc) last
             where cardinality($2::text[]) = 0 or decision = any($2)
             order by domain collate \"C\" limit $4",
        )
        .bind(organisation.uuid())
        .bind(decisions)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(domain, decision, by, at, ticket)| {
                Ok(DomainRow { domain, decision: word(&decision)?, by: word(&by)?, at, ticket })
            })
            .collect()
    }
}
