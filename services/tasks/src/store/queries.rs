//! What is read of definitions, device events, tasks and feeds. Every query is scoped by organisation, and by what its
//! viewer may see.

use callboard_journal::Pool;
use callboard_kernel::{
    Actor, CustomerId, DeviceId, EmployeeId, OrganisationId, TemplateId, TicketId, Timestamp, Version,
};
use callboard_tasks_domain::definition::DefinitionState;
use callboard_tasks_domain::device_event::DeviceEventState;
use callboard_tasks_domain::feed::FeedState;
use callboard_tasks_domain::task::{Status, TaskState};
use callboard_tasks_domain::{DefinitionId, DeviceEventId, TaskId, Visibility};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::definition::DEFINITION;
use super::device_event::DEVICE_EVENT;
use super::feed::FEED;
use super::task::TASK;
use super::{Sql, Viewer, read};

/// The most definitions of a template.
pub const MAX_DEFINITIONS: i64 = 200;

/// A state with its id and version.
#[derive(Debug, Clone)]
pub struct Stored<S> {
    /// Which.
    pub id: Uuid,
    /// What is known.
    pub state: S,
    /// At which version.
    pub version: Version,
}

/// A task, and whether its ticket may be named.
#[derive(Debug, Clone)]
pub struct StoredTask {
    /// The task.
    pub stored: Stored<TaskState>,
    /// Whether the viewer sees the linked ticket.
    pub ticket_is_seen: bool,
}

/// How tasks are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskOrder {
    /// Newest first.
    #[default]
    Newest,
    /// What is due first; those without due time last.
    Due,
}

/// Which tasks. Empty lists and `None` do not filter.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
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
    /// Any of them is assigned.
    pub assignees: Vec<EmployeeId>,
    /// Nobody is.
    pub unassigned: bool,
    /// Linked to it.
    pub ticket: Option<TicketId>,
    /// Arose from it.
    pub event: Option<DeviceEventId>,
    /// Due at or after.
    pub due_from: Option<Timestamp>,
    /// Due before.
    pub due_before: Option<Timestamp>,
    /// Due before this and not closed.
    pub overdue_at: Option<Timestamp>,
    /// In title or description.
    pub text: String,
}

/// Where the next page of tasks starts: behind this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCursor {
    /// When it was made, or is due; `None`: no due time.
    pub at: Option<Timestamp>,
    /// Its id.
    pub id: Uuid,
}

/// Where the next page of device events starts.
pub type EventCursor = TaskCursor;

/// Reads the tables.
#[derive(Debug, Clone)]
pub struct Queries {
    pub(super) pool: Pool,
}

fn stored<S>(row: &PgRow, state: S) -> Sql<Stored<S>> {
    Ok(Stored { id: row.try_get("id")?, state, version: Version(row.try_get("version")?) })
}

pub(super) fn device_event(row: &PgRow) -> Sql<Stored<DeviceEventState>> {
    stored(row, read(&DEVICE_EVENT, row, super::device_event::state)?)
}

pub(super) fn task(row: &PgRow) -> Sql<StoredTask> {
    let stored = stored(row, read(&TASK, row, super::task::state)?)?;
    Ok(StoredTask { stored, ticket_is_seen: row.try_get("ticket_is_seen")? })
}

fn uuids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}

