//! A unit, checked and with later changes of the same key folded in: what both stores write.

use std::collections::BTreeMap;

use bytes::Bytes;
use callboard_actor::{Outcome, Receipt, Unit};
use callboard_bus::Event;
use callboard_kernel::{OrganisationId, Timestamp, Version};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{ColumnType, Record, Row, RowChange, Schema, Table, TimerChange, Value};

/// What one unit writes.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) aggregate_id: Uuid,
    pub(crate) organisation: OrganisationId,
    pub(crate) expected: Version,
    pub(crate) version: Version,
    /// There whenever the version moves.
    pub(crate) root: Option<Row>,
    /// By child table, in the order of the schema.
    pub(crate) children: Vec<ChildRows>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) events: Vec<Event>,
    /// By name; `None` cancels.
    pub(crate) timers: BTreeMap<String, Option<(Timestamp, Bytes)>>,
    /// What earlier commands answered is emptied.
    pub(crate) erases: bool,
}

/// Changes to the rows of one child table; a key occurs once in all.
#[derive(Debug, Default)]
pub(crate) struct ChildRows {
    pub(crate) puts: Vec<Row>,
    pub(crate) deletes: Vec<Vec<Value>>,
}

impl Prepared {
    /// Checks a unit against the schema and the limits of what it is written to.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub(crate) fn new(schema: &Schema, unit: Unit<Record>, max_event_bytes: usize) -> Result<Self, String> {
        let Unit { aggregate_id, organisation, expected, version, records, mut receipts } = unit;
        let erases = records.iter().any(|record| record.erases);
        if erases {
            // Commands of the same unit that came before the deletion; its own receipt is of the last version.
            for receipt in receipts.iter_mut().filter(|receipt| receipt.version < version) {
                erase(receipt);
            }
        }
        let mut root = None;
        let mut children: Vec<BTreeMap<Key, Change>> =
            schema.children.iter().map(|_| BTreeMap::new()).collect();
        let mut timers = BTreeMap::new();
        let mut events = Vec::new();
        for record in records {
            for change in record.rows {
                match change {
                    RowChange::Put(table, row) if table.name == schema.root.name => {
                        check_row(table, &row)?;
                        check_owner(table, &row, aggregate_id)?;
                        root = Some(row);
                    }
                    RowChange::Put(table, row) => {
                        let rows = &mut children[child(schema, table)?];
                        check_row(table, &row)?;
                        check_owner(table, &row, aggregate_id)?;
                        let key = Key::of(&key_of(table, &row));
                        rows.insert(key, Change::Put(row));
                    }
                    RowChange::Delete(table, key) => {
                        let rows = &mut children[child(schema, table)?];
                        check_key(table, &key)?;
                        rows.insert(Key::of(&key), Change::Delete(key));
                    }
                }
            }
            for event in record.events {
                check_event(&event, max_event_bytes)?;
                events.push(event);
            }
            for timer in record.timers {
                let (name, change) = match timer {
                    TimerChange::Set { name, due, payload } => (name, Some((due, payload))),
                    TimerChange::Cancel { name } => (name, None),
                };
                check_text("timer", "name", &name)?;
                timers.insert(name, change);
            }
        }
        if receipts.iter().any(|receipt| receipt.aggregate_id != aggregate_id) {
            return Err("a receipt names another aggregate".to_owned());
        }
        if version > expected && root.is_none() {
            return Err(format!("{}: the version moves and the root row is not put", schema.root.name));
        }
        let children = children.into_iter().map(ChildRows::of).collect();
        Ok(Self {
            aggregate_id,
            organisation,
            expected,
            version,
            root,
            children,
            receipts,
            events,
            timers,
            erases,
        })
    }
}

/// Forgets what a command answered; that it was carried out stays known.
pub(crate) fn erase(receipt: &mut Receipt) {
    receipt.answer = Bytes::new();
    receipt.outcome = Outcome::Erased;
}

impl ChildRows {
    fn of(changes: BTreeMap<Key, Change>) -> Self {
        let mut rows = Self::default();
        for change in changes.into_values() {
            match change {
                Change::Put(row) => rows.puts.push(row),
                Change::Delete(key) => rows.deletes.push(key),
            }
        }
        rows
    }
}

enum Change {
    Put(Row),
    Delete(Vec<Value>),
}

/// A key's values as bytes that order as the values do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn of(values: &[Value]) -> Self {
        let mut bytes = Vec::new();
        for value in values {
            match value {
                Value::Null => bytes.push(1),
                Value::Uuid(id) => bytes.extend_from_slice(id.as_bytes()),
                Value::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Value::BigInt(n) => bytes.extend_from_slice(&ordered(*n)),
                Value::Int(n) => bytes.extend_from_slice(&ordered(i64::from(*n))),
                Value::Double(n) => bytes.extend_from_slice(&n.to_be_bytes()),
                Value::Bool(is) => bytes.push(u8::from(*is)),
                Value::Timestamp(time) => bytes.extend_from_slice(&ordered(time.timestamp_micros())),
                Value::Json(json) => bytes.extend_from_slice(json.to_string().as_bytes()),
                Value::Bytes(raw) => bytes.extend_from_slice(raw),
            }
            // Ends a part, so that ("ab", "c") and ("a", "bc") differ. Texts hold no zero.
            bytes.push(0);
        }
        Self(bytes)
    }
}

