//! Lists of tickets (T-15): filtered, sorted, paged by what the last row was sorted by.

use callboard_kernel::{EmployeeId, Timestamp};
use callboard_tickets_domain::{Priority, Status, Visibility};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::read::{found, select_tickets};
use super::{Found, ReadError, Reads, Viewer};

/// What tickets a list shows. All conditions hold at once; within one, any value; an empty one is none.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// T-7.
    pub statuses: Vec<Status>,
    /// T-3.
    pub visibilities: Vec<Visibility>,
    /// Low, normal, high.
    pub priorities: Vec<Priority>,
    /// Categories; `None` among them: tickets without a flow.
    pub flows: Vec<Option<Uuid>>,
    /// By device.
    pub devices: Vec<Uuid>,
    /// By owner of the device when the ticket opened.
    pub customers: Vec<Uuid>,
    /// By who is involved.
    pub involved: Vec<Uuid>,
    /// 1 to 5; 0: not rated.
    pub ratings: Vec<i32>,
    /// Half-open.
    pub created: (Option<Timestamp>, Option<Timestamp>),
    /// Half-open.
    pub updated: (Option<Timestamp>, Option<Timestamp>),
    /// Full text.
    pub text: Option<Text>,
    /// This employee is involved.
    pub mine: Option<EmployeeId>,
    /// This employee has an offer that is open.
    pub offered_to: Option<EmployeeId>,
    /// Nobody is involved.
    pub unassigned: bool,
}

/// Words to be found, in web-search syntax: `pump -leak "main hall"`.
#[derive(Debug, Clone)]
pub struct Text(pub String);

/// How a list is sorted. Ties are broken by create time, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By create time; true: newest first.
    Created(bool),
    /// By update time; true: newest first.
    Updated(bool),
    /// Highest first, newest first among equals.
    Priority,
    /// Best first, newest first among equals, not rated last.
    Rating,
    /// By number; true: highest first. Drafts have none and are left out.
    Number(bool),
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Rank or number, for the orders that have one.
    n: i64,
    /// Create or update time, in microseconds since the epoch.
    t: i64,
    /// The id.
    i: Uuid,
}

impl Order {
    /// Columns, in order, before the id; and whether they descend.
    const fn columns(self) -> (&'static [&'static str], bool) {
        match self {
            Self::Created(descending) => (&["t.create_time"], descending),
            Self::Updated(descending) => (&["t.update_time"], descending),
            Self::Priority => (&["t.priority_rank", "t.create_time"], true),
            Self::Rating => (&["t.rating", "t.create_time"], true),
            Self::Number(descending) => (&["t.number"], descending),
        }
    }

    /// Where a page ends that ends with this ticket.
    pub fn cursor(self, last: &Found) -> Cursor {
        let ticket = &last.ticket;
        let (n, t) = match self {
            Self::Created(_) => (0, ticket.create_time),
            Self::Updated(_) => (0, ticket.update_time),
            Self::Priority => (
                match ticket.priority {
                    Priority::High => 3,
                    Priority::Normal => 2,
                    Priority::Low => 1,
                },
                ticket.create_time,
            ),
            Self::Rating => (i64::from(ticket.rating.unwrap_or(0)), ticket.create_time),
            Self::Number(_) => (ticket.number.unwrap_or(0), ticket.create_time),
        };
        Cursor { n, t: t.timestamp_micros(), i: ticket.id.uuid() }
    }

    fn after(self, query: &mut QueryBuilder<Postgres>, cursor: &Cursor) {
        let (columns, descending) = self.columns();
        query.push(" and (").push(columns.join(", ")).push(", t.id) ").push(if descending {
            "<"
        } else {
            ">"
        });
        query.push(" (");
        for column in columns {
            if column.ends_with("_time") {
                query.push_bind(Timestamp::from_timestamp_micros(cursor.t).unwrap_or_default()).push(", ");
            } else {
                query.push_bind(cursor.n).push(", ");
            }
        }
        query.push_bind(cursor.i).push(")");
    }

    fn order_by(self, query: &mut QueryBuilder<Postgres>) {
        let (columns, descending) = self.columns();
        let direction = if descending { " desc" } else { "" };
        query.push(" order by ");
        for column in columns {
            query.push(column).push(direction).push(", ");
        }
        query.push("t.id").push(direction);
    }
}

