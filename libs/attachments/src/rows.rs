//! What is known of files, in Postgres.

use callboard_kernel::{Actor, ErrorKind, OrganisationId, Refusal, Timestamp};
use callboard_proto::common::v1 as common;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_service::database::Pool;
use callboard_service::database::refusal;
use sqlx::Connection as _;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::media::Media;

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Bytes are coming in.
    Uploading,
    /// Nobody's yet.
    Pending,
    /// Its owner's.
    Linked,
    /// To be removed.
    Purged,
}

/// What a file is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What it is, in words of the context: `update`.
    pub kind: String,
    /// Which.
    pub id: Uuid,
    /// The aggregate it belongs to.
    pub aggregate: Uuid,
}

/// A file as stored.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub id: Uuid,
    pub organisation: OrganisationId,
    pub uploader: String,
    pub aggregate: Option<Uuid>,
    pub standing: Standing,
    pub owner: Option<Owner>,
    pub name: String,
    pub media_type: String,
    pub size: i64,
    pub sha256: String,
    pub object_key: String,
    pub has_thumbnail: bool,
    pub scan: String,
    pub create_time: Timestamp,
}

const COLUMNS: &str = "id, organisation_id, uploader, aggregate_id, state, owner_kind, owner_id, name, media_type, \
                       size, sha256, object_key, thumbnail, scan, create_time";

fn file(row: &PgRow) -> Result<File, sqlx::Error> {
    let aggregate: Option<Uuid> = row.try_get("aggregate_id")?;
    let standing = match row.try_get::<&str, _>("state")? {
        "UPLOADING" => Standing::Uploading,
        "PENDING" => Standing::Pending,
        "LINKED" => Standing::Linked,
        _ => Standing::Purged,
    };
    let kind: Option<String> = row.try_get("owner_kind")?;
    let owner: Option<Uuid> = row.try_get("owner_id")?;
    Ok(File {
        id: row.try_get("id")?,
        organisation: OrganisationId(row.try_get("organisation_id")?),
        uploader: row.try_get("uploader")?,
        aggregate,
        standing,
        owner: kind.zip(owner).zip(aggregate).map(|((kind, id), aggregate)| Owner { kind, id, aggregate }),
        name: row.try_get("name")?,
        media_type: row.try_get("media_type")?,
        size: row.try_get("size")?,
        sha256: row.try_get("sha256")?,
        object_key: row.try_get("object_key")?,
        has_thumbnail: row.try_get::<&str, _>("thumbnail")? == "MADE",
        scan: row.try_get("scan")?,
        create_time: row.try_get("create_time")?,
    })
}

impl File {
    /// Where its thumbnail is.
    pub(crate) fn thumbnail_key(&self) -> String {
        thumbnail_key(&self.object_key)
    }

    /// As answered.
    pub(crate) fn shown(&self) -> common::Attachment {
        let state = match self.standing {
            Standing::Linked => common::AttachmentState::Linked,
            Standing::Uploading | Standing::Pending | Standing::Purged => common::AttachmentState::Pending,
        };
        let scan = match self.scan.as_str() {
            "WAITING" => common::AttachmentScan::Waiting,
            "CLEAN" => common::AttachmentScan::Clean,
            "INFECTED" => common::AttachmentScan::Infected,
            _ => common::AttachmentScan::Off,
        };
        common::Attachment {
            id: self.id.to_string(),
            name: self.name.clone(),
            media_type: self.media_type.clone(),
            size: self.size,
            sha256: self.sha256.clone(),
            state: state.into(),
            scan: scan.into(),
            has_thumbnail: self.has_thumbnail,
            create_time: Some(to_proto_time(self.create_time)),
            uploader: self.uploader.parse().ok().map(to_proto_actor),
        }
    }
}

/// What the name of a thumbnail's object ends with, after that of what it shows.
pub(crate) const THUMBNAIL: &str = ".thumbnail";

/// Where the thumbnail of an object is.
pub(crate) fn thumbnail_key(object_key: &str) -> String {
    format!("{object_key}{THUMBNAIL}")
}

