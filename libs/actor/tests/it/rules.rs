//! One test per promise.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_actor::{Ask, AskError, Options, Outcome};
use callboard_kernel::{ErrorKind, Principal, Refusal, Version};
use futures::future::join_all;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::fake::{Command, FakeStore, Fault, ask, command, event, open, registry, settle, shut};

const ID: Uuid = Uuid::from_u128(99);

#[tokio::test]
async fn a_repeat_answers_the_same_from_memory_and_from_the_store() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    let first = registry.ask(ID, ask(command(1), Command::AddOnce)).await.unwrap();
    assert_eq!((first.version, &first.bytes[..], first.replayed), (Version(1), &b"1 at 1"[..], false));
    let again = registry.ask(ID, ask(command(1), Command::AddOnce)).await.unwrap();
    assert_eq!((again.version, again.bytes, again.replayed), (first.version, first.bytes.clone(), true));
    assert_eq!(store.world.lock().receipt_queries, 0, "a hot repeat costs no query");
    // Another process: decides a "no" first, then finds the receipt.
    let other = crate::fake::registry(&store, Options::default());
    let again = other.ask(ID, ask(command(1), Command::AddOnce)).await.unwrap();
    assert_eq!((again.bytes, again.replayed), (first.bytes.clone(), true));
    // And one that would happen again: the commit finds the receipt.
    let third = crate::fake::registry(&store, Options::default());
    let again = third.ask(ID, ask(command(1), Command::Add)).await.unwrap();
    assert_eq!((again.bytes, again.replayed), (first.bytes, true));
    assert_eq!(store.ledger(ID), [command(1)]);
}

#[tokio::test]
async fn a_command_id_used_for_something_else_is_refused() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    registry.ask(ID, ask(command(1), Command::Add)).await.unwrap();
    let other = Ask { fingerprint: 2, ..ask(command(1), Command::Add) };
    assert_eq!(registry.ask(ID, other).await, Err(AskError::RequestIdReused));
    // The same request to another aggregate.
    let elsewhere = registry.ask(Uuid::from_u128(5), ask(command(1), Command::Add)).await;
    assert_eq!(elsewhere, Err(AskError::RequestIdReused));
}

#[tokio::test]
async fn the_same_command_twice_in_one_batch_happens_once() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    let both = join_all([0, 1].map(|_| registry.ask(ID, ask(command(1), Command::Add)))).await;
    let replayed: Vec<bool> = both.into_iter().map(|answer| answer.unwrap().replayed).collect();
    assert_eq!(replayed, [false, true]);
    assert_eq!(store.ledger(ID), [command(1)]);
}

#[tokio::test]
async fn what_waits_is_decided_in_order_and_committed_as_one() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    let asks = (0..10).map(|n| registry.ask(ID, ask(command(n), Command::Add)));
    let answers = join_all(asks).await;
    let versions: Vec<i64> = answers.into_iter().map(|answer| answer.unwrap().version.0).collect();
    assert_eq!(versions, (1..=10).collect::<Vec<_>>());
    assert_eq!(store.world.lock().units, [(ID, 10)]);
}

#[tokio::test]
async fn an_edit_names_the_version_it_saw() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    registry.ask(ID, ask(command(1), Command::Add)).await.unwrap();
    let edit = |n, version| Ask { expected: Some(Version(version)), ..ask(command(n), Command::Add) };
    assert_eq!(registry.ask(ID, edit(2, 0)).await, Err(AskError::EtagMismatch { current: Version(1) }));
    assert_eq!(registry.ask(ID, edit(3, 1)).await.unwrap().version, Version(2));
    // The repeat of an edit that succeeded is no mismatch, for another process neither.
    let other = crate::fake::registry(&store, Options::default());
    assert_eq!(other.ask(ID, edit(3, 1)).await.unwrap().version, Version(2));
}

