//! The files of a context that allows everybody everything, in a place of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use callboard_auth::Revocations;
use callboard_kernel::{Employee, IdGenerator, Language, Principal, RandomIds, Refusal, Role, Subject};
use callboard_proto::common::v1 as common;
use callboard_service::database::Pool;
use callboard_testkit::{Database, ManualClock, PATIENCE, S3, Servers, eventually, fresh_s3};
use chrono::TimeDelta;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::attachments::{Attachments, Owners};
use crate::config::AttachmentsConfig;
use crate::download::Asked;
use crate::link::Signer;
use crate::objects::Objects;
use crate::rows::{Owner, Rows};

static SHARED: OnceCell<S3> = OnceCell::const_new();

/// The server that all tests share which do not kill it.
pub async fn s3() -> &'static S3 {
    SHARED.get_or_init(fresh_s3).await
}

struct Everybody;

impl Owners for Everybody {
    fn may_upload<'a>(&'a self, _: &'a Principal, _: Option<Uuid>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    fn may_see<'a>(&'a self, _: &'a Principal, _: &'a Owner) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async { Ok(true) })
    }
}

/// Where the files of a test are.
pub enum Place {
    Folder(PathBuf),
    /// Its name, on the server that all share.
    Bucket(String),
}

pub struct Bed {
    pub files: Attachments,
    pub clock: ManualClock,
    pub who: Principal,
    pub pool: Pool,
    pub place: Place,
    pub config: AttachmentsConfig,
    _folder: tempfile::TempDir,
    _database: Database,
}

/// `[x.attachments.s3]` for a bucket.
pub fn bucket_at(endpoint: &str, server: &S3, bucket: &str) -> Value {
    json!({
        "bucket": bucket, "prefix": "callboard/tests", "region": "eu-central-1", "endpoint": endpoint,
        "path_style": true, "access_key_id": server.key_id(), "secret_access_key": server.secret(),
        "allow_http": true, "ca_file": "", "timeout": "10s",
    })
}

pub fn new_bucket_name() -> String {
    format!("b{}", RandomIds.next().simple())
}

fn config(folder: &Path, s3: &Value) -> AttachmentsConfig {
    let gib: i64 = 1 << 30;
    serde_json::from_value(json!({
        "folder": folder, "max_bytes": 52_428_800, "quota_bytes": gib, "pending_bytes": gib, "pending_for": "24h",
        "link_life": "5m", "sweep_every": "5s", "link_secret": "", "clamd": "", "s3": s3,
    }))
    .unwrap()
}

