//! The relay: publishes what is committed, once, in order per aggregate.
//!
//! - One relay per service at a time, by a session-level advisory lock on a connection of its own. Two would break
//!   the order per aggregate.
//! - No position is remembered: positions become visible out of order, so what has no mark is not published yet.
//! - Each publish says what the stream's last sequence must be. A relay that is not the relay any more (its
//!   connection was cut and it did not notice) is refused by the stream; and it cannot read on, since all its SQL
//!   goes over the connection that held the lock.
//! - Whoever rebuilds a stream by hand claims the relay's place ([`republish`](crate::republish())): the relay gives
//!   way at its next look, and none comes back before the claim is over.
//! - Whenever the stream is not where the marks say, [healing](crate::healing) looks before anything is published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Pool;
use callboard_bus::{Event, PublishError, StreamLog};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::outbox::{self, OutboxRow};
use crate::place::{is_claimed, try_lock};

/// Gauge, label `context`: committed events that are not published.
const UNPUBLISHED: &str = "callboard_outbox_unpublished";
/// Gauge in seconds, label `context`: how long the oldest of them has waited.
const OLDEST_AGE: &str = "callboard_outbox_oldest_age_seconds";
/// Gauge, label `context`: aggregates whose events wait behind one that the bus refused. Alert above 0.
const REFUSED: &str = "callboard_outbox_refused_aggregates";
/// Counter, label `context`: events that the bus refused. Alert on any.
const REFUSALS: &str = "callboard_outbox_refused_total";
/// Gauge, label `context`: 1 in the process whose relay works.
const LEADS: &str = "callboard_relay_leads";

/// How a relay works.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The most rows that are published and marked at once.
    pub batch: u16,
    /// How often to look for rows of other replicas, and for the lock.
    pub poll: Duration,
    /// How often an idle relay asks whether the stream is still where it should be.
    pub verify: Duration,
    /// How often the metrics are measured.
    pub measure: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            batch: 512,
            poll: Duration::from_millis(500),
            verify: Duration::from_secs(5),
            measure: Duration::from_secs(5),
        }
    }
}

/// Why a relay stopped what it was doing.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The connection that holds the lock failed, so the lock may be another's by now.
    #[error("the outbox cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
    /// The bus did not answer; what is stored is unknown.
    #[error("{0}")]
    Bus(String),
    /// The stream does not end where it should.
    #[error("the stream does not end where the outbox says")]
    Diverged,
    /// Another process is the relay.
    #[error("another process is the relay of this context")]
    NotLeader,
    /// The relay does not give way to whoever claims its place.
    #[error(
        "the relay does not give way; its lock is held by {0}. Stop that replica, or end its connection with \
         pg_terminate_backend, and call again"
    )]
    Held(String),
    /// Somebody else claims the relay's place.
    #[error("the stream is being rebuilt already")]
    Claimed,
}

impl From<PublishError> for RelayError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::WrongLastSequence => Self::Diverged,
            PublishError::Refused { reason, .. } => Self::Bus(reason),
            PublishError::Unavailable(reason) => Self::Bus(reason),
        }
    }
}

/// Whether all was published that was committed before the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Yes (but for what waits behind a refused event).
    Done,
    /// Another process is the relay; it publishes the rest.
    Elsewhere,
    /// Not within the time given. It is published after the next start.
    TimedOut,
}

/// How a relay stopped being the one that works.
enum Ended {
    Stopped,
    /// Somebody claimed its place.
    GaveWay,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    leads: bool,
    /// How often everything was found published.
    drained: u64,
}

/// The relay of one context. Runs in every replica; one works.
pub struct Relay<L> {
    context: String,
    database: Arc<PgConnectOptions>,
    log: L,
    wake: Arc<Notify>,
    options: RelayOptions,
    progress: watch::Sender<Progress>,
    requests: mpsc::Receiver<oneshot::Sender<Result<u64, String>>>,
}

/// Speaks to a running relay. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    wake: Arc<Notify>,
    progress: watch::Receiver<Progress>,
    requests: mpsc::Sender<oneshot::Sender<Result<u64, String>>>,
}

impl RelayHandle {
    /// True when this process's relay is the one that works.
    pub fn leads(&self) -> bool {
        self.progress.borrow().leads
    }

    /// Waits until everything is published that was committed before this call. For a stop in good order: flush,
    /// then cancel the relay.
    pub async fn flush(&self, limit: Duration) -> Flushed {
        let mut progress = self.progress.clone();
        let start = *progress.borrow_and_update();
        if !start.leads {
            return Flushed::Elsewhere;
        }
        self.wake.notify_one();
        // The drain that is going on may have begun before the last commit; the one after it did not.
        let wanted = start.drained + 2;
        let done = progress.wait_for(|now| {
            self.wake.notify_one();
            !now.leads || now.drained >= wanted
        });
        match tokio::time::timeout(limit, done).await {
            Ok(Ok(now)) if now.drained >= wanted => Flushed::Done,
            Ok(_) => Flushed::Elsewhere,
            Err(_) => Flushed::TimedOut,
        }
    }

