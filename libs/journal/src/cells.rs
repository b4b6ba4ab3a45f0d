//! Reading a row cell by cell, in the order of its table's columns.

use std::fmt::Display;
use std::str::FromStr;

use callboard_kernel::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{ColumnIndex, Row as _};
use uuid::Uuid;

use crate::{ColumnType, Corrupt, Row, Table, Value};

/// The cells of a row that are not read yet. What does not fit names table and column.
#[derive(Debug)]
pub struct Cells<'a> {
    table: &'static Table,
    row: Source<'a>,
    next: usize,
}

/// Where cells come from: a row that somebody keeps, or one that is used up.
#[derive(Debug)]
enum Source<'a> {
    Kept(&'a [Value]),
    Given(std::vec::IntoIter<Value>),
}

macro_rules! cell {
    ($name:ident, $optional:ident, $variant:ident, $type:ty) => {
        #[doc = concat!("The next cell, a `", stringify!($variant), "`.\n\n# Errors\nWhen it is null or of another type.")]
        pub fn $name(&mut self) -> Result<$type, Corrupt> {
            self.$optional()?.ok_or_else(|| self.corrupt("is null"))
        }

        #[doc = concat!("The next cell, a `", stringify!($variant), "` or null.\n\n# Errors\nWhen it is of another type.")]
        pub fn $optional(&mut self) -> Result<Option<$type>, Corrupt> {
            match self.take() {
                Some(Value::$variant(value)) => Ok(Some(value)),
                Some(Value::Null) => Ok(None),
                _ => Err(self.corrupt(concat!("is no ", stringify!($variant)))),
            }
        }
    };
}

impl<'a> Cells<'a> {
    /// All cells of a row of this table.
    pub const fn new(table: &'static Table, row: &'a [Value]) -> Self {
        Self { table, row: Source::Kept(row), next: 0 }
    }

    /// All cells of a row that nobody needs any more: nothing is copied.
    pub fn using_up(table: &'static Table, row: Row) -> Self {
        Self { table, row: Source::Given(row.into_iter()), next: 0 }
    }

    fn take(&mut self) -> Option<Value> {
        let value = match &mut self.row {
            Source::Kept(row) => row.get(self.next).cloned(),
            Source::Given(row) => row.next(),
        };
        self.next += 1;
        value
    }

    /// A complaint about the cell read last.
    pub fn corrupt(&self, problem: impl Into<String>) -> Corrupt {
        let column = self.table.columns.get(self.next.saturating_sub(1)).map_or("", |column| column.name);
        Corrupt { table: self.table.name, column, problem: problem.into() }
    }

    cell!(uuid, optional_uuid, Uuid, Uuid);
    cell!(text, optional_text, Text, String);
    cell!(bool, optional_bool, Bool, bool);
    cell!(int, optional_int, Int, i32);
    cell!(bigint, optional_bigint, BigInt, i64);
    cell!(double, optional_double, Double, f64);
    cell!(time, optional_time, Timestamp, Timestamp);
    cell!(bytes, optional_bytes, Bytes, Vec<u8>);
    cell!(any_json, optional_any_json, Json, serde_json::Value);

    /// The next cell, JSON, as what it holds.
    ///
    /// # Errors
    /// When it is null or holds something else.
    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T, Corrupt> {
        let value = self.any_json()?;
        serde_json::from_value(value).map_err(|error| self.corrupt(error.to_string()))
    }

    /// The next cell, JSON or null, as what it holds.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn optional_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Corrupt> {
        let value = self.optional_any_json()?;
        value.map(serde_json::from_value).transpose().map_err(|error| self.corrupt(error.to_string()))
    }

    /// The next cell, a text, as one of the known words.
    ///
    /// # Errors
    /// When it is null or an unknown word.
    pub fn word<T: FromStr<Err: Display>>(&mut self) -> Result<T, Corrupt> {
        self.text()?.parse().map_err(|error: T::Err| self.corrupt(error.to_string()))
    }
}

/// A row that was selected by a query of a context's own, as the journal knows it. The query names the table's columns.
///
/// # Errors
/// When a column is missing or of another type.
pub fn selected(table: &Table, row: &PgRow) -> Result<Row, sqlx::Error> {
    table.columns.iter().map(|column| cell(row, column.name, column.kind)).collect()
}

/// One cell of a row that Postgres sent.
pub(crate) fn cell<I: ColumnIndex<PgRow>>(
    row: &PgRow,
    at: I,
    kind: ColumnType,
) -> Result<Value, sqlx::Error> {
    Ok(match kind {
        ColumnType::Uuid => row.try_get::<Option<Uuid>, _>(at)?.into(),
        ColumnType::Text => row.try_get::<Option<String>, _>(at)?.into(),
        ColumnType::BigInt => row.try_get::<Option<i64>, _>(at)?.into(),
        ColumnType::Int => row.try_get::<Option<i32>, _>(at)?.into(),
        ColumnType::Double => row.try_get::<Option<f64>, _>(at)?.into(),
        ColumnType::Bool => row.try_get::<Option<bool>, _>(at)?.into(),
        ColumnType::Timestamp => row.try_get::<Option<Timestamp>, _>(at)?.into(),
        ColumnType::Json => row.try_get::<Option<serde_json::Value>, _>(at)?.into(),
        ColumnType::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.into(),
    })
}