impl Bed {
    pub async fn folder() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let none = json!({
            "bucket": "", "prefix": "", "region": "", "endpoint": "", "path_style": true, "access_key_id": "",
            "secret_access_key": "", "allow_http": false, "ca_file": "", "timeout": "20s",
        });
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().join("files"));
        Self::make(folder, &none, place).await
    }

    pub async fn bucket() -> Self {
        Self::behind(&s3().await.endpoint(), |_| {}).await
    }

    /// A bucket that is reached by this address, with other settings than usual.
    pub async fn behind(endpoint: &str, change: impl FnOnce(&mut Value)) -> Self {
        let (server, bucket) = (s3().await, new_bucket_name());
        server.make_bucket(&bucket).await.unwrap();
        let mut settings = bucket_at(endpoint, server, &bucket);
        change(&mut settings);
        Self::with(&settings, Place::Bucket(bucket)).await
    }

    /// With these settings of a bucket.
    pub async fn with(settings: &Value, place: Place) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::make(tempfile::tempdir().unwrap(), settings, place).await
    }

    async fn make(folder: tempfile::TempDir, s3: &Value, place: Place) -> Self {
        let config = config(&folder.path().join("files"), s3);
        config.check().unwrap();
        let database = Servers::shared().await.fresh_database().await;
        let pool = Pool::new(PgPoolOptions::new(), database.url().parse().unwrap());
        let mut lent = pool.acquire().await.unwrap();
        crate::with_migrations(Migrator::DEFAULT).run(&mut *lent).await.unwrap();
        drop(lent);
        let clock = ManualClock::default();
        let id = RandomIds.next();
        let files = Attachments {
            objects: Objects::new(&config, "context").unwrap(),
            rows: Rows { pool: pool.clone() },
            owners: Arc::new(Everybody),
            scanner: None,
            signer: Arc::new(Signer::new(vec![vec![7; 32]])),
            revocations: Arc::new(Revocations::new(TimeDelta::hours(1))),
            clock: Arc::new(clock.clone()),
            ids: Arc::new(RandomIds),
            tracker: TaskTracker::new(),
            woken: Arc::default(),
            stop: CancellationToken::new(),
            config: Arc::new(config.clone()),
        };
        let who = Principal {
            organisation: id.into(),
            subject: Subject::Employee(Employee {
                id: id.into(),
                role: Role::Member,
                departments: Vec::new(),
            }),
            language: Language::En,
        };
        Self { files, clock, who, pool, place, config, _folder: folder, _database: database }
    }

    /// Brings these bytes, a piece at a time.
    pub async fn bring(&self, bytes: &[u8]) -> Result<common::Attachment, Refusal> {
        let pieces: Vec<_> = bytes.chunks(99_991).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        self.bring_pieces(futures::stream::iter(pieces)).await
    }

    pub async fn bring_pieces(
        &self,
        pieces: impl futures::Stream<Item = Result<Bytes, Refusal>> + Send,
    ) -> Result<common::Attachment, Refusal> {
        let request_id = RandomIds.next().to_string();
        let about = common::AttachmentUpload { request_id, name: "a".to_owned(), ..Default::default() };
        self.files.upload(&self.who, about, pieces).await
    }

    /// All of a file.
    pub async fn fetch(&self, id: &str) -> Result<Vec<u8>, Refusal> {
        self.ask(Asked { id: id.to_owned(), ..Asked::default() }).await
    }

    pub async fn ask(&self, asked: Asked) -> Result<Vec<u8>, Refusal> {
        let (head, bytes) = self.files.download(Some(&self.who), asked).await?;
        let bytes = bytes.try_fold(Vec::new(), |mut all, part| async move {
            all.extend_from_slice(&part);
            Ok(all)
        });
        let bytes = bytes.await?;
        assert_eq!(head.length, bytes.len() as i64, "what was promised came");
        Ok(bytes)
    }

    pub async fn delete(&self, id: &str) -> Result<(), Refusal> {
        self.files.delete(&self.who, id).await
    }

    /// Names of all objects.
    pub async fn objects(&self) -> Vec<String> {
        let listed = self.files.objects.list().await.unwrap();
        let mut names: Vec<_> =
            listed.map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
        names.sort();
        names
    }

    pub async fn key(&self, id: &str) -> String {
        sqlx::query_scalar("select object_key from attachment where id = $1")
            .bind(id.parse::<Uuid>().unwrap())
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// How a file stands: state, scan, thumbnail.
    pub async fn stands(&self, id: &str) -> (String, String, String) {
        sqlx::query_as("select state, scan, thumbnail from attachment where id = $1")
            .bind(id.parse::<Uuid>().unwrap())
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Rows, bytes taken from the quota.
    pub async fn known(&self) -> (i64, i64) {
        sqlx::query_as(
            "select (select count(*) from attachment), \
             coalesce((select sum(bytes) from attachment_usage), 0)::bigint",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// What listing does not show: parts of uploads.
    pub async fn parts(&self) -> usize {
        fn staged(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries
                .map(|entry| match entry.path() {
                    path if path.is_dir() => staged(&path),
                    path => usize::from(path.to_string_lossy().contains('#')),
                })
                .sum()
        }
        match &self.place {
            Place::Folder(folder) => staged(folder),
            Place::Bucket(name) => s3().await.unfinished_uploads(name).await.unwrap(),
        }
    }

    /// Until nothing is left of anything.
    pub async fn until_empty(&self) {
        eventually("rows, quota, objects and parts to be gone", PATIENCE, || async {
            let left = (self.known().await, self.objects().await, self.parts().await);
            if left == ((0, 0), Vec::new(), 0) { Ok(()) } else { Err(left) }
        })
        .await;
    }
}

/// Text of so many bytes, no two parts of it alike.
pub fn text(length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 16);
    let mut line = 0_u64;
    while text.len() < length {
        text.extend_from_slice(format!("line {line}\n").as_bytes());
        line += 1;
    }
    text.truncate(length);
    text
}

/// A picture.
pub fn png() -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(640, 480, image::Rgb([200, 30, 30]));
    picture.write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

/// A body that never ends by itself, after these bytes.
pub fn endless(bytes: Vec<u8>) -> impl futures::Stream<Item = Result<Bytes, Refusal>> + Send {
    let pieces: Vec<_> = bytes.chunks(99_991).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures::stream::iter(pieces).chain(futures::stream::pending())
}

/// Runs tests that take a bed on each kind of place.
macro_rules! everywhere {
    ($($test:ident),+ $(,)?) => {
        mod in_a_folder {
            $(#[tokio::test] async fn $test() { super::$test(super::Bed::folder().await).await; })+
        }
        mod in_a_bucket {
            $(#[tokio::test] async fn $test() { super::$test(super::Bed::bucket().await).await; })+
        }
    };
}
pub(super) use everywhere;
