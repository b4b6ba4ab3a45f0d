//! Telling many people at once, each once (N-1, N-5).

use std::collections::HashSet;

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{Actor, EventId, OrganisationId, Timestamp, derive_uuid};
use callboard_notifications_domain::audience::Listener;
use callboard_notifications_domain::delivery::Delivery;
use callboard_notifications_domain::{Channel, EventType, Origin, Person, Strategy};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{Connection as _, Postgres, Transaction};
use uuid::Uuid;

use super::{KnownSubject, Sql};

/// What happened, as far as telling it goes.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The event.
    pub event: EventId,
    /// The tenant.
    pub organisation: OrganisationId,
    /// Of which type.
    pub event_type: EventType,
    /// About what.
    pub subject: KnownSubject,
    /// The message it is about.
    pub part: Option<Uuid>,
    /// Who did it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// What else the text and whoever judges it when it is sent need: words, numbers and ids, never free text.
    pub details: Value,
}

/// One person's part of it.
#[derive(Debug, Clone)]
pub struct Told {
    /// Who, and why.
    pub listener: Listener,
    /// How the deliveries hang together.
    pub strategy: Strategy,
    /// What is to be sent; none: only the drawer.
    pub deliveries: Vec<Delivery>,
    /// What of it was given up before it was queued, and why.
    pub given_up: Vec<(Channel, &'static str)>,
}

/// The id of a drawer's entry: stacking is by type and subject.
pub fn entry_id(organisation: OrganisationId, person: Person, event_type: EventType, subject: Uuid) -> Uuid {
    let person = person.to_string();
    let parts: [&[u8]; 4] = [b"entry", person.as_bytes(), event_type.as_str().as_bytes(), subject.as_bytes()];
    derive_uuid(organisation.uuid(), &parts)
}

/// Tellings that are written at once.
const TOGETHER: usize = 64;

/// A telling to be written.
#[derive(Debug, Clone)]
struct News {
    telling: Telling,
    told: Vec<Told>,
    at: Timestamp,
}

impl News {
    /// Of what may meet in one row: a stack is of one subject.
    const fn subject(&self) -> Uuid {
        self.telling.subject.id
    }
}

/// Writes what is told.
#[derive(Debug, Clone)]
pub struct Tellings {
    pool: Pool,
    news: Gather<News, Option<usize>>,
}

impl Tellings {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        let writing = pool.clone();
        Self { pool, news: Gather::keyed(TOGETHER, News::subject, move |all| write(writing.clone(), all)) }
    }

    /// Puts it into every drawer and into the queue, in one commit; whoever was told of this event before is left out, so
    /// it may be called again after whatever went wrong. Answers how many were new; `None`: the subject is gone. What is
    /// told at the same time of several subjects is written together.
    ///
    /// # Errors
    /// Those of the database; then nothing was written.
    pub async fn tell(&self, telling: Telling, told: Vec<Told>, now: Timestamp) -> Sql<Option<usize>> {
        self.news.put(News { telling, told, at: now }).await
    }

    /// Takes a message that was withdrawn off every drawer, and what was not sent of it out of the queue. Answers whose
    /// drawers changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_off(
        &self,
        organisation: OrganisationId,
        part: Uuid,
        now: Timestamp,
    ) -> Sql<Vec<Person>> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        let gone: Vec<(Uuid, String, String, Uuid)> = sqlx::query_as(
            "update telling set part_id = null where organisation_id = $1 and part_id = $2
             returning event_id, person, event_type, subject_id",
        )
        .bind(organisation.uuid())
        .bind(part)
        .fetch_all(&mut *transaction)
        .await?;
        let mut people = Vec::new();
        let (mut entries, mut events, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (event, name, event_type, subject) in gone {
            let person: Person = super::decoded(name.parse())?;
            entries.push(entry_id(organisation, person, super::decoded(event_type.parse())?, subject));
            events.push(event);
            names.push(name);
            people.push(person);
        }
        sqlx::query(
            "with those as materialized (
                 select id from entry where organisation_id = $1 and id = any($2) order by id for update)
             update entry e set count = count - 1, position = nextval('drawer_position') from those
             where e.id = those.id and e.unread",
        )
        .bind(organisation.uuid())
        .bind(&entries)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("delete from entry where organisation_id = $1 and id = any($2) and count <= 0")
            .bind(organisation.uuid())
            .bind(&entries)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "update delivery d set state = 'WITHHELD', updated_at = $3
             from unnest($1::uuid[], $2::text[]) as gone(event_id, person)
             where d.event_id = gone.event_id and d.person = gone.person and d.state in ('WAITING', 'DUE')",
        )
        .bind(events)
        .bind(names)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(people)
    }

    /// Forgets what was told before this time: the log of deliveries, and the guard against telling it again, which must
    /// be kept for longer than events can come again. Answers how many tellings went.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget(&self, before: Timestamp, limit: i64) -> Sql<u64> {
        let done = sqlx::query(
            "with old as (select event_id, person from telling where at < $1 limit $2),
                  sent as (delete from delivery d using old
                           where d.event_id = old.event_id and d.person = old.person)
             delete from telling t using old where t.event_id = old.event_id and t.person = old.person",
        )
        .bind(before)
        .bind(limit)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}

