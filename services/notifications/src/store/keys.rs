//! Keys that were made here because none was given.

use callboard_journal::Pool;

use super::Sql;

/// Keeps keys.
#[derive(Debug, Clone)]
pub struct OwnKeys {
    pool: Pool,
}

impl OwnKeys {
    /// In this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The key of this name: the one that is kept, else `fresh`, which is kept from now on. All replicas get the same.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn key(&self, name: &str, fresh: &[u8]) -> Sql<Vec<u8>> {
        sqlx::query_scalar(
            "insert into own_key (name, value) values ($1, $2)
             on conflict (name) do update set value = own_key.value returning value",
        )
        .bind(name)
        .bind(fresh)
        .fetch_one(&self.pool)
        .await
    }
}