    /// Builds the stream anew from what the outbox retains, with the same event ids. Answers how many events.
    ///
    /// # Errors
    /// A text: this process's relay does not lead, or what stopped it.
    pub async fn republish(&self) -> Result<u64, String> {
        if !self.leads() {
            return Err(RelayError::NotLeader.to_string());
        }
        let (answer, answered) = oneshot::channel();
        let gone = || "the relay has stopped".to_owned();
        self.requests.send(answer).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// A connection that holds the relay's lock, and what is known of the stream.
pub(crate) struct Session<'a, L> {
    pub(crate) connection: PgConnection,
    pub(crate) context: &'a str,
    pub(crate) log: &'a L,
    pub(crate) batch: i64,
    /// The stream's last sequence, as far as this relay knows.
    pub(crate) last: u64,
}

impl<L: StreamLog> Relay<L> {
    /// A relay of a context's outbox. The pool's connect options must set the `search_path`, since the relay makes
    /// a connection of its own from them. `wake` is what the committer notifies.
    pub fn new(
        pool: &Pool,
        context: impl Into<String>,
        log: L,
        wake: Arc<Notify>,
        options: RelayOptions,
    ) -> (Self, RelayHandle) {
        let (progress, seen) = watch::channel(Progress::default());
        let (sender, requests) = mpsc::channel(1);
        let handle = RelayHandle { wake: Arc::clone(&wake), progress: seen, requests: sender };
        let relay = Self {
            context: context.into(),
            database: pool.connect_options(),
            log,
            wake,
            options,
            progress,
            requests,
        };
        (relay, handle)
    }

    /// Works until `stop`: waits for the lock, heals, publishes. Ends with what was published marked and the lock
    /// given up.
    pub async fn run(mut self, stop: CancellationToken) {
        let first = Duration::from_millis(50);
        let mut pause = first;
        while !stop.is_cancelled() {
            let started = Instant::now();
            let outcome = self.lead(&stop).await;
            self.progress.send_modify(|now| now.leads = false);
            metrics::gauge!(LEADS, "context" => self.context.clone()).set(0.0);
            match outcome {
                Ok(Ended::Stopped) => break,
                Ok(Ended::GaveWay) => {
                    tracing::info!(context = self.context, "gives way to whoever rebuilds the stream");
                    pause = first;
                }
                Err(error) => tracing::warn!(%error, context = self.context, "the relay begins again"),
            }
            if started.elapsed() > Duration::from_secs(10) {
                pause = first;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            }
        }
    }

    /// From connecting to losing the connection (an error), to the stop or to giving way.
    async fn lead(&mut self, stop: &CancellationToken) -> Result<Ended, RelayError> {
        let log = &self.log;
        let Some(connection) = acquire(&self.database, &self.context, self.options.poll, stop).await? else {
            return Ok(Ended::Stopped);
        };
        let mut session = Session::new(connection, &self.context, log, self.options.batch);
        // Before the bus is asked: while it is away the outbox grows, and that is when somebody looks.
        session.measure().await?;
        session.heal().await?;
        tracing::info!(context = self.context, last = session.last, "relays");
        metrics::gauge!(LEADS, "context" => self.context.clone()).set(1.0);
        self.progress.send_modify(|now| now.leads = true);
        let mut measured = None::<Instant>;
        let (mut verified, mut looked) = (Instant::now(), Instant::now());
        while !stop.is_cancelled() {
            let slice = self.options.poll;
            let drained = session.settle(move |session| session.drain_boxed(slice)).await?;
            if drained.all {
                self.progress.send_modify(|now| now.drained += 1);
            }
            if looked.elapsed() >= self.options.poll {
                if answered(is_claimed(&mut session.connection, &self.context)).await? {
                    session.close().await;
                    return Ok(Ended::GaveWay);
                }
                looked = Instant::now();
            }
            if drained.published > 0 {
                verified = Instant::now();
            } else if verified.elapsed() >= self.options.verify {
                // Nothing was published, so nothing would tell that the server lost what it had.
                session.verify().await?;
                verified = Instant::now();
            }
            if measured.is_none_or(|at| at.elapsed() >= self.options.measure) {
                session.measure().await?;
                measured = Some(Instant::now());
            }
            if !drained.all {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(self.options.poll) => {}
                Some(answer) = self.requests.recv() => {
                    let outcome = session.rebuild("asked for").await;
                    // Nobody may be waiting any more.
                    let _ = answer.send(outcome.as_ref().map(|count| *count).map_err(ToString::to_string));
                    outcome?;
                }
            }
        }
        session.close().await;
        Ok(Ended::Stopped)
    }
}

/// Connects and waits for the lock. `None`: stopped.
async fn acquire(
    database: &PgConnectOptions,
    context: &str,
    poll: Duration,
    stop: &CancellationToken,
) -> Result<Option<PgConnection>, RelayError> {
    let options = database.clone().application_name(&format!("{context}-relay"));
    let mut connection = tokio::select! {
        () = stop.cancelled() => return Ok(None),
        connection = answered(options.connect()) => connection?,
    };
    loop {
        if answered(try_lock(&mut connection, context)).await? {
            return Ok(Some(connection));
        }
        // Another process leads and measures; what was measured here would stay as it is.
        for gauge in [UNPUBLISHED, OLDEST_AGE, REFUSED] {
            metrics::gauge!(gauge, "context" => context.to_owned()).set(0.0);
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// What one look at the outbox brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    pub(crate) published: u64,
    /// Nothing was left.
    pub(crate) all: bool,
}

impl<'a, L: StreamLog> Session<'a, L> {
    pub(crate) const fn new(connection: PgConnection, context: &'a str, log: &'a L, batch: u16) -> Self {
        Self { connection, context, log, batch: batch as i64, last: 0 }
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing the relay's connection");
        }
    }

    /// Does something; when the stream turns out to be elsewhere or does not answer, heals and does it again. Gives
    /// up after a few times in a row: the caller then begins from the start, more slowly.
    async fn settle<T>(
        &mut self,
        mut action: impl for<'s> FnMut(&'s mut Self) -> futures::future::BoxFuture<'s, Result<T, RelayError>>,
    ) -> Result<T, RelayError> {
        for _ in 0..3 {
            match action(self).await {
                Err(RelayError::Diverged) => self.heal().await?,
                other => return other,
            }
        }
        Err(RelayError::Diverged)
    }

    fn drain_boxed(
        &mut self,
        slice: Duration,
    ) -> futures::future::BoxFuture<'_, Result<Drained, RelayError>> {
        Box::pin(self.drain(slice))
    }