type Writing<'a> = Transaction<'a, Postgres>;

/// One person's part, and the telling it is of.
type Part<'a> = (&'a News, &'a Told);

fn person_of(part: &Part<'_>) -> String {
    part.1.listener.person.to_string()
}

/// A column of what is written, a value for each part.
fn column<'a, T>(parts: &[Part<'a>], value: impl Fn(&Part<'a>) -> T) -> Vec<T> {
    parts.iter().map(value).collect()
}

/// Writes all of it in one commit. Answers for each how many were new.
fn write(pool: Pool, all: Vec<News>) -> BoxFuture<'static, Sql<Vec<Option<usize>>>> {
    async move {
        let mut lent = pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        let there = lock(&mut transaction, &all).await?;
        let told: Vec<&News> =
            all.iter().zip(&there).filter(|(_, there)| **there).map(|(news, _)| news).collect();
        let parts: Vec<Part<'_>> =
            told.iter().flat_map(|news| news.told.iter().map(|told| (*news, told))).collect();
        let fresh = if parts.is_empty() { Vec::new() } else { note(&mut transaction, parts).await? };
        if !fresh.is_empty() {
            stack(&mut transaction, &fresh).await?;
            queue(&mut transaction, &fresh).await?;
        }
        transaction.commit().await?;
        lent.give_back();
        let new = |news: &News| fresh.iter().filter(|(of, _)| of.telling.event == news.telling.event).count();
        Ok(all.iter().zip(there).map(|(news, there)| there.then(|| new(news))).collect())
    }
    .boxed()
}

/// Which subjects are there. Shared with others who tell of them; whoever deletes one waits for all of them (T-11).
async fn lock(transaction: &mut Writing<'_>, all: &[News]) -> Sql<Vec<bool>> {
    let there: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select s.organisation_id, s.id from unnest($1::uuid[], $2::uuid[]) as a(organisation_id, id)
         join known_subject s on s.organisation_id = a.organisation_id and s.id = a.id
         where not s.deleted order by s.id for share of s",
    )
    .bind(all.iter().map(|news| news.telling.organisation.uuid()).collect::<Vec<_>>())
    .bind(all.iter().map(News::subject).collect::<Vec<_>>())
    .fetch_all(&mut **transaction)
    .await?;
    let there: HashSet<(Uuid, Uuid)> = there.into_iter().collect();
    Ok(all.iter().map(|news| there.contains(&(news.telling.organisation.uuid(), news.subject()))).collect())
}

/// Those of whom this event is news.
async fn note<'a>(transaction: &mut Writing<'_>, parts: Vec<Part<'a>>) -> Sql<Vec<Part<'a>>> {
    let fresh: Vec<(Uuid, String)> = sqlx::query_as(
        "insert into telling (event_id, person, organisation_id, event_type, subject_kind, subject_id, part_id, origin,
             because, actor, at, details, strategy)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::uuid[],
             $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::jsonb[], $13::text[])
             as t(event_id, person, organisation_id, event_type, subject_kind, subject_id, part_id, origin, because,
                 actor, at, details, strategy)
         order by t.event_id, t.person
         on conflict do nothing returning event_id, person",
    )
    .bind(column(&parts, |(news, _)| news.telling.event.uuid()))
    .bind(column(&parts, person_of))
    .bind(column(&parts, |(news, _)| news.telling.organisation.uuid()))
    .bind(column(&parts, |(news, _)| news.telling.event_type.as_str()))
    .bind(column(&parts, |(news, _)| news.telling.subject.kind.as_str()))
    .bind(column(&parts, |(news, _)| news.subject()))
    .bind(column(&parts, |(news, _)| news.telling.part))
    .bind(column(&parts, |(_, told)| told.listener.origin.as_str()))
    .bind(column(&parts, |(_, told)| told.listener.because.as_str()))
    .bind(column(&parts, |(news, _)| news.telling.actor.to_string()))
    .bind(column(&parts, |(news, _)| news.telling.at))
    .bind(column(&parts, |(news, _)| Json(news.telling.details.clone())))
    .bind(column(&parts, |(_, told)| told.strategy.as_str()))
    .fetch_all(&mut **transaction)
    .await?;
    let fresh: HashSet<(Uuid, String)> = fresh.into_iter().collect();
    let is_fresh = |part: &Part<'_>| fresh.contains(&(part.0.telling.event.uuid(), person_of(part)));
    Ok(parts.into_iter().filter(is_fresh).collect())
}

