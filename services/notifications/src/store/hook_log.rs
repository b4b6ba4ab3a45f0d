//! The log of webhooks: deliveries and attempts.

use callboard_journal::Pool;
use callboard_kernel::{OrganisationId, Timestamp};
use callboard_notifications_domain::WebhookId;
use callboard_notifications_domain::webhook::attempt::HookState;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use uuid::Uuid;

use super::Sql;
use super::hooks::hook_state;

/// A delivery in the log.
#[derive(Debug, Clone)]
pub struct LoggedHook {
    /// Of what.
    pub event: Uuid,
    /// Full name.
    pub kind: String,
    /// Where it stands.
    pub state: HookState,
    /// How often it was tried.
    pub attempts: i32,
    /// Of the last attempt.
    pub reason: String,
    /// Of the last attempt.
    pub status: i32,
    /// When it is tried next.
    pub due: Timestamp,
    /// When it was queued.
    pub created: Timestamp,
    /// When something happened to it last.
    pub updated: Timestamp,
}

/// An attempt in the log.
#[derive(Debug, Clone)]
pub struct LoggedAttempt {
    /// Of what.
    pub event: Uuid,
    /// Full name.
    pub kind: String,
    /// Which.
    pub number: i32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub millis: i32,
    /// 0: no answer.
    pub status: i32,
    /// Empty: it did not fail.
    pub reason: String,
}

/// Where the next page of deliveries starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookCursor {
    /// When it was queued.
    pub created: Timestamp,
    /// The event.
    pub event: Uuid,
}

/// Where the next page of attempts starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptCursor {
    /// When it began.
    pub at: Timestamp,
    /// The event.
    pub event: Uuid,
    /// Which.
    pub number: i32,
}

/// Reads the log.
#[derive(Debug, Clone)]
pub struct HookLog {
    pool: Pool,
}

impl HookLog {
    /// In this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Deliveries to a webhook, latest first. `kind`: of this type alone.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn deliveries(
        &self,
        organisation: OrganisationId,
        webhook: WebhookId,
        states: &[HookState],
        kind: Option<&str>,
        after: Option<HookCursor>,
        limit: u32,
    ) -> Sql<Vec<LoggedHook>> {
        let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let rows = sqlx::query(
            "select * from webhook_delivery
             where organisation_id = $1 and webhook_id = $2 and (cardinality($3::text[]) = 0 or state = any($3))
               and ($4::text is null or event_type = $4)
               and ($5::timestamptz is null or (created_at, event_id) < ($5, $6))
             order by created_at desc, event_id desc limit $7",
        )
        .bind(organisation.uuid())
        .bind(webhook.uuid())
        .bind(states)
        .bind(kind)
        .bind(after.map(|cursor| cursor.created))
        .bind(after.map(|cursor| cursor.event))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(LoggedHook {
                    event: row.try_get("event_id")?,
                    kind: row.try_get("event_type")?,
                    state: hook_state(row.try_get("state")?)?,
                    attempts: row.try_get("attempts")?,
                    reason: row.try_get("reason")?,
                    status: row.try_get("status_code")?,
                    due: row.try_get("due")?,
                    created: row.try_get("created_at")?,
                    updated: row.try_get("updated_at")?,
                })
            })
            .collect()
    }

    /// Attempts at a webhook, latest first. `event`: of this one alone.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn attempts(
        &self,
        organisation: OrganisationId,
        webhook: WebhookId,
        event: Option<Uuid>,
        after: Option<AttemptCursor>,
        limit: u32,
    ) -> Sql<Vec<LoggedAttempt>> {
        let rows = sqlx::query(
            "select * from webhook_attempt
             where organisation_id = $1 and webhook_id = $2 and ($3::uuid is null or event_id = $3)
               and ($4::timestamptz is null or (at, event_id, number) < ($4, $5, $6))
             order by at desc, event_id desc, number desc limit $7",
        )
        .bind(organisation.uuid())
        .bind(webhook.uuid())
        .bind(event)
        .bind(after.map(|cursor| cursor.at))
        .bind(after.map(|cursor| cursor.event))
        .bind(after.map(|cursor| cursor.number))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(LoggedAttempt {
                    event: row.try_get("event_id")?,
                    kind: row.try_get("event_type")?,
                    number: row.try_get("number")?,
                    at: row.try_get("at")?,
                    millis: row.try_get("duration_ms")?,
                    status: row.try_get("status_code")?,
                    reason: row.try_get("reason")?,
                })
            })
            .collect()
    }
}
