//! Waiting for a condition, instead of sleeping and hoping.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// A deadline for what takes milliseconds on an idle machine, generous enough for a busy one.
pub const PATIENCE: Duration = Duration::from_secs(30);

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Asks again and again until the answer is `Ok`, and returns what it holds. The first question comes at once, the
/// pauses grow from 2 to 100 ms.
///
/// The `Err` says what is missing yet; a closure that yields `Result<(), String>` with the state it saw makes
/// failures readable.
///
/// # Panics
/// When the deadline has passed, with `what` and the last `Err`; also if one question alone takes longer than the
/// deadline.
#[track_caller]
pub fn eventually<T, E: Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    deadline: Duration,
    mut question: impl FnMut() -> F,
) -> impl Future<Output = T> {
    // `track_caller` does not reach into async code.
    let place = std::panic::Location::caller();
    async move {
        let end = Instant::now() + deadline;
        let mut pause = FIRST_PAUSE;
        let mut last = None;
        loop {
            match timeout_at(end, question()).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(missing)) => last = Some(missing),
                Err(_) => {}
            }
            if Instant::now() >= end {
                match last {
                    Some(missing) => {
                        panic!("{place}: not within {deadline:?}: {what}; last seen: {missing:?}")
                    }
                    None => panic!("{place}: not within {deadline:?}: {what}; there was no answer at all"),
                }
            }
            sleep(pause.min(end - Instant::now())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// As [`eventually`], for questions that are answered by `Some` or `None`.
///
/// # Panics
/// As [`eventually`].
#[track_caller]
pub fn eventually_some<T, F: Future<Output = Option<T>>>(
    what: &str,
    deadline: Duration,
    mut question: impl FnMut() -> F,
) -> impl Future<Output = T> {
    eventually(what, deadline, move || {
        let answer = question();
        async move { answer.await.ok_or("nothing") }
    })
}
