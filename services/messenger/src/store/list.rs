//! Lists of conversations.

use callboard_kernel::{Actor, Isolation, Principal, Subject, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::queries::{MAX_UNREAD, Queries, Sql, Stored, stored};
use callboard_messenger_domain::conversation::Marker;

/// Who looks.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Who.
    pub principal: Principal,
    /// The organisation's isolation.
    pub isolation: Isolation,
}

/// Which conversations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// With something unread.
    pub unread_only: bool,
    /// In which an employee is involved or has written.
    pub mine: bool,
}

/// Where the next page starts: behind this one, going back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// When its last message was sent.
    pub at: Timestamp,
    /// Which.
    pub id: Uuid,
}

/// A conversation in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// It; of the read markers only the viewer's own.
    pub stored: Stored,
    /// How many messages the viewer has not read.
    pub unread: i32,
}

impl Queries {
    /// Conversations in which something was said, the latest first. What the viewer may see, as
    /// `Ticket::visible_to` says.
    pub async fn list(
        &self,
        viewer: &Viewer,
        wanted: Wanted,
        after: Option<ListCursor>,
        limit: i64,
    ) -> Sql<Vec<Listed>> {
        let actor = viewer.principal.actor();
        let reader = actor.to_string();
        let mut query: QueryBuilder<Postgres> = QueryBuilder::new(
            "select c.*, coalesce(r.sequence, 0) as own_sequence, r.at as own_at, u.unread
             from conversation c
             left join known_device k on k.id = c.device_id and k.organisation_id = c.organisation_id
                 and k.version >= c.device_version
             left join reader r on r.aggregate_id = c.id and r.reader = ",
        );
        query.push_bind(&reader);
        query.push(
            " cross join lateral (select count(*)::int as unread from (select 1 from message m
               where m.aggregate_id = c.id and m.sequence > coalesce(r.sequence, 0)
               and m.withdrawn_at is null and m.author <> ",
        );
        query.push_bind(&reader).push(" limit ").push_bind(MAX_UNREAD);
        query.push(") others) u where c.organisation_id = ");
        query.push_bind(viewer.principal.organisation.uuid());
        query.push(" and c.ticket_version is not null and c.last_message_at is not null");
        match &viewer.principal.subject {
            Subject::System => {}
            Subject::Employee(employee) => {
                let departments: Vec<Uuid> =
                    employee.departments.iter().map(|department| department.uuid()).collect();
                if viewer.isolation != Isolation::Off && !departments.is_empty() {
                    // The device's as they are now, or those that the ticket tells while those are the newer.
                    let now = "coalesce(k.department_ids, array(
                        select jsonb_array_elements_text(c.department_ids)::uuid))";
                    query.push(format!(" and ({now} && ")).push_bind(departments);
                    if viewer.isolation == Isolation::Basic {
                        query.push(format!(" or cardinality({now}) = 0"));
                    }
                    query.push(")");
                }
                if wanted.mine {
                    query.push(" and (c.involved ? ").push_bind(employee.id.to_string());
                    // Whoever has written has a marker; whoever has only read has one too, so the messages decide.
                    query.push(
                        " or (r.reader is not null and exists
                             (select 1 from message m where m.aggregate_id = c.id and m.author = ",
                    );
                    query.push_bind(&reader).push(")))");
                }
            }
            Subject::CodeUser(user) => {
                query.push(" and not c.internal and c.device_id = ").push_bind(user.device.uuid());
            }
            Subject::CustomerUser(user) => {
                let customer = user.customer.uuid();
                query.push(" and not c.internal and case when k.id is null then c.customer_id = ");
                query
                    .push_bind(customer)
                    .push(" else not k.removed and k.customer_id = ")
                    .push_bind(customer);
                query
                    .push(" and (c.customer_id is null or c.customer_id = ")
                    .push_bind(customer)
                    .push(") end");
            }
        }
        if wanted.unread_only {
            query.push(" and u.unread > 0");
        }
        if let Some(cursor) = after {
            query.push(" and (c.last_message_at, c.id) < (").push_bind(cursor.at);
            query.push(", ").push_bind(cursor.id).push(")");
        }
        query.push(" order by c.last_message_at desc, c.id desc limit ").push_bind(limit);
        let rows = query.build().fetch_all(&self.pool).await?;
        rows.iter().map(|row| listed(row, actor)).collect()
    }
}

fn listed(row: &sqlx::postgres::PgRow, reader: Actor) -> Sql<Listed> {
    let mut stored = stored(row)?;
    if let Some(at) = row.try_get::<Option<Timestamp>, _>("own_at")? {
        stored.state.markers.insert(reader, Marker { sequence: row.try_get("own_sequence")?, at });
    }
    Ok(Listed { stored, unread: row.try_get("unread")? })
}
