//! The connections of a service to Postgres, lent and taken back.
//!
//! Beneath it is sqlx's pool, which makes connections, ends old ones, and asks each one that comes back for a sign of life,
//! which costs as much as a small query. Here a connection whose last statement was answered is put aside as it is, and
//! lent again without a word; only one that is in doubt goes the long way round.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a connection may rest and still be used without asking.
const RESTED: Duration = Duration::from_secs(1);
/// How long a connection may take for a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// After this long a connection goes back to where it was made: to be asked, and to end when it is old or one too many.
const RETURN: Duration = Duration::from_secs(60);

/// Connections of one service. Cheap to clone; usable wherever sqlx takes an executor, as `&pool`.
///
/// Asked for a sign of life is who may have gone, and nobody between one statement and the next:
///
/// - one that rested for a second is asked before it is used, and so is each that rests when another was found broken;
/// - one whose user was cut off in the middle, or borrowed it whole, is asked before anybody else gets it, in the
///   background; when it does not answer in time it is thrown away, with its place given back.
///
/// So a server that goes away fails the calls that are in flight, and one that is cut off without a word keeps no place.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    made: PgPool,
    places: Arc<Semaphore>,
    patience: Duration,
    /// [`RETURN`].
    back_after: Duration,
    resting: Mutex<Vec<Resting>>,
    broken: Broken,
}

/// When a connection was found broken last.
#[derive(Debug, Clone, Default)]
struct Broken(Arc<Mutex<Option<Instant>>>);

impl Broken {
    fn now(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    fn after(&self, moment: Instant) -> bool {
        self.0.lock().is_some_and(|at| at > moment)
    }

    async fn ask(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match timeout(SIGN_OF_LIFE, connection.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.now();
                Err(error)
            }
            // It may be at work on what nobody waits for any more: no word on the others.
            Err(late) => Err(sqlx::Error::Io(late.into())),
        }
    }
}

/// The connection is at fault, or the server as it was when the connection was made: shut down, or somebody ended this
/// session (classes 08 and 57P).
pub(crate) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}

struct Resting {
    connection: PoolConnection<Postgres>,
    /// When it left where it was made.
    left: Instant,
    since: Instant,
}

impl Shared {
    fn doubts(&self, resting: &Resting) -> bool {
        resting.since.elapsed() > RESTED || self.broken.after(resting.since)
    }

    fn lend(self: &Arc<Self>, resting: Resting, place: OwnedSemaphorePermit) -> Lent {
        let Resting { connection, left, .. } = resting;
        Lent { connection: Some(connection), left, in_doubt: true, shared: Arc::clone(self), _place: place }
    }

    /// Puts a connection aside that is as good as new. Those that nobody needed for long go back.
    fn rest(&self, connection: PoolConnection<Postgres>, left: Instant) {
        let mut resting = self.resting.lock();
        // Under the lock, or one could be put aside after all were closed.
        if !self.places.is_closed() && left.elapsed() < self.back_after {
            resting.push(Resting { connection, left, since: Instant::now() });
        }
        let spare = resting.first().is_some_and(|first| first.since.elapsed() > self.back_after);
        let spare = spare.then(|| resting.remove(0));
        drop(resting);
        drop(spare);
    }
}

/// Those that rest end with the pool, as sqlx's idle ones do. Dropped as they are they would be asked once more, by a task,
/// and whoever drops the last pool may have no runtime any more.
impl Drop for Shared {
    fn drop(&mut self) {
        for resting in self.resting.get_mut().drain(..) {
            drop(resting.connection.detach());
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resting = self.shared.resting.lock().len();
        f.debug_struct("Pool")
            .field("made", &self.shared.made)
            .field("resting", &resting)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool of connections that are made when they are needed first. What `limits` says of asking connections and of
    /// what happens around them is replaced.
    pub fn new(limits: PgPoolOptions, connect: PgConnectOptions) -> Self {
        let broken = Broken::default();
        let (found, known) = (broken.clone(), broken.clone());
        let limits = limits
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let broken = known.clone();
                Box::pin(async move {
                    // The server went away since it was made.
                    if broken.0.lock().is_some_and(|at| meta.age > at.elapsed()) {
                        return Err(sqlx::Error::WorkerCrashed);
                    }
                    if meta.idle_for > RESTED {
                        broken.ask(connection).await?;
                    }
                    Ok(true)
                })
            })
            // Sqlx asks by itself, but without a limit: who is cut off without a word would keep its place.
            .after_release(move |connection, _| {
                let broken = found.clone();
                Box::pin(async move { broken.ask(connection).await.map(|()| true) })
            });
        let most = limits.get_max_connections().max(1);
        let patience = limits.get_acquire_timeout();
        Self {
            shared: Arc::new(Shared {
                made: limits.connect_lazy_with(connect),
                places: Arc::new(Semaphore::new(most as usize)),
                patience,
                back_after: RETURN,
                resting: Mutex::default(),
                broken,
            }),
        }
    }