fn texts<I: ToString>(ids: &[I]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// `%` and `_` of a search mean themselves.
fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

impl TaskFilter {
    fn push(&self, query: &mut QueryBuilder<Postgres>) {
        if !self.statuses.is_empty() {
            let words: Vec<&str> = self.statuses.iter().map(|status| status.as_str()).collect();
            query.push(" and t.status = any(").push_bind(texts(&words)).push(")");
        }
        if let Some(visibility) = self.visibility {
            query.push(" and t.visibility = ").push_bind(visibility.as_str());
        }
        for (column, ids) in [
            ("device_id", uuids(&self.devices)),
            ("template_id", uuids(&self.templates)),
            ("customer_id", uuids(&self.customers)),
        ] {
            if !ids.is_empty() {
                query.push(format!(" and t.{column} = any(")).push_bind(ids).push(")");
            }
        }
        if !self.assignees.is_empty() {
            query.push(" and t.assignee_ids ?| ").push_bind(texts(&self.assignees));
        }
        if self.unassigned {
            query.push(" and t.assignee_ids = '[]'::jsonb");
        }
        if let Some(ticket) = self.ticket {
            query.push(" and t.ticket_id = ").push_bind(ticket.uuid());
        }
        if let Some(event) = self.event {
            query.push(" and t.event_id = ").push_bind(event.uuid());
        }
        if let Some(from) = self.due_from {
            query.push(" and t.due_at >= ").push_bind(from);
        }
        if let Some(before) = self.due_before {
            query.push(" and t.due_at < ").push_bind(before);
        }
        if let Some(now) = self.overdue_at {
            query.push(" and t.status <> 'CLOSED' and t.due_at < ").push_bind(now);
        }
        if !self.text.is_empty() {
            query.push(" and (t.title ilike ").push_bind(like(&self.text));
            query.push(" or t.description ilike ").push_bind(like(&self.text)).push(")");
        }
    }
}

impl Queries {
    /// Queries in this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Definitions of a template, by title.
    pub async fn definitions(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
    ) -> Sql<Vec<Stored<DefinitionState>>> {
        let rows = sqlx::query(
            "select * from definition where organisation_id = $1 and template_id = $2 and not removed
             order by title, id limit $3",
        )
        .bind(organisation.uuid())
        .bind(template.uuid())
        .bind(MAX_DEFINITIONS)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| stored(row, read(&DEFINITION, row, super::definition::state)?)).collect()
    }

    /// A definition that is there.
    pub async fn definition(
        &self,
        organisation: OrganisationId,
        id: DefinitionId,
    ) -> Sql<Option<Stored<DefinitionState>>> {
        let row =
            sqlx::query("select * from definition where organisation_id = $1 and id = $2 and not removed")
                .bind(organisation.uuid())
                .bind(id.uuid())
                .fetch_optional(&self.pool)
                .await?;
        row.as_ref().map(|row| stored(row, read(&DEFINITION, row, super::definition::state)?)).transpose()
    }

    /// True when device events use a definition.
    pub async fn is_used(&self, organisation: OrganisationId, definition: DefinitionId) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from device_event
             where organisation_id = $1 and definition_id = $2 and not removed)",
        )
        .bind(organisation.uuid())
        .bind(definition.uuid())
        .fetch_one(&self.pool)
        .await
    }

    /// A device event the viewer may see.
    pub async fn device_event(
        &self,
        viewer: &Viewer,
        id: DeviceEventId,
    ) -> Sql<Option<Stored<DeviceEventState>>> {
        let mut query = QueryBuilder::new(EVENTS);
        viewer.restrict(&mut query);
        query.push(" and t.id = ").push_bind(id.uuid()).push(" and not t.removed");
        query.build().fetch_optional(&self.pool).await?.as_ref().map(device_event).transpose()
    }

    /// Device events the viewer may see, by next due time.
    pub async fn device_events(
        &self,
        viewer: &Viewer,
        device: Option<DeviceId>,
        after: Option<EventCursor>,
        limit: u32,
    ) -> Sql<Vec<Stored<DeviceEventState>>> {
        let mut query = QueryBuilder::new(EVENTS);
        viewer.restrict(&mut query);
        query.push(" and not t.removed");
        if let Some(device) = device {
            query.push(" and t.device_id = ").push_bind(device.uuid());
        }
        push_rising(&mut query, "next_at", after);
        query.push(" order by coalesce(t.next_at, 'infinity'::timestamptz), t.id limit ");
        query.push_bind(i64::from(limit));
        query.build().fetch_all(&self.pool).await?.iter().map(device_event).collect()
    }

    /// A task the viewer may see.
    pub async fn task(&self, viewer: &Viewer, id: TaskId) -> Sql<Option<StoredTask>> {
        let mut query = tasks(viewer);
        query.push(" and t.id = ").push_bind(id.uuid());
        query.build().fetch_optional(&self.pool).await?.as_ref().map(task).transpose()
    }

    /// Tasks the viewer may see.
    pub async fn tasks(
        &self,
        viewer: &Viewer,
        filter: &TaskFilter,
        order: TaskOrder,
        after: Option<TaskCursor>,
        limit: u32,
    ) -> Sql<Vec<StoredTask>> {
        let mut query = tasks(viewer);
        filter.push(&mut query);
        // A ticket that may not be named is not searched by either.
        if filter.ticket.is_some() {
            query.push(" and ");
            viewer.ticket_is_seen(&mut query);
        }
        match order {
            TaskOrder::Newest => {
                if let Some(TaskCursor { at, id }) = after {
                    query
                        .push(" and (t.created_at, t.id) < (")
                        .push_bind(at)
                        .push(", ")
                        .push_bind(id)
                        .push(")");
                }
                query.push(" order by t.created_at desc, t.id desc limit ");
            }
            TaskOrder::Due => {
                push_rising(&mut query, "due_at", after);
                query.push(" order by coalesce(t.due_at, 'infinity'::timestamptz), t.id limit ");
            }
        }
        query.push_bind(i64::from(limit));
        query.build().fetch_all(&self.pool).await?.iter().map(task).collect()
    }

    /// Whether a task that the viewer may see, made from this definition, names a file.
    pub async fn names_file(&self, viewer: &Viewer, definition: DefinitionId, file: Uuid) -> Sql<bool> {
        let mut query = QueryBuilder::new(
            "select exists (select from task t
             join known_device d on d.id = t.device_id and d.organisation_id = t.organisation_id",
        );
        viewer.restrict(&mut query);
        query.push(" and not t.deleted and t.definition_id = ").push_bind(definition.uuid());
        query.push(" and t.steps @> ").push_bind(serde_json::json!([{"attachments": [file]}])).push(")");
        query.build_query_scalar().fetch_one(&self.pool).await
    }

    /// Feeds of a person, oldest first.
    pub async fn feeds(&self, organisation: OrganisationId, owner: Actor) -> Sql<Vec<Stored<FeedState>>> {
        let rows = sqlx::query(
            "select * from feed where organisation_id = $1 and owner = $2 and not ended
             order by created_at, id limit 100",
        )
        .bind(organisation.uuid())
        .bind(owner.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| stored(row, read(&FEED, row, super::feed::state)?)).collect()
    }

    /// The feed of a token's hash, with its organisation: the one query that finds the organisation by what is asked.
    pub async fn feed(&self, token_hash: &[u8]) -> Sql<Option<(OrganisationId, Stored<FeedState>)>> {
        let row = sqlx::query("select * from feed where token_hash = $1 and not ended")
            .bind(token_hash)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref()
            .map(|row| {
                let organisation: Uuid = row.try_get("organisation_id")?;
                Ok((organisation.into(), stored(row, read(&FEED, row, super::feed::state)?)?))
            })
            .transpose()
    }

    /// Ids of what an event of another context concerns, in order, from behind `after`; at most 500.
    pub async fn concerned(
        &self,
        organisation: OrganisationId,
        by: Concerned,
        after: Option<Uuid>,
    ) -> Sql<Vec<Uuid>> {
        let (table, condition, value) = match by {
            Concerned::DeviceEventsOf(device) => {
                ("device_event", "device_id = $2::uuid and not removed", device.to_string())
            }
            Concerned::DeviceEventsAssigned(employee) => {
                ("device_event", "assignee_ids ? $2 and not removed", employee.to_string())
            }
            Concerned::TasksAssigned(employee) => {
                ("task", "assignee_ids ? $2 and not deleted and status <> 'CLOSED'", employee.to_string())
            }
            Concerned::TasksLinked(ticket) => ("task", "ticket_id = $2::uuid", ticket.to_string()),
            Concerned::Definitions(template) => {
                ("definition", "template_id = $2::uuid and not removed", template.to_string())
            }
            Concerned::Feeds(owner) => ("feed", "owner = $2 and not ended", owner.to_string()),
            Concerned::DevicesWithoutZone => {
                ("known_device", "time_zone = $2 and not removed", String::new())
            }
        };
        let sql = format!(
            "select id from {table} where organisation_id = $1 and {condition}
               and ($3::uuid is null or id > $3) order by id limit 500"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(value)
            .bind(after)
            .fetch_all(&self.pool)
            .await
    }

    /// Of tasks an employee is assigned to: their devices' departments as they are now.
    pub async fn departments_of(
        &self,
        table: Assigned,
        id: Uuid,
    ) -> Sql<Vec<callboard_kernel::DepartmentId>> {
        let table = match table {
            Assigned::Task => "task",
            Assigned::DeviceEvent => "device_event",
        };
        let sql = format!(
            "select d.department_ids from {table} t join known_device d on d.id = t.device_id where t.id = $1"
        );
        let ids: Option<Vec<Uuid>> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?;
        Ok(ids.unwrap_or_default().into_iter().map(Into::into).collect())
    }
}

