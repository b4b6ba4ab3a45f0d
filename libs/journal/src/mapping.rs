//! How an aggregate maps to rows and events.

use bytes::Bytes;
use callboard_actor::Step;
use callboard_bus::Event;
use callboard_kernel::{Aggregate, Timestamp};

use crate::{Corrupt, RowChange, Rows, Schema, Table};

/// A timer of an aggregate, set or cancelled together with what caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimerChange {
    /// Sets (or moves) the timer of this name.
    Set {
        /// Unique within the aggregate: `offers-expire`.
        name: String,
        /// When it fires, at the earliest.
        due: Timestamp,
        /// Handed back when it fires.
        payload: Bytes,
    },
    /// Cancels it; nothing happens when there is none.
    Cancel {
        /// Unique within the aggregate.
        name: String,
    },
}

/// What one step writes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Changes to rows of root and children.
    pub rows: Vec<RowChange>,
    /// Events for the outbox, in order.
    pub events: Vec<Event>,
    /// Timers.
    pub timers: Vec<TimerChange>,
    /// The aggregate is deleted for good: what earlier commands of it answered is emptied in the same commit.
    pub erases: bool,
}

/// How one kind of aggregate is stored and what others hear of it. Pure; lives in a service's `store` and `events`.
pub trait Mapping: Send + Sync + 'static {
    /// The aggregate.
    type Aggregate: Aggregate;

    /// Its tables.
    fn schema(&self) -> &'static Schema;

    /// Whether the rows of this child table are read when the aggregate is loaded. `false` for what decisions never
    /// look at and what only grows (a timeline): it is written with the unit, and [`Rows::of`] is empty.
    fn loads(&self, child: &Table) -> bool {
        let _ = child;
        true
    }

    /// Builds the state from its rows; `rows.root` is there.
    ///
    /// # Errors
    /// Where rows make no sense.
    fn load(&self, rows: &Rows) -> Result<<Self::Aggregate as Aggregate>::State, Corrupt>;

    /// What a step writes. The root row must be put whenever the step has events (its version moves).
    ///
    /// # Errors
    /// A text for the log when the step cannot be written at all.
    fn record(&self, step: &Step<'_, Self::Aggregate>) -> Result<Record, String>;
}
