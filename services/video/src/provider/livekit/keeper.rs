//! Looks at the rooms that are due: all replicas do, each at what it claimed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_video_domain::ConnectionId;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::{LiveKit, NotSeen, Seen};
use crate::store::{ClaimedRoom, Next};

/// How often it is looked for what is due, unless woken; and for people whose sessions were ended.
const LOOK: Duration = Duration::from_millis(500);
/// The most rooms at once.
const BATCH: u16 = 32;
/// How often a closed room is closed again, in case a token opened it anew.
const CLOSED: Duration = Duration::from_secs(60);

/// Keeps a server's rooms and our sessions in step.
#[derive(Debug, Clone)]
pub struct Keeper(Arc<LiveKit>);

impl Keeper {
    /// Of this server's rooms.
    pub const fn new(livekit: Arc<LiveKit>) -> Self {
        Self(livekit)
    }

    /// Something was committed, or sent: a room may be due.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Looks until it is asked to stop, and finishes what it has in its hands.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ended = HashSet::new();
        let mut checked: Option<Instant> = None;
        while !stop.is_cancelled() {
            // However often it is woken.
            if checked.is_none_or(|checked| checked.elapsed() >= LOOK) {
                checked = Some(Instant::now());
                if let Err(error) = self.put_out(&mut ended).await {
                    tracing::warn!(%error, "ended sessions cannot be looked for in calls");
                }
            }
            let count = match self.look_at_due().await {
                Ok(count) => count,
                Err(error) => {
                    tracing::warn!(%error, "rooms of calls cannot be claimed");
                    0
                }
            };
            if count < usize::from(BATCH) {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.0.wake.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    async fn look_at_due(&self) -> Result<usize, sqlx::Error> {
        let claimed = self.0.rooms.claim(BATCH).await?;
        let count = claimed.len();
        let mut looks: FuturesUnordered<_> = claimed.into_iter().map(|room| self.look_at(room)).collect();
        while let Some(released) = looks.next().await {
            released?;
        }
        Ok(count)
    }

    async fn look_at(&self, claimed: ClaimedRoom) -> Result<(), sqlx::Error> {
        let livekit = &self.0;
        let interval = livekit.config.interval;
        let next = match livekit.look(claimed.room).await {
            Ok(Seen::Running(_)) => Next::Again(interval),
            Ok(Seen::Over) => Next::Closed { pause: CLOSED, kept: livekit.tokens_outlive() },
            Err(NotSeen::Database(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, session = %claimed.room.session, "a call's room is asked about again");
                Next::Retry(interval)
            }
        };
        livekit.rooms.release(claimed, next).await
    }

    /// Rooms with somebody whose sessions were ended (D-3) are looked at at once: once for each of them, and whenever they
    /// try to come back.
    async fn put_out(&self, ended: &mut HashSet<ConnectionId>) -> Result<(), sqlx::Error> {
        let livekit = &self.0;
        if livekit.revocations.is_empty() {
            return Ok(());
        }
        let seats = livekit.rooms.all_seats().await?;
        ended.retain(|known| seats.iter().any(|(_, seat)| seat.connection == *known));
        for (room, seat) in seats {
            if livekit.is_ended(&seat) && ended.insert(seat.connection) {
                livekit.rooms.hint(room.session, room.number).await?;
            }
        }
        Ok(())
    }
}
