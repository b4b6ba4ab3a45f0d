//! The table of webhooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_actor::Step;
use callboard_journal::Pool;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, RowChange, Rows, Schema, Table, selected,
};
use callboard_kernel::{OrganisationId, Timestamp, Version};
use callboard_notifications_domain::webhook::{Disabled, Endpoint, Secret, SecretKey, WebhookState};
use callboard_notifications_domain::{Webhook, WebhookId};
use chrono::TimeDelta;
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Sql, decoded, json};

/// How long it may be known by memory who hears of what.
const TTL: Duration = Duration::from_secs(1);

static WEBHOOK: Table = Table {
    name: "webhook",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("url", ColumnType::Text),
        Column::new("description", ColumnType::Text),
        Column::new("event_types", ColumnType::Json),
        Column::new("enabled", ColumnType::Bool),
        Column::new("disabled_reason", ColumnType::Text),
        Column::new("disabled_at", ColumnType::Timestamp),
        Column::new("secrets", ColumnType::Json),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &WEBHOOK, children: &[] };

/// A secret as it is stored: it must sign, so its value is there.
#[derive(Serialize, Deserialize)]
struct StoredSecret {
    id: Uuid,
    key: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

fn stored(secret: &Secret) -> StoredSecret {
    StoredSecret {
        id: secret.id,
        key: STANDARD.encode(&secret.key.0),
        created_at: secret.created,
        expires_at: secret.expires,
    }
}

fn secret(stored: StoredSecret) -> Result<Secret, base64::DecodeError> {
    Ok(Secret {
        id: stored.id,
        key: SecretKey(STANDARD.decode(stored.key)?),
        created: stored.created_at,
        expires: stored.expires_at,
    })
}

/// Secrets out of a column.
pub(super) fn secrets(column: serde_json::Value) -> Result<Vec<Secret>, String> {
    let stored: Vec<StoredSecret> =
        serde_json::from_value(column).map_err(|_| "secrets are malformed".to_owned())?;
    stored.into_iter().map(secret).collect::<Result<_, _>>().map_err(|_| "a secret is malformed".to_owned())
}

/// Maps webhooks to rows. Nobody else hears of them.
#[derive(Debug, Default, Clone, Copy)]
pub struct WebhookMapping;

fn state(row: &[callboard_journal::Value]) -> Result<WebhookState, Corrupt> {
    let mut cells = Cells::new(&WEBHOOK, row);
    cells.uuid()?;
    let Some(url) = cells.optional_text()? else { return Ok(WebhookState::default()) };
    let (description, event_types, enabled) = (cells.text()?, cells.json()?, cells.bool()?);
    let reason: Option<String> = cells.optional_text()?;
    let reason =
        reason.map(|word| word.parse()).transpose().map_err(|_| cells.corrupt("unknown reason of an end"))?;
    let disabled = reason.zip(cells.optional_time()?).map(|(reason, at)| Disabled { reason, at });
    let kept = secrets(cells.json()?).map_err(|problem| cells.corrupt(problem))?;
    Ok(WebhookState {
        endpoint: Some(Endpoint { url, description, event_types, enabled }),
        secrets: kept,
        disabled,
        created: cells.optional_time()?,
        updated: cells.optional_time()?,
    })
}

impl Mapping for WebhookMapping {
    type Aggregate = Webhook;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<WebhookState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(WebhookState::default()), |row| state(row))
    }

    fn record(&self, step: &Step<'_, Webhook>) -> Result<Record, String> {
        let after = step.after;
        let endpoint = after.endpoint.as_ref();
        let row = vec![
            step.meta.aggregate_id.into(),
            endpoint.map(|endpoint| endpoint.url.clone()).into(),
            endpoint.map_or_else(String::new, |endpoint| endpoint.description.clone()).into(),
            json(&endpoint.map_or(&Vec::new(), |endpoint| &endpoint.event_types)),
            endpoint.is_some_and(|endpoint| endpoint.enabled).into(),
            after.disabled.map(|disabled| disabled.reason.as_str().to_owned()).into(),
            after.disabled.map(|disabled| disabled.at).into(),
            json(&after.secrets.iter().map(stored).collect::<Vec<_>>()),
            after.created.into(),
            after.updated.into(),
        ];
        Ok(Record { rows: vec![RowChange::Put(&WEBHOOK, row)], ..Record::default() })
    }
}

