//! The queue of what is sent to webhooks: one row per event and endpoint, however often an event comes.

use callboard_journal::Pool;
use callboard_kernel::{EventId, OrganisationId, Timestamp};
use callboard_notifications_domain::WebhookId;
use callboard_notifications_domain::webhook::Secret;
use callboard_notifications_domain::webhook::attempt::{HookOutcome, HookState, settled};
use sqlx::Connection as _;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Sql, decoded, webhook};

/// Attempts at one endpoint at once, in all processes together: one that is slow holds up nobody else.
const PER_ENDPOINT: i64 = 4;
/// Attempts for one organisation at once, in all processes together: whoever has many endpoints that are slow holds up
/// nobody else either.
const PER_ORGANISATION: i64 = 16;

/// An event as it is sent.
#[derive(Debug, Clone)]
pub struct HookEvent {
    /// Which.
    pub id: EventId,
    /// The tenant.
    pub organisation: OrganisationId,
    /// Full name.
    pub kind: String,
    /// The ticket it is about.
    pub ticket: Option<Uuid>,
    /// The body, byte by byte.
    pub body: String,
}

/// A delivery in a worker's hands.
#[derive(Clone)]
pub struct ClaimedHook {
    /// To whom.
    pub webhook: WebhookId,
    /// Of what.
    pub event: EventId,
    /// The tenant.
    pub organisation: OrganisationId,
    /// Full name.
    pub kind: String,
    /// Which attempt this is.
    pub attempt: u32,
    /// Where to; it may hold a secret.
    pub url: String,
    /// What signs, newest first; `None`: it cannot be read.
    pub secrets: Option<Vec<Secret>>,
    /// Asked for by hand while the endpoint was switched off: it is tried once.
    pub once: bool,
    /// What is sent.
    pub body: String,
}

impl std::fmt::Debug for ClaimedHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimedHook").field("webhook", &self.webhook).finish_non_exhaustive()
    }
}

/// What came of an attempt, as it is written down.
#[derive(Debug, Clone)]
pub struct Tried {
    /// For the domain.
    pub outcome: HookOutcome,
    /// Why it failed; empty: it did not.
    pub reason: &'static str,
    /// 0: no answer.
    pub status: u16,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub millis: i32,
}

/// The queue.
#[derive(Debug, Clone)]
pub struct Hooks {
    pool: Pool,
}

fn claimed(row: &PgRow) -> Sql<ClaimedHook> {
    let id = |column: &str| row.try_get::<Uuid, _>(column);
    let webhook_id = id("webhook_id")?;
    let secrets: Json<serde_json::Value> = row.try_get("secrets")?;
    // One endpoint's trouble is no trouble of those that were claimed with it.
    let secrets = webhook::secrets(secrets.0)
        .inspect_err(|error| tracing::error!(error, webhook = %webhook_id, "what signs cannot be read"))
        .ok();
    Ok(ClaimedHook {
        webhook: webhook_id.into(),
        event: id("event_id")?.into(),
        organisation: id("organisation_id")?.into(),
        kind: row.try_get("event_type")?,
        attempt: u32::try_from(row.try_get::<i32, _>("attempts")?).unwrap_or_default(),
        url: row.try_get("url")?,
        secrets,
        once: row.try_get("once")?,
        body: row.try_get("body")?,
    })
}

