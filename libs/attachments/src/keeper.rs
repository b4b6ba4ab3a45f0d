//! What happens to files by itself: scanning, thumbnails, removing what nobody has any more.
//!
//! Any number of replicas do this at once: each file is claimed for a while by whoever works on it, removing is safe to
//! repeat, and what a process leaves undone another finds in Postgres.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_kernel::{ErrorKind, Refusal, Timestamp};
use callboard_service::database::refusal;
use chrono::TimeDelta;
use futures::TryStreamExt;
use sqlx::Row as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::attachments::Attachments;
use crate::compare::Compared;
use crate::rows::thumbnail_key;
use crate::scan::Verdict;
use crate::thumbnail;

/// How many files are removed in one go.
const BATCH: i64 = 100;
/// How long a file is one worker's.
const CLAIM: TimeDelta = TimeDelta::minutes(5);
/// How often is asked whether it is time to compare all objects with what is known.
const ASK_EVERY: Duration = Duration::from_secs(10 * 60);
/// An upload that sent nothing for so long broke off with its process.
const BROKEN_OFF: TimeDelta = TimeDelta::hours(1);
/// After so many failures there is no thumbnail.
const MOST_ATTEMPTS: i32 = 5;
const INFECTED: &str = "INFECTED";

/// A file that waits for something.
struct Waiting {
    id: Uuid,
    object_key: String,
    size: i64,
    scan: bool,
    thumbnail: bool,
    attempts: i32,
}