/// A file about to come in.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub id: Uuid,
    pub organisation: OrganisationId,
    pub uploader: Actor,
    pub aggregate: Option<Uuid>,
    pub name: String,
    pub object_key: String,
    pub now: Timestamp,
}

/// What a whole file turned out to be.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub media: Media,
    pub size: i64,
    pub sha256: String,
    pub scan: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub pool: Pool,
}

/// Takes from an organisation's quota, if there is that much left: counting and judging are one statement.
const TAKE: &str = "insert into attachment_usage as u (organisation_id, bytes) select $1, $2 where $2 <= $3 \
                    on conflict (organisation_id) do update set bytes = u.bytes + $2 where u.bytes + $2 <= $3";

fn over_quota() -> Refusal {
    Refusal::new(
        ErrorKind::FailedPrecondition,
        "ATTACHMENT_QUOTA_EXCEEDED",
        "the organisation's space for files is used up",
    )
}

impl Rows {
    pub(crate) async fn find(&self, ids: &[Uuid]) -> Result<Vec<File>, Refusal> {
        let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from attachment where id = any($1)"));
        let rows = sqlx::query(sql).bind(ids).fetch_all(&self.pool).await.map_err(refusal)?;
        rows.iter().map(file).collect::<Result<_, _>>().map_err(refusal)
    }

    /// Makes room for a file and writes down that it comes; an attempt of the same upload that broke off is taken
    /// over. Refuses what exceeds the organisation's quota or the uploader's pending bytes.
    pub(crate) async fn begin(
        &self,
        new: &Incoming,
        reserve: i64,
        (quota, pending): (i64, i64),
    ) -> Result<(), Refusal> {
        let mut lent = self.pool.acquire().await.map_err(refusal)?;
        let mut transaction = lent.begin().await.map_err(refusal)?;
        let known: Option<(i64, String)> = sqlx::query_as(
            "select reserved, object_key from attachment where id = $1 and state = 'UPLOADING' for update",
        )
        .bind(new.id)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(refusal)?;
        let before = known.as_ref().map_or(0, |(reserved, _)| *reserved);
        let (waiting,): (i64,) = sqlx::query_as(
            "select coalesce(sum(reserved), 0)::bigint from attachment \
             where organisation_id = $1 and uploader = $2 and state in ('UPLOADING', 'PENDING') and id <> $3",
        )
        .bind(new.organisation.uuid())
        .bind(new.uploader.to_string())
        .bind(new.id)
        .fetch_one(&mut *transaction)
        .await
        .map_err(refusal)?;
        if waiting + reserve > pending {
            return Err(Refusal::new(
                ErrorKind::FailedPrecondition,
                "ATTACHMENTS_PENDING",
                "too much was uploaded that is not part of anything yet: use or remove it first",
            ));
        }
        let taken = sqlx::query(TAKE)
            .bind(new.organisation.uuid())
            .bind(reserve - before)
            .bind(quota)
            .execute(&mut *transaction)
            .await
            .map_err(refusal)?;
        if taken.rows_affected() == 0 {
            return Err(over_quota());
        }
        let written = sqlx::query(
            "insert into attachment (id, organisation_id, uploader, aggregate_id, state, name, media_type, size, \
             sha256, object_key, thumbnail, scan, reserved, create_time, change_time) \
             values ($1, $2, $3, $4, 'UPLOADING', $5, '', 0, '', $6, 'NONE', 'OFF', $7, $8, $8) \
             on conflict (id) do update set name = excluded.name, object_key = excluded.object_key, \
             aggregate_id = excluded.aggregate_id, reserved = excluded.reserved, change_time = excluded.change_time \
             where attachment.state = 'UPLOADING'",
        )
        .bind(new.id)
        .bind(new.organisation.uuid())
        .bind(new.uploader.to_string())
        .bind(new.aggregate)
        .bind(&new.name)
        .bind(&new.object_key)
        .bind(reserve)
        .bind(new.now)
        .execute(&mut *transaction)
        .await
        .map_err(refusal)?;
        if written.rows_affected() == 0 {
            return Err(superseded());
        }
        transaction.commit().await.map_err(refusal)?;
        lent.give_back();
        Ok(())
    }

