//! Dead letters: parked by key, shown, replayed in order, skipped.

use std::sync::Arc;
use std::time::Duration;

use callboard_bus::{
    Bus, Consumer, ConsumerOptions, Event, HandleError, Handled, Handler, MemBus, Parking, Problem, StreamLog,
};
use callboard_journal::{DeadLetterError, DeadLetters};
use callboard_testkit::{PATIENCE, eventually};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::delivery::{CONTEXT, Outbox, event, event_id, log};

const CONSUMER: &str = "fleet-reacts";
const BUG: Problem<'_> = Problem::Failed("a bug");

type Answer = dyn Fn(&Event) -> Result<Handled, HandleError> + Send + Sync;

struct Scripted {
    done: Mutex<Vec<i64>>,
    answer: Mutex<Box<Answer>>,
    /// One permit per call.
    gate: Semaphore,
}

impl Scripted {
    fn new(answer: impl Fn(&Event) -> Result<Handled, HandleError> + Send + Sync + 'static) -> Arc<Self> {
        let gate = Semaphore::new(10_000);
        Arc::new(Self { done: Mutex::default(), answer: Mutex::new(Box::new(answer)), gate })
    }

    fn answer(&self, answer: impl Fn(&Event) -> Result<Handled, HandleError> + Send + Sync + 'static) {
        *self.answer.lock() = Box::new(answer);
    }

    fn done(&self) -> Vec<i64> {
        self.done.lock().clone()
    }
}

impl Handler for Scripted {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            let answer = (self.answer.lock())(event);
            if answer.is_ok() {
                self.done.lock().push(event.aggregate_version.0);
            }
            answer
        })
    }
}

fn poison(versions: &'static [i64]) -> impl Fn(&Event) -> Result<Handled, HandleError> + Send + Sync {
    move |event| {
        if versions.contains(&event.aggregate_version.0) {
            Err(HandleError::Poison("cannot be decoded".into()))
        } else {
            Ok(Handled::Done)
        }
    }
}

async fn parked(letters: &DeadLetters) -> Vec<i64> {
    let list = letters.list(Some(CONSUMER), None, 100).await.unwrap();
    list.iter().map(|letter| letter.event.aggregate_version.0).collect()
}

async fn until_parked(letters: &DeadLetters, wanted: &[i64]) {
    eventually("the events are parked", PATIENCE, || async {
        let now = parked(letters).await;
        if now == wanted { Ok(()) } else { Err(now) }
    })
    .await;
}

#[tokio::test]
async fn a_replay_goes_in_order_and_stops_at_the_first_failure() {
    let outbox = Outbox::new().await;
    let letters = DeadLetters::new(outbox.pool.clone());
    letters.park(CONSUMER, &event(1, 1), BUG).await.unwrap();
    for version in 2..=4 {
        assert!(letters.park_behind(CONSUMER, &event(1, version)).await.unwrap());
    }
    assert!(!letters.park_behind(CONSUMER, &event(2, 1)).await.unwrap(), "nothing of this key is parked");
    let handler = Scripted::new(poison(&[3]));
    let key = event(1, 1).key();
    let replay = letters.replay(CONSUMER, key, handler.as_ref()).await.unwrap();
    assert_eq!(replay.handled, 2);
    assert_eq!(replay.stopped.unwrap(), (event_id(1, 3), "cannot be processed: cannot be decoded".into()));
    assert_eq!((handler.done(), parked(&letters).await), (vec![1, 2], vec![3, 4]));
    let third = letters.show(CONSUMER, event_id(1, 3)).await.unwrap().unwrap();
    assert_eq!((third.event, third.attempts), (event(1, 3), 1));
    assert!(letters.skip(CONSUMER, event_id(1, 3)).await.unwrap());
    assert!(!letters.skip(CONSUMER, event_id(1, 3)).await.unwrap());
    assert_eq!(letters.replay(CONSUMER, key, handler.as_ref()).await.unwrap().stopped, None);
    assert_eq!((handler.done(), parked(&letters).await), (vec![1, 2, 4], vec![]));
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let outbox = Outbox::new().await;
    let letters = DeadLetters::new(outbox.pool.clone());
    for key in 1..=5 {
        letters.park(CONSUMER, &event(key, 1), BUG).await.unwrap();
    }
    letters.park("another", &event(9, 1), BUG).await.unwrap();
    let first = letters.list(Some(CONSUMER), None, 3).await.unwrap();
    let rest = letters.list(Some(CONSUMER), Some(first[2].position), 3).await.unwrap();
    assert_eq!((first.len(), rest.len()), (3, 2));
    assert_eq!(letters.list(None, None, 100).await.unwrap().len(), 6);
    assert_eq!(
        letters.keys(CONSUMER).await.unwrap(),
        (1..=5).map(|key| event(key, 1).key()).collect::<Vec<_>>()
    );
    assert_eq!(letters.skip_key(CONSUMER, event(2, 1).key()).await.unwrap(), 1);
}

