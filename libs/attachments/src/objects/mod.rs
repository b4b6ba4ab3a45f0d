//! Where the bytes are: a folder, or a bucket.

mod bucket;
mod sink;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use callboard_kernel::{ErrorKind, Refusal, Timestamp};
use callboard_service::BoxError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::sync::OnceCell;

pub(crate) use sink::{PART, Sink};

use crate::config::AttachmentsConfig;

/// Most of what a store says that is written to the log, in characters: it may answer whole pages.
const SAID: usize = 600;

/// The objects of one context. Keys begin with the context's name, so that several share a folder or a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    place: Place,
    prefix: &'static str,
}

#[derive(Clone)]
enum Place {
    /// Made when first used, so that a service that has no files leaves no folder.
    Folder(PathBuf, Arc<OnceCell<Arc<LocalFileSystem>>>),
    Bucket(Arc<str>, Arc<dyn ObjectStore>),
}

impl std::fmt::Debug for Place {
    /// A store knows its credentials: only its name is told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder, _) => f.debug_tuple("Folder").field(folder).finish(),
            Self::Bucket(name, _) => f.debug_tuple("Bucket").field(name).finish(),
        }
    }
}

/// The store does not do what it should. Its texts name paths and buckets: they stay in the log.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn away(error: object_store::Error) -> Refusal {
    let error: String = error.to_string().chars().take(SAID).collect();
    tracing::warn!(error, "the object store does not serve");
    Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", "files cannot be reached now")
}

/// That one object is not there. Where the whole bucket is not, nothing is known of the object.
fn is_gone(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && !error.to_string().contains("NoSuchBucket")
}

/// As [`away`], for what is read: it may not be there.
fn missing(error: object_store::Error) -> Refusal {
    if is_gone(&error) { Refusal::not_found("attachment") } else { away(error) }
}

