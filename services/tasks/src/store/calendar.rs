//! What the calendar reads (K-5).

use callboard_kernel::{DeviceId, EmployeeId, Timestamp};
use callboard_tasks_domain::device_event::DeviceEventState;
use sqlx::QueryBuilder;

use super::queries::{EVENTS, Queries, Stored, StoredTask, device_event, task, tasks};
use super::{Sql, Viewer};

/// What of the calendar is asked for.
#[derive(Debug, Clone)]
pub struct CalendarSpan {
    /// From this time on.
    pub from: Timestamp,
    /// Before this time.
    pub to: Timestamp,
    /// Any of them; none: all.
    pub devices: Vec<DeviceId>,
    /// Assigned to this employee.
    pub assignee: Option<EmployeeId>,
}

impl Queries {
    /// Device events that may fall due in a span: those that go on, and those whose last due time lies in it.
    pub async fn events_in(
        &self,
        viewer: &Viewer,
        span: &CalendarSpan,
        limit: i64,
    ) -> Sql<Vec<Stored<DeviceEventState>>> {
        let mut query = QueryBuilder::new(EVENTS);
        viewer.restrict(&mut query);
        query.push(" and not t.removed and (t.last_at >= ").push_bind(span.from);
        query.push(" or t.next_at < ").push_bind(span.to).push(")");
        narrow(&mut query, span);
        query.push(" order by coalesce(t.next_at, 'infinity'::timestamptz), t.id limit ").push_bind(limit);
        query.build().fetch_all(&self.pool).await?.iter().map(device_event).collect()
    }

    /// Tasks due in a span, by due time.
    pub async fn tasks_in(&self, viewer: &Viewer, span: &CalendarSpan, limit: i64) -> Sql<Vec<StoredTask>> {
        let mut query = tasks(viewer);
        query.push(" and t.due_at >= ").push_bind(span.from);
        query.push(" and t.due_at < ").push_bind(span.to);
        narrow(&mut query, span);
        query.push(" order by t.due_at, t.id limit ").push_bind(limit);
        query.build().fetch_all(&self.pool).await?.iter().map(task).collect()
    }
}

fn narrow(query: &mut QueryBuilder<sqlx::Postgres>, span: &CalendarSpan) {
    if !span.devices.is_empty() {
        let devices: Vec<uuid::Uuid> = span.devices.iter().map(|device| device.uuid()).collect();
        query.push(" and t.device_id = any(").push_bind(devices).push(")");
    }
    if let Some(assignee) = span.assignee {
        query.push(" and t.assignee_ids ? ").push_bind(assignee.to_string());
    }
}
