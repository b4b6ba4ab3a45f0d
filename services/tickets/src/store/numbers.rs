//! Ticket numbers: short, unique in their organisation, rising (T-14).

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_journal::Pool;
use callboard_kernel::{ErrorKind, OrganisationId, Refusal};
use sqlx::Row as _;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// How many callers may wait.
const WAITING: usize = 4096;
/// How many callers one statement serves.
const BATCH: usize = 512;
/// How long Postgres may take. A server that is cut off without a word must not keep everybody from opening tickets.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

struct Request {
    organisation: Uuid,
    reply: oneshot::Sender<Option<i64>>,
}

/// Gives out ticket numbers. Callers that wait together are served by one statement.
///
/// Every number comes from the one counter row of its organisation, so over all replicas a number asked for after
/// another was given is the higher one. A number that is not used (the command was refused) leaves a gap.
///
/// The counter is written with `synchronous_commit = off`: nobody waits for the disk here. That is safe because the
/// commit of the ticket that uses the number comes later in the same write-ahead log and does wait: when the ticket is
/// there after a crash, so is the counter's rise. What a crash can lose are numbers that no ticket has. The unique
/// index on organisation and number is the last guard.
#[derive(Debug, Clone)]
pub struct Numbers {
    sender: mpsc::Sender<Request>,
}

impl Numbers {
    /// Numbers from the `number_counter` of this pool's schema. Works in a task on `tracker`, on a connection of its
    /// own, until `stop` (when no call is in flight any more) or until the last clone is dropped.
    pub fn new(pool: &Pool, tracker: &TaskTracker, stop: CancellationToken) -> Self {
        let options = pool.connect_options().as_ref().clone().options([("synchronous_commit", "off")]);
        let limits =
            PgPoolOptions::new().max_connections(1).acquire_timeout(pool.limits().get_acquire_timeout());
        let own = Pool::new(limits, options);
        let (sender, receiver) = mpsc::channel(WAITING);
        tracker.spawn(async move {
            // `serve` may be dropped anywhere: a statement cut off is at worst a gap.
            let _ = stop.run_until_cancelled(serve(&own, receiver)).await;
            own.close().await;
        });
        Self { sender }
    }

    /// The next number of an organisation.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` when too many wait, `UNAVAILABLE` when the database does not answer.
    pub async fn next(&self, organisation: OrganisationId) -> Result<i64, Refusal> {
        let (reply, number) = oneshot::channel();
        let request = Request { organisation: organisation.uuid(), reply };
        self.sender.try_send(request).map_err(|_| {
            Refusal::new(
                ErrorKind::ResourceExhausted,
                "TOO_MANY_OPENING",
                "too many tickets are being opened",
            )
        })?;
        number.await.ok().flatten().ok_or_else(|| {
            Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", "no ticket number to be had now")
        })
    }
}

async fn serve(pool: &Pool, mut receiver: mpsc::Receiver<Request>) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        // Who has gone meanwhile needs no number.
        batch.retain(|request| !request.reply.is_closed());
        let mut wanted: BTreeMap<Uuid, i64> = BTreeMap::new();
        for request in &batch {
            *wanted.entry(request.organisation).or_default() += 1;
        }
        let taken = tokio::time::timeout(ANSWER_LIMIT, take(pool, &wanted)).await;
        match taken.unwrap_or_else(|late| Err(sqlx::Error::Io(late.into()))) {
            Ok(mut next) => {
                for request in batch.drain(..) {
                    let number = next.get_mut(&request.organisation).map(|next| {
                        *next += 1;
                        *next
                    });
                    // The caller has gone: a gap.
                    let _ = request.reply.send(number);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no ticket numbers");
                batch.clear();
            }
        }
    }
}

/// Takes as many numbers as wanted, and answers the last number before them. Counters are taken in order of
/// organisation, so that two replicas wait for each other and never in a circle.
async fn take(pool: &Pool, wanted: &BTreeMap<Uuid, i64>) -> Result<BTreeMap<Uuid, i64>, sqlx::Error> {
    let organisations: Vec<Uuid> = wanted.keys().copied().collect();
    let counts: Vec<i64> = wanted.values().copied().collect();
    let rows = sqlx::query(
        "insert into number_counter as c (organisation_id, last) \
         select * from unnest($1::uuid[], $2::bigint[]) \
         on conflict (organisation_id) do update set last = c.last + excluded.last \
         returning organisation_id, last",
    )
    .bind(&organisations)
    .bind(&counts)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let organisation: Uuid = row.try_get("organisation_id")?;
            let last: i64 = row.try_get("last")?;
            Ok((organisation, last - wanted.get(&organisation).copied().unwrap_or_default()))
        })
        .collect()
}
