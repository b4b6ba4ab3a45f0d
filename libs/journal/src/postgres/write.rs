//! Writing a batch of units in one statement.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use callboard_actor::CommitError;
use callboard_kernel::{CommandId, Timestamp};
use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::types::Type;
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Postgres};
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use crate::committer::Writer;
use crate::failure::{Failure, MOST_TRIES};
use crate::metric_names as metric;
use crate::postgres::read::outcome_text;
use crate::prepared::Prepared;
use crate::{Column, ColumnType, Lent, Pool, Schema, Table, Value};

/// How long Postgres may take for one batch. A server that vanished without a word (its host died, a partition) would
/// otherwise hold all commands of this kind for as long as the kernel goes on sending: a quarter of an hour.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct PgWriter {
    pub(crate) pool: Pool,
    pub(crate) statement: Arc<str>,
    pub(crate) schema: &'static Schema,
    /// Of the aggregate, for timers.
    pub(crate) kind: &'static str,
    pub(crate) context: &'static str,
    pub(crate) outbox_wake: Arc<Notify>,
    pub(crate) timer_wake: Arc<Notify>,
}

type Outcomes = Vec<Result<(), CommitError>>;

impl Writer for PgWriter {
    /// Kept while there is work: taking one from the pool costs a round trip.
    type Session = Option<Lent>;

    async fn write(&self, session: &mut Self::Session, units: &[Prepared]) -> Outcomes {
        let outcomes = self.write_all(session, units).await;
        let mut events = false;
        let mut timers = false;
        for (unit, outcome) in units.iter().zip(&outcomes) {
            let word = match outcome {
                Ok(()) => {
                    events |= !unit.events.is_empty();
                    timers |= !unit.timers.is_empty();
                    "written"
                }
                Err(CommitError::Conflict) => "conflict",
                Err(CommitError::Replayed(_)) => "replayed",
                Err(CommitError::Refused(_)) => "refused",
                Err(CommitError::Unknown(_)) => "unknown",
            };
            metrics::counter!(metric::UNITS, "context" => self.context, "outcome" => word).increment(1);
        }
        if events {
            self.outbox_wake.notify_one();
        }
        if timers {
            self.timer_wake.notify_one();
        }
        outcomes
    }
}

impl PgWriter {
    async fn write_all(&self, session: &mut Option<Lent>, units: &[Prepared]) -> Outcomes {
        if let [unit] = units {
            return vec![self.write_alone(session, unit).await];
        }
        match self.execute(session, units).await {
            Ok(outcomes) => outcomes,
            Err(error) => match Failure::of(&error) {
                Failure::Lost => {
                    let problem = error.to_string();
                    units.iter().map(|_| Err(CommitError::Unknown(problem.clone()))).collect()
                }
                Failure::Unit | Failure::Again => {
                    metrics::counter!(metric::BATCHES_SPLIT, "context" => self.context).increment(1);
                    let mut outcomes = Vec::with_capacity(units.len());
                    for unit in units {
                        outcomes.push(self.write_alone(session, unit).await);
                    }
                    outcomes
                }
            },
        }
    }

    async fn write_alone(&self, session: &mut Option<Lent>, unit: &Prepared) -> Result<(), CommitError> {
        let mut problem = String::new();
        for _ in 0..MOST_TRIES {
            match self.execute(session, std::slice::from_ref(unit)).await {
                Ok(mut outcomes) => {
                    return outcomes.pop().unwrap_or_else(|| Err(CommitError::Unknown(String::new())));
                }
                Err(error) => {
                    problem = error.to_string();
                    match Failure::of(&error) {
                        Failure::Unit => return Err(CommitError::Refused(problem)),
                        Failure::Lost => return Err(CommitError::Unknown(problem)),
                        Failure::Again => {}
                    }
                }
            }
        }
        Err(CommitError::Unknown(problem))
    }

