//! Actors of two processes on the real stores: what was acknowledged is what is there.

use callboard_journal::Pool;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_actor::{Ask, AskError, Lane, Options, Registry, Step, Store};
use callboard_bus::Event;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Fault, JournalOptions, Mapping, MemJournal, PgJournal, Record,
    RowChange, Rows, Schema, Table,
};
use callboard_kernel::{
    Aggregate, Cause, CommandId, DecisionContext, ErrorKind, Principal, RandomIds, Rejection, SystemClock,
    Version,
};
use callboard_testkit::Servers;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::sample::{command, event, id, organisation};

static BOOK: Table = Table { name: "book", key: &["id"], columns: &[Column::new("id", ColumnType::Uuid)] };
static PAGE: Table = Table {
    name: "page",
    key: &["aggregate_id", "command"],
    columns: &[Column::new("aggregate_id", ColumnType::Uuid), Column::new("command", ColumnType::Uuid)],
};
static SCHEMA: Schema = Schema { root: &BOOK, children: &[&PAGE] };

/// Keeps the id of every command it took; takes none twice by its own account.
#[derive(Debug)]
struct Book;

#[derive(Debug)]
struct Never(Infallible);

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
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

impl Aggregate for Book {
    const KIND: &'static str = "book";
    type State = BTreeSet<CommandId>;
    type Command = ();
    type Event = CommandId;
    type Rejection = Never;

    fn decide(_: &Self::State, (): &(), context: &DecisionContext<'_>) -> Result<Vec<CommandId>, Never> {
        Ok(vec![context.command_id])
    }
    fn evolve(state: &mut Self::State, event: &CommandId) {
        state.insert(*event);
    }
}

#[derive(Clone, Copy)]
struct Books;

impl Mapping for Books {
    type Aggregate = Book;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }
    fn load(&self, rows: &Rows) -> Result<BTreeSet<CommandId>, Corrupt> {
        let command = |row| {
            let mut cells = Cells::new(&PAGE, row);
            cells.uuid()?;
            Ok(cells.uuid()?.into())
        };
        rows.of(&PAGE).iter().map(|row| command(row)).collect()
    }
    fn record(&self, step: &Step<'_, Book>) -> Result<Record, String> {
        let id = step.meta.aggregate_id;
        let mut record = Record::default();
        record.rows.push(RowChange::Put(&BOOK, vec![id.into()]));
        for page in step.events {
            record.rows.push(RowChange::Put(&PAGE, vec![id.into(), page.uuid().into()]));
            record.events.push(event(id, step.meta.version.0, "written"));
        }
        Ok(record)
    }
}

const BOOKS: u128 = 5;
const CALLERS: u128 = 16;
const COMMANDS: u128 = 40;

/// Many callers of two processes, each asking until it has an answer. Gives what each book must hold.
async fn run<S: Store<Book>>(stores: [S; 2]) -> BTreeMap<Uuid, BTreeSet<CommandId>> {
    let options =
        Options { max_resident: 3, idle: Duration::from_millis(1), max_loads: 2, ..Options::default() };
    let processes = stores.map(|store| {
        Registry::new(store, options, Arc::new(SystemClock), Arc::new(RandomIds), TaskTracker::new())
    });
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let processes = processes.clone();
        callers.spawn(async move {
            let mut done = Vec::new();
            for n in 0..COMMANDS {
                let (book, name) = (id((caller + n) % BOOKS), command(caller << 64 | n << 1 | 1));
                for attempt in 0.. {
                    let ask = Ask {
                        command: (),
                        command_id: name,
                        fingerprint: 1,
                        principal: Arc::new(Principal::system(organisation())),
                        cause: Arc::new(Cause::default()),
                        lane: if n % 2 == 0 { Lane::User } else { Lane::Event },
                        deadline: Instant::now() + Duration::from_secs(20),
                        expected: None,
                        creates: false,
                        answer: Box::new(|_, _, _| Bytes::new()),
                    };
                    let process = if (caller + n + attempt) % 2 == 0 { &processes[0] } else { &processes[1] };
                    match process.ask(book, ask).await {
                        Ok(_) => break,
                        Err(AskError::Conflict | AskError::Unavailable(_) | AskError::Busy { .. }) => {
                            tokio::task::yield_now().await;
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
                done.push((book, name));
            }
            done
        });
    }
    let mut expected: BTreeMap<Uuid, BTreeSet<CommandId>> = BTreeMap::new();
    for (book, name) in callers.join_all().await.into_iter().flatten() {
        expected.entry(book).or_default().insert(name);
    }
    for process in processes {
        process.stop().await;
    }
    expected
}

async fn check<S: Store<Book>>(
    store: &S,
    expected: BTreeMap<Uuid, BTreeSet<CommandId>>,
    events: Vec<(Uuid, i64)>,
) {
    for (book, commands) in expected {
        let loaded = store.load(book).await.unwrap();
        assert_eq!(loaded.version, Version(i64::try_from(commands.len()).unwrap()));
        assert_eq!(loaded.state, commands);
        let ids: Vec<CommandId> = commands.into_iter().collect();
        assert_eq!(store.receipts(&ids).await.unwrap().len(), ids.len());
        let versions: Vec<i64> =
            events.iter().filter(|(of, _)| *of == book).map(|(_, version)| *version).collect();
        assert_eq!(versions, (1..=loaded.version.0).collect::<Vec<_>>(), "events without gap or repeat");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_on_postgres() {
    let database = Servers::shared().await.fresh_database().await;
    let options: PgConnectOptions = database.url().parse().unwrap();
    let pool =
        Pool::new(PgPoolOptions::new().max_connections(8), options.options([("search_path", "books")]));
    callboard_journal::migrate(&mut pool.acquire().await.unwrap(), "books").await.unwrap();
    sqlx::raw_sql(
        "create table book (id uuid primary key, organisation_id uuid not null, version bigint not null);
         create table page (aggregate_id uuid references book, command uuid, primary key (aggregate_id, command))",
    )
    .execute(&pool)
    .await
    .unwrap();
    let journals =
        [0, 1].map(|_| PgJournal::new(pool.clone(), JournalOptions::new("books"), TaskTracker::new()));
    let stores = journals.map(|journal| journal.store(Books));
    let expected = run(stores.clone()).await;
    let events = sqlx::query_as("select aggregate_id, aggregate_version from outbox order by position")
        .fetch_all(&pool);
    let events = events.await.unwrap();
    check(&stores[0], expected, events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_in_memory_with_faults() {
    let journal = MemJournal::new(JournalOptions::new("books"));
    let mut commits = 0;
    journal.set_faults(move |_, _| {
        commits += 1;
        match commits % 11 {
            3 => Some(Fault::Conflict),
            5 => Some(Fault::Lost),
            8 => Some(Fault::Written),
            _ => None,
        }
    });
    let stores = [0, 1].map(|_| journal.store(Books));
    let expected = run(stores.clone()).await;
    let events = journal.outbox();
    let events = events.iter().map(|event: &Event| (event.aggregate_id, event.aggregate_version.0)).collect();
    check(&stores[0], expected, events).await;
}
