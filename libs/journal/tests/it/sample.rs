//! An aggregate of rows, and two worlds to keep it in.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr as _;

use bytes::Bytes;
use callboard_actor::{Outcome, Receipt, Step, Store, Unit};
use callboard_bus::Event;
use callboard_journal::Pool;
use callboard_journal::{
    Column, ColumnType, Corrupt, JournalOptions, Mapping, MemJournal, MemStore, PgJournal, PgStore, Record,
    Row, RowChange, Rows, Schema, Table, TimerChange, Value, migrate,
};
use callboard_kernel::{
    Actor, Aggregate, CommandId, DecisionContext, ErrorKind, EventId, OrganisationId, Rejection, Timestamp,
    Version,
};
use callboard_testkit::{Database, Servers};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub static ROOT: Table = Table {
    name: "sample",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("other", ColumnType::Uuid),
        Column::new("title", ColumnType::Text),
        Column::new("big", ColumnType::BigInt),
        Column::new("small", ColumnType::Int),
        Column::new("fraction", ColumnType::Double),
        Column::new("is", ColumnType::Bool),
        Column::new("at", ColumnType::Timestamp),
        Column::new("data", ColumnType::Json),
        Column::new("raw", ColumnType::Bytes),
    ],
};
pub static LINE: Table = Table {
    name: "line",
    key: &["aggregate_id", "number"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("number", ColumnType::Int),
        Column::new("text", ColumnType::Text),
    ],
};
/// Its key is unique in the whole table. Named like a part of the statement would be.
pub static LABEL: Table = Table {
    name: "unit",
    key: &["id"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("id", ColumnType::Uuid),
        Column::new("data", ColumnType::Json),
    ],
};
/// Nothing but a key.
pub static MARK: Table = Table {
    name: "mark",
    key: &["aggregate_id", "word"],
    columns: &[Column::new("aggregate_id", ColumnType::Uuid), Column::new("word", ColumnType::Text)],
};
/// Written and never loaded.
pub static HISTORY: Table = Table {
    name: "history",
    key: &["aggregate_id", "number"],
    columns: &[Column::new("aggregate_id", ColumnType::Uuid), Column::new("number", ColumnType::Int)],
};
pub static SCHEMA: Schema = Schema { root: &ROOT, children: &[&LINE, &LABEL, &MARK, &HISTORY] };

pub const TABLES: &str = "
create table sample (
    id uuid primary key, organisation_id uuid not null, version bigint not null, other uuid, title text,
    big bigint, small integer check (small <> 13), fraction double precision, \"is\" boolean, at timestamptz,
    data jsonb, raw bytea
);
create table line (
    aggregate_id uuid not null references sample, number integer, text text, primary key (aggregate_id, number)
);
create table unit (aggregate_id uuid not null references sample, id uuid primary key, data jsonb);
create table mark (aggregate_id uuid not null references sample, word text, primary key (aggregate_id, word));
create table history (
    aggregate_id uuid not null references sample, number integer, primary key (aggregate_id, number)
);
";

#[derive(Debug)]
pub struct Sample;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub root: Option<Row>,
    pub children: BTreeMap<&'static str, Vec<Row>>,
}

#[derive(Debug)]
pub struct Never(Infallible);

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {}
    }
}

impl Rejection for Never {
    fn kind(&self) -> ErrorKind {
        match self.0 {}
    }
    fn reason(&self) -> &'static str {
        match self.0 {}
    }
}

impl Aggregate for Sample {
    const KIND: &'static str = "sample";
    type State = State;
    type Command = ();
    type Event = ();
    type Rejection = Never;

    fn decide(_: &State, (): &(), _: &DecisionContext<'_>) -> Result<Vec<()>, Never> {
        Ok(vec![()])
    }
    fn evolve(_: &mut State, (): &()) {}
}

pub struct Samples;

impl Mapping for Samples {
    type Aggregate = Sample;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }
    fn loads(&self, child: &Table) -> bool {
        child.name != HISTORY.name
    }
    fn load(&self, rows: &Rows) -> Result<State, Corrupt> {
        let children = rows.children.iter().filter(|(_, rows)| !rows.is_empty());
        Ok(State {
            root: rows.root.clone(),
            children: children.map(|(name, rows)| (*name, rows.clone())).collect(),
        })
    }
    fn record(&self, _: &Step<'_, Sample>) -> Result<Record, String> {
        Err("units are made by hand here".to_owned())
    }
}

/// Where a store keeps things, for looking from outside.
#[allow(async_fn_in_trait, reason = "used by tests alone")]
pub trait World {
    type Store: Store<Sample, Record = Record> + Clone;
    fn store(&self) -> &Self::Store;
    async fn outbox(&self) -> Vec<(Uuid, String)>;
    async fn timers(&self) -> Vec<(Uuid, String, Timestamp, Vec<u8>)>;
}

