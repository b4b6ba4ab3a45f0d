//! Small questions asked before a decision.

use callboard_directory_domain::CustomerKind;
use callboard_journal::Pool;
use callboard_kernel::{Isolation, OrganisationId, Timestamp};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::ReadError;

/// The isolation of an organisation; off where there is none.
///
/// # Errors
/// See [`ReadError`].
pub async fn isolation(pool: &Pool, organisation: OrganisationId) -> Result<Isolation, ReadError> {
    let word: Option<String> = sqlx::query_scalar("select isolation from organisation where id = $1")
        .bind(organisation.uuid())
        .fetch_optional(pool)
        .await?;
    // An unknown word closes the doors rather than opening them.
    Ok(word.map_or(Isolation::Off, |word| word.parse().unwrap_or(Isolation::Strict)))
}

/// Which of these ids name no record of this table in the organisation.
///
/// # Errors
/// See [`ReadError`].
pub async fn missing(
    pool: &Pool,
    table: &'static str,
    organisation: OrganisationId,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, ReadError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select asked.id from unnest($1) as asked(id) where not exists
           (select from {table} t where t.id = asked.id and t.organisation_id = $2 and not t.removed)"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(ids).bind(organisation.uuid()).fetch_all(pool).await?)
}

/// Whether any record of the table, removed ones aside, has this id in the column.
async fn any(
    pool: &Pool,
    sql: &'static str,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<bool, ReadError> {
    Ok(sqlx::query_scalar(sql).bind(organisation.uuid()).bind(id).fetch_one(pool).await?)
}

/// What forbids the removal of a template.
///
/// # Errors
/// See [`ReadError`].
pub async fn template_used_by(
    pool: &Pool,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<Option<&'static str>, ReadError> {
    const SQL: &str =
        "select exists (select from device where organisation_id = $1 and template_id = $2 and not removed)";
    Ok(any(pool, SQL, organisation, id).await?.then_some("devices"))
}

/// What forbids the removal of a customer.
///
/// # Errors
/// See [`ReadError`].
pub async fn customer_used_by(
    pool: &Pool,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<Option<&'static str>, ReadError> {
    const SQL: &str =
        "select exists (select from device where organisation_id = $1 and customer_id = $2 and not removed)";
    Ok(any(pool, SQL, organisation, id).await?.then_some("devices"))
}

/// What forbids the removal of a department.
///
/// # Errors
/// See [`ReadError`].
pub async fn department_used_by(
    pool: &Pool,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<Option<&'static str>, ReadError> {
    const EMPLOYEES: &str = "select exists (select from employee
        where organisation_id = $1 and department_ids ? ($2::uuid)::text and not removed)";
    const DEVICES: &str = "select exists (select from device
        where organisation_id = $1 and department_ids ? ($2::uuid)::text and not removed)";
    if any(pool, EMPLOYEES, organisation, id).await? {
        return Ok(Some("employees"));
    }
    Ok(any(pool, DEVICES, organisation, id).await?.then_some("devices"))
}

