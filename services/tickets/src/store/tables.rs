//! The tables that the journal writes. `migrations/` makes them.

use callboard_journal::ColumnType::{BigInt, Bool, Int, Json, Text, Timestamp, Uuid};
use callboard_journal::{Column, Schema, Table};

const fn column(name: &'static str, kind: callboard_journal::ColumnType) -> Column {
    Column::new(name, kind)
}

/// One row per ticket.
pub static TICKET: Table = Table {
    name: "ticket",
    key: &["id"],
    columns: &[
        column("id", Uuid),
        column("deleted", Bool),
        column("number", BigInt),
        column("device_id", Uuid),
        column("template_id", Uuid),
        column("customer_id", Uuid),
        column("department_ids", Json),
        column("device_version", BigInt),
        column("flow_id", Uuid),
        column("draft_flow", Json),
        column("group_id", Uuid),
        column("notification_group_id", Uuid),
        column("title", Text),
        column("description", Text),
        column("status", Text),
        column("visibility", Text),
        column("priority", Text),
        column("answers", Json),
        column("words", Text),
        column("involved_count", Int),
        column("rating", Int),
        column("rating_round", Int),
        column("done_round", Int),
        column("creator", Text),
        column("create_time", Timestamp),
        column("update_time", Timestamp),
        column("open_time", Timestamp),
        column("updates", BigInt),
        column("timeline", BigInt),
    ],
};

/// Who is involved.
pub static INVOLVED: Table = Table {
    name: "ticket_involved",
    key: &["aggregate_id", "employee_id"],
    columns: &[column("aggregate_id", Uuid), column("employee_id", Uuid), column("position", Int)],
};

/// What was written on a ticket. Not loaded: no decision looks at it.
pub static UPDATE: Table = Table {
    name: "ticket_update",
    key: &["aggregate_id", "sequence"],
    columns: &[
        column("aggregate_id", Uuid),
        column("sequence", BigInt),
        column("id", Uuid),
        column("organisation_id", Uuid),
        column("author", Text),
        column("visibility", Text),
        column("text", Text),
        column("attachments", Json),
        column("create_time", Timestamp),
    ],
};

/// The timeline. Not loaded: no decision looks at it.
pub static TIMELINE: Table = Table {
    name: "ticket_timeline",
    key: &["aggregate_id", "sequence"],
    columns: &[
        column("aggregate_id", Uuid),
        column("sequence", BigInt),
        column("time", Timestamp),
        column("actor", Text),
        column("field", Text),
        column("before", Text),
        column("after", Text),
        column("automatic", Bool),
        column("cause_event_id", Uuid),
        column("cause_event_type", Text),
    ],
};

/// A ticket and what belongs to it.
pub static TICKET_SCHEMA: Schema = Schema { root: &TICKET, children: &[&INVOLVED, &UPDATE, &TIMELINE] };

/// One row per template with flows.
pub static FLOW_SET: Table = Table {
    name: "flow_set",
    key: &["id"],
    columns: &[column("id", Uuid), column("flow_ids", Json), column("removed", Bool)],
};

/// A creation flow.
pub static FLOW: Table = Table {
    name: "flow",
    key: &["aggregate_id", "id"],
    columns: &[
        column("aggregate_id", Uuid),
        column("id", Uuid),
        column("label", Json),
        column("steps", Json),
        column("title_step", Text),
        column("group_id", Uuid),
        column("notification_group_id", Uuid),
        column("active", Bool),
    ],
};

/// The flows of a template.
pub static FLOW_SET_SCHEMA: Schema = Schema { root: &FLOW_SET, children: &[&FLOW] };