    /// Publishes until nothing is left, or for about as long as `slice`: whoever calls has more to look at than the
    /// outbox, also when it never gets empty.
    pub(crate) async fn drain(&mut self, slice: Duration) -> Result<Drained, RelayError> {
        let began = Instant::now();
        let mut published = 0;
        loop {
            let rows = answered(outbox::unpublished(&mut self.connection, self.batch)).await?;
            if rows.is_empty() {
                return Ok(Drained { published, all: true });
            }
            let done = self.publish(&rows).await?;
            published += done;
            // Fewer than there might have been: what came since has left word, or is found at the next look. No word is
            // left of what waited behind a refused one.
            let found = rows.len() as u64;
            if done == found && (rows.len() as i64) < self.batch {
                return Ok(Drained { published, all: true });
            }
            if began.elapsed() >= slice {
                return Ok(Drained { published, all: false });
            }
        }
    }

    /// Publishes rows behind the stream's last sequence and marks them. Answers how many.
    pub(crate) async fn publish(&mut self, rows: &[OutboxRow]) -> Result<u64, RelayError> {
        let events: Vec<Event> = rows.iter().map(|row| row.event.clone()).collect();
        let (sequences, stopped) = self.log.publish(&events, self.last).await;
        if let Some(&last) = sequences.last() {
            let (positions, marks): (Vec<i64>, Vec<i64>) = rows
                .iter()
                .zip(&sequences)
                .map(|(row, sequence)| (row.position, mark(*sequence), row.mark))
                .filter(|(_, new, old)| Some(*new) != *old)
                .map(|(position, new, _)| (position, new))
                .unzip();
            if !positions.is_empty() {
                answered(outbox::mark(&mut self.connection, &positions, &marks)).await?;
            }
            self.last = last;
        }
        match stopped {
            None => Ok(sequences.len() as u64),
            Some(PublishError::Refused { index, reason }) => {
                if let Some(row) = rows.get(index) {
                    self.refuse(row, &reason).await?;
                }
                Ok(sequences.len() as u64)
            }
            Some(error) => Err(error.into()),
        }
    }

    async fn refuse(&mut self, row: &OutboxRow, reason: &str) -> Result<(), RelayError> {
        tracing::error!(
            context = self.context,
            event.id = %row.event.id,
            event.kind = row.event.kind,
            reason,
            "the bus refuses this event: later ones of its aggregate wait until it is released by hand"
        );
        metrics::counter!(REFUSALS, "context" => self.context.to_owned()).increment(1);
        answered(outbox::refuse(&mut self.connection, row.position)).await?;
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges")]
    async fn measure(&mut self) -> Result<(), RelayError> {
        let (unpublished, oldest) = answered(outbox::measure(&mut self.connection)).await?;
        metrics::gauge!(UNPUBLISHED, "context" => self.context.to_owned()).set(unpublished as f64);
        metrics::gauge!(OLDEST_AGE, "context" => self.context.to_owned()).set(oldest);
        let blocked = answered(outbox::blocked(&mut self.connection)).await?.len();
        metrics::gauge!(REFUSED, "context" => self.context.to_owned()).set(blocked as f64);
        Ok(())
    }
}

/// How long Postgres may take for one statement of the relay.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Waits for an answer, but not for ever: a connection that leads nowhere must not stay the relay's.
pub(crate) async fn answered<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, RelayError> {
    match tokio::time::timeout(ANSWER_LIMIT, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(late) => Err(RelayError::Database(sqlx::Error::Io(late.into()))),
    }
}

/// A sequence as Postgres keeps it.
pub(crate) fn mark(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
