//! The queue of deliveries, and the log of what became of them (N-5).

use std::collections::BTreeMap;

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{Actor, EventId, OrganisationId, Timestamp};
use callboard_notifications_domain::delivery::{Delivery, Outcome, State};
use callboard_notifications_domain::{Because, Channel, EventType, Origin, Person, Strategy, SubjectKind};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::settle::{self, Leaving, Settling};
use super::{Sql, decoded};

/// How long a worker has for one attempt before it is taken for dead.
pub const LEASE: TimeDelta = TimeDelta::seconds(90);
/// Attempts at one destination that are taken at once, so that the others have their turn. Of pushes also those that are
/// under way, in all processes together: their destinations are other people's.
const PER_DESTINATION: i64 = 8;
/// Marks and reports that are written at once.
const TOGETHER: usize = 64;
/// Most due deliveries that are looked at to choose from.
const LOOKED_AT: i64 = 2_000;

/// What became of the parts of a delivery that several people share, by address or browser: of those that are not tried
/// again (N-5).
pub type Parts = BTreeMap<Uuid, Outcome>;

/// A delivery in a worker's hands, with all that was told.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The event.
    pub event: EventId,
    /// Who is told.
    pub person: Person,
    /// On which channel.
    pub channel: Channel,
    /// The tenant.
    pub organisation: OrganisationId,
    /// Which attempt this is.
    pub attempt: u32,
    /// What is told.
    pub event_type: EventType,
    /// About what.
    pub subject_kind: SubjectKind,
    /// About which.
    pub subject: Uuid,
    /// Seen from the person.
    pub origin: Origin,
    /// Why they hear of it.
    pub because: Because,
    /// Who did it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// What else the text needs.
    pub details: Value,
    /// How it hangs together with the other channels.
    pub strategy: Strategy,
    /// What was settled by attempts before.
    pub parts: Parts,
}

/// A delivery whose worker was not heard of again.
#[derive(Debug, Clone)]
pub struct Abandoned {
    /// The event.
    pub event: EventId,
    /// Who is told.
    pub person: Person,
    /// On which channel.
    pub channel: Channel,
    /// Which attempt it was.
    pub attempt: u32,
    /// How far it came.
    pub state: State,
    /// What was settled by attempts before.
    pub parts: Parts,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// For the domain.
    pub outcome: Outcome,
    /// Why it failed, `UPPER_SNAKE_CASE`; empty: it did not.
    pub reason: &'static str,
    /// What the other side answered: a code, never a text.
    pub answer: String,
    /// What became of parts.
    pub parts: Parts,
}

/// A line of the log.
#[derive(Debug, Clone)]
pub struct Logged {
    /// The event.
    pub event: Uuid,
    /// What is told.
    pub event_type: EventType,
    /// About what.
    pub subject_kind: SubjectKind,
    /// About which.
    pub subject: Uuid,
    /// Who.
    pub person: Person,
    /// Channel, place, state, attempts, due.
    pub delivery: Delivery,
    /// Why the last attempt failed.
    pub reason: String,
    /// What was answered.
    pub answer: String,
    /// When it was queued.
    pub created: Timestamp,
    /// When something happened to it last.
    pub updated: Timestamp,
}

/// Which lines of the log.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this person; `None`: of everybody.
    pub person: Option<Person>,
    /// Of this event.
    pub event: Option<Uuid>,
    /// About this.
    pub subject: Option<Uuid>,
    /// In these states; none: any.
    pub states: Vec<State>,
    /// On these channels; none: any.
    pub channels: Vec<Channel>,
}

/// Where the next page starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When it was queued.
    pub created: Timestamp,
    /// The event.
    pub event: Uuid,
    /// The person.
    pub person: String,
    /// The channel.
    pub channel: String,
}

fn count(value: i32) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

pub(super) fn delivery_of(row: &PgRow) -> Sql<Delivery> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(Delivery {
        channel: decoded(text("channel")?.parse())?,
        place: count(row.try_get("place")?),
        state: decoded(text("state")?.parse())?,
        attempts: count(row.try_get("attempts")?),
        due: row.try_get("due")?,
    })
}

type StoredParts = Option<Json<BTreeMap<Uuid, String>>>;

fn parts_of(stored: StoredParts) -> Sql<Parts> {
    let stored = stored.map(|parts| parts.0).unwrap_or_default();
    stored.into_iter().map(|(part, outcome)| Ok((part, decoded(outcome.parse())?))).collect()
}