#[tokio::test]
async fn a_no_by_hand_is_not_kept_and_one_of_an_event_is() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    let refused = registry.ask(ID, ask(command(1), Command::Refuse)).await.unwrap_err();
    let Refusal { kind, reason, .. } = refused.into();
    assert_eq!((kind, reason), (ErrorKind::FailedPrecondition, "REFUSED"));
    assert!(store.world.lock().receipts.is_empty());
    let nothing = registry.ask(ID, ask(command(2), Command::Nothing)).await.unwrap();
    assert_eq!((nothing.outcome, &nothing.bytes[..]), (Outcome::Nothing, &b"0 at 0"[..]));
    assert!(store.world.lock().receipts.is_empty());

    let early = registry.ask(ID, event(command(3), Command::AddAfter(1))).await.unwrap();
    assert_eq!(early.outcome, Outcome::Rejected("TOO_EARLY".to_owned()));
    registry.ask(ID, ask(command(4), Command::Add)).await.unwrap();
    // Now it would be allowed, but the outcome stands; for another process too.
    for registry in [&registry, &crate::fake::registry(&store, Options::default())] {
        let again = registry.ask(ID, event(command(3), Command::AddAfter(1))).await.unwrap();
        assert_eq!((again.outcome, again.replayed), (early.outcome.clone(), true));
    }
    let by_hand = registry.ask(ID, ask(command(3), Command::AddAfter(1))).await.unwrap_err();
    assert_eq!(Refusal::from(by_hand).reason, "REJECTED_BEFORE");
}

#[tokio::test]
async fn a_no_is_never_decided_on_stale_state() {
    let store = FakeStore::new();
    let here = registry(&store, Options::default());
    let there = registry(&store, Options::default());
    here.ask(ID, ask(command(1), Command::Add)).await.unwrap();
    there.ask(ID, ask(command(2), Command::Add)).await.unwrap();
    // `here` remembers one command; there are two.
    assert!(here.ask(ID, ask(command(3), Command::AddAfter(2))).await.is_ok());
    there.ask(ID, ask(command(4), Command::Add)).await.unwrap();
    let reaction = here.ask(ID, event(command(5), Command::AddAfter(4))).await.unwrap();
    assert_eq!(reaction.outcome, Outcome::Applied);
}

#[tokio::test]
async fn a_conflict_is_decided_once_more_and_then_told() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    store.fail([Fault::Conflict]);
    assert!(registry.ask(ID, ask(command(1), Command::Add)).await.is_ok());
    store.fail([Fault::Conflict, Fault::Conflict]);
    assert_eq!(registry.ask(ID, ask(command(2), Command::Add)).await, Err(AskError::Conflict));
    assert_eq!(store.ledger(ID), [command(1)]);
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    store.fail([Fault::Written]);
    assert_eq!(registry.ask(ID, ask(command(1), Command::Add)).await.unwrap().version, Version(1));
    store.fail([Fault::Lost]);
    let lost = registry.ask(ID, ask(command(2), Command::Add)).await;
    assert!(matches!(lost, Err(AskError::Unavailable(_))));
    assert_eq!(registry.ask(ID, ask(command(2), Command::Add)).await.unwrap().version, Version(2));
    assert_eq!(store.ledger(ID), [command(1), command(2)]);
    assert_eq!(store.world.lock().loads, 3, "state is read again after each");
}

#[tokio::test]
async fn an_unknown_outcome_is_answered_by_what_another_process_kept() {
    let store = FakeStore::new();
    let [one, other] = [registry(&store, Options::default()), registry(&store, Options::default())];
    one.ask(ID, event(command(1), Command::AddOnce)).await.unwrap();
    // Decided again on the state after it, this is a "no", and its commit is lost.
    store.fail([Fault::Lost]);
    let again = other.ask(ID, event(command(1), Command::AddOnce)).await.unwrap();
    assert_eq!((again.outcome, again.replayed), (Outcome::Applied, true));
}

#[tokio::test]
async fn a_panic_costs_its_own_command_only() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    let commands = [
        Command::Add,
        Command::PanicInDecide,
        Command::Add,
        Command::PanicInEvolve,
        Command::Unwritable,
        Command::Add,
    ];
    let asks = commands.into_iter().zip(0..).map(|(one, n)| registry.ask(ID, ask(command(n), one)));
    let good: Vec<bool> = join_all(asks).await.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, true, false, false, true]);
    assert_eq!(store.ledger(ID), [command(0), command(2), command(5)]);
    store.fail([Fault::Panic]);
    let failed = registry.ask(ID, ask(command(7), Command::Add)).await;
    assert!(matches!(failed, Err(AskError::Internal(_))));
    assert!(registry.ask(ID, ask(command(8), Command::Add)).await.is_ok());
}

