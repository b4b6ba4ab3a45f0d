//! What is read of sessions and flows. Every query is scoped by organisation, and by what its viewer may see.

use callboard_journal::Pool;
use callboard_journal::selected;
use callboard_kernel::{
    CustomerId, DeviceId, EmployeeId, OrganisationId, TemplateId, TicketId, Timestamp, Version,
};
use callboard_video_domain::flow::Flow;
use callboard_video_domain::session::{SessionContent, Status};
use callboard_video_domain::{SessionId, Visibility};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::flow::SESSION_FLOW;
use super::session::SESSION;
use super::{Sql, Viewer, typed, uuids};

/// A session, as its viewer sees it.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// Which.
    pub id: SessionId,
    /// What is known.
    pub content: SessionContent,
    /// At which version.
    pub version: Version,
    /// The viewer is responsible or offered (V-2).
    pub offered: bool,
    /// The linked tickets that may be named.
    pub seen: Vec<TicketId>,
}

/// A session flow with its version.
#[derive(Debug, Clone, Default)]
pub struct StoredFlow {
    /// It.
    pub flow: Flow,
    /// 0: never set.
    pub version: Version,
}

/// Which sessions. Empty lists and `None` do not filter.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Any of them.
    pub statuses: Vec<Status>,
    /// Who sees them.
    pub visibility: Option<Visibility>,
    /// Any of them.
    pub devices: Vec<DeviceId>,
    /// Any of them.
    pub templates: Vec<TemplateId>,
    /// Any of them.
    pub customers: Vec<CustomerId>,
    /// Linked to it.
    pub ticket: Option<TicketId>,
    /// Of any of them.
    pub employees: Vec<EmployeeId>,
    /// Requested by people of any of these kinds, as actors are stored.
    pub requesters: Vec<String>,
    /// Any of them.
    pub ratings: Vec<i32>,
    /// Made at or after.
    pub from: Option<Timestamp>,
    /// Made before.
    pub before: Option<Timestamp>,
}

/// Where the next page starts: behind this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// When it was made.
    pub at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// Reads the tables.
#[derive(Debug, Clone)]
pub struct Queries {
    pool: Pool,
}

fn corrupt(error: callboard_journal::Corrupt) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn content(row: &PgRow) -> Sql<SessionContent> {
    let state = super::session::state(&selected(&SESSION, row)?).map_err(corrupt)?;
    state.session.map(|session| *session).ok_or(sqlx::Error::RowNotFound)
}

fn stored(row: &PgRow) -> Sql<StoredSession> {
    Ok(StoredSession {
        id: row.try_get::<Uuid, _>("id")?.into(),
        content: content(row)?,
        version: Version(row.try_get("version")?),
        offered: row.try_get("is_offered")?,
        seen: typed(row.try_get("seen_tickets")?),
    })
}

fn sessions(viewer: &Viewer) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("select s.*, ");
    viewer.is_offered(&mut query);
    query.push(" as is_offered, ");
    viewer.seen_tickets(&mut query);
    query.push(
        " as seen_tickets from session s
          join known_device d on d.id = s.device_id and d.organisation_id = s.organisation_id",
    );
    viewer.restrict(&mut query);
    query
}

impl SessionFilter {
    fn push(&self, viewer: &Viewer, query: &mut QueryBuilder<Postgres>) {
        if !self.statuses.is_empty() {
            let words: Vec<String> = self.statuses.iter().map(|status| status.as_str().to_owned()).collect();
            query.push(" and s.status = any(").push_bind(words).push(")");
        }
        if let Some(visibility) = self.visibility {
            query.push(" and s.visibility = ").push_bind(visibility.as_str());
        }
        for (column, ids) in [
            ("device_id", uuids(&self.devices)),
            ("template_id", uuids(&self.templates)),
            ("customer_id", uuids(&self.customers)),
            ("employee_id", uuids(&self.employees)),
        ] {
            if !ids.is_empty() {
                query.push(format!(" and s.{column} = any(")).push_bind(ids).push(")");
            }
        }
        if let Some(ticket) = self.ticket {
            query.push(" and s.ticket_ids ? ").push_bind(ticket.to_string());
            // A ticket that may not be named is not searched by either.
            query.push(" and ").push_bind(ticket.uuid()).push(" = any(");
            viewer.seen_tickets(query);
            query.push(")");
        }
        if !self.requesters.is_empty() {
            query.push(" and split_part(s.requester, ':', 1) = any(");
            query.push_bind(self.requesters.clone()).push(")");
        }
        if !self.ratings.is_empty() {
            query.push(" and s.rating = any(").push_bind(self.ratings.clone()).push(")");
        }
        if let Some(from) = self.from {
            query.push(" and s.created_at >= ").push_bind(from);
        }
        if let Some(before) = self.before {
            query.push(" and s.created_at < ").push_bind(before);
        }
    }
}

impl Queries {
    /// Queries in this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A session the viewer may see.
    pub async fn session(&self, viewer: &Viewer, id: SessionId) -> Sql<Option<StoredSession>> {
        let mut query = sessions(viewer);
        query.push(" and s.id = ").push_bind(id.uuid());
        query.build().fetch_optional(&self.pool).await?.as_ref().map(stored).transpose()
    }

    /// Sessions the viewer may see, newest first.
    pub async fn sessions(
        &self,
        viewer: &Viewer,
        filter: &SessionFilter,
        after: Option<ListCursor>,
        limit: u32,
    ) -> Sql<Vec<StoredSession>> {
        let mut query = sessions(viewer);
        filter.push(viewer, &mut query);
        if let Some(ListCursor { at, id }) = after {
            query.push(" and (s.created_at, s.id) < (").push_bind(at).push(", ").push_bind(id).push(")");
        }
        query.push(" order by s.created_at desc, s.id desc limit ").push_bind(i64::from(limit));
        query.build().fetch_all(&self.pool).await?.iter().map(stored).collect()
    }

    /// A session as it is, whoever may see it: for Callboard's own decisions.
    pub async fn content(&self, organisation: OrganisationId, id: SessionId) -> Sql<Option<SessionContent>> {
        let row = sqlx::query("select * from session where organisation_id = $1 and id = $2")
            .bind(organisation.uuid())
            .bind(id.uuid())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(content).transpose()
    }

    /// Ids and templates of the sessions linked to a ticket.
    pub async fn linked(
        &self,
        organisation: OrganisationId,
        ticket: TicketId,
    ) -> Sql<Vec<(Uuid, TemplateId)>> {
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "select id, template_id from session
             where organisation_id = $1 and ticket_ids ? $2 order by id",
        )
        .bind(organisation.uuid())
        .bind(ticket.to_string())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(id, template)| (id, template.into())).collect())
    }

    /// A template's session flow; the one before anybody set it, when nobody has.
    pub async fn flow(&self, organisation: OrganisationId, template: TemplateId) -> Sql<StoredFlow> {
        let row = sqlx::query("select * from session_flow where organisation_id = $1 and id = $2")
            .bind(organisation.uuid())
            .bind(template.uuid())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(StoredFlow::default()) };
        let flow = super::flow::state(&selected(&SESSION_FLOW, &row)?).map_err(corrupt)?;
        Ok(StoredFlow { flow, version: Version(row.try_get("version")?) })
    }
}
