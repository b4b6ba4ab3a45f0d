//! The hot parts alone, to notice when one of them becomes slower.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_actor::{
    Ask, CommitError, Lane, Loaded, Options, Receipt, Registry, Step, Store, StoreError, Unit,
};
use callboard_kernel::{
    Aggregate, Cause, Clock, CommandId, DecisionContext, Employee, IdGenerator, Language, Principal,
    RandomIds, Role, Subject, SystemClock, Version,
};
use callboard_proto::tickets::v1 as proto;
use callboard_tickets_domain::{Command, NewTicket, Place, State, TicketAggregate};
use prost::Message;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::DESCRIPTION;
use crate::Failure;
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

/// `micro-decide`, `micro-encode`, `micro-mailbox`.
///
/// # Errors
/// What did not work.
pub async fn rows() -> Result<Vec<Row>, Failure> {
    let (someone, command) = (principal(), create());
    decided(&command, &someone)?;
    let decide = repeat("micro-decide", "decide and evolve a create that opens", || {
        black_box(decided(black_box(&command), &someone).is_ok());
    });
    let ticket = proto::Ticket {
        id: RandomIds.next().to_string(),
        title: "No coffee on the second floor".to_owned(),
        description: DESCRIPTION.to_owned(),
        ..proto::Ticket::default()
    };
    let encode = repeat("micro-encode", "encode a ticket as protobuf", || {
        black_box(black_box(&ticket).encode_to_vec());
    });
    Ok(vec![decide, encode, mailbox(someone).await?])
}

async fn mailbox(principal: Principal) -> Result<Row, Failure> {
    let tracker = TaskTracker::new();
    let actors: Registry<TicketAggregate, Nowhere> = Registry::new(
        Nowhere,
        Options::default(),
        Arc::new(SystemClock),
        Arc::new(RandomIds),
        tracker.clone(),
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
            actors.ask(RandomIds.next(), ask).await?;
            count += 1;
        }
    }
    let elapsed = began.elapsed();
    actors.stop().await;
    Ok(row(
        "micro-mailbox",
        "a create through a new actor whose store keeps nothing, one after the other",
        count,
        elapsed,
    ))
}
