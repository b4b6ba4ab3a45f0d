//! Names that one process at a time holds, by session-level advisory locks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::Pool;
use callboard_bus::{Exclusive, HandleError, Held};
use futures::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the connection that holds the locks is asked whether it is still there.
const BEAT: Duration = Duration::from_secs(1);
/// How long it may take to answer before all names count as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Leases of one process over one connection of its own: all are lost together with it.
///
/// A process that is cut off from Postgres notices within [`BEAT`] + [`PATIENCE`]; Postgres may give the name away
/// before that. So what is done under a lease must be harmless when done twice (commands are, by their receipts).
#[derive(Debug, Clone)]
pub struct PgLeases {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    name: String,
    answer: oneshot::Sender<Result<Option<Held>, String>>,
}

impl PgLeases {
    /// Leases in the pool's database and schema (its connect options must set the `search_path`). The task ends with
    /// `stop`, and all leases with it: cancel it after everything that holds one has ended.
    pub fn start(pool: &Pool, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (requests, receiver) = mpsc::channel(64);
        let options = pool.connect_options();
        tasks.spawn(async move {
            Keeper { options, connection: None, held: HashMap::new() }.run(receiver, stop).await;
        });
        Self { requests }
    }
}

impl Exclusive for PgLeases {
    fn try_hold<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Held>, HandleError>> {
        Box::pin(async move {
            let gone = || HandleError::Retry("leases have ended".to_owned());
            let (answer, answered) = oneshot::channel();
            let request = Request { name: name.to_owned(), answer };
            self.requests.send(request).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?.map_err(HandleError::Retry)
        })
    }
}

struct Lease {
    lost: CancellationToken,
    given_up: CancellationToken,
}

struct Keeper {
    options: Arc<PgConnectOptions>,
    connection: Option<PgConnection>,
    held: HashMap<String, Lease>,
}

impl Keeper {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>, stop: CancellationToken) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Each branch's work is done outside the select: a query is never dropped half-way.
            let request = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                request = requests.recv() => match request {
                    Some(request) => Some(request),
                    None => break,
                },
                _ = beats.tick(), if self.connection.is_some() => None,
            };
            let outcome = match request {
                Some(request) => {
                    let outcome = self.patiently(Some(&request.name)).await;
                    let answer = match &outcome {
                        Ok(held) => Ok(held.then(|| self.lease(&request.name))),
                        Err(error) => Err(error.clone()),
                    };
                    // Nobody waits any more: the dropped value gives the name up again.
                    let _ = request.answer.send(answer);
                    outcome.map(|_| ())
                }
                None => self.patiently(None).await.map(|_| ()),
            };
            if let Err(error) = outcome {
                tracing::warn!(error, lost = self.held.len(), "the connection that holds the leases failed");
                self.lose();
            }
        }
        self.lose();
    }

    async fn patiently(&mut self, name: Option<&str>) -> Result<bool, String> {
        let work = async {
            self.give_up().await?;
            match name {
                Some(name) => self.try_lock(name).await,
                None => self.beat().await.map(|()| false),
            }
        };
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(outcome) => outcome.map_err(|error: sqlx::Error| error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }

    fn lease(&mut self, name: &str) -> Held {
        let (lost, given_up) = (CancellationToken::new(), CancellationToken::new());
        let held = Held::new(lost.clone(), given_up.clone());
        self.held.insert(name.to_owned(), Lease { lost, given_up });
        held
    }

    fn lose(&mut self) {
        for (_, lease) in self.held.drain() {
            lease.lost.cancel();
        }
        // Dropping the connection frees the locks, if the server has not done so before.
        self.connection = None;
    }

    async fn beat(&mut self) -> Result<(), sqlx::Error> {
        if let Some(connection) = &mut self.connection {
            connection.ping().await?;
        }
        Ok(())
    }

    /// Unlocks what nobody holds any more.
    async fn give_up(&mut self) -> Result<(), sqlx::Error> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let names: Vec<String> = self
            .held
            .iter()
            .filter(|(_, lease)| lease.given_up.is_cancelled())
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            sqlx::query("select pg_advisory_unlock(hashtextextended(current_schema() || ':' || $1, 0))")
                .bind(&name)
                .execute(&mut *connection)
                .await?;
            self.held.remove(&name);
        }
        Ok(())
    }

    async fn try_lock(&mut self, name: &str) -> Result<bool, sqlx::Error> {
        // One session may take an advisory lock twice; two holders in one process may not.
        if self.held.contains_key(name) {
            return Ok(false);
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => {
                let options = self.options.as_ref().clone().application_name("callboard-leases");
                empty.insert(options.connect().await?)
            }
        };
        sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended(current_schema() || ':' || $1, 0))")
            .bind(name)
            .fetch_one(connection)
            .await
    }
}
