//! Reading aggregates and receipts.

use std::sync::Arc;
use std::time::Duration;

use crate::Pool;
use bytes::Bytes;
use callboard_actor::{Outcome, Receipt, StoreError};
use callboard_kernel::{CommandId, Version};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use tokio::time::timeout;
use uuid::Uuid;

use crate::cells::cell;
use crate::pool::is_broken;
use crate::{Row, Rows, Table};

/// How long Postgres may take for a read. An actor waits for it, and everybody for the actor; a server that vanished
/// without a word would otherwise hold them for as long as the kernel goes on sending.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Reads, on a connection that is thrown away when it does not answer. A read on a connection that turns out to be
/// broken is tried once more on another: the server may have been restarted since it was last used.
async fn answered<T>(
    pool: &Pool,
    read: impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let mut tried = false;
    loop {
        let mut connection = pool.acquire().await.map_err(failed)?;
        match timeout(ANSWER_LIMIT, read(&mut connection)).await {
            Ok(Ok(found)) => {
                connection.give_back();
                return Ok(found);
            }
            // Taken out of the pool rather than closed: a farewell to a server that does not listen would hold the
            // connection's place.
            Ok(Err(error)) if !tried && is_broken(&error) => drop(connection.detach()),
            Ok(Err(error)) => return Err(failed(error)),
            Err(late) => {
                drop(connection.detach());
                return Err(failed(sqlx::Error::Io(late.into())));
            }
        }
        tried = true;
    }
}

/// All rows of one aggregate in these tables, the root first, as of one moment.
pub(super) async fn rows(
    pool: &Pool,
    statement: &Arc<str>,
    tables: &[&'static Table],
    id: Uuid,
) -> Result<(Rows, Version), StoreError> {
    // Made of table and column names, which are constants of the context.
    let found = answered(pool, |connection| {
        sqlx::query(AssertSqlSafe(Arc::clone(statement))).bind(id).fetch_all(connection).boxed()
    })
    .await?;
    let mut rows = Rows::default();
    let mut version = Version::NONE;
    let mut offset = 3;
    let mut offsets: Vec<(&'static Table, usize)> = Vec::with_capacity(tables.len());
    for table in tables {
        offsets.push((table, offset));
        offset += table.columns.len();
    }
    for row in found {
        let number = usize::try_from(row.try_get::<i32, _>(0).map_err(failed)?).unwrap_or(usize::MAX);
        let Some((table, offset)) = offsets.get(number) else {
            return Err(StoreError::Corrupt(format!("row of table {number}")));
        };
        let values = decode(&row, table, *offset)?;
        if number == 0 {
            rows.organisation = Some(row.try_get::<Uuid, _>(1).map_err(failed)?.into());
            version = Version(row.try_get(2).map_err(failed)?);
            rows.root = Some(values);
        } else {
            rows.children.entry(table.name).or_default().push(values);
        }
    }
    Ok((rows, version))
}

fn decode(row: &PgRow, table: &Table, offset: usize) -> Result<Row, StoreError> {
    let cells = table.columns.iter().enumerate().map(|(index, column)| {
        cell(row, offset + index, column.kind)
            .map_err(|error| StoreError::Corrupt(format!("{}.{}: {error}", table.name, column.name)))
    });
    cells.collect()
}

/// The version of one aggregate now.
pub(super) async fn version(pool: &Pool, statement: &Arc<str>, id: Uuid) -> Result<Version, StoreError> {
    let version: Option<i64> = answered(pool, |connection| {
        sqlx::query_scalar(AssertSqlSafe(Arc::clone(statement))).bind(id).fetch_optional(connection).boxed()
    })
    .await?;
    Ok(version.map_or(Version::NONE, Version))
}

/// The receipts there are of these commands.
pub(super) async fn receipts(pool: &Pool, ids: &[CommandId]) -> Result<Vec<Receipt>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = answered(pool, |connection| {
        sqlx::query(
            "select command_id, aggregate_id, fingerprint, version, outcome, answer \
             from command_receipt where command_id = any($1)",
        )
        .bind(ids.clone())
        .fetch_all(connection)
        .boxed()
    })
    .await?;
    rows.iter().map(receipt).collect()
}

fn receipt(row: &PgRow) -> Result<Receipt, StoreError> {
    let outcome: String = row.try_get(4).map_err(failed)?;
    Ok(Receipt {
        command_id: row.try_get::<Uuid, _>(0).map_err(failed)?.into(),
        aggregate_id: row.try_get(1).map_err(failed)?,
        fingerprint: row.try_get(2).map_err(failed)?,
        version: Version(row.try_get(3).map_err(failed)?),
        outcome: outcome_of(&outcome)
            .ok_or_else(|| StoreError::Corrupt(format!("command_receipt.outcome: {outcome:?}")))?,
        answer: Bytes::from(row.try_get::<Vec<u8>, _>(5).map_err(failed)?),
    })
}

fn outcome_of(text: &str) -> Option<Outcome> {
    match text {
        "applied" => Some(Outcome::Applied),
        "nothing" => Some(Outcome::Nothing),
        "erased" => Some(Outcome::Erased),
        _ => text.strip_prefix("rejected:").map(|reason| Outcome::Rejected(reason.to_owned())),
    }
}

/// As stored: `applied`, `nothing` or `rejected:<REASON>`.
pub(super) fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Nothing => "nothing".to_owned(),
        Outcome::Erased => "erased".to_owned(),
        Outcome::Rejected(reason) => format!("rejected:{reason}"),
    }
}

fn failed(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt(error.to_string())
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}