impl Attachments {
    /// Works until `stop`.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "files are not looked after now");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.woken.notified() => {}
                () = tokio::time::sleep(self.config.sweep_every) => {}
            }
        }
    }

    /// Compares objects and files in turn with other replicas until `stop`. Apart from [`Attachments::keep`]: a large store
    /// takes its time, and nothing that waits to be looked after waits for it.
    pub(crate) async fn keep_compared(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.tell_compared(&stop).await;
            stop.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await;
        }
    }

    async fn tell_compared(&self, stop: &CancellationToken) {
        match self.compare_in_turn(stop).await {
            Ok(None) => {}
            Ok(Some(compared)) if compared == Compared::default() => {
                tracing::debug!("all objects are known, and all files are there");
            }
            Ok(Some(compared)) => tracing::warn!(?compared, "objects and files were compared"),
            Err(error) => tracing::warn!(%error, "objects could not be compared"),
        }
    }

    /// Everything that is to be done now.
    pub(crate) async fn round(&self) -> Result<(), Refusal> {
        let now = self.clock.now();
        self.expire(now).await?;
        loop {
            // Each time, since what was deleted while it was looked after waits for that to end.
            while self.remove(now).await? {}
            let Some(waiting) = self.claim(now).await? else { return Ok(()) };
            if let Err(error) = self.care(&waiting).await {
                tracing::debug!(id = %waiting.id, %error, "tried again later");
            }
        }
    }

    /// Files that stayed pending too long, and uploads that broke off with their process, are to be removed.
    async fn expire(&self, now: Timestamp) -> Result<(), Refusal> {
        let pending_for = TimeDelta::from_std(self.config.pending_for).unwrap_or(TimeDelta::days(1));
        sqlx::query(
            "update attachment set state = 'PURGED', aggregate_id = null, name = '', uploader = 'system', \
             sha256 = '', change_time = $3 \
             where (state = 'PENDING' and change_time < $1) or (state = 'UPLOADING' and change_time < $2)",
        )
        .bind(now - pending_for)
        .bind(now - BROKEN_OFF)
        .bind(now)
        .execute(&self.rows.pool)
        .await
        .map_err(refusal)?;
        Ok(())
    }

    /// Removes what is to be removed: the bytes first, so that nothing is forgotten that is still there. True when
    /// there may be more.
    async fn remove(&self, now: Timestamp) -> Result<bool, Refusal> {
        let purged: Vec<(Uuid, String)> = sqlx::query_as(
            "update attachment set claimed_until = $1 where id in (select id from attachment \
               where state = 'PURGED' and (claimed_until is null or claimed_until < $2) \
               order by change_time limit $3 for update skip locked) returning id, object_key",
        )
        .bind(now + CLAIM)
        .bind(now)
        .bind(BATCH)
        .fetch_all(&self.rows.pool)
        .await
        .map_err(refusal)?;
        for (done, (id, key)) in purged.iter().enumerate() {
            if let Err(refusal) = self.remove_one(*id, key).await {
                // One that cannot be removed must not keep those behind it waiting.
                self.release(&purged[done + 1..]).await?;
                return Err(refusal);
            }
        }
        Ok(i64::try_from(purged.len()).unwrap_or(BATCH) == BATCH)
    }

    async fn remove_one(&self, id: Uuid, key: &str) -> Result<(), Refusal> {
        self.objects.remove(&thumbnail_key(key)).await?;
        self.objects.remove(key).await?;
        self.rows.forget(id, key, "PURGED").await?;
        Ok(())
    }

    /// Lets others, or a later look, have what was claimed.
    async fn release(&self, claimed: &[(Uuid, String)]) -> Result<(), Refusal> {
        let ids: Vec<Uuid> = claimed.iter().map(|(id, _)| *id).collect();
        sqlx::query("update attachment set claimed_until = null where id = any($1) and state = 'PURGED'")
            .bind(ids)
            .execute(&self.rows.pool)
            .await
            .map_err(refusal)?;
        Ok(())
    }

    async fn claim(&self, now: Timestamp) -> Result<Option<Waiting>, Refusal> {
        let row = sqlx::query(
            "update attachment set claimed_until = $1 where id = (select id from attachment \
               where (thumbnail = 'WAITING' or scan = 'WAITING') and state in ('PENDING', 'LINKED') \
                 and (claimed_until is null or claimed_until < $2) \
               order by create_time limit 1 for update skip locked) \
             returning id, object_key, size, scan = 'WAITING' as scan, thumbnail = 'WAITING' as thumbnail, attempts",
        )
        .bind(now + CLAIM)
        .bind(now)
        .fetch_optional(&self.rows.pool)
        .await
        .map_err(refusal)?;
        let waiting = |row: sqlx::postgres::PgRow| -> Result<Waiting, sqlx::Error> {
            Ok(Waiting {
                id: row.try_get("id")?,
                object_key: row.try_get("object_key")?,
                size: row.try_get("size")?,
                scan: row.try_get("scan")?,
                thumbnail: row.try_get("thumbnail")?,
                attempts: row.try_get("attempts")?,
            })
        };
        row.map(waiting).transpose().map_err(refusal)
    }

    async fn care(&self, waiting: &Waiting) -> Result<(), Refusal> {
        let done = self.cared_for(waiting).await;
        if done.is_err() {
            self.failed(waiting).await?;
        }
        done
    }

    async fn cared_for(&self, waiting: &Waiting) -> Result<(), Refusal> {
        let mut attempts = waiting.attempts;
        if waiting.scan {
            // Until it can be judged it stays locked away.
            let verdict = self.verdict(waiting).await?;
            // The verdict stands whatever becomes of the thumbnail, which has attempts of its own.
            sqlx::query("update attachment set scan = $2, attempts = 0 where id = $1")
                .bind(waiting.id)
                .bind(verdict)
                .execute(&self.rows.pool)
                .await
                .map_err(refusal)?;
            attempts = 0;
            if verdict == INFECTED {
                return self.cared(waiting, "NONE").await;
            }
        }
        let small = match waiting.thumbnail {
            false => "NONE",
            true => match self.thumbnail(waiting).await {
                Ok(true) => "MADE",
                Err(refusal) if attempts + 1 < MOST_ATTEMPTS => return Err(refusal),
                Ok(false) | Err(_) => "NONE",
            },
        };
        self.cared(waiting, small).await
    }

    async fn verdict(&self, waiting: &Waiting) -> Result<&'static str, Refusal> {
        // There was a scanner when it came in, and is none now.
        let Some(scanner) = &self.scanner else { return Ok("OFF") };
        match scanner.scan(self.bytes(waiting).await?).await? {
            Verdict::Clean => Ok("CLEAN"),
            Verdict::Infected => {
                tracing::warn!(id = %waiting.id, "an attachment is infected");
                Ok(INFECTED)
            }
        }
    }

    /// Nothing waits any more.
    async fn cared(&self, waiting: &Waiting, thumbnail: &str) -> Result<(), Refusal> {
        sqlx::query(
            "update attachment set thumbnail = case when thumbnail = 'WAITING' then $2 else thumbnail end, \
             claimed_until = null where id = $1",
        )
        .bind(waiting.id)
        .bind(thumbnail)
        .execute(&self.rows.pool)
        .await
        .map_err(refusal)?;
        Ok(())
    }

    /// The claim goes on, so that it is not tried again at once; but what was deleted meanwhile waits for nothing.
    async fn failed(&self, waiting: &Waiting) -> Result<(), Refusal> {
        sqlx::query(
            "update attachment set attempts = attempts + 1, \
             claimed_until = case when state = 'PURGED' then null else claimed_until end where id = $1",
        )
        .bind(waiting.id)
        .execute(&self.rows.pool)
        .await
        .map_err(refusal)?;
        Ok(())
    }

    async fn bytes(
        &self,
        waiting: &Waiting,
    ) -> Result<futures::stream::BoxStream<'static, Result<Bytes, Refusal>>, Refusal> {
        let size = u64::try_from(waiting.size).unwrap_or_default();
        self.objects.stream(&waiting.object_key, 0..size).await
    }

    /// True when one was made; false when the picture gives none.
    async fn thumbnail(&self, waiting: &Waiting) -> Result<bool, Refusal> {
        let whole = self.bytes(waiting).await?;
        let all = whole.try_fold(BytesMut::new(), |mut all, part| async move {
            all.extend_from_slice(&part);
            Ok(all)
        });
        let bytes = all.await?.freeze();
        let made = tokio::task::spawn_blocking(move || thumbnail::of(&bytes)).await;
        match made {
            Ok(Ok(small)) => {
                self.objects.put(&thumbnail_key(&waiting.object_key), small).await?;
                Ok(true)
            }
            Ok(Err(error)) => {
                tracing::debug!(id = %waiting.id, %error, "no thumbnail");
                Ok(false)
            }
            Err(error) => Err(Refusal::new(ErrorKind::Internal, "INTERNAL", error.to_string())),
        }
    }
}
