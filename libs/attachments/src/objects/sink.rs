//! An object that is being written.

use std::sync::Arc;

use bytes::BytesMut;
use callboard_kernel::Refusal;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio_util::task::TaskTracker;

use super::{Objects, away};

/// How much of a file is held in memory while it comes in or goes out: the least that S3 takes as a part.
pub(crate) const PART: usize = 5 * 1024 * 1024;

/// An object being written: part by part, never whole in memory. What is not finished never becomes an object, and its
/// parts are removed, also when nobody waits for it any more.
pub(crate) struct Sink {
    store: Arc<dyn ObjectStore>,
    path: Path,
    part: BytesMut,
    parts: Option<Box<dyn MultipartUpload>>,
    tracker: TaskTracker,
}

impl Objects {
    /// Begins an object. `tracker` has what is left to do when it is given up.
    pub(crate) async fn sink(&self, key: &str, tracker: &TaskTracker) -> Result<Sink, Refusal> {
        let (store, path) = (self.store().await?, Path::from(key));
        Ok(Sink { store, path, part: BytesMut::new(), parts: None, tracker: tracker.clone() })
    }
}

async fn give_up(mut parts: Box<dyn MultipartUpload>) {
    match parts.abort().await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => tracing::warn!(%error, "parts of an upload are left over"),
    }
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
                let begun = self.store.put_multipart(&self.path).await.map_err(away)?;
                self.parts.insert(begun)
            }
        };
        parts.put_part(payload).await.map_err(away)
    }

    /// The object is whole.
    pub(crate) async fn finish(mut self) -> Result<(), Refusal> {
        if self.parts.is_none() {
            let payload = PutPayload::from(self.part.split().freeze());
            self.store.put(&self.path, payload).await.map_err(away)?;
            return Ok(());
        }
        if !self.part.is_empty() {
            self.flush().await?;
        }
        if let Some(parts) = &mut self.parts {
            parts.complete().await.map_err(away)?;
        }
        self.parts = None;
        Ok(())
    }

    /// Gives up, and returns when the parts written are removed.
    pub(crate) async fn abort(mut self) {
        if let Some(parts) = self.parts.take() {
            give_up(parts).await;
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            self.tracker.spawn(give_up(parts));
        }
    }
}
