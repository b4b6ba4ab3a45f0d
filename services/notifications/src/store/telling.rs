//! Telling many people at once, each once (N-1, N-5).

use callboard_kernel::{Actor, EventId, OrganisationId, Timestamp, derive_uuid};
use callboard_notifications_domain::audience::Listener;
use callboard_notifications_domain::delivery::Delivery;
use callboard_notifications_domain::{EventType, Origin, Person, Strategy};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgPool, Postgres, Transaction};
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
    /// What else the text needs: words and numbers, never free text.
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
}

/// The id of a drawer's entry: stacking is by type and subject.
pub fn entry_id(organisation: OrganisationId, person: Person, event_type: EventType, subject: Uuid) -> Uuid {
    let person = person.to_string();
    let parts: [&[u8]; 4] = [b"entry", person.as_bytes(), event_type.as_str().as_bytes(), subject.as_bytes()];
    derive_uuid(organisation.uuid(), &parts)
}

/// Writes what is told.
#[derive(Debug, Clone)]
pub struct Tellings {
    pool: PgPool,
}

impl Tellings {
    /// In this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Puts it into every drawer and into the queue, in one commit; whoever was told of this event before is left out, so
    /// it may be called again after whatever went wrong. Answers how many were new; `None`: the subject is gone.
    ///
    /// # Errors
    /// Those of the database; then nothing was written.
    pub async fn tell(&self, telling: &Telling, told: &[Told], now: Timestamp) -> Sql<Option<usize>> {
        let mut transaction = self.pool.begin().await?;
        // Shared with others who tell of it; whoever deletes it waits for all of them (T-11).
        let deleted: Option<bool> = sqlx::query_scalar(
            "select deleted from known_subject where organisation_id = $1 and id = $2 for share",
        )
        .bind(telling.organisation.uuid())
        .bind(telling.subject.id)
        .fetch_optional(&mut *transaction)
        .await?;
        if deleted != Some(false) {
            return Ok(None);
        }
        let fresh = note(&mut transaction, telling, told).await?;
        if !fresh.is_empty() {
            stack(&mut transaction, telling, &fresh).await?;
            queue(&mut transaction, telling, &fresh, now).await?;
        }
        transaction.commit().await?;
        Ok(Some(fresh.len()))
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
        let mut transaction = self.pool.begin().await?;
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
            "update entry set count = count - 1, position = nextval('drawer_position')
             where organisation_id = $1 and id = any($2) and unread",
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

/// Those of whom this event is news.
async fn note<'a>(transaction: &mut Writing<'_>, telling: &Telling, told: &'a [Told]) -> Sql<Vec<&'a Told>> {
    let people: Vec<String> = told.iter().map(|told| told.listener.person.to_string()).collect();
    let origins: Vec<&str> = told.iter().map(|told| told.listener.origin.as_str()).collect();
    let because: Vec<&str> = told.iter().map(|told| told.listener.because.as_str()).collect();
    let strategies: Vec<&str> = told.iter().map(|told| told.strategy.as_str()).collect();
    let fresh: Vec<String> = sqlx::query_scalar(
        "insert into telling (event_id, person, organisation_id, event_type, subject_kind, subject_id, part_id, origin,
             because, actor, at, details, strategy)
         select $1, t.person, $2, $3, $4, $5, $6, t.origin, t.because, $7, $8, $9, t.strategy
         from unnest($10::text[], $11::text[], $12::text[], $13::text[]) as t(person, origin, because, strategy)
         order by t.person
         on conflict do nothing returning person",
    )
    .bind(telling.event.uuid())
    .bind(telling.organisation.uuid())
    .bind(telling.event_type.as_str())
    .bind(telling.subject.kind.as_str())
    .bind(telling.subject.id)
    .bind(telling.part)
    .bind(telling.actor.to_string())
    .bind(telling.at)
    .bind(Json(&telling.details))
    .bind(&people)
    .bind(origins)
    .bind(because)
    .bind(strategies)
    .fetch_all(&mut **transaction)
    .await?;
    let fresh: std::collections::HashSet<String> = fresh.into_iter().collect();
    Ok(told.iter().zip(people).filter(|(_, person)| fresh.contains(person)).map(|(told, _)| told).collect())
}

/// Onto the stacks (N-1). What one did oneself is no news: it lands read, and leaves unread what is unread.
async fn stack(transaction: &mut Writing<'_>, telling: &Telling, fresh: &[&Told]) -> Sql<()> {
    let person = |told: &&Told| told.listener.person;
    let ids: Vec<Uuid> = fresh
        .iter()
        .map(|told| entry_id(telling.organisation, person(told), telling.event_type, telling.subject.id))
        .collect();
    let people: Vec<String> = fresh.iter().map(|told| person(told).to_string()).collect();
    let origins: Vec<&str> = fresh.iter().map(|told| told.listener.origin.as_str()).collect();
    let unread: Vec<bool> = fresh.iter().map(|told| told.listener.origin == Origin::Others).collect();
    sqlx::query(
        "insert into entry (id, organisation_id, person, event_type, subject_kind, subject_id, count, unread, origin,
             actor, at, details, position)
         select t.id, $1, t.person, $2, $3, $4, 1, t.unread, t.origin, $5, $6, $7, nextval('drawer_position')
         from unnest($8::uuid[], $9::text[], $10::text[], $11::bool[]) as t(id, person, origin, unread)
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
    .bind(telling.organisation.uuid())
    .bind(telling.event_type.as_str())
    .bind(telling.subject.kind.as_str())
    .bind(telling.subject.id)
    .bind(telling.actor.to_string())
    .bind(telling.at)
    .bind(Json(&telling.details))
    .bind(ids)
    .bind(people)
    .bind(origins)
    .bind(unread)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn queue(transaction: &mut Writing<'_>, telling: &Telling, fresh: &[&Told], now: Timestamp) -> Sql<()> {
    let all = || fresh.iter().flat_map(|told| told.deliveries.iter().map(move |one| (told, one)));
    let people: Vec<String> = all().map(|(told, _)| told.listener.person.to_string()).collect();
    if people.is_empty() {
        return Ok(());
    }
    let channels: Vec<&str> = all().map(|(_, one)| one.channel.as_str()).collect();
    let places: Vec<i32> = all().map(|(_, one)| i32::try_from(one.place).unwrap_or(i32::MAX)).collect();
    let states: Vec<&str> = all().map(|(_, one)| one.state.as_str()).collect();
    sqlx::query(
        "insert into delivery (event_id, person, channel, organisation_id, subject_id, place, state, attempts, due,
             reason, answer, created_at, updated_at)
         select $1, t.person, t.channel, $2, $3, t.place, t.state, 0, $4, '', '', $4, $4
         from unnest($5::text[], $6::text[], $7::int[], $8::text[]) as t(person, channel, place, state)
         on conflict do nothing",
    )
    .bind(telling.event.uuid())
    .bind(telling.organisation.uuid())
    .bind(telling.subject.id)
    .bind(now)
    .bind(people)
    .bind(channels)
    .bind(places)
    .bind(states)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
