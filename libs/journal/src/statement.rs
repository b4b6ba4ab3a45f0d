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

/// Names of parts begin with `_`, since a context's tables may have any other name.
/// One statement for a batch of units of different aggregates, `n` numbering them in order of aggregate id.
///
/// Rows of roots are locked in order of id before any is changed, and receipts are inserted in order of id, so two
/// batches that meet wait for each other and never in a circle. A unit wins when none of its commands has a receipt
/// and its aggregate is at the version it expects; everything else is written for winners alone.
fn commit(schema: &Schema) -> String {
    let mut p = Parameters::default();
    let root = quoted(schema.root.name);
    let kind = p.next("text");
    let units = p.unnest(["int4", "uuid", "uuid", "int8", "int8"]);
    let receipts = p.unnest(["int4", "uuid", "int8", "int8", "text", "bytea"]);
    let roots = p
        .unnest(std::iter::once("int4").chain(schema.root.columns.iter().map(|column| sent_as(column.kind))));
    let aliases = column_aliases(schema.root.columns.len());
    let own = || schema.root.columns.iter().enumerate().skip(1);
    let sets: String = own().fold(String::new(), |sets, (index, column)| {
        sets + &format!(", {} = {}", quoted(column.name), value(index, column))
    });
    let names: String = own().fold(String::new(), |names, (_, column)| names + ", " + &quoted(column.name));
    let values: String =
        own().fold(String::new(), |values, (index, column)| values + ", " + &value(index, column));
    let mut sql = format!(
        "with _unit as materialized (
  select * from {units} as u(n, id, org, expected, version)
), _receipt as materialized (
  select * from {receipts} as r(n, command_id, fingerprint, version, outcome, answer)
), _replayed as materialized (
  select r.n, r.command_id from _receipt r join command_receipt c on c.command_id = r.command_id
), _fresh as materialized (
  select u.* from _unit u where not exists (select from _replayed p where p.n = u.n)
), _root as materialized (
  select * from {roots} as r(n, {aliases})
), _locked as materialized (
  select t.id from _fresh f join {root} t on t.id = f.id
  where f.version > f.expected and f.expected > 0 order by t.id for update of t
), _updated as (
  update {root} t set version = f.version{sets}
  from _locked l join _fresh f on f.id = l.id join _root r on r.n = f.n
  where t.id = l.id and t.version = f.expected and t.organisation_id = f.org
  returning f.n
), _inserted as (
  insert into {root} (id, organisation_id, version{names})
  select f.id, f.org, f.version{values} from _fresh f join _root r on r.n = f.n
  where f.version > f.expected and f.expected = 0 order by f.id
  on conflict (id) do nothing returning id
), _unchanged as (
  select f.n from _fresh f left join {root} t on t.id = f.id
  where f.version = f.expected and coalesce(t.version, 0) = f.expected
), _winner as materialized (
  select f.n, f.id, f.org from _updated u join _fresh f on f.n = u.n
  union all select f.n, f.id, f.org from _inserted i join _fresh f on f.id = i.id
  union all select f.n, f.id, f.org from _unchanged u join _fresh f on f.n = u.n
)"
    );
    for (number, child) in schema.children.iter().enumerate() {
        delete_children(&mut sql, &mut p, number, child);
        put_children(&mut sql, &mut p, number, child);
    }
    let events = p.unnest([
        "int4",
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
    let set = p.unnest(["int4", "text", "timestamptz", "bytea"]);
    let cancelled = p.unnest(["int4", "text"]);
    // Writing to a string cannot fail.
    let _ = write!(
        sql,
        ", _receipt_put as (
  insert into command_receipt
    (command_id, aggregate_id, organisation_id, fingerprint, version, outcome, answer)
  select r.command_id, w.id, w.org, r.fingerprint, r.version, r.outcome, r.answer
  from _receipt r join _winner w on w.n = r.n order by r.command_id
), _event_put as (
  insert into outbox
    (event_id, organisation_id, context, name, kind, aggregate_id, aggregate_version, time, causation, correlation,
     traceparent, actor, payload)
  select e.event_id, e.org, e.context, e.name, e.kind, e.aggregate_id, e.version, e.time, e.causation, e.correlation,
     e.traceparent, e.actor, e.payload
  from {events} with ordinality as e(n, event_id, org, context, name, kind, aggregate_id, version, time, causation,
     correlation, traceparent, actor, payload, place)
  join _winner w on w.n = e.n order by e.place
), _timer_delete as (
  delete from timer t using {cancelled} as k(n, name), _winner w
  where w.n = k.n and t.aggregate_kind = {kind} and t.aggregate_id = w.id and t.name = k.name
), _timer_put as (
  insert into timer (aggregate_kind, aggregate_id, name, organisation_id, due_at, payload)
  select {kind}, w.id, k.name, w.org, k.due_at, k.payload
  from {set} as k(n, name, due_at, payload) join _winner w on w.n = k.n
  on conflict (aggregate_kind, aggregate_id, name) do update
  set organisation_id = excluded.organisation_id, due_at = excluded.due_at, payload = excluded.payload,
      claimed_until = null
)
select w.n, null::uuid as command_id from _winner w union all select p.n, p.command_id from _replayed p"
    );
    sql
}

fn delete_children(sql: &mut String, p: &mut Parameters, number: usize, child: &Table) {
    let keys: Vec<&Column> = child
        .key
        .iter()
        .filter_map(|name| child.columns.iter().find(|column| column.name == *name))
        .collect();
    let rows = p.unnest(std::iter::once("int4").chain(keys.iter().map(|column| sent_as(column.kind))));
    let matches: String = keys.iter().enumerate().fold(String::new(), |all, (index, column)| {
        all + &format!(" and t.{} = {}", quoted(column.name), value(index, column))
    });
    let _ = write!(
        sql,
        ", _delete_{number} as (
  delete from {table} t using {rows} as r(n, {aliases}), _winner w
  where w.n = r.n and t.aggregate_id = w.id{matches}
)",
        table = quoted(child.name),
        aliases = column_aliases(keys.len()),
    );
}

/// A row that is there already under the key belongs to the same aggregate. If it does not, the case below makes its
/// owner null, which no table allows: the unit is refused instead of taking another's row.
fn put_children(sql: &mut String, p: &mut Parameters, number: usize, child: &Table) {
    let rows =
        p.unnest(std::iter::once("int4").chain(child.columns.iter().map(|column| sent_as(column.kind))));
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
  select {values} from {rows} as r(n, {aliases}) join _winner w on w.n = r.n
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
