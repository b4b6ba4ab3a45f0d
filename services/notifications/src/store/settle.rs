//! What becomes of deliveries, many at once (N-5).

use std::collections::{BTreeMap, HashMap, HashSet};

use callboard_journal::Pool;
use callboard_kernel::{EventId, Timestamp};
use callboard_notifications_domain::delivery::{self, Delivery};
use callboard_notifications_domain::{Channel, Person, Strategy};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::Row as _;
use sqlx::types::Json;
use uuid::Uuid;

use super::deliveries::{LEASE, Parts, Report, delivery_of};
use super::{Sql, decoded};

/// A mark to be made before something leaves the house.
#[derive(Debug, Clone)]
pub(super) struct Leaving {
    pub(super) event: EventId,
    pub(super) person: Person,
    pub(super) channel: Channel,
    pub(super) attempt: u32,
    /// Where to, if it was not known before.
    pub(super) destination: Option<String>,
    pub(super) now: Timestamp,
}

/// What became of an attempt.
#[derive(Debug, Clone)]
pub(super) struct Settling {
    pub(super) event: EventId,
    pub(super) person: Person,
    pub(super) channel: Channel,
    pub(super) attempt: u32,
    pub(super) report: Report,
    pub(super) now: Timestamp,
}

/// An event and a person, as they are stored.
type Whose = (Uuid, String);

impl Settling {
    fn whose(&self) -> Whose {
        (self.event.uuid(), self.person.to_string())
    }

    /// Of two that are of one event and one person, one follows from the other.
    pub(super) fn key(&self) -> Uuid {
        Uuid::from_u128(self.event.uuid().as_u128() ^ self.person.id().as_u128())
    }
}

/// Columns of what is read, or written.
fn columns<T, C>(all: &[T], value: impl Fn(&T) -> C) -> Vec<C> {
    all.iter().map(value).collect()
}

fn stored(attempts: u32) -> i32 {
    i32::try_from(attempts).unwrap_or(i32::MAX)
}

/// Marks each that is still its worker's; answers which were.
pub(super) fn hand_over(pool: Pool, all: Vec<Leaving>) -> BoxFuture<'static, Sql<Vec<bool>>> {
    async move {
        let marked: Vec<i64> = sqlx::query_scalar(
            "with leaving as (
                 select * from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::timestamptz[],
                     $7::timestamptz[]) with ordinality
                     as u(event_id, person, channel, attempts, destination, lease, now, place)),
             -- In the order in which all take them, so that none waits for another in a circle.
             held as materialized (
                 select u.place from leaving u
                 join delivery d on d.event_id = u.event_id and d.person = u.person and d.channel = u.channel
                 order by d.event_id, d.person, d.channel for update of d)
             update delivery d set state = 'HANDED_OVER', destination = coalesce(u.destination, d.destination),
                 lease = u.lease, updated_at = u.now
             from leaving u join held using (place)
             where d.event_id = u.event_id and d.person = u.person and d.channel = u.channel
               and d.state = 'CLAIMED' and d.attempts = u.attempts
             returning u.place",
        )
        .bind(columns(&all, |one| one.event.uuid()))
        .bind(columns(&all, |one| one.person.to_string()))
        .bind(columns(&all, |one| one.channel.as_str()))
        .bind(columns(&all, |one| stored(one.attempt)))
        .bind(columns(&all, |one| one.destination.clone()))
        .bind(columns(&all, |one| one.now + LEASE))
        .bind(columns(&all, |one| one.now))
        .fetch_all(&pool)
        .await?;
        let marked: HashSet<i64> = marked.into_iter().collect();
        Ok((1..).zip(&all).map(|(place, _)| marked.contains(&place)).collect())
    }
    .boxed()
}

/// A delivery as it was read, and as it is to be.
struct Change<'a> {
    settling: &'a Settling,
    before: Delivery,
    after: Delivery,
}

/// Decides what follows from each report and writes it, all that hangs together or nothing of it. Answers for each whether
/// it was written; false: something else was written meanwhile, so it is to be decided again.
pub(super) fn settle(pool: Pool, all: Vec<Settling>) -> BoxFuture<'static, Sql<Vec<bool>>> {
    async move {
        let mut known = read(&pool, &all).await?;
        let mut changes = Vec::new();
        let mut nothing: HashSet<Whose> = HashSet::new();
        for settling in &all {
            let Some((strategy, before)) = known.remove(&settling.whose()) else {
                // It was deleted.
                nothing.insert(settling.whose());
                continue;
            };
            let mut after = before.clone();
            // Spread by what differs between deliveries.
            let spread = settling.key().as_u128() as u32;
            let Settling { channel, attempt, report, now, .. } = settling;
            delivery::settle(&mut after, *channel, *attempt, report.outcome, strategy, *now, spread);
            if before == after {
                nothing.insert(settling.whose());
            } else {
                let each = before.into_iter().zip(after);
                changes.extend(each.map(|(before, after)| Change { settling, before, after }));
            }
        }
        let written = if changes.is_empty() { HashSet::new() } else { write(&pool, &changes).await? };
        let done = |settling: &Settling| {
            let whose = settling.whose();
            nothing.contains(&whose) || written.contains(&whose)
        };
        Ok(all.iter().map(done).collect())
    }
    .boxed()
}

