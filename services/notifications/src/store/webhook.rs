//! The table of webhooks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, RowChange, Rows, Schema, Table, selected,
};
use callboard_kernel::{OrganisationId, Timestamp, Version};
use callboard_notifications_domain::webhook::{Disabled, Endpoint, Secret, SecretKey, WebhookState};
use callboard_notifications_domain::{Webhook, WebhookId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::{Sql, decoded, json};

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

/// Reads webhooks.
#[derive(Debug, Clone)]
pub struct Webhooks {
    pool: PgPool,
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
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
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
        let all_of_it = kind.rsplit_once('.').map(|(package, _)| format!("{package}.*"));
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "select id from webhook
             where organisation_id = $1 and url is not null and enabled and created_at <= $4 + interval '1 minute'
               and (event_types = '[]' or event_types ? $2 or event_types ? $3)",
        )
        .bind(organisation.uuid())
        .bind(kind)
        .bind(all_of_it)
        .bind(at)
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }
}