    /// A connection. Whoever borrows one whole may leave anything behind on it: unless it is given back
    /// ([`Lent::give_back`]), it is asked before it is lent again.
    ///
    /// # Errors
    /// `PoolTimedOut` when none is free in time, `PoolClosed`, or what happens when one is made.
    pub async fn acquire(&self) -> Result<Lent, sqlx::Error> {
        let shared = &self.shared;
        // Nearly always one is there: no timer for that.
        if let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() {
            // Taken only where it is good: once all are closed, none may be put back.
            let rested = shared.resting.lock().pop_if(|resting| !shared.doubts(resting));
            if let Some(resting) = rested {
                return Ok(shared.lend(resting, place));
            }
        }
        timeout(shared.patience, self.wait()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn wait(&self) -> Result<Lent, sqlx::Error> {
        let shared = &self.shared;
        let place = Arc::clone(&shared.places).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        loop {
            // Its own statement, so that nothing is locked while a connection is asked.
            let rested = shared.resting.lock().pop();
            let Some(mut resting) = rested else { break };
            // Dropped where it does not answer: it goes back to where it was made, and ends there.
            if !shared.doubts(&resting) || shared.broken.ask(&mut resting.connection).await.is_ok() {
                return Ok(shared.lend(resting, place));
            }
        }
        let (connection, now) = (shared.made.acquire().await?, Instant::now());
        Ok(shared.lend(Resting { connection, left: now, since: now }, place))
    }

    /// Lends none any more, and returns when all that were made are closed.
    pub async fn close(&self) {
        self.shared.places.close();
        let resting = std::mem::take(&mut *self.shared.resting.lock());
        drop(resting);
        self.shared.made.close().await;
    }

    /// How many connections there are.
    pub fn size(&self) -> u32 {
        self.shared.made.size()
    }

    /// How many of them nobody uses now.
    pub fn num_idle(&self) -> usize {
        self.shared.resting.lock().len() + self.shared.made.num_idle()
    }

    /// How connections are made.
    pub fn connect_options(&self) -> Arc<PgConnectOptions> {
        self.shared.made.connect_options()
    }

    /// How many there may be, and how long is waited for one.
    pub fn limits(&self) -> &PgPoolOptions {
        self.shared.made.options()
    }
}

/// A connection that was borrowed. It goes back when it is dropped.
pub struct Lent {
    /// Taken by `drop` and by `detach`, which use up the whole: nobody can look at it afterwards.
    connection: Option<PoolConnection<Postgres>>,
    left: Instant,
    in_doubt: bool,
    shared: Arc<Shared>,
    /// Given up last, so that who waits for it finds the connection.
    _place: OwnedSemaphorePermit,
}

impl Lent {
    /// A statement was answered, be it by an error of Postgres: nothing of it is left on the connection.
    fn answered<T>(&mut self, outcome: &Result<T, sqlx::Error>) {
        match outcome {
            // Others had better ask.
            Err(error) if is_broken(error) => self.shared.broken.now(),
            Ok(_) | Err(sqlx::Error::Database(_)) => self.in_doubt = false,
            Err(_) => {}
        }
    }
}

impl Lent {
    /// Takes it out of the pool, to be thrown away: a farewell to a server that does not listen would hold its place.
    pub fn detach(mut self) -> PgConnection {
        self.connection.take().expect("until it is dropped").detach()
    }

    /// Gives it back as it is: everything that was asked on it was answered, and no transaction is open.
    pub fn give_back(mut self) {
        self.in_doubt = false;
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("in_doubt", &self.in_doubt).finish_non_exhaustive()
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("until it is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("until it is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        match self.connection.take() {
            Some(connection) if !self.in_doubt => self.shared.rest(connection, self.left),
            in_doubt => drop(in_doubt),
        }
    }
}

impl<'p> Executor<'p> for &'_ Pool {
    type Database = Postgres;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<PgQueryResult, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut lent = pool.acquire().await?;
            let done = (&mut *lent).execute(query).await;
            lent.answered(&done);
            done
        })
    }

    /// All of them are read before the first is handed on.
    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let found = async move {
            let mut lent = pool.acquire().await?;
            let found: Result<Vec<_>, _> = (&mut *lent).fetch_many(query).try_collect().await;
            lent.answered(&found);
            Ok::<_, sqlx::Error>(stream::iter(found?).map(Ok))
        };
        stream::once(found).try_flatten().boxed()
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut lent = pool.acquire().await?;
            let found = (&mut *lent).fetch_all(query).await;
            lent.answered(&found);
            found
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut lent = pool.acquire().await?;
            let found = (&mut *lent).fetch_optional(query).await;
            lent.answered(&found);
            found
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut lent = pool.acquire().await?;
            let prepared = (&mut *lent).prepare_with(sql, parameters).await;
            lent.answered(&prepared);
            prepared
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut lent = pool.acquire().await?;
            let described = (&mut *lent).describe(sql).await;
            lent.answered(&described);
            described
        })
    }
}

#[cfg(test)]
mod tests;
