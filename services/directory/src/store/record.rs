//! How any simple record is stored.

use std::marker::PhantomData;

use callboard_actor::Step;
use callboard_bus::Event as BusEvent;
use callboard_directory_domain::{Entity, Event, Kept, Record, State};
use callboard_journal::{
    Cells, Corrupt, Mapping, Record as Written, Row, RowChange, Rows, Schema, Table, Value,
};

use crate::events::Announced;

/// A kind of record that has a table: the common columns `id, names, removed, created_at, updated_at`, then its own.
pub trait Stored: Entity + Announced {
    /// Its tables.
    const SCHEMA: &'static Schema;

    /// The names it is sorted and searched by; lower case is made of them here.
    fn names(&self) -> String;

    /// Its own columns, in order.
    fn write(&self) -> Vec<Value>;

    /// Reads its own columns.
    ///
    /// # Errors
    /// Where they make no sense.
    fn read(cells: &mut Cells<'_>) -> Result<Self, Corrupt>;
}

/// Maps any simple record to its row and its events.
#[derive(Debug)]
pub struct RecordMapping<E>(PhantomData<E>);

impl<E> Default for RecordMapping<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// The row of a record.
fn row<E: Stored>(kept: &Kept<E>, removed: bool) -> Row {
    let mut row = vec![
        kept.id.into(),
        kept.value.names().to_lowercase().into(),
        removed.into(),
        kept.created_at.into(),
        kept.updated_at.into(),
    ];
    row.extend(kept.value.write());
    row
}

/// The record of a row.
///
/// # Errors
/// Where it makes no sense.
pub fn state<E: Stored>(
    row: &[Value],
    organisation: Option<callboard_kernel::OrganisationId>,
) -> Result<State<E>, Corrupt> {
    let mut cells = Cells::new(E::SCHEMA.root, row);
    let organisation = organisation.ok_or_else(|| cells.corrupt("has no organisation"))?;
    let id = cells.uuid()?;
    cells.text()?;
    let removed = cells.bool()?;
    let (created_at, updated_at) = (cells.time()?, cells.time()?);
    let kept = Kept { id, organisation, value: E::read(&mut cells)?, created_at, updated_at };
    Ok(if removed { State::Removed(kept) } else { State::Kept(kept) })
}

impl<E: Stored> Mapping for RecordMapping<E> {
    type Aggregate = Record<E>;

    fn schema(&self) -> &'static Schema {
        E::SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<State<E>, Corrupt> {
        match &rows.root {
            Some(root) => state(root, rows.organisation),
            None => Ok(State::Absent),
        }
    }

    fn record(&self, step: &Step<'_, Record<E>>) -> Result<Written, String> {
        let row = match step.after {
            State::Kept(kept) => row(kept, false),
            State::Removed(kept) => row(kept, true),
            State::Absent => return Err("a step without a record after it".to_owned()),
        };
        let table: &'static Table = E::SCHEMA.root;
        let mut events: Vec<BusEvent> = Vec::new();
        for event in step.events {
            let (before, after) = match event {
                Event::Created(kept) => (None, Some(&kept.value)),
                Event::Changed { before, after, .. } => (Some(before), Some(after)),
                Event::Removed { before, .. } => (Some(before), None),
            };
            E::announce(step.meta, before, after, &mut events);
        }
        Ok(Written { rows: vec![RowChange::Put(table, row)], events, ..Written::default() })
    }
}