fn claimed(row: &PgRow) -> Sql<Claimed> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let (event, organisation): (Uuid, Uuid) = (row.try_get("event_id")?, row.try_get("organisation_id")?);
    Ok(Claimed {
        event: event.into(),
        person: decoded(text("person")?.parse())?,
        channel: decoded(text("channel")?.parse())?,
        organisation: organisation.into(),
        attempt: count(row.try_get("attempts")?),
        event_type: decoded(text("event_type")?.parse())?,
        subject_kind: decoded(text("subject_kind")?.parse())?,
        subject: row.try_get("subject_id")?,
        origin: decoded(text("origin")?.parse())?,
        because: decoded(text("because")?.parse())?,
        actor: decoded(text("actor")?.parse())?,
        at: row.try_get("at")?,
        details: row.try_get::<Json<Value>, _>("details")?.0,
        strategy: decoded(text("strategy")?.parse())?,
        parts: parts_of(row.try_get("parts")?)?,
    })
}

/// The queue.
#[derive(Debug, Clone)]
pub struct Deliveries {
    pool: Pool,
    leaving: Gather<Leaving, bool>,
    settling: Gather<Settling, bool>,
}

impl Deliveries {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        let (leaving, settling) = (pool.clone(), pool.clone());
        Self {
            pool,
            leaving: Gather::asking(TOGETHER, move |all| settle::hand_over(leaving.clone(), all)),
            settling: Gather::keyed(TOGETHER, Settling::key, move |all| {
                settle::settle(settling.clone(), all)
            }),
        }
    }

    /// Takes due deliveries of a channel into a worker's hands, the oldest of each destination first. A destination that
    /// rests is left alone, and none fills the whole hand. That of a push are the hosts of the person's browsers.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim(&self, channel: Channel, now: Timestamp, limit: usize) -> Sql<Vec<Claimed>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let few = limit.saturating_mul(4).clamp(64, LOOKED_AT);
        let (mut claimed, seen) = self.claim_among(few, channel, now, limit).await?;
        let left = limit - i64::try_from(claimed.len()).unwrap_or(limit);
        // The queue may begin with many of a few destinations. What was seen whole holds nothing else.
        if left > 0 && seen == few && few < LOOKED_AT {
            match self.claim_among(LOOKED_AT, channel, now, left).await {
                Ok((more, _)) => claimed.extend(more),
                // What was taken is worked on all the same.
                Err(error) => tracing::warn!(%error, "no more can be claimed"),
            }
        }
        Ok(claimed)
    }

    /// Claims among the first `looked_at` that are due; answers also how many there were.
    async fn claim_among(
        &self,
        looked_at: i64,
        channel: Channel,
        now: Timestamp,
        limit: i64,
    ) -> Sql<(Vec<Claimed>, i64)> {
        let rows = sqlx::query(
            "with resting as materialized (
                 select name from destination where channel = $1 and not_before > $2),
             busy as materialized (
                 select destination, count(*) as held from delivery
                 where $1 = 'PUSH' and channel = $1 and state in ('CLAIMED', 'HANDED_OVER')
                 group by destination),
             due as materialized (
                 select d.event_id, d.person, d.due, t.destination
                 from delivery d
                 cross join lateral (
                     select string_agg(distinct s.host, ' ' order by s.host) as hosts,
                         bool_and(s.host in (select name from resting)) as rest
                     from push_subscription s
                     where $1 = 'PUSH' and s.organisation_id = d.organisation_id and s.person = d.person) h
                 cross join lateral (
                     select case $1 when 'EMAIL' then d.person when 'PUSH' then coalesce(h.hosts, d.person)
                         else coalesce(d.destination, d.person) end as destination) t
                 where d.channel = $1 and d.state = 'DUE' and d.due <= $2
                   and h.rest is not true
                   and not exists (select from busy b where b.destination = t.destination and b.held >= $4)
                   -- All e-mails go through one server.
                   and ($1 = 'PUSH' or not exists (select from resting r
                       where r.name = case when $1 = 'EMAIL' then 'smtp' else d.destination end))
                 order by d.due limit $3),
             ranked as materialized (
                 select event_id, person, due, destination,
                     row_number() over (partition by destination order by due)
                         + coalesce((select b.held from busy b where b.destination = due.destination), 0) as turn
                 from due),
             -- Row by row, by the primary key and no other index: whatever the planner believes of a queue, which is empty
             -- one minute and long the next.
             chosen as materialized (
                 select d.event_id, d.person, r.destination
                 from (select * from ranked where turn <= $4 order by turn, due) r, lateral (
                     select event_id, person from delivery
                     where event_id = r.event_id and person = r.person and channel = $1 and state || '' = 'DUE'
                       and due <= $2
                     for update skip locked) d
                 limit $5),
             taken as (
                 update delivery d set state = 'CLAIMED', attempts = attempts + 1, lease = $6, updated_at = $2,
                     destination = case when $1 = 'PUSH' then c.destination else d.destination end
                 from chosen c where d.event_id = c.event_id and d.person = c.person and d.channel = $1
                 returning d.event_id, d.person, d.channel, d.organisation_id, d.attempts, d.parts)
             select seen.count as seen, event_id, person, k.channel, k.organisation_id, k.attempts, k.parts, t.event_type,
                 t.subject_kind, t.subject_id, t.origin, t.because, t.actor, t.at, t.details, t.strategy
             from (select count(*) from due) seen
             left join (taken k join telling t using (event_id, person)) on true",
        )
        .bind(channel.as_str())
        .bind(now)
        .bind(looked_at)
        .bind(PER_DESTINATION)
        .bind(limit)
        .bind(now + LEASE)
        .fetch_all(&self.pool)
        .await?;
        let seen = rows.first().map_or(Ok(0), |row| row.try_get("seen"))?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            // One row without a delivery says that there was none.
            if row.try_get::<Option<Uuid>, _>("event_id")?.is_some() {
                all.push(claimed(row)?);
            }
        }
        Ok((all, seen))
    }

    /// The mark before something leaves the house; false: it is not this worker's any more, so nothing may leave. Marks
    /// that are made at the same time are written together. `destination`: where to, if it was not known before.
    ///
    /// # Errors
    /// Those of the database; then nothing may leave either.
    pub async fn hand_over(&self, claimed: &Claimed, destination: Option<&str>, now: Timestamp) -> Sql<bool> {
        self.leaving
            .put(Leaving {
                event: claimed.event,
                person: claimed.person,
                channel: claimed.channel,
                attempt: claimed.attempt,
                destination: destination.map(str::to_owned),
                now,
            })
            .await
    }

    /// Writes what became of an attempt, and what follows for the other channels. What became of several at the same time
    /// is written together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle(
        &self,
        event: EventId,
        person: Person,
        channel: Channel,
        attempt: u32,
        result: &Report,
        now: Timestamp,
    ) -> Sql<()> {
        let settling = Settling { event, person, channel, attempt, report: result.clone(), now };
        // Decided on what was read, written if that is still so: no lock is held across a round trip, and what follows for
        // the other channels is written with it or not at all.
        while !self.settling.put(settling.clone()).await? {}
        Ok(())
    }

    /// Deliveries whose worker was not heard of again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn abandoned(&self, now: Timestamp, limit: i64) -> Sql<Vec<Abandoned>> {
        let rows: Vec<(Uuid, String, String, i32, String, StoredParts)> = sqlx::query_as(
            "select event_id, person, channel, attempts, state, parts from delivery
             where state in ('CLAIMED', 'HANDED_OVER') and lease <= $1 limit $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(event, person, channel, attempts, state, parts)| {
                Ok(Abandoned {
                    event: event.into(),
                    person: decoded(person.parse())?,
                    channel: decoded(channel.parse())?,
                    attempt: count(attempts),
                    state: decoded(state.parse())?,
                    parts: parts_of(parts)?,
                })
            })
            .collect()
    }

    /// The log, latest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn log(
        &self,
        organisation: OrganisationId,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Sql<Vec<Logged>> {
        let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        let channels: Vec<&str> = filter.channels.iter().map(|channel| channel.as_str()).collect();
        let rows = sqlx::query(
            "select d.*, t.event_type, t.subject_kind from delivery d join telling t using (event_id, person)
             where d.organisation_id = $1 and ($2::text is null or d.person = $2)
               and ($3::uuid is null or d.event_id = $3) and ($4::uuid is null or d.subject_id = $4)
               and (cardinality($5::text[]) = 0 or d.state = any($5))
               and (cardinality($6::text[]) = 0 or d.channel = any($6))
               and ($7::timestamptz is null
                    or (d.created_at, d.event_id, d.person, d.channel) < ($7, $8, $9, $10))
             order by d.created_at desc, d.event_id desc, d.person desc, d.channel desc limit $11",
        )
        .bind(organisation.uuid())
        .bind(filter.person.map(|person| person.to_string()))
        .bind(filter.event)
        .bind(filter.subject)
        .bind(states)
        .bind(channels)
        .bind(after.map(|cursor| cursor.created))
        .bind(after.map(|cursor| cursor.event))
        .bind(after.map(|cursor| cursor.person.clone()))
        .bind(after.map(|cursor| cursor.channel.clone()))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let text = |column: &str| row.try_get::<String, _>(column);
                Ok(Logged {
                    event: row.try_get("event_id")?,
                    event_type: decoded(text("event_type")?.parse())?,
                    subject_kind: decoded(text("subject_kind")?.parse())?,
                    subject: row.try_get("subject_id")?,
                    person: decoded(text("person")?.parse())?,
                    delivery: delivery_of(row)?,
                    reason: text("reason")?,
                    answer: text("answer")?,
                    created: row.try_get("created_at")?,
                    updated: row.try_get("updated_at")?,
                })
            })
            .collect()
    }
}
