//! Lists of tickets (S-5): filtered, searched, sorted, paged by what the last row was sorted by.

use callboard_kernel::{OrganisationId, Timestamp};
use callboard_support_domain::{Decision, Kind, Priority, Status};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::queries::{Sql, select_tickets, stored};
use super::{Queries, StoredTicket};

/// What tickets a list shows. All conditions hold at once; within one, any value; an empty one is none.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// S-1.
    pub kinds: Vec<Kind>,
    /// Where they stand.
    pub statuses: Vec<Status>,
    /// Low, normal, high.
    pub priorities: Vec<Priority>,
    /// Who is assigned.
    pub assignees: Vec<Uuid>,
    /// Nobody is.
    pub unassigned: bool,
    /// The partner system's own names of accounts.
    pub accounts: Vec<String>,
    /// Plans.
    pub plans: Vec<String>,
    /// S-4.
    pub decisions: Vec<Decision>,
    /// Half-open.
    pub created: (Option<Timestamp>, Option<Timestamp>),
    /// Words, in web-search syntax.
    pub text: Option<String>,
}

/// How a list is sorted. Ties are broken by the newest first where anything descends, and by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By create time; true: newest first.
    Created(bool),
    /// Last changed first.
    Updated,
    /// Highest first, newest first among equals.
    Priority,
    /// NEW first, newest first among equals.
    Status,
    /// By title.
    Title,
    /// By type.
    Kind,
    /// By the account's name.
    Account,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Rank, for the orders that have one.
    n: i64,
    /// Create or update time, in microseconds since the epoch.
    t: i64,
    /// Text, for the orders that have one.
    s: String,
    /// The id.
    i: Uuid,
}

/// One column that a list is sorted by.
#[derive(Clone, Copy)]
enum Key {
    Rank(&'static str),
    Time(&'static str),
    Text(&'static str),
}

impl Order {
    const fn keys(self) -> (&'static [Key], bool) {
        match self {
            Self::Created(descending) => (&[Key::Time("t.opened_at")], descending),
            Self::Updated => (&[Key::Time("t.updated_at")], true),
            Self::Priority => (&[Key::Rank("t.priority_rank"), Key::Time("t.opened_at")], true),
            Self::Status => (&[Key::Rank("t.status_rank"), Key::Time("t.opened_at")], true),
            Self::Title => (&[Key::Text("t.title collate \"C\"")], false),
            Self::Kind => (&[Key::Text("t.type collate \"C\"")], false),
            Self::Account => (&[Key::Text("t.account_name collate \"C\"")], false),
        }
    }

    /// Where a page ends that ends with this ticket.
    pub fn cursor(self, last: &StoredTicket) -> Cursor {
        let state = &last.state;
        let matter = state.matter.as_deref();
        let n = match self {
            Self::Priority => match state.priority {
                Priority::High => 3,
                Priority::Normal => 2,
                Priority::Low => 1,
            },
            Self::Status => match state.status {
                Status::New => 5,
                Status::Open => 4,
                Status::Pending => 3,
                Status::Solved => 2,
                Status::Closed => 1,
            },
            _ => 0,
        };
        let time = if self == Self::Updated { state.updated_at } else { state.opened_at };
        let s = match self {
            Self::Title => matter.map(|matter| matter.title.clone()),
            Self::Kind => matter.map(|matter| matter.kind.as_str().to_owned()),
            Self::Account => matter.map(|matter| matter.account_name.clone()),
            _ => None,
        };
        Cursor { n, t: time.map_or(0, |time| time.timestamp_micros()), s: s.unwrap_or_default(), i: last.id }
    }

    fn after(self, query: &mut QueryBuilder<Postgres>, cursor: &Cursor) {
        let (keys, descending) = self.keys();
        query.push(" and (");
        for key in keys {
            query.push(key.column()).push(", ");
        }
        query.push("t.id) ").push(if descending { "<" } else { ">" }).push(" (");
        for key in keys {
            match key {
                Key::Rank(_) => query.push_bind(cursor.n),
                Key::Time(_) => {
                    query.push_bind(Timestamp::from_timestamp_micros(cursor.t).unwrap_or_default())
                }
                Key::Text(_) => query.push_bind(cursor.s.clone()),
            };
            query.push(", ");
        }
        query.push_bind(cursor.i).push(")");
    }

    fn order_by(self, query: &mut QueryBuilder<Postgres>) {
        let (keys, descending) = self.keys();
        let direction = if descending { " desc" } else { "" };
        query.push(" order by ");
        for key in keys {
            query.push(key.column()).push(direction).push(", ");
        }
        query.push("t.id").push(direction);
    }
}

impl Key {
    const fn column(self) -> &'static str {
        match self {
            Self::Rank(column) | Self::Time(column) | Self::Text(column) => column,
        }
    }
}

fn any_of(query: &mut QueryBuilder<Postgres>, column: &str, values: Vec<String>) {
    if !values.is_empty() {
        query.push(" and ").push(column).push(" = any(").push_bind(values).push(")");
    }
}

fn words<T: Copy>(values: &[T], word: fn(T) -> &'static str) -> Vec<String> {
    values.iter().map(|value| word(*value).to_owned()).collect()
}

impl Filter {
    fn restrict(&self, query: &mut QueryBuilder<Postgres>) {
        any_of(query, "t.type", words(&self.kinds, Kind::as_str));
        any_of(query, "t.status", words(&self.statuses, Status::as_str));
        any_of(query, "t.priority", words(&self.priorities, Priority::as_str));
        any_of(query, "t.decision", words(&self.decisions, Decision::as_str));
        any_of(query, "t.account_id", self.accounts.clone());
        any_of(query, "t.plan", self.plans.clone());
        if !self.assignees.is_empty() {
            query.push(" and t.assignee_id = any(").push_bind(self.assignees.clone()).push(")");
        }
        if self.unassigned {
            query.push(" and t.assignee_id is null");
        }
        if let Some(start) = self.created.0 {
            query.push(" and t.opened_at >= ").push_bind(start);
        }
        if let Some(end) = self.created.1 {
            query.push(" and t.opened_at < ").push_bind(end);
        }
        if let Some(text) = &self.text {
            query.push(" and t.words @@ websearch_to_tsquery('simple', ").push_bind(text.clone()).push(")");
        }
    }
}

impl Queries {
    /// Tickets that pass the filter, from the cursor on, at most `limit`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        organisation: OrganisationId,
        filter: &Filter,
        order: Order,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Sql<Vec<StoredTicket>> {
        let mut query = QueryBuilder::new(select_tickets());
        query.push(" where t.organisation_id = ").push_bind(organisation.uuid());
        filter.restrict(&mut query);
        if let Some(cursor) = after {
            order.after(&mut query, cursor);
        }
        order.order_by(&mut query);
        query.push(" limit ").push_bind(i64::from(limit));
        query.build().persistent(false).fetch_all(&self.pool).await?.iter().map(stored).collect()
    }
}