/// A webhook as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWebhook {
    /// Which.
    pub id: WebhookId,
    /// It.
    pub state: WebhookState,
    /// Its version.
    pub version: Version,
    /// Every attempt since then has failed.
    pub failing_since: Option<Timestamp>,
}

/// What decides whether a webhook hears of an event.
#[derive(Debug)]
struct Hearing {
    id: WebhookId,
    event_types: Vec<String>,
    since: Timestamp,
}

/// Reads webhooks.
#[derive(Debug, Clone)]
pub struct Webhooks {
    pool: Pool,
    /// Rises with every change by this process: what was read before it is not looked at any more.
    changes: Arc<AtomicU64>,
    nudge: Arc<Notify>,
    hearing: Cache<(OrganisationId, u64), Arc<Vec<Hearing>>>,
}

const SELECT: &str = "select w.*, d.failing_since from webhook w
    left join destination d on d.channel = 'WEBHOOK' and d.name = w.id::text
    where w.organisation_id = $1 and w.url is not null";

fn read(row: &PgRow) -> Sql<StoredWebhook> {
    let state = decoded(state(&selected(&WEBHOOK, row)?))?;
    let id: Uuid = row.try_get("id")?;
    let failing_since = row.try_get("failing_since")?;
    Ok(StoredWebhook { id: id.into(), state, version: Version(row.try_get("version")?), failing_since })
}

impl Webhooks {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        let hearing = Cache::builder().max_capacity(10_000).time_to_live(TTL).build();
        Self { pool, changes: Arc::default(), nudge: Arc::default(), hearing }
    }

    /// A webhook was made, changed, switched off or removed. Other processes notice it within a second.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.nudge.notify_one();
    }

    /// Told of changes by this process.
    pub fn nudge(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }

    /// Since when events are wanted: since the oldest webhook was made, or since now when there is none but something of
    /// earlier ones is still kept, which goes with its ticket (T-11). `None`: neither.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn wanted(&self) -> Sql<Option<Timestamp>> {
        sqlx::query_scalar(
            "select coalesce((select min(created_at) from webhook where url is not null),
                             case when exists (select from webhook_event) then now() end)",
        )
        .fetch_one(&self.pool)
        .await
    }

    /// A webhook; `None`: not there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn webhook(&self, organisation: OrganisationId, id: WebhookId) -> Sql<Option<StoredWebhook>> {
        let sql = format!("{SELECT} and w.id = $2");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id.uuid())
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(read)
            .transpose()
    }

    /// All webhooks, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(&self, organisation: OrganisationId) -> Sql<Vec<StoredWebhook>> {
        let sql = format!("{SELECT} order by w.created_at, w.id limit 100");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// The webhooks that are to hear of an event of this type which happened then. One that was made later does not: its
    /// clock and the event's may differ by a little.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hearing(
        &self,
        organisation: OrganisationId,
        kind: &str,
        at: Timestamp,
    ) -> Sql<Vec<WebhookId>> {
        // Nearly every event is for no webhook at all, so asking the database each time would cost the most for nothing.
        let load = async {
            let rows: Vec<(Uuid, Json<Vec<String>>, Timestamp)> = sqlx::query_as(
                "select id, event_types, created_at from webhook
                 where organisation_id = $1 and url is not null and enabled",
            )
            .bind(organisation.uuid())
            .fetch_all(&self.pool)
            .await?;
            let known = rows.into_iter().map(|(id, event_types, since)| Hearing {
                id: id.into(),
                event_types: event_types.0,
                since,
            });
            Ok::<_, sqlx::Error>(Arc::new(known.collect()))
        };
        let key = (organisation, self.changes.load(Ordering::Acquire));
        let known: Arc<Vec<Hearing>> = self.hearing.try_get_with(key, load).await.map_err(|error| {
            Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
        })?;
        let package = kind.rsplit_once('.').map_or("", |(package, _)| package);
        let wants = |wanted: &String| wanted == kind || wanted.strip_suffix(".*") == Some(package);
        let hears = |one: &&Hearing| {
            one.since <= at + TimeDelta::minutes(1)
                && (one.event_types.is_empty() || one.event_types.iter().any(wants))
        };
        Ok(known.iter().filter(hears).map(|one| one.id).collect())
    }
}
