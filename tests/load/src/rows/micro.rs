//! The hot parts alone, to notice when one of them becomes slower.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_actor::{
    Ask, CommitError, Lane, Loaded, Options, Receipt, Registry, Step, Store, StoreError, Unit,
};
use callboard_bus::Event;
use callboard_journal::{
    Column, ColumnType, Corrupt, JournalOptions, Mapping, PgJournal, PgStore, Pool, Record, RowChange, Rows,
    Schema, Table,
};
use callboard_kernel::{
    Actor, Aggregate, Cause, Clock, CommandId, DecisionContext, Employee, IdGenerator, Language, Principal,
    RandomIds, Role, Subject, SystemClock, Version,
};
use callboard_proto::tickets::v1 as proto;
use callboard_tickets_domain::{Command, NewTicket, Place, State, TicketAggregate};
use prost::Message;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::DESCRIPTION;
use crate::Failure;
use crate::house::House;
use crate::measure::{Caller, closed};
use crate::report::Row;

/// Of each part.
const SPAN: Duration = Duration::from_millis(500);
/// Between two looks at the clock.
const BATCH: u64 = 200;

/// A store that keeps nothing: what is left is the actor.
#[derive(Debug, Clone)]
struct Nowhere;

impl Store<TicketAggregate> for Nowhere {
    type Record = ();

    fn record(&self, _: &Step<'_, TicketAggregate>) -> Result<(), String> {
        Ok(())
    }

    async fn load(&self, _: Uuid) -> Result<Loaded<State>, StoreError> {
        Ok(Loaded { state: State::default(), version: Version::NONE, organisation: None })
    }

    async fn receipts(&self, _: &[CommandId]) -> Result<Vec<Receipt>, StoreError> {
        Ok(Vec::new())
    }

    async fn commit(&self, _: Unit<()>) -> Result<(), CommitError> {
        Ok(())
    }
}

fn principal() -> Principal {
    let employee = Employee { id: RandomIds.next().into(), role: Role::Member, departments: Vec::new() };
    Principal {
        organisation: Uuid::from_u128(1).into(),
        subject: Subject::Employee(employee),
        language: Language::En,
    }
}

fn create() -> Command {
    Command::Create(Box::new(NewTicket {
        id: RandomIds.next().into(),
        device: Uuid::from_u128(2).into(),
        place: Place {
            template: Uuid::from_u128(3).into(),
            customer: None,
            departments: Vec::new(),
            version: 1,
        },
        flow: None,
        title: "No coffee on the second floor".to_owned(),
        description: DESCRIPTION.to_owned(),
        answers: Vec::new(),
        visibility: None,
        priority: None,
        open: Some(1),
    }))
}

fn row(name: &str, workload: &str, count: u64, elapsed: Duration) -> Row {
    let mut row = Row::new(name, workload, "µs").value(elapsed.as_secs_f64() * 1e6 / count.max(1) as f64);
    (row.concurrency, row.samples) = (1, count);
    row
}

fn repeat(name: &str, workload: &str, mut part: impl FnMut()) -> Row {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < SPAN {
        (0..BATCH).for_each(|_| part());
        count += BATCH;
    }
    row(name, workload, count, began.elapsed())
}

fn decided(command: &Command, principal: &Principal) -> Result<State, Failure> {
    let cause = Cause::default();
    let context = DecisionContext {
        now: SystemClock.now(),
        principal,
        cause: &cause,
        command_id: RandomIds.next().into(),
        ids: &RandomIds,
    };
    let mut state = State::default();
    for event in TicketAggregate::decide(&state, command, &context)? {
        TicketAggregate::evolve(&mut state, &event);
    }
    Ok(state)
}

/// What a call that created it is answered.
fn answer(principal: &Principal) -> proto::CreateTicketResponse {
    let ticket = proto::Ticket {
        id: RandomIds.next().to_string(),
        number: 4711,
        organisation_id: principal.organisation.uuid().to_string(),
        device_id: RandomIds.next().to_string(),
        template_id: RandomIds.next().to_string(),
        customer_id: RandomIds.next().to_string(),
        title: "No coffee on the second floor".to_owned(),
        description: DESCRIPTION.to_owned(),
        involved_employee_ids: vec![RandomIds.next().to_string()],
        etag: "\"3\"".to_owned(),
        ..proto::Ticket::default()
    };
    proto::CreateTicketResponse { ticket: Some(ticket) }
}

/// The rows.
pub const NAMES: [&str; 4] = ["micro-decide", "micro-encode", "micro-mailbox", "micro-commit"];

/// [`NAMES`].
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House) -> Result<Vec<Row>, Failure> {
    let (someone, command) = (principal(), create());
    decided(&command, &someone)?;
    let decide = repeat("micro-decide", "decide and evolve a create that opens", || {
        black_box(decided(black_box(&command), &someone).is_ok());
    });
    let answer = answer(&someone);
    let encode = repeat("micro-encode", "encode the answer to a create as protobuf", || {
        black_box(black_box(&answer).encode_to_vec());
    });
    // On a worker of the runtime, as calls are.
    let mailbox = TaskTracker::new().spawn(mailbox(someone)).await?.map_err(|error| error.to_string())?;
    Ok(vec![decide, encode, mailbox, commit(house).await?])
}