    /// Makes more room for a file whose size was not known.
    pub(crate) async fn grow(
        &self,
        new: &Incoming,
        by: i64,
        quota: i64,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut lent = self.pool.acquire().await.map_err(refusal)?;
        let mut transaction = lent.begin().await.map_err(refusal)?;
        let ours = sqlx::query(
            "update attachment set reserved = reserved + $3, change_time = $4 \
             where id = $1 and object_key = $2 and state = 'UPLOADING'",
        )
        .bind(new.id)
        .bind(&new.object_key)
        .bind(by)
        .bind(now)
        .execute(&mut *transaction)
        .await
        .map_err(refusal)?;
        if ours.rows_affected() == 0 {
            return Err(superseded());
        }
        if by > 0 {
            let taken = sqlx::query(TAKE)
                .bind(new.organisation.uuid())
                .bind(by)
                .bind(quota)
                .execute(&mut *transaction)
                .await
                .map_err(refusal)?;
            if taken.rows_affected() == 0 {
                return Err(over_quota());
            }
        }
        transaction.commit().await.map_err(refusal)?;
        lent.give_back();
        Ok(())
    }

    /// The file is whole: it is pending from now on, and takes what it needs of the quota and no more.
    pub(crate) async fn finish(
        &self,
        new: &Incoming,
        taken: &Taken,
        now: Timestamp,
    ) -> Result<File, Refusal> {
        let thumbnail = if taken.media.is_picture() { "WAITING" } else { "NONE" };
        let sql = sqlx::AssertSqlSafe(format!(
            "with mine as (select id, reserved from attachment \
               where id = $1 and object_key = $2 and state = 'UPLOADING' for update), \
             given as (update attachment_usage u set bytes = u.bytes - m.reserved + $3 from mine m \
               where u.organisation_id = $9) \
             update attachment a set state = 'PENDING', media_type = $4, size = $3, sha256 = $5, thumbnail = $6, \
               scan = $7, reserved = $3, change_time = $8 from mine m where a.id = m.id \
             returning a.{}",
            COLUMNS.replace(", ", ", a.")
        ));
        let row = sqlx::query(sql)
            .bind(new.id)
            .bind(&new.object_key)
            .bind(taken.size)
            .bind(taken.media.media_type())
            .bind(&taken.sha256)
            .bind(thumbnail)
            .bind(taken.scan)
            .bind(now)
            .bind(new.organisation.uuid())
            .fetch_optional(&self.pool)
            .await
            .map_err(refusal)?;
        row.map_or_else(|| Err(superseded()), |row| file(&row).map_err(refusal))
    }

    /// Forgets a file, if it (still) stands so, and gives its room back. The object must have been removed before.
    pub(crate) async fn forget(&self, id: Uuid, object_key: &str, state: &str) -> Result<bool, Refusal> {
        let done = sqlx::query(
            "with gone as (delete from attachment where id = $1 and object_key = $2 and state = $3 \
               returning organisation_id, reserved) \
             update attachment_usage u set bytes = greatest(u.bytes - g.reserved, 0) from gone g \
             where u.organisation_id = g.organisation_id",
        )
        .bind(id)
        .bind(object_key)
        .bind(state)
        .execute(&self.pool)
        .await
        .map_err(refusal)?;
        Ok(done.rows_affected() > 0)
    }

    /// Marks a pending file as to be removed. False when it is not pending (any more).
    pub(crate) async fn drop_pending(&self, id: Uuid, now: Timestamp) -> Result<bool, Refusal> {
        let done = sqlx::query(
            "update attachment set state = 'PURGED', aggregate_id = null, name = '', uploader = 'system', \
             sha256 = '', change_time = $2 where id = $1 and state = 'PENDING'",
        )
        .bind(id)
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(refusal)?;
        Ok(done.rows_affected() > 0)
    }
}

/// Another attempt of the same upload took over, or what it was for was deleted meanwhile.
fn superseded() -> Refusal {
    Refusal::new(
        ErrorKind::Aborted,
        "UPLOAD_SUPERSEDED",
        "another attempt of this upload took over, or what it is for was deleted",
    )
}