impl Hooks {
    /// In this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Queues an event for these endpoints; answers for how many it is news. Of a ticket that was deleted nothing is
    /// queued any more, unless it `survives`: the word of the deletion itself (T-11).
    ///
    /// # Errors
    /// Those of the database; then nothing was written.
    pub async fn queue(
        &self,
        event: &HookEvent,
        to: &[WebhookId],
        survives: bool,
        by_hand: bool,
        now: Timestamp,
    ) -> Sql<u64> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        if let Some(ticket) = event.ticket.filter(|_| !survives) {
            // Shared with others who speak of it; whoever deletes it waits for all of them.
            let deleted: Option<bool> = sqlx::query_scalar(
                "select deleted from known_subject where organisation_id = $1 and id = $2 for share",
            )
            .bind(event.organisation.uuid())
            .bind(ticket)
            .fetch_optional(&mut *transaction)
            .await?;
            if deleted == Some(true) {
                return Ok(0);
            }
        }
        sqlx::query(
            "insert into webhook_event (id, organisation_id, type, ticket_id, body, created_at)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        )
        .bind(event.id.uuid())
        .bind(event.organisation.uuid())
        .bind(&event.kind)
        // Its own row stays when the ticket's go.
        .bind(event.ticket.filter(|_| !survives))
        .bind(&event.body)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        let done = sqlx::query(
            "insert into webhook_delivery (webhook_id, event_id, organisation_id, event_type, state, attempts, failures,
                 due, by_hand, reason, status_code, created_at, updated_at)
             select webhook, $2, $3, $4, 'DUE', 0, 0, $5, $6, '', 0, $5, $5 from unnest($1::uuid[]) webhook
             order by webhook on conflict do nothing",
        )
        .bind(super::uuids(to))
        .bind(event.id.uuid())
        .bind(event.organisation.uuid())
        .bind(&event.kind)
        .bind(now)
        .bind(by_hand)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(done.rows_affected())
    }

    /// Takes due deliveries into a worker's hands until `lease`, the oldest of each endpoint first. An endpoint that
    /// rests or is switched off is left alone but for what is asked for by hand, and neither an endpoint nor an organisation
    /// fills the whole hand.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim(&self, now: Timestamp, lease: Timestamp, limit: usize) -> Sql<Vec<ClaimedHook>> {
        let rows = sqlx::query(
            "with held as materialized (
                 select organisation_id, count(*) as count from webhook_delivery where state = 'CLAIMED'
                 group by organisation_id),
             waiting as (
                 select c.*, w.organisation_id,
                     row_number() over (partition by w.organisation_id order by c.turn, c.due) as turn_of_organisation
                 from webhook w
                 cross join lateral (
                     select count(*) as held from webhook_delivery b
                     where b.webhook_id = w.id and b.state = 'CLAIMED') busy
                 cross join lateral (
                     select d.webhook_id, d.event_id, d.due, d.by_hand and not w.enabled as once,
                         row_number() over (order by d.by_hand desc, d.due) as turn
                     from webhook_delivery d
                     where d.webhook_id = w.id and d.state = 'DUE' and d.due <= $1
                       and (d.by_hand or w.enabled and not exists (select from destination r
                           where r.channel = 'WEBHOOK' and r.name = w.id::text and r.not_before > $1))
                     order by d.by_hand desc, d.due limit greatest($2 - busy.held, 0)) c
                 where w.url is not null),
             chosen as (
                 select c.webhook_id, c.event_id, c.once from waiting c left join held h using (organisation_id)
                 where c.turn_of_organisation <= $5 - coalesce(h.count, 0)
                 order by c.turn, c.due limit $3),
             taken as (
                 update webhook_delivery d set state = 'CLAIMED', attempts = attempts + 1, lease = $4,
                     by_hand = false, updated_at = $1
                 from chosen c where d.webhook_id = c.webhook_id and d.event_id = c.event_id and d.state = 'DUE'
                 returning d.webhook_id, d.event_id, d.organisation_id, d.event_type, d.attempts, c.once)
             select t.*, w.url, w.secrets, e.body
             from taken t join webhook w on w.id = t.webhook_id join webhook_event e on e.id = t.event_id",
        )
        .bind(now)
        .bind(PER_ENDPOINT)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(lease)
        .bind(PER_ORGANISATION)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(claimed).collect()
    }

    /// Writes an attempt down, and what follows from it. One that was taken for dead meanwhile changes nothing more; one that
    /// was asked for again meanwhile follows at once, whatever came of this.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle(&self, claimed: &ClaimedHook, tried: &Tried, now: Timestamp) -> Sql<()> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        // Claiming takes the mark of what is asked for by hand: if it is there, it was asked for since.
        let found: Option<(i32, bool)> = sqlx::query_as(
            "select failures, by_hand from webhook_delivery
             where webhook_id = $1 and event_id = $2 and state = 'CLAIMED' and attempts = $3 for update",
        )
        .bind(claimed.webhook.uuid())
        .bind(claimed.event.uuid())
        .bind(i32::try_from(claimed.attempt).unwrap_or(i32::MAX))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((failures, again)) = found else { return Ok(()) };
        let failed = tried.outcome != HookOutcome::Taken;
        let failures = failures + i32::from(failed);
        // Spread by what differs between deliveries.
        let spread = (claimed.event.uuid().as_u128() ^ claimed.webhook.uuid().as_u128()) as u32;
        let (state, due) =
            match settled(tried.outcome, u32::try_from(failures).unwrap_or_default(), spread, now) {
                _ if again => (HookState::Due, Some(now)),
                // Nobody would take it up again before the endpoint is switched on.
                (HookState::Due, _) if claimed.once => (HookState::Failed, None),
                settled => settled,
            };
        let failures = if again { 0 } else { failures };
        sqlx::query(
            "update webhook_delivery set state = $3, failures = $4, due = coalesce($5, due), lease = null,
                 reason = $6, status_code = $7, updated_at = $8
             where webhook_id = $1 and event_id = $2",
        )
        .bind(claimed.webhook.uuid())
        .bind(claimed.event.uuid())
        .bind(state.as_str())
        .bind(failures)
        .bind(due)
        .bind(tried.reason)
        .bind(i32::from(tried.status))
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "insert into webhook_attempt (webhook_id, event_id, number, organisation_id, event_type, at, duration_ms,
                 status_code, reason)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
        )
        .bind(claimed.webhook.uuid())
        .bind(claimed.event.uuid())
        .bind(i32::try_from(claimed.attempt).unwrap_or(i32::MAX))
        .bind(claimed.organisation.uuid())
        .bind(&claimed.kind)
        .bind(tried.at)
        .bind(tried.millis)
        .bind(i32::from(tried.status))
        .bind(tried.reason)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    /// Takes up again what dead workers held: the endpoint may have had it, and has it again, under the same name.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep(&self, now: Timestamp) -> Sql<u64> {
        let done = sqlx::query(
            "with dead as (
                 update webhook_delivery d set state = 'DUE', due = $1, lease = null, reason = 'INTERRUPTED',
                     status_code = 0, updated_at = $1,
                     -- To one that is switched off nothing goes but what was asked for by hand, and this was going.
                     by_hand = by_hand or not exists (
                         select from webhook w where w.id = d.webhook_id and w.enabled)
                 where state = 'CLAIMED' and lease <= $1
                 returning webhook_id, event_id, attempts, organisation_id, event_type)
             insert into webhook_attempt (webhook_id, event_id, number, organisation_id, event_type, at, duration_ms,
                 status_code, reason)
             select webhook_id, event_id, attempts, organisation_id, event_type, $1, 0, 0, 'INTERRUPTED' from dead
             on conflict do nothing",
        )
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// What was queued of a ticket goes with it, sent or not (T-11). Attempts name the event alone and stay.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn purge(&self, organisation: OrganisationId, ticket: Uuid) -> Sql<()> {
        sqlx::query("delete from webhook_event where organisation_id = $1 and ticket_id = $2")
            .bind(organisation.uuid())
            .bind(ticket)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What waits for a webhook that was removed goes, and what is known of how it failed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn drop_of(&self, organisation: OrganisationId, webhook: WebhookId) -> Sql<()> {
        for table in ["webhook_delivery", "webhook_attempt"] {
            let sql = format!("delete from {table} where organisation_id = $1 and webhook_id = $2");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(organisation.uuid())
                .bind(webhook.uuid())
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }

    /// Forgets what was queued and tried before this time, and what is for nobody any more. Answers how many events went,
    /// or how many attempts where those are more: less than `limit` when nothing is left.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget(&self, before: Timestamp, limit: i64) -> Sql<u64> {
        let attempts = sqlx::query(
            "delete from webhook_attempt where (webhook_id, event_id, number) in
                 (select webhook_id, event_id, number from webhook_attempt where at < $1 limit $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "delete from webhook_delivery d using webhook w where w.id = d.webhook_id and w.url is null",
        )
        .execute(&self.pool)
        .await?;
        let done = sqlx::query(
            "delete from webhook_event where id in (select id from webhook_event where created_at < $1 limit $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected().max(attempts.rows_affected()))
    }

    /// Delivers these again at once, each once per request: all of them or, where one is not there, none. Answers those
    /// that are there. What is just being sent is sent once more after that.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn redeliver(
        &self,
        organisation: OrganisationId,
        webhook: WebhookId,
        events: &[Uuid],
        request: Uuid,
        now: Timestamp,
    ) -> Sql<Vec<Uuid>> {
        sqlx::query_scalar(
            "with known as materialized (
                 select event_id from webhook_delivery
                 where organisation_id = $1 and webhook_id = $2 and event_id = any($3)),
             again as (
                 update webhook_delivery set by_hand = true, asked_by = $4,
                     state = case when state = 'CLAIMED' then state else 'DUE' end,
                     due = case when state = 'CLAIMED' then due else $5 end,
                     failures = case when state = 'CLAIMED' then failures else 0 end,
                     updated_at = $5
                 where organisation_id = $1 and webhook_id = $2 and event_id = any($3)
                   and asked_by is distinct from $4
                   and (select count(*) from known) = (select count(distinct wanted) from unnest($3) wanted))
             select event_id from known",
        )
        .bind(organisation.uuid())
        .bind(webhook.uuid())
        .bind(events)
        .bind(request)
        .bind(now)
        .fetch_all(&self.pool)
        .await
    }

    /// Delivers again what was given up and was queued since then, at the endpoint's pace; answers how many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn redeliver_failed(
        &self,
        organisation: OrganisationId,
        webhook: WebhookId,
        since: Timestamp,
        request: Uuid,
        now: Timestamp,
    ) -> Sql<i64> {
        sqlx::query(
            "update webhook_delivery set state = 'DUE', due = $5, failures = 0, asked_by = $4, updated_at = $5
             where organisation_id = $1 and webhook_id = $2 and state = 'FAILED' and created_at >= $3
               and asked_by is distinct from $4",
        )
        .bind(organisation.uuid())
        .bind(webhook.uuid())
        .bind(since)
        .bind(request)
        .bind(now)
        .execute(&self.pool)
        .await?;
        sqlx::query_scalar(
            "select count(*) from webhook_delivery where organisation_id = $1 and webhook_id = $2 and asked_by = $3",
        )
        .bind(organisation.uuid())
        .bind(webhook.uuid())
        .bind(request)
        .fetch_one(&self.pool)
        .await
    }
}

/// A stored word of a delivery's state.
pub(super) fn hook_state(word: &str) -> Sql<HookState> {
    decoded(word.parse())
}