/// Creates through one new actor after the other.
async fn mailbox(principal: Principal) -> Result<Row, String> {
    let actors: Registry<TicketAggregate, Nowhere> = Registry::new(
        Nowhere,
        Options::default(),
        Arc::new(SystemClock),
        Arc::new(RandomIds),
        TaskTracker::new(),
    );
    let (principal, cause) = (Arc::new(principal), Arc::new(Cause::default()));
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < SPAN {
        for _ in 0..BATCH {
            let ask = Ask {
                command: create(),
                command_id: RandomIds.next().into(),
                fingerprint: 1,
                principal: Arc::clone(&principal),
                cause: Arc::clone(&cause),
                lane: Lane::User,
                deadline: Instant::now() + Duration::from_secs(10),
                expected: None,
                creates: true,
                answer: Box::new(|_, _, _| Bytes::new()),
            };
            actors.ask(RandomIds.next(), ask).await.map_err(|error| format!("{error:?}"))?;
            count += 1;
        }
    }
    let elapsed = began.elapsed();
    actors.stop().await;
    let workload = "a create through a new actor whose store keeps nothing, there and back; one after the other, from a \
                    task of the runtime";
    Ok(row("micro-mailbox", workload, count, elapsed))
}

/// A title, and nothing else.
static ITEM: Table = Table {
    name: "item",
    key: &["id"],
    columns: &[Column::new("id", ColumnType::Uuid), Column::new("title", ColumnType::Text)],
};
static ITEMS: Schema = Schema { root: &ITEM, children: &[] };

/// Tickets as items; what is written is made by hand.
#[derive(Debug, Clone)]
struct Items;

impl Mapping for Items {
    type Aggregate = TicketAggregate;

    fn schema(&self) -> &'static Schema {
        &ITEMS
    }

    fn load(&self, _: &Rows) -> Result<State, Corrupt> {
        Ok(State::default())
    }

    fn record(&self, _: &Step<'_, TicketAggregate>) -> Result<Record, String> {
        Err("made by hand".to_owned())
    }
}

/// A row, a receipt and an event, as one commit.
fn unit() -> Unit<Record> {
    let (id, command) = (RandomIds.next(), RandomIds.next().into());
    let organisation = Uuid::from_u128(1).into();
    let event = Event {
        id: RandomIds.next().into(),
        context: "items".to_owned(),
        name: "item.made".to_owned(),
        kind: "callboard.items.v1.ItemMade".to_owned(),
        organisation,
        aggregate_id: id,
        aggregate_version: Version(1),
        time: SystemClock.now(),
        causation: None,
        correlation: None,
        traceparent: None,
        actor: Actor::System,
        payload: Bytes::from_static(DESCRIPTION.as_bytes()),
    };
    let receipt = Receipt {
        command_id: command,
        aggregate_id: id,
        fingerprint: 1,
        version: Version(1),
        outcome: callboard_actor::Outcome::Applied,
        answer: Bytes::from_static(DESCRIPTION.as_bytes()),
    };
    let put = RowChange::Put(&ITEM, vec![id.into(), "No coffee on the second floor".into()]);
    Unit {
        aggregate_id: id,
        organisation,
        expected: Version::NONE,
        version: Version(1),
        records: vec![Record { rows: vec![put], events: vec![event], timers: Vec::new(), erases: false }],
        receipts: vec![receipt],
    }
}

#[derive(Debug)]
struct Commits(PgStore<Items>);

impl Caller for Commits {
    async fn call(&mut self) -> Result<(), Failure> {
        self.0.commit(unit()).await.map_err(|error| format!("{error:?}").into())
    }
}

/// One after the other, each with the disk, beside `pgbench` doing the like.
async fn commit(house: &House) -> Result<Row, Failure> {
    let mut connection = PgConnection::connect(&house.bench_url).await?;
    callboard_journal::migrate(&mut connection, "items").await?;
    connection.close().await?;
    let options: PgConnectOptions = house.bench_url.parse()?;
    let pool = Pool::new(PgPoolOptions::new(), options.options([("search_path", "items")]));
    sqlx::raw_sql(
        "create table if not exists item \
         (id uuid primary key, organisation_id uuid not null, version bigint not null, title text)",
    )
    .execute(&pool)
    .await?;
    let journal = PgJournal::new(pool.clone(), JournalOptions::new("items"), TaskTracker::new());
    let mut caller = Commits(journal.store(Items));
    caller.call().await?;
    let pair = house.pgbench.pair(1, SPAN * 4).await?.rate;
    let done = closed(vec![caller], SPAN * 4).await;
    pool.close().await;
    let workload =
        "the commit statement: a row, a receipt and an event of one aggregate, one caller, closed loop";
    let mut row = Row::new("micro-commit", workload, "µs mean")
        .timed(&done)
        .value(1e6 / done.rate())
        .against("pgbench pair, one client, mean", 1e6 / pair);
    row.concurrency = 1;
    Ok(row)
}