/// Where somebody is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    /// To a task.
    Task,
    /// To the tasks that arise from a device event.
    DeviceEvent,
}

/// What an event of another context concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerned {
    /// Device events of a device.
    DeviceEventsOf(DeviceId),
    /// Device events that name an employee.
    DeviceEventsAssigned(EmployeeId),
    /// Tasks that are not closed, of an employee.
    TasksAssigned(EmployeeId),
    /// Tasks linked to a ticket.
    TasksLinked(TicketId),
    /// Definitions of a template.
    Definitions(TemplateId),
    /// Feeds of a person.
    Feeds(Actor),
    /// Devices that count in the organisation's time zone.
    DevicesWithoutZone,
}

pub(super) const EVENTS: &str = "select t.* from device_event t join known_device d on d.id = t.device_id and d.organisation_id = t.organisation_id";

pub(super) fn tasks(viewer: &Viewer) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("select t.*, ");
    viewer.ticket_is_seen(&mut query);
    query.push(
        " as ticket_is_seen from task t
          join known_device d on d.id = t.device_id and d.organisation_id = t.organisation_id
          left join known_ticket k on k.id = t.ticket_id and k.organisation_id = t.organisation_id",
    );
    viewer.restrict(&mut query);
    query.push(" and not t.deleted");
    query
}

/// Behind a cursor, where what has no time comes last.
fn push_rising(query: &mut QueryBuilder<Postgres>, column: &str, after: Option<TaskCursor>) {
    if let Some(TaskCursor { at, id }) = after {
        query.push(format!(" and (coalesce(t.{column}, 'infinity'::timestamptz), t.id) > (coalesce("));
        query.push_bind(at).push("::timestamptz, 'infinity'::timestamptz), ").push_bind(id).push(")");
    }
}