    /// One round trip, one transaction.
    async fn execute(&self, session: &mut Option<Lent>, units: &[Prepared]) -> Result<Outcomes, sqlx::Error> {
        let arguments = bind(self.kind, self.schema, units).map_err(sqlx::Error::Encode)?;
        let connection = match session {
            Some(connection) => connection,
            None => session.insert(self.pool.acquire().await?),
        };
        // Made of table and column names, which are constants of the context.
        let statement = AssertSqlSafe(Arc::clone(&self.statement));
        let query = sqlx::query_as_with(statement, arguments);
        let work = async {
            if units.iter().any(|unit| unit.erases) {
                erasing(connection, query, units).await
            } else {
                query.fetch_all(&mut **connection).await
            }
        };
        let answer =
            timeout(ANSWER_LIMIT, work).await.unwrap_or_else(|late| Err(sqlx::Error::Io(late.into())));
        let rows = match answer {
            Ok(rows) => rows,
            Err(error) => {
                if matches!(Failure::of(&error), Failure::Lost) {
                    // Closed by the server, or nobody knows what state it is in. Taken out of the pool rather than
                    // closed: a farewell to a server that does not listen would hold the connection's place.
                    if let Some(lost) = session.take() {
                        drop(lost.detach());
                    }
                }
                return Err(error);
            }
        };
        let mut won = HashSet::with_capacity(units.len());
        let mut replayed: HashMap<Uuid, Vec<CommandId>> = HashMap::new();
        for (aggregate, command) in rows {
            match command {
                Some(command) => replayed.entry(aggregate).or_default().push(command.into()),
                None => {
                    won.insert(aggregate);
                }
            }
        }
        let outcomes = units.iter().map(|unit| match replayed.remove(&unit.aggregate_id) {
            Some(commands) => Err(CommitError::Replayed(commands)),
            None if won.contains(&unit.aggregate_id) => Ok(()),
            None => Err(CommitError::Conflict),
        });
        Ok(outcomes.collect())
    }
}

/// A row per winner, and one per command that has a receipt.
type Answered = Vec<(Uuid, Option<Uuid>)>;

/// Writes a batch in which aggregates are deleted for good, and empties what their earlier commands answered. Deleting
/// is rare, so this takes a transaction of several round trips, and all other batches stay at one.
async fn erasing(
    connection: &mut Lent,
    query: QueryAs<'_, Postgres, (Uuid, Option<Uuid>), PgArguments>,
    units: &[Prepared],
) -> Result<Answered, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let rows: Answered = query.fetch_all(&mut *transaction).await?;
    let erased = || units.iter().filter(|unit| unit.erases);
    let winners: Vec<Uuid> = erased()
        .map(|unit| unit.aggregate_id)
        .filter(|id| rows.iter().any(|(winner, command)| winner == id && command.is_none()))
        .collect();
    let own: Vec<Uuid> =
        erased().flat_map(|unit| &unit.receipts).map(|receipt| receipt.command_id.uuid()).collect();
    sqlx::query(
        "update command_receipt set answer = '', outcome = 'erased' \
         where aggregate_id = any($1) and command_id <> all($2)",
    )
    .bind(winners)
    .bind(own)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(rows)
}