fn words<T: Copy>(
    query: &mut QueryBuilder<Postgres>,
    column: &str,
    values: &[T],
    word: fn(T) -> &'static str,
) {
    match values {
        [] => {}
        // One value is written as equality, so that the index gives the order, too.
        [one] => {
            query.push(" and ").push(column).push(" = ").push_bind(word(*one));
        }
        many => {
            let many: Vec<&str> = many.iter().map(|value| word(*value)).collect();
            query.push(" and ").push(column).push(" = any(").push_bind(many).push(")");
        }
    }
}

fn ids(query: &mut QueryBuilder<Postgres>, column: &str, values: &[Uuid]) {
    match values {
        [] => {}
        [one] => {
            query.push(" and ").push(column).push(" = ").push_bind(*one);
        }
        many => {
            query.push(" and ").push(column).push(" = any(").push_bind(many.to_vec()).push(")");
        }
    }
}

fn span(
    query: &mut QueryBuilder<Postgres>,
    column: &str,
    (start, end): (Option<Timestamp>, Option<Timestamp>),
) {
    if let Some(start) = start {
        query.push(" and ").push(column).push(" >= ").push_bind(start);
    }
    if let Some(end) = end {
        query.push(" and ").push(column).push(" < ").push_bind(end);
    }
}

impl Filter {
    /// True when an index has exactly these tickets next to each other, in this order: nothing is asked for but, at most,
    /// one status in order of creation.
    fn is_a_beginning(&self, order: Order) -> bool {
        let Self {
            statuses,
            visibilities,
            priorities,
            flows,
            devices,
            customers,
            involved,
            ratings,
            created,
            updated,
            text,
            mine,
            offered_to,
            unassigned,
        } = self;
        let one_status = matches!((statuses.as_slice(), order), ([], _) | ([_], Order::Created(_)));
        let ids = [devices, customers, involved];
        one_status
            && visibilities.is_empty()
            && priorities.is_empty()
            && flows.is_empty()
            && ids.iter().all(|ids| ids.is_empty())
            && ratings.is_empty()
            && *created == (None, None)
            && *updated == (None, None)
            && text.is_none()
            && mine.is_none()
            && offered_to.is_none()
            && !unassigned
    }

    fn restrict(&self, query: &mut QueryBuilder<Postgres>, many: bool, viewer: &Viewer) {
        words(query, "t.status", &self.statuses, Status::as_str);
        words(query, "t.visibility", &self.visibilities, Visibility::as_str);
        words(query, "t.priority", &self.priorities, Priority::as_str);
        ids(query, "t.device_id", &self.devices);
        ids(query, "t.customer_id", &self.customers);
        span(query, "t.create_time", self.created);
        span(query, "t.update_time", self.updated);
        if !self.flows.is_empty() {
            let flows: Vec<Uuid> = self.flows.iter().copied().flatten().collect();
            query.push(" and (t.flow_id = any(").push_bind(flows).push(")");
            query.push(if self.flows.contains(&None) { " or t.flow_id is null)" } else { ")" });
        }
        if !self.ratings.is_empty() {
            query.push(" and t.rating = any(").push_bind(self.ratings.clone()).push(")");
        }
        if !self.involved.is_empty() {
            involved(query, &self.involved);
        }
        if let Some(me) = self.mine {
            involved(query, &[me.uuid()]);
        }
        if let Some(me) = self.offered_to {
            query
                .push(
                    " and t.id in (select o.ticket_id from ticket_offer o where o.open and o.employee_id = ",
                )
                .push_bind(me.uuid())
                .push(")");
        }
        if self.unassigned {
            query.push(" and t.involved_count = 0");
        }
        if let Some(text) = &self.text {
            search(query, text, many, viewer);
        }
    }
}

fn involved(query: &mut QueryBuilder<Postgres>, employees: &[Uuid]) {
    query
        .push(" and t.id in (select i.aggregate_id from ticket_involved i where i.employee_id = any(")
        .push_bind(employees.to_vec())
        .push("))");
}