/// Onto the stacks (N-1). What one did oneself is no news: it lands read, and leaves unread what is unread.
async fn stack(transaction: &mut Writing<'_>, fresh: &[Part<'_>]) -> Sql<()> {
    let id = |(news, told): &Part<'_>| {
        let Telling { organisation, event_type, subject, .. } = &news.telling;
        entry_id(*organisation, told.listener.person, *event_type, subject.id)
    };
    sqlx::query(
        "insert into entry (id, organisation_id, person, event_type, subject_kind, subject_id, count, unread, origin,
             actor, at, details, position)
         select t.id, t.organisation_id, t.person, t.event_type, t.subject_kind, t.subject_id, 1, t.unread, t.origin,
             t.actor, t.at, t.details, nextval('drawer_position')
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bool[], $8::text[],
             $9::text[], $10::timestamptz[], $11::jsonb[])
             as t(id, organisation_id, person, event_type, subject_kind, subject_id, unread, origin, actor, at, details)
         order by t.id
         on conflict (id) do update set
             count = case when entry.unread then entry.count + 1 else 1 end,
             unread = entry.unread or excluded.unread,
             -- Events of different aggregates come in any order: the latest is what happened last.
             origin = case when excluded.at >= entry.at then excluded.origin else entry.origin end,
             actor = case when excluded.at >= entry.at then excluded.actor else entry.actor end,
             details = case when excluded.at >= entry.at then excluded.details else entry.details end,
             at = greatest(excluded.at, entry.at),
             position = excluded.position",
    )
    .bind(column(fresh, id))
    .bind(column(fresh, |(news, _)| news.telling.organisation.uuid()))
    .bind(column(fresh, person_of))
    .bind(column(fresh, |(news, _)| news.telling.event_type.as_str()))
    .bind(column(fresh, |(news, _)| news.telling.subject.kind.as_str()))
    .bind(column(fresh, |(news, _)| news.subject()))
    .bind(column(fresh, |(_, told)| told.listener.origin == Origin::Others))
    .bind(column(fresh, |(_, told)| told.listener.origin.as_str()))
    .bind(column(fresh, |(news, _)| news.telling.actor.to_string()))
    .bind(column(fresh, |(news, _)| news.telling.at))
    .bind(column(fresh, |(news, _)| Json(news.telling.details.clone())))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Why something was given up before it was queued; empty: it was not.
fn given_up(told: &Told, channel: Channel) -> &'static str {
    told.given_up.iter().find(|(of, _)| *of == channel).map_or("", |(_, reason)| reason)
}

async fn queue(transaction: &mut Writing<'_>, fresh: &[Part<'_>]) -> Sql<()> {
    let all: Vec<(&Part<'_>, &Delivery)> =
        fresh.iter().flat_map(|part| part.1.deliveries.iter().map(move |one| (part, one))).collect();
    if all.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into delivery (event_id, person, channel, organisation_id, subject_id, place, state, attempts, due,
             reason, answer, created_at, updated_at)
         select t.event_id, t.person, t.channel, t.organisation_id, t.subject_id, t.place, t.state, t.attempts, t.at,
             t.reason, '', t.at, t.at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::int[], $7::text[],
             $8::timestamptz[], $9::int[], $10::text[])
             as t(event_id, person, channel, organisation_id, subject_id, place, state, at, attempts, reason)
         order by t.event_id, t.person, t.channel
         on conflict do nothing",
    )
    .bind(all.iter().map(|one| one.0.0.telling.event.uuid()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| person_of(one.0)).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.1.channel.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.0.0.telling.organisation.uuid()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.0.0.subject()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| i32::try_from(one.1.place).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.1.state.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.0.0.at).collect::<Vec<_>>())
    .bind(all.iter().map(|one| i32::try_from(one.1.attempts).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(all.iter().map(|one| given_up(one.0.1, one.1.channel)).collect::<Vec<_>>())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
