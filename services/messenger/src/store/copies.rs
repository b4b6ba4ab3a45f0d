//! Read copies of the directory: what it told last, newest version first.

use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::{Isolation, OrganisationId};
use moka::future::Cache;
use sqlx::PgPool;

/// How long a copy may be read from memory.
const TTL: Duration = Duration::from_secs(2);

type Sql<T> = Result<T, sqlx::Error>;

/// The read copies.
#[derive(Debug, Clone)]
pub struct Copies {
    pool: PgPool,
    isolations: Cache<OrganisationId, Isolation>,
}

impl Copies {
    /// The copies in this database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, isolations: Cache::builder().max_capacity(10_000).time_to_live(TTL).build() }
    }

    /// The isolation of an organisation; off when the directory has not told yet.
    pub async fn isolation(&self, organisation: OrganisationId) -> Sql<Isolation> {
        let load = async {
            let word: Option<String> =
                sqlx::query_scalar("select isolation from known_organisation where id = $1")
                    .bind(organisation.uuid())
                    .fetch_optional(&self.pool)
                    .await?;
            word.map_or(Ok(Isolation::Off), |word| {
                word.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
            })
        };
        self.isolations.try_get_with(organisation, load).await.map_err(|error| {
            Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
        })
    }

    /// Keeps an organisation.
    pub async fn keep_organisation(&self, id: OrganisationId, version: i64, isolation: Isolation) -> Sql<()> {
        sqlx::query(
            "insert into known_organisation (id, version, isolation) values ($1, $2, $3)
             on conflict (id) do update set version = excluded.version, isolation = excluded.isolation
             where excluded.version > known_organisation.version",
        )
        .bind(id.uuid())
        .bind(version)
        .bind(isolation.as_str())
        .execute(&self.pool)
        .await?;
        self.isolations.invalidate(&id).await;
        Ok(())
    }
}
