//! Reading records: one by id, pages by name. Every query is scoped by organisation.

use callboard_directory_domain::{Kept, State};
use callboard_journal::Pool;
use callboard_journal::{Table, selected};
use callboard_kernel::{OrganisationId, Timestamp, Version};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use super::ReadError;
use super::code::CODE;
use super::record::{Stored, state};
use callboard_directory_domain::code;

/// A record with its version.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    /// The record.
    pub value: T,
    /// Its version, hence its etag.
    pub version: Version,
}

/// What narrows a list.
#[derive(Debug, Clone)]
pub enum Filter {
    /// The column holds one of these.
    AnyOf(&'static str, Vec<Uuid>),
    /// The JSON list shares one of these.
    Shares(&'static str, Vec<Uuid>),
    /// The JSON list shares one of these, or is empty.
    SharesOrEmpty(&'static str, Vec<Uuid>),
    /// The column `device_id` is null, or the device passes this, or was removed.
    OfDevices(Box<Filter>),
    /// The record is the template of a device that passes this.
    TemplateOf(Box<Filter>),
}

/// Where a page of records starts: after this name and id.
pub type ByName = (String, Uuid);
/// Where a page of codes starts: before this time and id.
pub type ByTime = (Timestamp, Uuid);

fn columns(table: &Table) -> String {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    format!("select organisation_id, version, {} from {}", names.join(", "), table.name)
}

fn narrow(query: &mut QueryBuilder<Postgres>, filters: &[Filter]) {
    let texts = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>();
    for filter in filters {
        match filter {
            Filter::AnyOf(column, ids) => {
                query.push(" and ").push(*column).push(" = any(").push_bind(ids.clone()).push(")");
            }
            Filter::Shares(column, ids) => {
                query.push(" and ").push(*column).push(" ?| ").push_bind(texts(ids));
            }
            Filter::SharesOrEmpty(column, ids) => {
                query.push(" and (").push(*column).push(" ?| ").push_bind(texts(ids));
                query.push(" or ").push(*column).push(" = '[]')");
            }
            Filter::OfDevices(of) => {
                // A removed one hides nothing; the code leads nowhere in a moment.
                query.push(
                    " and (device_id is null or device_id in (select id from device where removed or (true",
                );
                narrow(query, std::slice::from_ref(of));
                query.push(")))");
            }
            Filter::TemplateOf(of) => {
                query.push(" and id in (select template_id from device where not removed");
                narrow(query, std::slice::from_ref(of));
                query.push(")");
            }
        }
    }
}

fn record<E: Stored>(row: &PgRow) -> Result<Option<Versioned<Kept<E>>>, ReadError> {
    let organisation: Uuid = row.try_get("organisation_id")?;
    let version = Version(row.try_get("version")?);
    let cells = selected(E::SCHEMA.root, row)?;
    Ok(match state::<E>(&cells, Some(organisation.into()))? {
        State::Kept(value) => Some(Versioned { value, version }),
        State::Absent | State::Removed(_) => None,
    })
}

/// One record that is there.
///
/// # Errors
/// See [`ReadError`].
pub async fn get<E: Stored>(
    pool: &Pool,
    organisation: OrganisationId,
    id: Uuid,
) -> Result<Option<Versioned<Kept<E>>>, ReadError> {
    let mut query = QueryBuilder::new(columns(E::SCHEMA.root));
    query.push(" where organisation_id = ").push_bind(organisation.uuid()).push(" and id = ").push_bind(id);
    match query.build().fetch_optional(pool).await? {
        Some(row) => record(&row),
        None => Ok(None),
    }
}

/// At most `limit` records by name, after a cursor; each of the words occurs in the name.
///
/// # Errors
/// See [`ReadError`].
pub async fn list<E: Stored>(
    pool: &Pool,
    organisation: OrganisationId,
    words: &str,
    filters: &[Filter],
    after: Option<ByName>,
    limit: i64,
) -> Result<Vec<Versioned<Kept<E>>>, ReadError> {
    let mut query = QueryBuilder::new(columns(E::SCHEMA.root));
    query.push(" where not removed and organisation_id = ").push_bind(organisation.uuid());
    for word in words.to_lowercase().split_whitespace() {
        query.push(" and strpos(names, ").push_bind(word.to_owned()).push(") > 0");
    }
    narrow(&mut query, filters);
    if let Some((names, id)) = after {
        query.push(" and (names, id) > (").push_bind(names).push(", ").push_bind(id).push(")");
    }
    query.push(" order by names, id limit ").push_bind(limit);
    let rows = query.build().fetch_all(pool).await?;
    rows.iter().filter_map(|row| record(row).transpose()).collect()
}

/// Ids of records, removed ones aside, whose column names one of these: those that a removal concerns.
///
/// # Errors
/// See [`ReadError`].
pub async fn ids(
    pool: &Pool,
    table: &'static str,
    organisation: OrganisationId,
    filter: Filter,
) -> Result<Vec<Uuid>, ReadError> {
    let mut query = QueryBuilder::new("select id from ");
    query.push(table).push(" where not removed and organisation_id = ").push_bind(organisation.uuid());
    narrow(&mut query, &[filter]);
    query.push(" order by id");
    Ok(query.build_query_scalar().fetch_all(pool).await?)
}

/// Ids of customers whose serving map names this meta team, or this team.
///
/// # Errors
/// See [`ReadError`].
pub async fn customers_served(
    pool: &Pool,
    organisation: OrganisationId,
    meta_team: Option<Uuid>,
    team: Option<Uuid>,
) -> Result<Vec<Uuid>, ReadError> {
    let sql = "select id from customer where not removed and organisation_id = $1
        and ($2::text is null or serving ? $2)
        and ($3::text is null or exists (select from jsonb_each_text(serving) as s where s.value = $3)) order by id";
    Ok(sqlx::query_scalar(sql)
        .bind(organisation.uuid())
        .bind(meta_team.map(|id| id.to_string()))
        .bind(team.map(|id| id.to_string()))
        .fetch_all(pool)
        .await?)
}

/// A code with its id.
pub type CodeRow = (Uuid, Versioned<code::Kept>);

fn code_row(row: &PgRow) -> Result<Option<CodeRow>, ReadError> {
    let organisation: Uuid = row.try_get("organisation_id")?;
    let version = Version(row.try_get("version")?);
    let cells = selected(&CODE, row)?;
    Ok(match super::code::state(&cells, Some(organisation.into()))? {
        code::State::Kept(value) => Some((row.try_get("id")?, Versioned { value, version })),
        code::State::Absent | code::State::Removed(_) => None,
    })
}

/// One code of an organisation.
///
/// # Errors
/// See [`ReadError`].
pub async fn code(pool: &Pool, organisation: OrganisationId, id: Uuid) -> Result<Option<CodeRow>, ReadError> {
    let mut query = QueryBuilder::new(columns(&CODE));
    query.push(" where organisation_id = ").push_bind(organisation.uuid()).push(" and id = ").push_bind(id);
    query.build().fetch_optional(pool).await?.as_ref().map_or(Ok(None), code_row)
}

/// The code of a URL, of whatever organisation: the one query that knows none yet.
///
/// # Errors
/// See [`ReadError`].
pub async fn code_by_token(pool: &Pool, token: &str) -> Result<Option<CodeRow>, ReadError> {
    let mut query = QueryBuilder::new(columns(&CODE));
    query.push(" where not removed and token = ").push_bind(token.to_owned());
    query.build().fetch_optional(pool).await?.as_ref().map_or(Ok(None), code_row)
}

/// At most `limit` codes, newest first, after a cursor; the text in the URL begins with `start`.
///
/// # Errors
/// See [`ReadError`].
pub async fn codes(
    pool: &Pool,
    organisation: OrganisationId,
    start: &str,
    filters: &[Filter],
    after: Option<ByTime>,
    limit: i64,
) -> Result<Vec<CodeRow>, ReadError> {
    let mut query = QueryBuilder::new(columns(&CODE));
    query.push(" where not removed and organisation_id = ").push_bind(organisation.uuid());
    if !start.is_empty() {
        query.push(" and starts_with(token, ").push_bind(start.to_owned()).push(")");
    }
    narrow(&mut query, filters);
    if let Some((time, id)) = after {
        query.push(" and (created_at, id) < (").push_bind(time).push(", ").push_bind(id).push(")");
    }
    query.push(" order by created_at desc, id desc limit ").push_bind(limit);
    let rows = query.build().fetch_all(pool).await?;
    rows.iter().filter_map(|row| code_row(row).transpose()).collect()
}