/// Whether a customer has logins.
///
/// # Errors
/// See [`ReadError`].
pub async fn customer_has_users(
    pool: &Pool,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<bool, ReadError> {
    const SQL: &str = "select exists (select from customer_user where organisation_id = $1 and customer_id = $2 and not removed)";
    any(pool, SQL, organisation, id).await
}

/// Whether nobody but this employee is an administrator.
///
/// # Errors
/// See [`ReadError`].
pub async fn no_other_administrator(
    pool: &Pool,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<bool, ReadError> {
    const SQL: &str = "select not exists (select from employee
        where organisation_id = $1 and id <> $2 and role = 'administrator' and not removed)";
    any(pool, SQL, organisation, id).await
}

/// Whether somebody else of the organisation has this e-mail address.
///
/// # Errors
/// See [`ReadError`].
pub async fn email_taken(
    pool: &Pool,
    organisation: OrganisationId,
    email: &str,
    person: Uuid,
) -> Result<bool, ReadError> {
    let sql = "select exists (select from email_claim where organisation_id = $1 and email = $2 and person_id <> $3)";
    Ok(sqlx::query_scalar(sql).bind(organisation.uuid()).bind(email).bind(person).fetch_one(pool).await?)
}

/// The kind of a customer that is there.
///
/// # Errors
/// See [`ReadError`].
pub async fn customer_kind(
    pool: &Pool,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<Option<CustomerKind>, ReadError> {
    let word: Option<String> = sqlx::query_scalar(
        "select kind from customer where organisation_id = $1 and id = $2 and not removed",
    )
    .bind(organisation.uuid())
    .bind(id)
    .fetch_optional(pool)
    .await?;
    Ok(word.map(|word| word.parse().unwrap_or_default()))
}

/// Which of these pairs of meta team and team do not belong together.
///
/// # Errors
/// See [`ReadError`].
pub async fn not_in_meta_team(
    pool: &Pool,
    organisation: OrganisationId,
    pairs: &[(Uuid, Uuid)],
) -> Result<Vec<Uuid>, ReadError> {
    let (metas, teams): (Vec<Uuid>, Vec<Uuid>) = pairs.iter().copied().unzip();
    let sql = "select asked.meta from unnest($1::uuid[], $2::uuid[]) as asked(meta, team) where not exists
        (select from meta_team m where m.id = asked.meta and m.organisation_id = $3 and not m.removed
            and m.team_ids ? asked.team::text)";
    Ok(sqlx::query_scalar(sql).bind(metas).bind(teams).bind(organisation.uuid()).fetch_all(pool).await?)
}

/// How many sessions of a code are open at this epoch.
///
/// # Errors
/// See [`ReadError`].
pub async fn open_sessions(
    pool: &Pool,
    organisation: OrganisationId,
    code: Uuid,
    epoch: i64,
    now: Timestamp,
) -> Result<i64, ReadError> {
    let sql = "select count(*) from session where organisation_id = $1 and code_id = $2 and code_epoch = $3
        and ended is null and expires_at > $4";
    Ok(sqlx::query_scalar(sql)
        .bind(organisation.uuid())
        .bind(code)
        .bind(epoch)
        .bind(now)
        .fetch_one(pool)
        .await?)
}

/// Whose session this is, if it exists: the refresh token says no organisation.
///
/// # Errors
/// See [`ReadError`].
pub async fn session_organisation(pool: &Pool, id: Uuid) -> Result<Option<OrganisationId>, ReadError> {
    let found: Option<Uuid> = sqlx::query_scalar("select organisation_id from session where id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await?;
    Ok(found.map(Into::into))
}

/// Who has this e-mail address: organisation and person, at most two of them.
///
/// # Errors
/// See [`ReadError`].
pub async fn persons_by_email(
    pool: &Pool,
    email: &str,
    organisation: Option<OrganisationId>,
) -> Result<Vec<(OrganisationId, Uuid)>, ReadError> {
    let sql = "select organisation_id, person_id from email_claim
        where email = $1 and ($2::uuid is null or organisation_id = $2) limit 2";
    let found: Vec<(Uuid, Uuid)> =
        sqlx::query_as(sql).bind(email).bind(organisation.map(OrganisationId::uuid)).fetch_all(pool).await?;
    Ok(found.into_iter().map(|(organisation, person)| (organisation.into(), person)).collect())
}

/// Deletes sessions whose time was over before this, some thousand at a time. Answers how many.
///
/// # Errors
/// See [`ReadError`].
pub async fn forget_sessions(pool: &Pool, before: Timestamp) -> Result<u64, ReadError> {
    let sql = "delete from session where id in (select id from session where expires_at < $1 limit 5000)";
    Ok(sqlx::query(sql).bind(before).execute(pool).await?.rows_affected())
}