/// Removes files of uploads whose process died, older than this. Answers how many.
fn remove_staged(folder: &std::path::Path, before: std::time::SystemTime) -> std::io::Result<usize> {
    let mut removed = 0;
    for organisation in std::fs::read_dir(folder)?.flatten() {
        for file in std::fs::read_dir(organisation.path()).into_iter().flatten().flatten() {
            let staged = is_staged(&file.file_name().to_string_lossy());
            // It may be whole by now, or removed by another.
            let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
            let is_old = || file.metadata()?.modified().map(|changed| changed < before);
            if !staged || !is_old().or_else(|error| if gone(&error) { Ok(false) } else { Err(error) })? {
                continue;
            }
            match std::fs::remove_file(file.path()) {
                Ok(()) => removed += 1,
                Err(error) if gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}

/// What the store calls a file that is not whole yet: an object's name, `#` and a number.
fn is_staged(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Objects {
    pub(crate) fn new(config: &AttachmentsConfig, prefix: &'static str) -> Result<Self, BoxError> {
        let place = if config.s3.bucket.is_empty() {
            Place::Folder(config.folder.clone(), Arc::default())
        } else {
            let store = bucket::open(&config.s3, &|name| std::env::var(name).ok())?;
            Place::Bucket(config.s3.bucket.as_str().into(), store)
        };
        Ok(Self { place, prefix })
    }

    async fn store(&self) -> Result<Arc<dyn ObjectStore>, Refusal> {
        match &self.place {
            Place::Bucket(_, store) => Ok(Arc::clone(store)),
            Place::Folder(folder, opened) => {
                let open = || async {
                    let made = tokio::fs::create_dir_all(folder).await;
                    made.map_err(|error| object_store::Error::Generic {
                        store: "folder",
                        source: error.into(),
                    })?;
                    // A row says that the bytes are there: they must be, also after a power cut.
                    LocalFileSystem::new_with_prefix(folder)
                        .map(|store| Arc::new(store.with_automatic_cleanup(true).with_fsync(true)))
                };
                let store = opened.get_or_try_init(open).await.map_err(away)?;
                Ok(Arc::<LocalFileSystem>::clone(store))
            }
        }
    }

    /// The key of a new object.
    pub(crate) fn key(&self, organisation: uuid::Uuid, id: uuid::Uuid, attempt: uuid::Uuid) -> String {
        format!("{}/{organisation}/{id}-{attempt}", self.prefix)
    }

    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Refusal> {
        self.store().await?.put(&Path::from(key), bytes.into()).await.map_err(away)?;
        Ok(())
    }

    pub(crate) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, Refusal> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.store().await?.get_range(&Path::from(key), range).await.map_err(missing)
    }

    pub(crate) async fn size(&self, key: &str) -> Result<u64, Refusal> {
        Ok(self.store().await?.head(&Path::from(key)).await.map_err(missing)?.size)
    }

    /// The bytes of a range that is not empty, piece by piece.
    ///
    /// Of a bucket each piece is asked for when it is wanted: a request that waits for whoever reads slowly would hold a
    /// connection for as long, and end by its limit.
    pub(crate) async fn stream(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Refusal>>, Refusal> {
        if let Place::Folder(..) = &self.place {
            let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
            let got = self.store().await?.get_opts(&Path::from(key), options).await.map_err(missing)?;
            return Ok(got.into_stream().map_err(missing).boxed());
        }
        let (first, left) = self.piece(key, range).await?;
        let rest = futures::stream::try_unfold(
            (self.clone(), key.to_owned(), left),
            |(this, key, left)| async move {
                if left.is_empty() {
                    return Ok(None);
                }
                let (bytes, left) = this.piece(&key, left).await?;
                Ok(Some((bytes, (this, key, left))))
            },
        );
        Ok(futures::stream::iter([Ok(first)]).chain(rest).boxed())
    }

    /// The first piece of a range, and what is left of it.
    async fn piece(&self, key: &str, range: Range<u64>) -> Result<(Bytes, Range<u64>), Refusal> {
        let end = range.end.min(range.start + PART as u64);
        let bytes = self.read(key, range.start..end).await?;
        if bytes.len() as u64 != end - range.start {
            return Err(away(object_store::Error::Generic {
                store: "bucket",
                source: format!("{} bytes came of {range:?}", bytes.len()).into(),
            }));
        }
        Ok((bytes, end..range.end))
    }

    /// Removes an object; one that is not there is removed already.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), Refusal> {
        match self.store().await?.delete(&Path::from(key)).await {
            Ok(()) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(away(error)),
        }
        // What a process was writing when it died is not listed and would stay.
        if let Place::Folder(folder, _) = &self.place {
            let mut number = 1;
            while tokio::fs::remove_file(folder.join(format!("{key}#{number}"))).await.is_ok() {
                number += 1;
            }
        }
        Ok(())
    }

    /// Removes what is left of objects that were being written when their process died, if nothing was written to them
    /// since then. Answers how many. Of a bucket nothing: its own rules do that.
    pub(crate) async fn remove_broken_off(&self, before: Timestamp) -> Result<usize, Refusal> {
        let Place::Folder(folder, _) = &self.place else { return Ok(0) };
        let folder = folder.join(self.prefix);
        if !folder.is_dir() {
            return Ok(0);
        }
        let removed = tokio::task::spawn_blocking(move || remove_staged(&folder, before.into())).await;
        removed
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|source| away(object_store::Error::Generic { store: "folder", source: source.into() }))
    }

    /// All objects of the context; none where the folder was never made.
    pub(crate) async fn list(&self) -> Result<BoxStream<'static, Result<ObjectMeta, Refusal>>, Refusal> {
        if let Place::Folder(folder, _) = &self.place
            && !folder.join(self.prefix).is_dir()
        {
            return Ok(futures::stream::empty().boxed());
        }
        let store = self.store().await?;
        Ok(store.list(Some(&Path::from(self.prefix))).map_err(away).boxed())
    }
}