/// The arguments of [`Statements::commit`](crate::statement::Statements), in its order.
fn bind(kind: &str, schema: &Schema, units: &[Prepared]) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(kind)?;
    column(&mut arguments, units.iter().map(|unit| unit.aggregate_id))?;
    column(&mut arguments, units.iter().map(|unit| unit.organisation.uuid()))?;
    column(&mut arguments, units.iter().map(|unit| unit.expected.0))?;
    column(&mut arguments, units.iter().map(|unit| unit.version.0))?;
    let nothing = vec![Value::Null; schema.root.columns.len()];
    let roots: Vec<&[Value]> =
        units.iter().map(|unit| unit.root.as_deref().unwrap_or(&nothing)).map(|root| &root[1..]).collect();
    rows(&mut arguments, &roots, schema.root.columns.iter().skip(1))?;

    let receipts = || units.iter().flat_map(|unit| unit.receipts.iter());
    column(&mut arguments, receipts().map(|receipt| receipt.aggregate_id))?;
    column(&mut arguments, receipts().map(|receipt| receipt.command_id.uuid()))?;
    column(&mut arguments, receipts().map(|receipt| receipt.fingerprint))?;
    column(&mut arguments, receipts().map(|receipt| receipt.version.0))?;
    column(&mut arguments, receipts().map(|receipt| outcome_text(&receipt.outcome)))?;
    column(&mut arguments, receipts().map(|receipt| &receipt.answer[..]))?;

    for (number, child) in schema.children.iter().enumerate() {
        let deletes: Vec<(Uuid, &[Value])> = units
            .iter()
            .flat_map(|unit| {
                unit.children[number].deletes.iter().map(|key| (unit.aggregate_id, key.as_slice()))
            })
            .collect();
        column(&mut arguments, deletes.iter().map(|(id, _)| *id))?;
        let keys: Vec<&[Value]> = deletes.into_iter().map(|(_, key)| key).collect();
        rows(&mut arguments, &keys, key_columns(child))?;
        let puts = units.iter().flat_map(|unit| unit.children[number].puts.iter().map(Vec::as_slice));
        rows(&mut arguments, &puts.collect::<Vec<_>>(), child.columns.iter())?;
    }

    let events = || units.iter().flat_map(|unit| unit.events.iter().map(|event| (unit.aggregate_id, event)));
    column(&mut arguments, events().map(|(id, _)| id))?;
    column(&mut arguments, events().map(|(_, event)| event.id.uuid()))?;
    column(&mut arguments, events().map(|(_, event)| event.organisation.uuid()))?;
    column(&mut arguments, events().map(|(_, event)| event.context.as_str()))?;
    column(&mut arguments, events().map(|(_, event)| event.name.as_str()))?;
    column(&mut arguments, events().map(|(_, event)| event.kind.as_str()))?;
    column(&mut arguments, events().map(|(_, event)| event.aggregate_id))?;
    column(&mut arguments, events().map(|(_, event)| event.aggregate_version.0))?;
    column(&mut arguments, events().map(|(_, event)| event.time))?;
    column(&mut arguments, events().map(|(_, event)| event.causation.map(|id| id.uuid())))?;
    column(&mut arguments, events().map(|(_, event)| event.correlation))?;
    column(&mut arguments, events().map(|(_, event)| event.traceparent.as_deref()))?;
    column(&mut arguments, events().map(|(_, event)| event.actor.to_string()))?;
    column(&mut arguments, events().map(|(_, event)| &event.payload[..]))?;

    let timers =
        || units.iter().flat_map(|unit| unit.timers.iter().map(|(name, to)| (unit.aggregate_id, name, to)));
    let set =
        || timers().filter_map(|(id, name, to)| to.as_ref().map(|(due, payload)| (id, name, due, payload)));
    column(&mut arguments, set().map(|(id, ..)| id))?;
    column(&mut arguments, set().map(|(_, name, ..)| name.as_str()))?;
    column(&mut arguments, set().map(|(_, _, due, _)| *due))?;
    column(&mut arguments, set().map(|(.., payload)| &payload[..]))?;
    let cancelled = || timers().filter(|(.., to)| to.is_none());
    column(&mut arguments, cancelled().map(|(id, ..)| id))?;
    column(&mut arguments, cancelled().map(|(_, name, _)| name.as_str()))?;
    Ok(arguments)
}

/// One array.
fn column<'a, T>(arguments: &mut PgArguments, values: impl Iterator<Item = T>) -> Result<(), BoxDynError>
where
    Vec<T>: Encode<'a, Postgres> + Type<Postgres> + 'a,
{
    arguments.add(values.collect::<Vec<T>>())
}

/// One array per column.
fn rows<'c>(
    arguments: &mut PgArguments,
    rows: &[&[Value]],
    columns: impl Iterator<Item = &'c Column>,
) -> Result<(), BoxDynError> {
    for (index, of) in columns.enumerate() {
        let values = || rows.iter().map(|row| &row[index]);
        // Types were checked when the unit was prepared; what is left of another type is null.
        macro_rules! array {
            ($type:ty, $variant:ident($value:ident) => $sent:expr) => {
                column::<Option<$type>>(
                    arguments,
                    values().map(|value| match value {
                        Value::$variant($value) => Some($sent),
                        _ => None,
                    }),
                )?
            };
        }
        match of.kind {
            ColumnType::Uuid => array!(Uuid, Uuid(id) => *id),
            ColumnType::Text => array!(&str, Text(text) => text.as_str()),
            ColumnType::BigInt => array!(i64, BigInt(n) => *n),
            ColumnType::Int => array!(i32, Int(n) => *n),
            ColumnType::Double => array!(f64, Double(n) => *n),
            ColumnType::Bool => array!(bool, Bool(is) => *is),
            ColumnType::Timestamp => array!(Timestamp, Timestamp(time) => *time),
            ColumnType::Json => array!(String, Json(json) => json.to_string()),
            ColumnType::Bytes => array!(&[u8], Bytes(raw) => raw.as_slice()),
        }
    }
    Ok(())
}

fn key_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.key.iter().filter_map(|name| table.columns.iter().find(|column| column.name == *name))
}