/// Big-endian with the sign flipped: orders as the number does.
fn ordered(n: i64) -> [u8; 8] {
    (n ^ i64::MIN).to_be_bytes()
}

/// The key of a row. The table was checked when the store was made.
pub(crate) fn key_of(table: &Table, row: &Row) -> Vec<Value> {
    let columns =
        table.key.iter().filter_map(|name| table.columns.iter().position(|column| column.name == *name));
    columns.filter_map(|index| row.get(index).cloned()).collect()
}

fn child(schema: &Schema, table: &Table) -> Result<usize, String> {
    schema
        .children
        .iter()
        .position(|child| child.name == table.name)
        .ok_or_else(|| format!("{} is no child table of {}", table.name, schema.root.name))
}

/// The first column of every table names the aggregate.
fn check_owner(table: &Table, row: &Row, aggregate_id: Uuid) -> Result<(), String> {
    if row.first() == Some(&Value::Uuid(aggregate_id)) {
        return Ok(());
    }
    Err(format!("{}: the first value is not the aggregate's id", table.name))
}

fn check_row(table: &Table, row: &Row) -> Result<(), String> {
    if row.len() != table.columns.len() {
        return Err(format!("{}: {} values for {} columns", table.name, row.len(), table.columns.len()));
    }
    table
        .columns
        .iter()
        .zip(row)
        .try_for_each(|(column, value)| check_value(table.name, column.name, column.kind, value))
}

fn check_key(table: &Table, key: &[Value]) -> Result<(), String> {
    if key.len() != table.key.len() {
        return Err(format!("{}: a key of {} values", table.name, key.len()));
    }
    for (name, value) in table.key.iter().zip(key) {
        if let Some(column) = table.columns.iter().find(|column| column.name == *name) {
            check_value(table.name, name, column.kind, value)?;
        }
    }
    Ok(())
}

fn check_value(table: &str, column: &str, kind: ColumnType, value: &Value) -> Result<(), String> {
    match (kind, value) {
        (_, Value::Null)
        | (ColumnType::Uuid, Value::Uuid(_))
        | (ColumnType::BigInt, Value::BigInt(_))
        | (ColumnType::Int, Value::Int(_))
        | (ColumnType::Double, Value::Double(_))
        | (ColumnType::Bool, Value::Bool(_))
        | (ColumnType::Timestamp, Value::Timestamp(_))
        | (ColumnType::Bytes, Value::Bytes(_)) => Ok(()),
        (ColumnType::Text, Value::Text(text)) => check_text(table, column, text),
        (ColumnType::Json, Value::Json(json)) if has_zero(json) => {
            Err(format!("{table}.{column}: holds a zero character"))
        }
        (ColumnType::Json, Value::Json(_)) => Ok(()),
        (kind, _) => Err(format!("{table}.{column}: the value is not of type {kind:?}")),
    }
}

/// Postgres takes no zero character in texts.
fn check_text(table: &str, column: &str, text: &str) -> Result<(), String> {
    if text.contains('\0') { Err(format!("{table}.{column}: holds a zero character")) } else { Ok(()) }
}

fn has_zero(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(has_zero),
        Json::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_zero(value)),
    }
}

/// One event that the broker refuses would stop the relay for the whole context.
fn check_event(event: &Event, max_bytes: usize) -> Result<(), String> {
    callboard_bus::check(event).map_err(|problem| format!("{}: {problem}", event.kind))?;
    if event.payload.len() > max_bytes {
        return Err(format!("{}: {} bytes, at most {max_bytes}", event.kind, event.payload.len()));
    }
    check_text("outbox", "kind", &event.kind)?;
    check_text("outbox", "traceparent", event.traceparent.as_deref().unwrap_or_default())
}

/// Whether a schema is of the form that the journal writes.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_schema(schema: &Schema) -> Result<(), String> {
    let first = |table: &Table| table.columns.first().map(|column| (column.name, column.kind));
    if first(schema.root) != Some(("id", ColumnType::Uuid)) || schema.root.key != ["id"] {
        return Err(format!("{}: the first column and the key of a root are `id uuid`", schema.root.name));
    }
    if schema.root.columns.iter().any(|column| matches!(column.name, "organisation_id" | "version")) {
        return Err(format!("{}: the journal writes organisation_id and version itself", schema.root.name));
    }
    for child in schema.children {
        if first(child) != Some(("aggregate_id", ColumnType::Uuid)) {
            return Err(format!("{}: the first column of a child is `aggregate_id uuid`", child.name));
        }
        if child.key.is_empty() || child.key.iter().any(|key| child.columns.iter().all(|it| it.name != *key))
        {
            return Err(format!("{}: the key is not among the columns", child.name));
        }
    }
    Ok(())
}
