//! Browsers that take pushes.

use std::collections::HashSet;

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{OrganisationId, Timestamp};
use callboard_notifications_domain::Person;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use uuid::Uuid;

use super::{Sql, decoded, shared_out, spread};

/// Browsers of one person.
pub const MAX_PER_PERSON: i64 = 20;

/// A browser.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Subscription {
    /// Which.
    pub id: Uuid,
    /// Where to push. Secret: whoever knows it may.
    pub endpoint: String,
    /// Its public key.
    pub p256dh: Vec<u8>,
    /// Its authentication secret.
    pub auth: Vec<u8>,
    /// For its owner.
    pub label: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A browser that is to be pushed to.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Reached {
    /// It.
    #[sqlx(flatten)]
    pub browser: Subscription,
    /// The host of its push service: what rests when it fails.
    pub host: String,
    /// Whether that rests now.
    pub rests: bool,
}

/// Keeps browsers.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    pool: Pool,
    asked: Gather<(OrganisationId, Vec<Person>), HashSet<Person>>,
}

/// Questions that are answered at once.
const TOGETHER: usize = 64;

/// Who of all these people has a browser, in one statement.
fn with_browsers(
    pool: Pool,
    all: Vec<(OrganisationId, Vec<Person>)>,
) -> BoxFuture<'static, Sql<Vec<HashSet<Person>>>> {
    async move {
        let (places, organisations, who) = spread(&all, ToString::to_string);
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select a.place, a.person
             from unnest($1::bigint[], $2::uuid[], $3::text[]) as a(place, organisation_id, person)
             cross join lateral (
                 select from push_subscription s
                 where s.organisation_id = a.organisation_id and s.person = a.person limit 1) s",
        )
        .bind(places)
        .bind(organisations)
        .bind(who)
        .fetch_all(&pool)
        .await?;
        let found: Vec<(i64, Person)> = rows
            .into_iter()
            .map(|(place, person)| Ok((place, decoded(person.parse())?)))
            .collect::<Sql<_>>()?;
        Ok(shared_out(all.len(), found).into_iter().map(|each| each.into_iter().collect()).collect())
    }
    .boxed()
}

impl Subscriptions {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        let asking = pool.clone();
        Self { pool, asked: Gather::asking(TOGETHER, move |all| with_browsers(asking.clone(), all)) }
    }

    /// Who of these people has a browser that takes pushes. Those that are asked for at the same time are read together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn with_browsers(
        &self,
        organisation: OrganisationId,
        people: &[Person],
    ) -> Sql<HashSet<Person>> {
        self.asked.put((organisation, people.to_vec())).await
    }

    /// Adds a browser, or takes it over from whoever used it before: an endpoint is one browser's. Of more than the most
    /// the oldest go. The same again changes nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn add(
        &self,
        organisation: OrganisationId,
        person: Person,
        subscription: &Subscription,
    ) -> Sql<Subscription> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        let kept = sqlx::query_as(
            "insert into push_subscription (id, organisation_id, person, endpoint, p256dh, auth, label, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (endpoint) do update set organisation_id = excluded.organisation_id,
                 person = excluded.person, p256dh = excluded.p256dh, auth = excluded.auth, label = excluded.label
             returning id, endpoint, p256dh, auth, label, created_at",
        )
        .bind(subscription.id)
        .bind(organisation.uuid())
        .bind(person.to_string())
        .bind(&subscription.endpoint)
        .bind(&subscription.p256dh)
        .bind(&subscription.auth)
        .bind(&subscription.label)
        .bind(subscription.created_at)
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::query(
            "delete from push_subscription where organisation_id = $1 and person = $2 and id not in
                 (select id from push_subscription where organisation_id = $1 and person = $2
                  order by created_at desc, id desc limit $3)",
        )
        .bind(organisation.uuid())
        .bind(person.to_string())
        .bind(MAX_PER_PERSON)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(kept)
    }

    /// The browsers of a person, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of(&self, organisation: OrganisationId, person: Person) -> Sql<Vec<Subscription>> {
        sqlx::query_as(
            "select id, endpoint, p256dh, auth, label, created_at from push_subscription
             where organisation_id = $1 and person = $2 order by created_at desc, id desc",
        )
        .bind(organisation.uuid())
        .bind(person.to_string())
        .fetch_all(&self.pool)
        .await
    }

    /// The browsers of a person, and whether they can be pushed to now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn reached(
        &self,
        organisation: OrganisationId,
        person: Person,
        now: Timestamp,
    ) -> Sql<Vec<Reached>> {
        sqlx::query_as(
            "select s.id, s.endpoint, s.p256dh, s.auth, s.label, s.created_at, s.host,
                 exists (select from destination r
                     where r.channel = 'PUSH' and r.name = s.host and r.not_before > $3) as rests
             from push_subscription s where s.organisation_id = $1 and s.person = $2
             order by s.created_at desc, s.id desc",
        )
        .bind(organisation.uuid())
        .bind(person.to_string())
        .bind(now)
        .fetch_all(&self.pool)
        .await
    }

    /// Removes a browser of a person; false: there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove(&self, organisation: OrganisationId, person: Person, id: Uuid) -> Sql<bool> {
        let done = sqlx::query(
            "delete from push_subscription where organisation_id = $1 and person = $2 and id = $3",
        )
        .bind(organisation.uuid())
        .bind(person.to_string())
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
