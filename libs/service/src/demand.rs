//! Consumers that run only while somebody wants what they hear.
//!
//! What nobody wants is not even sent here: there is no durable then, and the server keeps no place for it. When it is
//! wanted again the durable is made anew and begins with what was stored since then, so nothing is missed in between.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use callboard_bus::{Bus, ConfigDifference, Consumer};
use callboard_kernel::Timestamp;
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often is asked; another replica's change is noticed so late.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether there is a durable again that nobody wants: a replica of an earlier release makes it.
const DOUBT: Duration = Duration::from_secs(300);

type Answer = BoxFuture<'static, Result<Option<Timestamp>, sqlx::Error>>;
type Ask = Arc<dyn Fn() -> Answer + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Not asked yet.
    Nothing,
    Unwanted,
    Since(Timestamp),
}

/// Whether consumers are wanted, and since when. Cheap to clone: all share one look.
#[derive(Clone)]
pub struct Demand {
    known: watch::Receiver<Known>,
    ask: Ask,
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand").field("known", &*self.known.borrow()).finish_non_exhaustive()
    }
}

/// Keeps the answer up to date.
pub(crate) struct Look {
    ask: Ask,
    nudge: Arc<Notify>,
    tell: watch::Sender<Known>,
}

impl Look {
    pub(crate) async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match (self.ask)().await {
                Ok(since) => {
                    let found = since.map_or(Known::Unwanted, Known::Since);
                    self.tell.send_if_modified(|known| std::mem::replace(known, found) != found);
                }
                // What was known goes on being true.
                Err(error) => tracing::debug!(%error, "not known who wants it"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

impl Demand {
    /// What `ask` answers: since when somebody wants it; `None`: nobody does. Asked every second, and when nudged.
    pub(crate) fn new(nudge: Arc<Notify>, ask: impl Fn() -> Answer + Send + Sync + 'static) -> (Self, Look) {
        let ask: Ask = Arc::new(ask);
        let (tell, known) = watch::channel(Known::Nothing);
        (Self { known, ask: Arc::clone(&ask) }, Look { ask, nudge, tell })
    }

    /// For certain: asked now. What cannot be known may be wanted.
    async fn is_wanted(&self) -> bool {
        !matches!((self.ask)().await, Ok(None))
    }

    /// Runs a consumer whenever it is wanted, and removes its durable when it is not.
    pub(crate) async fn run(
        mut self,
        consumer: impl Fn() -> Consumer,
        bus: &Bus,
        stop: CancellationToken,
    ) -> Result<(), ConfigDifference> {
        let mut removed: Option<Instant> = None;
        while !stop.is_cancelled() {
            let known = *self.known.borrow_and_update();
            if let Known::Since(since) = known {
                removed = None;
                self.read(consumer().since(since), bus, stop.child_token()).await?;
                continue;
            }
            if known == Known::Unwanted && removed.is_none_or(|removed| removed.elapsed() >= DOUBT) {
                removed = consumer().remove(bus, self.is_wanted()).await.then(Instant::now);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.known.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(if removed.is_some() { DOUBT } else { EVERY }) => {}
            }
        }
        Ok(())
    }

    /// Reads until nobody wants it any more.
    async fn read(
        &self,
        consumer: Consumer,
        bus: &Bus,
        end: CancellationToken,
    ) -> Result<(), ConfigDifference> {
        let mut known = self.known.clone();
        let mut reading = std::pin::pin!(consumer.run(bus, end.clone()));
        tokio::select! {
            result = &mut reading => return result,
            _ = known.wait_for(|known| *known == Known::Unwanted) => end.cancel(),
        }
        // What it holds is finished.
        reading.await
    }
}
