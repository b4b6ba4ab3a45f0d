//! Comparing what is stored with what is known: objects that no file names are removed, files whose bytes are gone are
//! told of.
//!
//! Both are there after a database was restored from a backup, or a store. Nothing is removed at first sight: whoever
//! restored the wrong one has a day to notice.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use callboard_kernel::{ErrorKind, Refusal, Timestamp};
use callboard_service::database::refusal;
use chrono::TimeDelta;
use futures::TryStreamExt;
use object_store::ObjectMeta;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::attachments::Attachments;
use crate::rows::{THUMBNAIL, thumbnail_key};

/// How often, and how long an object stays that nobody knows.
const EVERY: TimeDelta = TimeDelta::hours(24);
/// When it could not be done, it is tried again after this.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// How many objects or files are looked at in one go.
const PIECE: usize = 500;
/// Of how many files that are gone each is named in the log.
const NAMED: usize = 20;

/// What a comparison came upon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Objects that no file names, and that nobody has noticed for a day yet.
    pub noticed: usize,
    /// Objects that no file named a day ago either: removed.
    pub removed: usize,
    /// What was left of uploads whose process died: removed.
    pub broken_off: usize,
    /// Files whose bytes are gone. They stay as they are: a backup of the store may have them.
    pub gone: usize,
    /// Files whose thumbnail alone was gone: it is made again.
    pub thumbnails: usize,
}

/// The file that an object is of, by its name: `…/<file>-<attempt>`.
fn id_of(key: &str) -> Option<Uuid> {
    key.rsplit('/').next()?.get(..36)?.parse().ok()
}

impl Attachments {
    /// Compares, when nobody has for a day. The first day, all is as new. What is broken off by `stop` is done again in an
    /// hour, too.
    ///
    /// # Errors
    /// When store or database do not answer; it is tried again in an hour.
    pub(crate) async fn compare_in_turn(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<Compared>, Refusal> {
        let now = self.clock.now();
        let begin = |at: Timestamp, last: Timestamp| {
            sqlx::query("update attachment_comparison set begun_at = $1 where begun_at <= $2")
                .bind(at)
                .bind(last)
        };
        let pool = &self.rows.pool;
        let turn = begin(now, now - EVERY).execute(pool).await.map_err(refusal)?;
        if turn.rows_affected() == 0 {
            sqlx::query(
                "insert into attachment_comparison (id, begun_at) values (1, $1) on conflict do nothing",
            )
            .bind(now)
            .execute(pool)
            .await
            .map_err(refusal)?;
            return Ok(None);
        }
        let outcome = stop.run_until_cancelled(self.compare(now)).await.transpose();
        if !matches!(outcome, Ok(Some(_))) {
            begin(now - EVERY + AGAIN, now).execute(pool).await.map_err(refusal)?;
        }
        outcome
    }

    async fn compare(&self, now: Timestamp) -> Result<Compared, Refusal> {
        let broken_off = self.objects.remove_broken_off(now - EVERY).await?;
        let mut compared = Compared { broken_off, ..Compared::default() };
        // Of a million objects the names would take a hundred megabytes; what stands for them takes a tenth.
        let (hasher, mut seen) = (RandomState::new(), HashSet::new());
        let mut pieces = self.objects.list().await?.try_chunks(PIECE);
        while let Some(piece) = pieces.try_next().await.map_err(|error| error.1)? {
            seen.extend(piece.iter().map(|object| hasher.hash_one(object.location.as_ref())));
            self.compare_objects(&piece, now, &mut compared).await?;
        }
        // What has been named since, or is gone, is no stray.
        sqlx::query("delete from attachment_stray where seen_at < $1")
            .bind(now)
            .execute(&self.rows.pool)
            .await
            .map_err(refusal)?;
        let is_seen = |key: &str| seen.contains(&hasher.hash_one(key));
        self.compare_files(is_seen, &mut compared).await?;
        Ok(compared)
    }

    /// Notices strays, and removes those that were noticed a day ago.
    async fn compare_objects(
        &self,
        piece: &[ObjectMeta],
        now: Timestamp,
        compared: &mut Compared,
    ) -> Result<(), Refusal> {
        let pool = &self.rows.pool;
        let keys: Vec<&str> = piece.iter().map(|object| object.location.as_ref()).collect();
        let owners: Vec<&str> = keys.iter().map(|key| key.strip_suffix(THUMBNAIL).unwrap_or(key)).collect();
        let strays: Vec<(String, Timestamp)> = sqlx::query_as(
            "insert into attachment_stray as s (object_key, noticed_at, seen_at) \
             select o.key, $4, $4 from unnest($1::text[], $2::text[], $3::uuid[]) as o (key, owner, id) \
             where not exists (select 1 from attachment a where a.id = o.id and a.object_key = o.owner) \
             on conflict (object_key) do update set seen_at = excluded.seen_at returning object_key, noticed_at",
        )
        .bind(&keys)
        .bind(&owners)
        .bind(owners.iter().map(|owner| id_of(owner)).collect::<Vec<_>>())
        .bind(now)
        .fetch_all(pool)
        .await
        .map_err(refusal)?;
        for (key, noticed) in strays {
            if noticed > now - EVERY {
                // Said each time until it is removed: a comparison that fails half-way says nothing.
                compared.noticed += 1;
            } else {
                self.objects.remove(&key).await?;
                compared.removed += 1;
                let gone = sqlx::query("delete from attachment_stray where object_key = $1").bind(&key);
                gone.execute(pool).await.map_err(refusal)?;
            }
        }
        Ok(())
    }

    /// Tells of files whose bytes are gone, and has thumbnails made again that are.
    async fn compare_files(
        &self,
        is_seen: impl Fn(&str) -> bool,
        compared: &mut Compared,
    ) -> Result<(), Refusal> {
        let mut last = Uuid::nil();
        loop {
            let files: Vec<(Uuid, String, bool)> = sqlx::query_as(
                "select id, object_key, thumbnail = 'MADE' from attachment \
                 where id > $1 and state in ('PENDING', 'LINKED') order by id limit $2",
            )
            .bind(last)
            .bind(i64::try_from(PIECE).unwrap_or(i64::MAX))
            .fetch_all(&self.rows.pool)
            .await
            .map_err(refusal)?;
            let Some((id, ..)) = files.last() else { return Ok(()) };
            last = *id;
            for (id, key, has_thumbnail) in files {
                let small = thumbnail_key(&key);
                // It may have come after its place was listed: asked for by name, it is told.
                if !is_seen(&key) && self.is_gone(&key).await? {
                    // Its owner may have been deleted meanwhile.
                    compared.gone += 1;
                    if compared.gone <= NAMED {
                        tracing::error!(%id, key, "the bytes of an attachment are gone");
                    }
                } else if has_thumbnail && !is_seen(&small) && self.is_gone(&small).await? {
                    compared.thumbnails += 1;
                    let again = sqlx::query(
                        "update attachment set thumbnail = 'WAITING', attempts = 0 where id = $1 and thumbnail = 'MADE'",
                    );
                    again.bind(id).execute(&self.rows.pool).await.map_err(refusal)?;
                }
            }
        }
    }

    async fn is_gone(&self, key: &str) -> Result<bool, Refusal> {
        match self.objects.size(key).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}
