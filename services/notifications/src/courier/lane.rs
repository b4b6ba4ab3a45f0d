//! How deliveries are worked on: each a task of its own, so that looking for the next waits for none of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often it is looked for what nobody said was due, such as what another process queued.
const LOOK: Duration = Duration::from_secs(1);

/// What a lane works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane<'a> {
    /// For the log.
    pub name: &'static str,
    /// At once.
    pub most: usize,
    /// Woken when something was queued.
    pub wake: &'a Notify,
    /// Deliveries under way; waited for at the stop.
    pub tracker: &'a TaskTracker,
    /// When nothing more is begun.
    pub stop: &'a CancellationToken,
}

impl Lane<'_> {
    /// Delivers until it is asked to stop. `claim` takes up to so many into its hands, `deliver` works on one.
    pub async fn run<T, C, D>(self, claim: impl Fn(usize) -> C, deliver: impl Fn(T) -> D)
    where
        C: Future<Output = Result<Vec<T>, sqlx::Error>>,
        D: Future<Output = ()> + Send + 'static,
    {
        let room = Arc::new(Semaphore::new(self.most));
        loop {
            let Some(Ok(first)) = self.stop.run_until_cancelled(Arc::clone(&room).acquire_owned()).await
            else {
                return;
            };
            // Before looking, so that what is queued meanwhile is not slept over.
            let woken = self.wake.notified();
            let wanted = 1 + room.available_permits();
            let claimed = match claim(wanted).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, lane = self.name, "nothing can be claimed");
                    Vec::new()
                }
            };
            let full = claimed.len() == wanted;
            let mut seats = Some(first);
            for one in claimed {
                // Nobody else takes of this room, so there is a seat for each.
                let seat = seats.take().or_else(|| Arc::clone(&room).try_acquire_owned().ok());
                let work = deliver(one);
                self.tracker.spawn(async move {
                    work.await;
                    drop(seat);
                });
            }
            drop(seats);
            if !full {
                tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep(LOOK) => {}
                    () = self.stop.cancelled() => return,
                }
            }
        }
    }
}

/// Does something now and then, until it is asked to stop.
pub(super) async fn every<F: Future<Output = Result<(), sqlx::Error>>>(
    pause: Duration,
    stop: &CancellationToken,
    work: impl Fn() -> F,
) {
    loop {
        if let Err(error) = work().await {
            tracing::warn!(%error, "tidying up failed");
        }
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}
