//! Addresses of people without login (N-6).

use std::collections::HashSet;

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{CodeId, Language, OrganisationId, Timestamp};
use callboard_notifications_domain::Person;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use uuid::Uuid;

use super::{Sql, shared_out, spread};

/// Addresses of one code.
pub const MAX_PER_CODE: i64 = 10;

/// An address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Which.
    pub id: Uuid,
    /// The tenant.
    pub organisation: OrganisationId,
    /// Whose code.
    pub code: CodeId,
    /// Personal data.
    pub email: String,
    /// The language of who entered it.
    pub language: Language,
    /// Its owner has opened the link in the first e-mail.
    pub confirmed: bool,
    /// When it was entered.
    pub created: Timestamp,
}

type Row = (Uuid, Uuid, Uuid, String, String, bool, Timestamp);

const COLUMNS: &str = "id, organisation_id, code_id, email, language, confirmed, created_at";

fn address((id, organisation, code, email, language, confirmed, created): Row) -> Address {
    let language = language.parse().unwrap_or_default();
    Address { id, organisation: organisation.into(), code: code.into(), email, language, confirmed, created }
}

/// Keeps addresses.
#[derive(Debug, Clone)]
pub struct Addresses {
    pool: Pool,
    asked: Gather<(OrganisationId, Vec<CodeId>), HashSet<CodeId>>,
}

/// Questions that are answered at once.
const TOGETHER: usize = 64;

/// Which of all these codes have an address that is confirmed, in one statement.
fn with_addresses(
    pool: Pool,
    all: Vec<(OrganisationId, Vec<CodeId>)>,
) -> BoxFuture<'static, Sql<Vec<HashSet<CodeId>>>> {
    async move {
        let (places, organisations, codes) = spread(&all, |code| code.uuid());
        let found: Vec<(i64, Uuid)> = sqlx::query_as(
            "select a.place, a.code
             from unnest($1::bigint[], $2::uuid[], $3::uuid[]) as a(place, organisation_id, code)
             cross join lateral (
                 select from code_address c
                 where c.organisation_id = a.organisation_id and c.code_id = a.code and c.confirmed limit 1) c",
        )
        .bind(places)
        .bind(organisations)
        .bind(codes)
        .fetch_all(&pool)
        .await?;
        let found = shared_out(all.len(), found);
        Ok(found.into_iter().map(|each| each.into_iter().map(CodeId::from).collect()).collect())
    }
    .boxed()
}

impl Addresses {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        let asking = pool.clone();
        Self { pool, asked: Gather::asking(TOGETHER, move |all| with_addresses(asking.clone(), all)) }
    }

    /// Which codes among these people have an address that is confirmed. Those that are asked for at the same time are
    /// read together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn with_addresses(
        &self,
        organisation: OrganisationId,
        people: &[Person],
    ) -> Sql<HashSet<CodeId>> {
        let code = |person: &Person| match person {
            Person::Code(code) => Some(*code),
            Person::Employee(_) | Person::CustomerUser(_) => None,
        };
        let codes: Vec<CodeId> = people.iter().filter_map(code).collect();
        if codes.is_empty() {
            return Ok(HashSet::new());
        }
        self.asked.put((organisation, codes)).await
    }

    /// Adds an address. Answers the one there is where it was entered before, and whether it is new; `None`: the code has
    /// as many as it may.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn add(&self, new: &Address) -> Sql<Option<(Address, bool)>> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        // One after the other per code, so that the most holds.
        sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(new.code.to_string())
            .execute(&mut *transaction)
            .await?;
        let sql = format!("select {COLUMNS} from code_address where code_id = $1 and organisation_id = $2");
        let known: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(new.code.uuid())
            .bind(new.organisation.uuid())
            .fetch_all(&mut *transaction)
            .await?;
        let known: Vec<Address> = known.into_iter().map(address).collect();
        let same = |one: &&Address| one.email.to_lowercase() == new.email.to_lowercase();
        if let Some(one) = known.iter().find(same) {
            return Ok(Some((one.clone(), false)));
        }
        if i64::try_from(known.len()).unwrap_or(i64::MAX) >= MAX_PER_CODE {
            return Ok(None);
        }
        sqlx::query(
            "insert into code_address (id, organisation_id, code_id, email, language, confirmed, created_at)
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new.id)
        .bind(new.organisation.uuid())
        .bind(new.code.uuid())
        .bind(&new.email)
        .bind(new.language.as_str())
        .bind(new.confirmed)
        .bind(new.created)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(Some((new.clone(), true)))
    }

    /// The addresses of a code, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of(&self, organisation: OrganisationId, code: CodeId) -> Sql<Vec<Address>> {
        let sql = format!(
            "select {COLUMNS} from code_address where organisation_id = $1 and code_id = $2
             order by created_at desc, id desc"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(code.uuid())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(address).collect())
    }

    /// Its owner has opened the link; `None`: it was removed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn confirm(&self, organisation: OrganisationId, id: Uuid) -> Sql<Option<Address>> {
        let sql = format!(
            "update code_address set confirmed = true where organisation_id = $1 and id = $2 returning {COLUMNS}"
        );
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(address))
    }

    /// Removes an address; of `code` alone where one is given. False: there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove(&self, organisation: OrganisationId, code: Option<CodeId>, id: Uuid) -> Sql<bool> {
        let done = sqlx::query(
            "delete from code_address
             where organisation_id = $1 and id = $2 and ($3::uuid is null or code_id = $3)",
        )
        .bind(organisation.uuid())
        .bind(id)
        .bind(code.map(Uuid::from))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes what was never confirmed and is older than this.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget_unconfirmed(&self, before: Timestamp) -> Sql<u64> {
        let done = sqlx::query("delete from code_address where not confirmed and created_at < $1")
            .bind(before)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }
}