/// What matches a text: `column` holds the words, the organisation among them (see the migration).
fn matches(query: &mut QueryBuilder<Postgres>, column: &str, text: &Text, viewer: &Viewer) {
    query
        .push(column)
        .push(" @@ (websearch_to_tsquery('simple', ")
        .push_bind(text.0.clone())
        .push(") && ")
        .push_bind(format!("o{}", viewer.organisation.uuid().simple()))
        .push("::text::tsquery)");
}

/// A ticket is found by its words and those of its updates taken together; by people from outside, without internal
/// updates: what is internal must not be guessed by searching, nor by excluding a word.
///
/// Two ways to say it, for Postgres cannot know which is the faster one: where few match, they are looked up first;
/// where many do, and for people from outside, who see few tickets, the list is walked in its order until the page is
/// full.
fn search(query: &mut QueryBuilder<Postgres>, text: &Text, many: bool, viewer: &Viewer) {
    // A text without a word in it (`!?`) finds nothing.
    query.push(" and numnode(websearch_to_tsquery('simple', ").push_bind(text.0.clone()).push(")) > 0 and ");
    if !viewer.sees_internal() {
        query.push("exists (select from ticket_words w where w.ticket_id = t.id and ");
        matches(query, "coalesce(w.public, w.everything)", text, viewer);
    } else if many {
        query.push("exists (select from ticket_words w where w.ticket_id = t.id and ");
        matches(query, "w.everything", text, viewer);
    } else {
        query.push("t.id in (select w.ticket_id from ticket_words w where ");
        matches(query, "w.everything", text, viewer);
    }
    query.push(")");
}

/// From how many matches on a list is walked instead.
const MANY: i64 = 2_000;

impl Reads {
    /// Tickets that the viewer may see and that pass the filter, from the cursor on, at most `limit`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn list(
        &self,
        viewer: &Viewer,
        filter: &Filter,
        order: Order,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<Found>, ReadError> {
        let many = self.many_match(viewer, filter).await?;
        let mut query = list_query("", viewer, (filter, many), order, after, limit);
        // Where values decide the plan (few match, or nearly all), the statement is not kept prepared, so that Postgres
        // plans with them. Where an index gives the order and nothing but its beginning is asked for, there is one plan.
        let kept = viewer.sees_all_but_drafts() && filter.is_a_beginning(order);
        let rows = query.build().persistent(kept).fetch_all(&self.pool).await?;
        rows.iter().filter_map(|row| found(row).transpose()).collect()
    }

    /// Whether a text matches many tickets. Counts no further than it has to.
    async fn many_match(&self, viewer: &Viewer, filter: &Filter) -> Result<bool, ReadError> {
        let Some(text) = filter.text.as_ref().filter(|_| viewer.sees_internal()) else { return Ok(false) };
        let mut query = QueryBuilder::new("select count(*) from (select from ticket_words w where ");
        matches(&mut query, "w.everything", text, viewer);
        query.push(" limit ").push_bind(MANY).push(") as found");
        let found: i64 = query.build_query_scalar().persistent(false).fetch_one(&self.pool).await?;
        Ok(found >= MANY)
    }

    /// How Postgres carries a list out: the text of `explain`, for whoever looks after the indexes.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn explain(&self, viewer: &Viewer, filter: &Filter, order: Order) -> Result<String, ReadError> {
        let many = self.many_match(viewer, filter).await?;
        let mut query = list_query("explain ", viewer, (filter, many), order, None, 50);
        let lines: Vec<String> = query.build_query_scalar().persistent(false).fetch_all(&self.pool).await?;
        Ok(lines.join("\n"))
    }
}

fn list_query(
    prefix: &str,
    viewer: &Viewer,
    (filter, many): (&Filter, bool),
    order: Order,
    after: Option<&Cursor>,
    limit: u32,
) -> QueryBuilder<Postgres> {
    let mut query = select_tickets(prefix);
    viewer.restrict(&mut query);
    filter.restrict(&mut query, many, viewer);
    if let Order::Number(_) = order {
        query.push(" and t.number > 0");
    }
    if let Some(cursor) = after {
        order.after(&mut query, cursor);
    }
    order.order_by(&mut query);
    // Written out: a plan that is kept is made for a page, and not for a tenth of what there is.
    query.push(" limit ").push(limit);
    query
}
