//! The texts of the statements of one schema, made once at start so that each is prepared once per connection.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::{Column, ColumnType, Schema, Table};

/// The statements of one schema.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    /// Writes a batch. Its parameters are bound in [`write`](crate::postgres)'s order.
    pub(crate) commit: Arc<str>,
    /// Reads the rows of one aggregate in one snapshot.
    pub(crate) load: Arc<str>,
    /// Reads the version of one aggregate.
    pub(crate) version: Arc<str>,
}

impl Statements {
    pub(crate) fn of(schema: &Schema, loaded: &[&Table]) -> Self {
        let root = quoted(schema.root.name);
        Self {
            commit: commit(schema).into(),
            load: load(loaded).into(),
            version: format!("select version from {root} where id = $1").into(),
        }
    }
}

/// Numbers parameters and casts them to arrays.
#[derive(Default)]
struct Parameters(usize);

impl Parameters {
    fn next(&mut self, kind: &str) -> String {
        self.0 += 1;
        format!("${}::{kind}", self.0)
    }

    /// `unnest($1::int4[], …)`
    fn unnest(&mut self, kinds: impl IntoIterator<Item = &'static str>) -> String {
        let arrays: Vec<String> = kinds.into_iter().map(|kind| self.next(&format!("{kind}[]"))).collect();
        format!("unnest({})", arrays.join(", "))
    }
}

/// How a column's values travel. `jsonb` has no array that sqlx would bind from texts.
const fn sent_as(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Uuid => "uuid",
        ColumnType::Text | ColumnType::Json => "text",
        ColumnType::BigInt => "int8",
        ColumnType::Int => "int4",
        ColumnType::Double => "float8",
        ColumnType::Bool => "bool",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Bytes => "bytea",
    }
}

const fn stored_as(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Json => "jsonb",
        other => sent_as(other),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The value of a column in an unnested row `r`, in the type of the table.
fn value(index: usize, column: &Column) -> String {
    match column.kind {
        ColumnType::Json => format!("r.c{index}::jsonb"),
        _ => format!("r.c{index}"),
    }
}

fn column_aliases(count: usize) -> String {
    (0..count).map(|index| format!("c{index}")).collect::<Vec<_>>().join(", ")
}

/// One statement for a batch of units of different aggregates, in order of aggregate id, `a` in rows that belong to
/// one. Names of parts begin with `_`, since a context's tables may have any other name.
///
/// Rows of roots are locked in order of id before any is changed, and receipts are inserted in order of id, so two
/// batches that meet wait for each other and never in a circle. A unit wins when none of its commands has a receipt
/// and its aggregate is at the version it expects; everything else is written for winners alone.
///
/// The plan is made when tables are empty and lives long. Tables are therefore looked up row by row through their keys
/// (`lateral … limit 1`), and parts are joined only where the planner hashes them whatever it believes of their size.
fn commit(schema: &Schema) -> String {
    let mut p = Parameters::default();
    let root = quoted(schema.root.name);
    let own: Vec<&Column> = schema.root.columns.iter().skip(1).collect();
    let kind = p.next("text");
    let units = p.unnest(
        ["uuid", "uuid", "int8", "int8"].into_iter().chain(own.iter().map(|column| sent_as(column.kind))),
    );
    let receipts = p.unnest(["uuid", "uuid", "int8", "int8", "text", "bytea"]);
    let mut aliases = String::new();
    let mut sets = String::new();
    let mut names = String::new();
    let mut values = String::new();
    for (index, column) in own.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(aliases, ", c{index}");
        let _ = write!(sets, ", {} = {}", quoted(column.name), value(index, column));
        let _ = write!(names, ", {}", quoted(column.name));
        let _ = write!(values, ", {}", value(index, column));
    }
    let mut sql = format!(
        "with _unit as materialized (
  select * from {units} as u(id, org, expected, version{aliases})
), _receipt as materialized (
  select * from {receipts} as r(a, command_id, fingerprint, version, outcome, answer)
), _replayed as materialized (
  select r.a, r.command_id from _receipt r
  cross join lateral (select from command_receipt c where c.command_id = r.command_id limit 1) c
), _fresh as materialized (
  select u.* from _unit u where not exists (select from _replayed p where p.a = u.id)
), _locked as materialized (
  select f.* from _fresh f join {root} t on t.id = f.id
  where f.version > f.expected and f.expected > 0 order by t.id for update of t
), _updated as (
  update {root} t set version = r.version{sets} from _locked r
  where t.id = r.id and t.version = r.expected and t.organisation_id = r.org
  returning t.id, t.organisation_id
), _inserted as (
  insert into {root} (id, organisation_id, version{names})
  select r.id, r.org, r.version{values} from _fresh r
  where r.version > r.expected and r.expected = 0 order by r.id
  on conflict (id) do nothing returning id, organisation_id
), _unchanged as (
  select f.id, f.org from _fresh f
  where f.version = f.expected and coalesce((select t.version from {root} t where t.id = f.id), 0) = f.expected
), _winner(id, org) as materialized (
  select * from _updated union all select * from _inserted union all select * from _unchanged
)"
    );
    for (number, child) in schema.children.iter().enumerate() {
        delete_children(&mut sql, &mut p, number, child);
        put_children(&mut sql, &mut p, number, child);
    }
    let events = p.unnest([
        "uuid",
        "uuid",
        "uuid",
        "text",
        "text",
        "text",
        "uuid",
        "int8",
        "timestamptz",
        "uuid",
        "uuid",
        "text",
        "text",
        "bytea",
    ]);
    let set = p.unnest(["uuid", "text", "timestamptz", "bytea"]);
    let cancelled = p.unnest(["uuid", "text"]);
    // Writing to a string cannot fail.
    let _ = write!(
        sql,
        ", _receipt_put as (
  insert into command_receipt
    (command_id, aggregate_id, organisation_id, fingerprint, version, outcome, answer)
  select r.command_id, w.id, w.org, r.fingerprint, r.version, r.outcome, r.answer
  from _receipt r join _winner w on w.id = r.a order by r.command_id
), _event_put as (
  insert into outbox
    (event_id, organisation_id, context, name, kind, aggregate_id, aggregate_version, time, causation, correlation,
     traceparent, actor, payload)
  select e.event_id, e.org, e.context, e.name, e.kind, e.aggregate_id, e.version, e.time, e.causation, e.correlation,
     e.traceparent, e.actor, e.payload
  from {events} with ordinality as e(a, event_id, org, context, name, kind, aggregate_id, version, time, causation,
     correlation, traceparent, actor, payload, place)
  join _winner w on w.id = e.a order by e.place
), _timer_delete as (
  delete from timer t using {cancelled} as k(a, name), _winner w
  where w.id = k.a and t.aggregate_kind = {kind} and t.aggregate_id = w.id and t.name = k.name
), _timer_put as (
  insert into timer (aggregate_kind, aggregate_id, name, organisation_id, due_at, payload)
  select {kind}, w.id, k.name, w.org, k.due_at, k.payload
  from {set} as k(a, name, due_at, payload) join _winner w on w.id = k.a
  on conflict (aggregate_id, aggregate_kind, name) do update
  set organisation_id = excluded.organisation_id, due_at = excluded.due_at, payload = excluded.payload,
      claimed_until = null
)
select w.id, null::uuid as command_id from _winner w union all select p.a, p.command_id from _replayed p"
    );
    sql
}