#[tokio::test]
async fn a_command_that_cannot_be_written_fails_alone() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    let commands = [Command::Add, Command::Bad, Command::Add];
    let asks = commands.into_iter().zip(0..).map(|(one, n)| registry.ask(ID, ask(command(n), one)));
    let answers = join_all(asks).await;
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert!(matches!(answers[1], Err(AskError::Internal(_))));
    assert_eq!(store.ledger(ID), [command(0), command(2)]);
}

#[tokio::test]
async fn a_creation_needs_no_load_unless_there_is_something() {
    let store = FakeStore::new();
    let create = |n| Ask { creates: true, ..ask(command(n), Command::Create) };
    let here = registry(&store, Options::default());
    assert!(here.ask(ID, create(1)).await.is_ok());
    assert_eq!(store.world.lock().loads, 0);
    let there = registry(&store, Options::default());
    let exists = there.ask(ID, create(2)).await.unwrap_err();
    assert_eq!(Refusal::from(exists).reason, "EXISTS");
    let repeat = registry(&store, Options::default()).ask(ID, create(1)).await.unwrap();
    assert!(repeat.replayed);
}

#[tokio::test]
async fn another_organisation_is_told_there_is_none() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    registry.ask(ID, ask(command(1), Command::Add)).await.unwrap();
    let stranger = Arc::new(Principal::system(Uuid::from_u128(2).into()));
    let other = Ask { principal: stranger, ..ask(command(2), Command::Add) };
    let refused = registry.ask(ID, other).await.unwrap_err();
    assert_eq!(Refusal::from(refused).kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn many_who_ask_for_one_aggregate_load_it_once() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    shut(&store.load_gate);
    let mut asks = JoinSet::new();
    for n in 0..50 {
        let registry = registry.clone();
        asks.spawn(async move { registry.ask(ID, ask(command(n), Command::Add)).await.map(drop) });
    }
    settle().await;
    open(&store.load_gate);
    assert!(asks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(store.world.lock().loads, 1);
}

#[tokio::test]
async fn loads_in_flight_are_capped() {
    let store = FakeStore::new();
    let registry = registry(&store, Options { max_loads: 3, ..Options::default() });
    let asks = (0..40).map(|n| registry.ask(Uuid::from_u128(n), ask(command(n), Command::Add)));
    assert!(join_all(asks).await.iter().all(Result::is_ok));
    assert_eq!(store.world.lock().most_loading, 3);
}

#[tokio::test]
async fn a_full_mailbox_turns_away_and_leaves_the_other_lane_open() {
    let store = FakeStore::new();
    let registry = registry(&store, Options { event_mailbox: 2, batch: 1, ..Options::default() });
    shut(&store.commits);
    let mut asks = JoinSet::new();
    for n in 0..3 {
        let registry = registry.clone();
        asks.spawn(async move { registry.ask(ID, event(command(n), Command::Add)).await.map(drop) });
        // The first is in hand, two wait.
        settle().await;
    }
    let busy = registry.ask(ID, event(command(9), Command::Add)).await;
    assert!(matches!(busy, Err(AskError::Busy { .. })));
    let user = registry.clone();
    asks.spawn(async move { user.ask(ID, ask(command(10), Command::Add)).await.map(drop) });
    settle().await;
    open(&store.commits);
    assert!(asks.join_all().await.iter().all(Result::is_ok));
    // By hand came last and went before the second reaction that waited.
    assert_eq!(store.ledger(ID), [0, 10, 1, 2].map(command));
}

#[tokio::test(start_paused = true)]
async fn a_command_nobody_waits_for_is_skipped() {
    let store = FakeStore::new();
    let registry = registry(&store, Options { batch: 1, ..Options::default() });
    shut(&store.commits);
    let first = TaskTracker::new().spawn({
        let registry = registry.clone();
        async move { registry.ask(ID, ask(command(1), Command::Add)).await }
    });
    settle().await;
    let soon = Instant::now();
    let hurried = Ask {
        deadline: tokio::time::Instant::now().into_std() + Duration::from_secs(1),
        ..ask(command(2), Command::Add)
    };
    assert_eq!(registry.ask(ID, hurried).await, Err(AskError::DeadlineExceeded));
    assert!(soon.elapsed() < Duration::from_secs(1), "time is the test's");
    let gone = TaskTracker::new().spawn({
        let registry = registry.clone();
        async move { registry.ask(ID, ask(command(3), Command::Add)).await }
    });
    settle().await;
    gone.abort();
    settle().await;
    open(&store.commits);
    first.await.unwrap().unwrap();
    registry.ask(ID, ask(command(4), Command::Add)).await.unwrap();
    assert_eq!(store.ledger(ID), [command(1), command(4)]);
}

#[tokio::test]
async fn residents_are_capped_and_the_least_used_makes_room() {
    let store = FakeStore::new();
    let registry = registry(&store, Options { max_resident: 2, ..Options::default() });
    let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
    for (n, id) in (0..).zip([one, two, one, three]) {
        registry.ask(id, ask(command(n), Command::Add)).await.unwrap();
        settle().await;
    }
    assert_eq!((registry.residents(), store.world.lock().loads), (2, 3));
    registry.ask(one, ask(command(10), Command::Add)).await.unwrap();
    assert_eq!(store.world.lock().loads, 3, "the one used last stayed");
    settle().await;
    // All in use: somebody has to wait.
    shut(&store.commits);
    let mut asks = JoinSet::new();
    for (n, id) in (20..).zip([one, two]) {
        let registry = registry.clone();
        asks.spawn(async move { registry.ask(id, ask(command(n), Command::Add)).await.map(drop) });
    }
    settle().await;
    let busy = registry.ask(Uuid::from_u128(77), ask(command(30), Command::Add)).await;
    assert!(matches!(busy, Err(AskError::Busy { .. })));
    open(&store.commits);
    assert!(asks.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn an_idle_actor_retires_and_comes_back() {
    let store = FakeStore::new();
    let registry = registry(&store, Options { idle: Duration::from_secs(5), ..Options::default() });
    registry.ask(ID, ask(command(1), Command::Add)).await.unwrap();
    assert_eq!(registry.residents(), 1);
    // Virtual time: the clock jumps as soon as nobody has work.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(registry.residents(), 0);
    assert_eq!(registry.ask(ID, ask(command(2), Command::Add)).await.unwrap().version, Version(2));
}

#[tokio::test]
async fn forget_reads_again() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    registry.ask(ID, ask(command(1), Command::Add)).await.unwrap();
    registry.forget(ID);
    registry.ask(ID, ask(command(2), Command::Add)).await.unwrap();
    assert_eq!(store.world.lock().loads, 2);
}

#[tokio::test]
async fn a_store_that_is_away_is_told_as_such() {
    let store = FakeStore::new();
    let registry = registry(&store, Options::default());
    store.world.lock().unavailable = true;
    let away = registry.ask(ID, ask(command(1), Command::Add)).await;
    assert!(matches!(away, Err(AskError::Unavailable(_))));
    store.world.lock().unavailable = false;
    assert!(registry.ask(ID, ask(command(1), Command::Add)).await.is_ok());
}

#[tokio::test]
async fn a_stop_drains_what_waits_and_takes_nothing_more() {
    let store = FakeStore::new();
    let registry = registry(&store, Options { batch: 1, ..Options::default() });
    shut(&store.commits);
    let mut asks = JoinSet::new();
    for n in 0..5 {
        let registry = registry.clone();
        asks.spawn(async move { registry.ask(ID, ask(command(n), Command::Add)).await.map(drop) });
    }
    settle().await;
    let stopping = TaskTracker::new().spawn({
        let registry = registry.clone();
        async move { registry.stop().await }
    });
    settle().await;
    assert_eq!(registry.ask(ID, ask(command(9), Command::Add)).await, Err(AskError::Stopping));
    assert!(!stopping.is_finished());
    open(&store.commits);
    stopping.await.unwrap();
    assert!(asks.join_all().await.iter().all(Result::is_ok));
    assert_eq!((store.ledger(ID).len(), registry.residents()), (5, 0));
}
