//! Files that hang on what a context owns: messages, updates, steps, recordings.
//!
//! There is no service of files. Each context that owns some mounts this library: the files' rows are in its schema, so
//! that a file is linked in the same commit as what owns it, who may see a file is judged by whoever knows the owner,
//! and what is deleted takes its files along. docs/attachments.md says how to mount it.
//!
//! - [`Attachments`]: takes files, hands them out, looks after them. [`Owners`] is what the context answers it.
//! - [`serve!`], [`default_config!`], [`with_migrations`]: the mounting.
//! - [`Media`] and [`judge`]: what a file is, by its content (M-2).
//! - [`Scanner`]: a port for virus scanners.

mod attachments;
mod compare;
mod config;
mod download;
mod keeper;
mod link;
mod media;
mod migrations;
mod name;
mod objects;
mod rows;
mod scan;
mod serve;
#[cfg(test)]
mod tests;
mod thumbnail;
mod upload;

pub use attachments::{Attachments, Owners};
pub use config::{AttachmentsConfig, S3Config};
pub use download::{Asked, Download};
pub use media::{ALLOWED, Charset, HEAD, Media, ReadAt, TextCheck, judge};
pub use migrations::with_migrations;
pub use name::{MAX_NAME, clean};
pub use rows::{Owner, Standing};
pub use scan::{Clamd, Scanner, Verdict};
pub use upload::MAX_CHUNK;

/// For [`serve!`].
#[doc(hidden)]
pub mod serve_parts {
    pub use crate::serve::{Part, principal, split};
}

/// For [`serve!`].
#[doc(hidden)]
pub mod again {
    pub use callboard_service::convert::to_proto_time;
    pub use callboard_service::error::IntoStatus;
    pub use futures::StreamExt;
    pub use futures::stream::{BoxStream, once};
    pub use tonic::{Request, Response, Status, Streaming, async_trait};
}
