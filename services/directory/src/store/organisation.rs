//! The table of organisations, and the shape that all tables of records share.

use callboard_directory_domain::{Name, Organisation};
use callboard_journal::{Cells, Corrupt, Schema, Value};

use super::record::Stored;

/// A table of records: the common columns, then its own.
macro_rules! record_table {
    ($table:ident, $schema:ident, $name:literal, [$($column:literal: $kind:ident),* $(,)?]) => {
        static $table: callboard_journal::Table = callboard_journal::Table {
            name: $name,
            key: &["id"],
            columns: &[
                callboard_journal::Column::new("id", callboard_journal::ColumnType::Uuid),
                callboard_journal::Column::new("names", callboard_journal::ColumnType::Text),
                callboard_journal::Column::new("removed", callboard_journal::ColumnType::Bool),
                callboard_journal::Column::new("created_at", callboard_journal::ColumnType::Timestamp),
                callboard_journal::Column::new("updated_at", callboard_journal::ColumnType::Timestamp),
                $(callboard_journal::Column::new($column, callboard_journal::ColumnType::$kind)),*
            ],
        };
        static $schema: callboard_journal::Schema =
            callboard_journal::Schema { root: &$table, children: &[] };
    };
}
pub(super) use record_table;

record_table!(ORGANISATION, ORGANISATIONS, "organisation", [
    "name": Text, "isolation": Text, "language": Text, "time_zone": Text,
]);

impl Stored for Organisation {
    const SCHEMA: &'static Schema = &ORGANISATIONS;

    fn names(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn write(&self) -> Vec<Value> {
        vec![
            self.name.as_str().into(),
            self.isolation.as_str().into(),
            self.language.as_str().into(),
            self.time_zone.as_str().into(),
        ]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            name: Name::stored(cells.text()?),
            isolation: cells.word()?,
            language: cells.word()?,
            time_zone: cells.text()?,
        })
    }
}

/// JSON of ids and names, which always can be made.
pub(super) fn json(value: &impl serde::Serialize) -> Value {
    Value::Json(serde_json::to_value(value).unwrap_or_default())
}