/// All channels of these events and people.
async fn read(pool: &Pool, all: &[Settling]) -> Sql<HashMap<Whose, (Strategy, Vec<Delivery>)>> {
    let rows = sqlx::query(
        "select d.event_id, d.person, d.channel, d.place, d.state, d.attempts, d.due, t.strategy
         from unnest($1::uuid[], $2::text[]) as a(event_id, person)
         cross join lateral (
             select * from delivery d where d.event_id = a.event_id and d.person = a.person offset 0) d
         cross join lateral (
             select * from telling t where t.event_id = a.event_id and t.person = a.person limit 1) t
         order by d.event_id, d.person, d.channel",
    )
    .bind(columns(all, |one| one.event.uuid()))
    .bind(columns(all, |one| one.person.to_string()))
    .fetch_all(pool)
    .await?;
    let mut known: HashMap<Whose, (Strategy, Vec<Delivery>)> = HashMap::new();
    for row in &rows {
        let strategy: Strategy = decoded(row.try_get::<String, _>("strategy")?.parse())?;
        let whose = (row.try_get("event_id")?, row.try_get("person")?);
        known.entry(whose).or_insert((strategy, Vec::new())).1.push(delivery_of(row)?);
    }
    Ok(known)
}

fn stored_parts(parts: &Parts) -> Option<Json<BTreeMap<Uuid, &'static str>>> {
    let words = || parts.iter().map(|(part, outcome)| (*part, outcome.as_str())).collect();
    (!parts.is_empty()).then(|| Json(words()))
}

/// Writes what is still as it was read. Answers whose that was.
async fn write(pool: &Pool, changes: &[Change<'_>]) -> Sql<HashSet<Whose>> {
    let is_reported = |change: &Change<'_>| change.before.channel == change.settling.channel;
    let written: Vec<Whose> = sqlx::query_as(
        "with told as (
             select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[],
                 $7::timestamptz[], $8::timestamptz[], $9::bool[], $10::text[], $11::text[], $12::jsonb[])
                 as told(event_id, person, channel, was_state, was_attempts, state, due, now, is_reported, reason,
                     answer, parts)),
         held as materialized (
             select d.event_id, d.person, d.channel, d.state, d.attempts
             from told t join delivery d on d.event_id = t.event_id and d.person = t.person and d.channel = t.channel
             order by d.event_id, d.person, d.channel for update of d),
         same as (
             select t.event_id, t.person from told t
             left join held h on h.event_id = t.event_id and h.person = t.person and h.channel = t.channel
                 and h.state = t.was_state and h.attempts = t.was_attempts
             group by t.event_id, t.person having bool_and(h.channel is not null)),
         written as (
             update delivery d set state = t.state, due = t.due, lease = null, updated_at = t.now,
                 reason = case when t.is_reported then t.reason else d.reason end,
                 answer = case when t.is_reported then t.answer else d.answer end,
                 parts = case when t.is_reported then t.parts else d.parts end
             from told t join same using (event_id, person)
             where d.event_id = t.event_id and d.person = t.person and d.channel = t.channel
               and (d.state, d.due) is distinct from (t.state, t.due))
         select event_id, person from same",
    )
    .bind(columns(changes, |change| change.settling.event.uuid()))
    .bind(columns(changes, |change| change.settling.person.to_string()))
    .bind(columns(changes, |change| change.before.channel.as_str()))
    .bind(columns(changes, |change| change.before.state.as_str()))
    .bind(columns(changes, |change| stored(change.before.attempts)))
    .bind(columns(changes, |change| change.after.state.as_str()))
    .bind(columns(changes, |change| change.after.due))
    .bind(columns(changes, |change| change.settling.now))
    .bind(columns(changes, is_reported))
    .bind(columns(changes, |change| change.settling.report.reason))
    .bind(columns(changes, |change| change.settling.report.answer.clone()))
    .bind(columns(changes, |change| stored_parts(&change.settling.report.parts)))
    .fetch_all(pool)
    .await?;
    Ok(written.into_iter().collect())
}