pub struct Memory {
    journal: MemJournal,
    store: MemStore<Samples>,
}

impl Memory {
    pub async fn new() -> Self {
        let journal = MemJournal::new(JournalOptions::new("sample"));
        Self { store: journal.store(Samples), journal }
    }
}

impl World for Memory {
    type Store = MemStore<Samples>;

    fn store(&self) -> &Self::Store {
        &self.store
    }
    async fn outbox(&self) -> Vec<(Uuid, String)> {
        self.journal.outbox().into_iter().map(|event| (event.aggregate_id, event.name)).collect()
    }
    async fn timers(&self) -> Vec<(Uuid, String, Timestamp, Vec<u8>)> {
        let timers = self.journal.timers().into_iter();
        timers.map(|timer| (timer.aggregate_id, timer.name, timer.due, timer.payload.to_vec())).collect()
    }
}

pub struct Postgres {
    pub pool: Pool,
    pub journal: PgJournal,
    store: PgStore<Samples>,
    _database: Database,
}

impl Postgres {
    pub async fn new() -> Self {
        let database = Servers::shared().await.fresh_database().await;
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        // Twice: the second time there is nothing to do.
        migrate(&mut connection, "sample").await.unwrap();
        migrate(&mut connection, "sample").await.unwrap();
        connection.close().await.unwrap();
        let options =
            PgConnectOptions::from_str(database.url()).unwrap().options([("search_path", "sample")]);
        let pool = Pool::new(PgPoolOptions::new().max_connections(4), options);
        sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
        let journal = PgJournal::new(pool.clone(), JournalOptions::new("sample"), TaskTracker::new());
        Self { store: journal.store(Samples), journal, pool, _database: database }
    }
}

impl World for Postgres {
    type Store = PgStore<Samples>;

    fn store(&self) -> &Self::Store {
        &self.store
    }
    async fn outbox(&self) -> Vec<(Uuid, String)> {
        let rows = sqlx::query("select aggregate_id, name from outbox order by position");
        let rows = rows.fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
    async fn timers(&self) -> Vec<(Uuid, String, Timestamp, Vec<u8>)> {
        let rows = sqlx::query(
            "select aggregate_id, name, due_at, payload from timer where aggregate_kind = 'sample' order by 1, 2",
        );
        let rows = rows.fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
    }
}

pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub fn command(n: u128) -> CommandId {
    Uuid::from_u128(n).into()
}

pub fn organisation() -> OrganisationId {
    Uuid::from_u128(1).into()
}

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A root row with a title and nothing else.
pub fn root(id: Uuid, title: &str) -> Row {
    let mut row = vec![Value::Null; ROOT.columns.len()];
    row[0] = id.into();
    row[2] = title.into();
    row
}

pub fn line(id: Uuid, number: i32, text: &str) -> Row {
    vec![id.into(), number.into(), text.into()]
}

/// One event per name: `sample.<name>`.
pub fn event(aggregate_id: Uuid, version: i64, name: &str) -> Event {
    Event {
        id: EventId(Uuid::new_v5(&aggregate_id, format!("{version} {name}").as_bytes())),
        context: "samples".to_owned(),
        name: format!("sample.{name}"),
        kind: format!("callboard.samples.v1.{name}"),
        organisation: organisation(),
        aggregate_id,
        aggregate_version: Version(version),
        time: time("2026-01-02T03:04:05.000006Z"),
        causation: None,
        correlation: Some(Uuid::from_u128(8)),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        actor: Actor::System,
        payload: Bytes::from_static(b"\x00payload"),
    }
}

pub fn receipt(aggregate_id: Uuid, n: u128, version: i64) -> Receipt {
    Receipt {
        command_id: command(n),
        aggregate_id,
        fingerprint: -5,
        version: Version(version),
        outcome: Outcome::Applied,
        answer: Bytes::from(format!("\0answer {n}")),
    }
}

/// A unit of one command that moves the version by one and puts a root titled like the command.
pub fn unit(aggregate_id: Uuid, expected: i64, n: u128) -> Unit<Record> {
    let version = expected + 1;
    Unit {
        aggregate_id,
        organisation: organisation(),
        expected: Version(expected),
        version: Version(version),
        records: vec![Record {
            rows: vec![RowChange::Put(&ROOT, root(aggregate_id, &format!("command {n}")))],
            events: vec![event(aggregate_id, version, &format!("e{n}"))],
            timers: vec![],
            erases: false,
        }],
        receipts: vec![receipt(aggregate_id, n, version)],
    }
}

pub fn with(mut unit: Unit<Record>, rows: impl IntoIterator<Item = RowChange>) -> Unit<Record> {
    unit.records[0].rows.extend(rows);
    unit
}

pub fn set(name: &str, due: &str) -> TimerChange {
    TimerChange::Set { name: name.to_owned(), due: time(due), payload: Bytes::from_static(b"p") }
}
