//! Rows as data: what a context's tables look like, and changes to them.

use std::collections::HashMap;

use callboard_kernel::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `uuid`
    Uuid,
    /// `text`
    Text,
    /// `bigint`
    BigInt,
    /// `integer`
    Int,
    /// `double precision`
    Double,
    /// `boolean`
    Bool,
    /// `timestamptz`
    Timestamp,
    /// `jsonb`
    Json,
    /// `bytea`
    Bytes,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type. Null is allowed where the table allows it.
    pub kind: ColumnType,
}

impl Column {
    /// A column.
    pub const fn new(name: &'static str, kind: ColumnType) -> Self {
        Self { name, kind }
    }
}

/// A table that the journal writes.
///
/// A root table has the key `id`, and columns `organisation_id uuid` and `version bigint` (written by the journal,
/// not listed in `columns`). A child table has a column `aggregate_id uuid` (listed first) naming its root.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name in the context's schema.
    pub name: &'static str,
    /// Columns of the primary key, by name.
    pub key: &'static [&'static str],
    /// All columns, in the order of a [`Row`]. For a root: `id` first, without `organisation_id` and `version`.
    pub columns: &'static [Column],
}

/// The tables of one kind of aggregate.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// One row per aggregate.
    pub root: &'static Table,
    /// Rows that belong to one.
    pub children: &'static [&'static Table],
}

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `uuid`
    Uuid(Uuid),
    /// `text`
    Text(String),
    /// `bigint`
    BigInt(i64),
    /// `integer`
    Int(i32),
    /// `double precision`
    Double(f64),
    /// `boolean`
    Bool(bool),
    /// `timestamptz`
    Timestamp(Timestamp),
    /// `jsonb`
    Json(Json),
    /// `bytea`
    Bytes(Vec<u8>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}
value_from!(Uuid => Uuid, String => Text, i64 => BigInt, i32 => Int, f64 => Double, bool => Bool, Timestamp => Timestamp, Json => Json, Vec<u8> => Bytes);

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row's values, in the order of the table's columns.
pub type Row = Vec<Value>;

/// A change to one row. Within a unit, a later change of the same key replaces an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChange {
    /// Inserts or replaces a row of the root or of a child table.
    Put(&'static Table, Row),
    /// Removes a row of a child table by its key, values in the order of [`Table::key`]. Roots are never removed:
    /// a deleted aggregate keeps a bare root row, so that late events find it gone.
    Delete(&'static Table, Vec<Value>),
}

/// Stored rows make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{column}: {problem}")]
pub struct Corrupt {
    /// Where.
    pub table: &'static str,
    /// Where in the row.
    pub column: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// All rows of one aggregate.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The root row; `None`: the aggregate does not exist.
    pub root: Option<Row>,
    /// The organisation of the root row.
    pub organisation: Option<callboard_kernel::OrganisationId>,
    /// Child rows by table name, ordered by key.
    pub children: HashMap<&'static str, Vec<Row>>,
}

impl Rows {
    /// The rows of a child table.
    pub fn of(&self, table: &Table) -> &[Row] {
        self.children.get(table.name).map_or(&[], Vec::as_slice)
    }
}