fn delete_children(sql: &mut String, p: &mut Parameters, number: usize, child: &Table) {
    let keys: Vec<&Column> = child
        .key
        .iter()
        .filter_map(|name| child.columns.iter().find(|column| column.name == *name))
        .collect();
    let rows = p.unnest(std::iter::once("uuid").chain(keys.iter().map(|column| sent_as(column.kind))));
    let matches: String = keys.iter().enumerate().fold(String::new(), |all, (index, column)| {
        all + &format!(" and t.{} = {}", quoted(column.name), value(index, column))
    });
    let _ = write!(
        sql,
        ", _delete_{number} as (
  delete from {table} t using {rows} as r(a, {aliases}), _winner w
  where w.id = r.a and t.aggregate_id = w.id{matches}
)",
        table = quoted(child.name),
        aliases = column_aliases(keys.len()),
    );
}

/// A row that is there already under the key belongs to the same aggregate. If it does not, the case below makes its
/// owner null, which no table allows: the unit is refused instead of taking another's row.
fn put_children(sql: &mut String, p: &mut Parameters, number: usize, child: &Table) {
    let rows = p.unnest(child.columns.iter().map(|column| sent_as(column.kind)));
    let names: Vec<String> = child.columns.iter().map(|column| quoted(column.name)).collect();
    let values: Vec<String> =
        child.columns.iter().enumerate().map(|(index, column)| value(index, column)).collect();
    let sets: Vec<String> = child
        .columns
        .iter()
        .filter(|column| !child.key.contains(&column.name))
        .map(|column| match column.name {
            "aggregate_id" => {
                "aggregate_id = case when t.aggregate_id = excluded.aggregate_id then t.aggregate_id end"
                    .to_owned()
            }
            name => format!("{0} = excluded.{0}", quoted(name)),
        })
        .collect();
    let action =
        if sets.is_empty() { "nothing".to_owned() } else { format!("update set {}", sets.join(", ")) };
    let _ = write!(
        sql,
        ", _put_{number} as (
  insert into {table} as t ({names})
  select {values} from {rows} as r({aliases}) join _winner w on w.id = r.c0
  on conflict ({key}) do {action}
)",
        table = quoted(child.name),
        names = names.join(", "),
        values = values.join(", "),
        aliases = column_aliases(child.columns.len()),
        key = child.key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "),
    );
}

/// All tables, the root first, in one statement, hence one snapshot and one round trip: each branch fills its own columns.
fn load(tables: &[&Table]) -> String {
    let branches: Vec<String> = tables
        .iter()
        .enumerate()
        .map(|(number, table)| {
            let mut columns = vec![format!("{number} as t")];
            columns.push(if number == 0 { "t.organisation_id" } else { "null::uuid" }.to_owned());
            columns.push(if number == 0 { "t.version" } else { "null::int8" }.to_owned());
            for (other, of) in tables.iter().enumerate() {
                columns.extend(of.columns.iter().map(|column| {
                    if other == number {
                        format!("t.{}", quoted(column.name))
                    } else {
                        format!("null::{}", stored_as(column.kind))
                    }
                }));
            }
            let owner = if number == 0 { "id" } else { "aggregate_id" };
            let key: Vec<String> = table.key.iter().map(|name| format!("t.{}", quoted(name))).collect();
            format!(
                "(select {} from {} t where t.{owner} = $1 order by {})",
                columns.join(", "),
                quoted(table.name),
                key.join(", ")
            )
        })
        .collect();
    branches.join("\nunion all\n")
}