#[tokio::test]
async fn what_comes_while_a_replay_goes_on_is_handled_behind_it() {
    let outbox = Outbox::new().await;
    let bus = Bus::from(MemBus::new());
    let letters = Arc::new(DeadLetters::new(outbox.pool.clone()));
    let handler = Scripted::new(poison(&[1]));
    let stop = CancellationToken::new();
    let options = ConsumerOptions { retry_first: Duration::from_millis(5), ..ConsumerOptions::default() };
    let consumer = Consumer::new(CONSUMER, CONTEXT, handler.clone(), letters.clone()).options(options);
    let life = async {
        let log = log(&bus);
        log.publish(&(1..=3).map(|version| event(1, version)).collect::<Vec<_>>(), 0).await;
        until_parked(&letters, &[1, 2, 3]).await;
        // From another process, as an operator does it.
        let other = DeadLetters::new(outbox.pool.clone());
        let replayer = Scripted::new(|_| Ok(Handled::Done));
        replayer.gate.forget_permits(10_000);
        handler.answer(|_| Ok(Handled::Done));
        let replay = other.replay(CONSUMER, event(1, 1).key(), replayer.as_ref());
        let meanwhile = async {
            replayer.gate.add_permits(1);
            until_parked(&letters, &[2, 3]).await;
            let busy = letters.replay(CONSUMER, event(1, 1).key(), replayer.as_ref()).await;
            assert!(matches!(busy, Err(DeadLetterError::Busy)));
            log.publish(&[event(1, 4)], 3).await;
            until_parked(&letters, &[2, 3, 4]).await;
            replayer.gate.add_permits(100);
        };
        assert_eq!(tokio::join!(replay, meanwhile).0.unwrap().handled, 4);
        assert_eq!(replayer.done(), [1, 2, 3, 4]);
        // The consumer still remembers the key as parked, and asks.
        log.publish(&[event(1, 5)], 4).await;
        eventually("the fifth is handled", PATIENCE, || async {
            let done = handler.done();
            if done == [5] { Ok(()) } else { Err(done) }
        })
        .await;
        assert!(parked(&letters).await.is_empty());
        stop.cancel();
    };
    tokio::join!(async { consumer.run(&bus, stop.clone()).await.unwrap() }, life);
}

#[tokio::test]
async fn what_one_organisation_parks_holds_nothing_of_another_up() {
    let outbox = Outbox::new().await;
    let letters = DeadLetters::new(outbox.pool.clone());
    let own = event(1, 1);
    // In a stream that others write, ids are theirs to choose.
    let same_ids = Event { organisation: Uuid::from_u128(0xb).into(), ..own.clone() };
    letters.park(CONSUMER, &same_ids, BUG).await.unwrap();
    assert!(!letters.is_parked(CONSUMER, own.key()).await.unwrap());
    assert!(!letters.park_behind(CONSUMER, &own).await.unwrap(), "nothing of this organisation is parked");
    letters.park(CONSUMER, &own, BUG).await.unwrap();
    assert_eq!(
        letters.list(Some(CONSUMER), None, 10).await.unwrap().len(),
        2,
        "neither took the other's place"
    );
    let handler = Scripted::new(|_| Ok(Handled::Done));
    assert_eq!(letters.replay(CONSUMER, own.key(), handler.as_ref()).await.unwrap().handled, 1);
    let left = letters.list(Some(CONSUMER), None, 10).await.unwrap();
    assert_eq!(left.iter().map(|letter| letter.event.clone()).collect::<Vec<_>>(), [same_ids]);
}

#[tokio::test]
async fn what_could_not_be_read_is_given_to_no_handler() {
    let outbox = Outbox::new().await;
    let letters = DeadLetters::new(outbox.pool.clone());
    letters.park(CONSUMER, &event(1, 1), Problem::Unreadable("ce-tenantid: missing")).await.unwrap();
    assert!(letters.park_behind(CONSUMER, &event(1, 2)).await.unwrap());
    let handler = Scripted::new(|_| Ok(Handled::Done));
    let replay = letters.replay(CONSUMER, event(1, 1).key(), handler.as_ref()).await.unwrap();
    assert_eq!((replay.handled, replay.stopped.map(|(id, _)| id)), (0, Some(event_id(1, 1))));
    assert!(handler.done().is_empty());
    assert!(letters.skip(CONSUMER, event_id(1, 1)).await.unwrap());
    assert_eq!(letters.replay(CONSUMER, event(1, 1).key(), handler.as_ref()).await.unwrap().handled, 1);
    assert_eq!(handler.done(), [2]);
}
