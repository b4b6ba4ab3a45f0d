//! Two processes, a store that fails, actors that come and go: nothing acknowledged is lost, nothing happens twice.

use std::collections::HashSet;
use std::time::Duration;

use callboard_actor::{Ask, AskError, Lane, Options};
use callboard_kernel::CommandId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fake::{Command, FakeStore, Fault, ask, command, registry};

const AGGREGATES: u128 = 12;
const CALLERS: u128 = 24;
const COMMANDS: u128 = 60;

async fn run(seed: u64) {
    let store = FakeStore::new();
    let mut dice = StdRng::seed_from_u64(seed);
    store.fault(move |_| match dice.random_range(0..100) {
        0..8 => Some(Fault::Conflict),
        8..14 => Some(Fault::Lost),
        14..20 => Some(Fault::Written),
        20..22 => Some(Fault::Panic),
        _ => None,
    });
    // Fewer places than aggregates, and hardly any patience: actors come and go all the time.
    let options = Options {
        max_resident: 5,
        idle: Duration::from_micros(200),
        batch: 7,
        max_loads: 2,
        ..Options::default()
    };
    let processes = [registry(&store, options), registry(&store, options)];
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let processes = processes.clone();
        callers.spawn(async move {
            let mut dice = StdRng::seed_from_u64(seed ^ (caller as u64 + 1) << 32);
            let mut done: Vec<(Uuid, CommandId)> = Vec::new();
            for n in 0..COMMANDS {
                let id = Uuid::from_u128(dice.random_range(0..AGGREGATES));
                let name = command(caller << 64 | n << 1 | 1);
                let what = if dice.random_bool(0.5) { Command::Add } else { Command::AddOnce };
                let lane = if dice.random_bool(0.5) { Lane::User } else { Lane::Event };
                loop {
                    let process = &processes[dice.random_range(0..2)];
                    if dice.random_bool(0.05) {
                        process.forget(id);
                    }
                    let mut one = Ask { lane, ..ask(name, what.clone()) };
                    if dice.random_bool(0.1) {
                        // A caller in a hurry asks again.
                        one.deadline = std::time::Instant::now() + Duration::from_micros(300);
                    }
                    match process.ask(id, one).await {
                        Ok(answer) => {
                            assert_eq!(answer.outcome, callboard_actor::Outcome::Applied);
                            done.push((id, name));
                            break;
                        }
                        Err(
                            AskError::Conflict
                            | AskError::Unavailable(_)
                            | AskError::Internal(_)
                            | AskError::DeadlineExceeded
                            | AskError::Busy { .. },
                        ) => tokio::task::yield_now().await,
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
            done
        });
    }
    let done: Vec<(Uuid, CommandId)> = callers.join_all().await.into_iter().flatten().collect();
    for process in &processes {
        process.stop().await;
        assert_eq!(process.residents(), 0);
    }
    let world = store.world.lock();
    let mut happened = HashSet::new();
    for (id, (state, version, _)) in &world.ledgers {
        assert_eq!(version.0, state.len() as i64, "seed {seed}: the version counts commands");
        for name in state {
            assert!(happened.insert((*id, *name)), "seed {seed}: {name} happened twice");
        }
    }
    assert_eq!(done.len() as u128, CALLERS * COMMANDS);
    assert_eq!(happened, done.into_iter().collect(), "seed {seed}: what was acknowledged is what happened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_or_doubled() {
    // Panics are part of it; they need not fill the output.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"as asked") {
            hook(info);
        }
    }));
    for seed in 0..8 {
        tokio::time::timeout(Duration::from_secs(60), run(seed)).await.expect("hangs");
    }
}
