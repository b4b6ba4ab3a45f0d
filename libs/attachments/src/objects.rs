//! Where the bytes are: a folder, or a bucket.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use callboard_kernel::{ErrorKind, Refusal};
use callboard_service::BoxError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload,
};
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;

use crate::config::AttachmentsConfig;

/// How much of a file is held in memory while it comes in: the least that S3 takes as a part.
const PART: usize = 5 * 1024 * 1024;

/// The objects of one context. Keys begin with the context's name, so that several share a folder or a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    place: Place,
    prefix: &'static str,
}

#[derive(Debug, Clone)]
enum Place {
    /// Made when first used, so that a service that has no files leaves no folder.
    Folder(PathBuf, Arc<OnceCell<Arc<LocalFileSystem>>>),
    Bucket(Arc<dyn ObjectStore>),
}

fn refusal(error: object_store::Error) -> Refusal {
    match error {
        object_store::Error::NotFound { .. } => Refusal::not_found("attachment"),
        // Texts of the store name paths and buckets: they stay in the log.
        error => {
            tracing::warn!(%error, "the object store does not serve");
            Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", "files cannot be reached now")
        }
    }
}

impl Objects {
    pub(crate) fn new(config: &AttachmentsConfig, prefix: &'static str) -> Result<Self, BoxError> {
        let s3 = &config.s3;
        let place = if s3.bucket.is_empty() {
            Place::Folder(config.folder.clone(), Arc::default())
        } else {
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(&s3.bucket)
                .with_region(&s3.region)
                .with_allow_http(s3.allow_http);
            if !s3.endpoint.is_empty() {
                builder = builder.with_endpoint(&s3.endpoint);
            }
            if !s3.access_key_id.is_empty() {
                builder = builder
                    .with_access_key_id(&s3.access_key_id)
                    .with_secret_access_key(s3.secret_access_key.expose_secret());
            }
            Place::Bucket(Arc::new(builder.build()?))
        };
        Ok(Self { place, prefix })
    }

    async fn store(&self) -> Result<Arc<dyn ObjectStore>, Refusal> {
        match &self.place {
            Place::Bucket(store) => Ok(Arc::clone(store)),
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
                let store = opened.get_or_try_init(open).await.map_err(refusal)?;
                Ok(Arc::<LocalFileSystem>::clone(store))
            }
        }
    }

    /// The key of a new object.
    pub(crate) fn key(&self, organisation: uuid::Uuid, id: uuid::Uuid, attempt: uuid::Uuid) -> String {
        format!("{}/{organisation}/{id}-{attempt}", self.prefix)
    }

    pub(crate) async fn sink(&self, key: &str) -> Result<Sink, Refusal> {
        let (store, path) = (self.store().await?, Path::from(key));
        Ok(Sink { store, path, part: BytesMut::new(), parts: None })
    }

    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Refusal> {
        self.store().await?.put(&Path::from(key), bytes.into()).await.map_err(refusal)?;
        Ok(())
    }

    pub(crate) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, Refusal> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.store().await?.get_range(&Path::from(key), range).await.map_err(refusal)
    }

    pub(crate) async fn size(&self, key: &str) -> Result<u64, Refusal> {
        Ok(self.store().await?.head(&Path::from(key)).await.map_err(refusal)?.size)
    }

    /// The bytes of a range that is not empty, piece by piece.
    pub(crate) async fn stream(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Refusal>>, Refusal> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got = self.store().await?.get_opts(&Path::from(key), options).await.map_err(refusal)?;
        Ok(got.into_stream().map_err(refusal).boxed())
    }

    /// Removes an object; one that is not there is removed already.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), Refusal> {
        match self.store().await?.delete(&Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(refusal(error)),
        }
    }

    /// All objects of the context; none where the folder was never made.
    pub(crate) async fn list(&self) -> Result<BoxStream<'static, Result<ObjectMeta, Refusal>>, Refusal> {
        if let Place::Folder(folder, _) = &self.place
            && !folder.join(self.prefix).is_dir()
        {
            return Ok(futures::stream::empty().boxed());
        }
        let store = self.store().await?;
        Ok(store.list(Some(&Path::from(self.prefix))).map_err(refusal).boxed())
    }
}

/// An object being written: part by part, never whole in memory. What is not finished never becomes an object.
pub(crate) struct Sink {
    store: Arc<dyn ObjectStore>,
    path: Path,
    part: BytesMut,
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Sink {
    /// More bytes. True when a part was written.
    pub(crate) async fn take(&mut self, mut bytes: &[u8]) -> Result<bool, Refusal> {
        let mut wrote = false;
        while !bytes.is_empty() {
            let fits = (PART - self.part.len()).min(bytes.len());
            self.part.extend_from_slice(&bytes[..fits]);
            bytes = &bytes[fits..];
            if self.part.len() == PART {
                self.flush().await?;
                wrote = true;
            }
        }
        Ok(wrote)
    }

    async fn flush(&mut self) -> Result<(), Refusal> {
        let payload = PutPayload::from(self.part.split().freeze());
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let begun = self.store.put_multipart(&self.path).await.map_err(refusal)?;
                self.parts.insert(begun)
            }
        };
        parts.put_part(payload).await.map_err(refusal)
    }

    /// The object is whole.
    pub(crate) async fn finish(mut self) -> Result<(), Refusal> {
        if self.parts.is_none() {
            let payload = PutPayload::from(self.part.freeze());
            self.store.put(&self.path, payload).await.map_err(refusal)?;
            return Ok(());
        }
        if !self.part.is_empty() {
            self.flush().await?;
        }
        if let Some(mut parts) = self.parts {
            parts.complete().await.map_err(refusal)?;
        }
        Ok(())
    }

    /// Gives up; parts written are removed.
    pub(crate) async fn abort(self) {
        if let Some(mut parts) = self.parts
            && let Err(error) = parts.abort().await
        {
            tracing::warn!(%error, "parts of an upload are left over");
        }
    }
}
