//! Shapes of files.

use callboard_proto::common::v1 as proto;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror::{mirror, words};
use super::{Actor, Time};

words! {
    /// Where a file stands.
    AttachmentState of proto::AttachmentState {
        /// Uploaded, and not part of anything yet: its uploader alone sees it. Removed after a day.
        Pending,
        /// Part of what owns it.
        Linked,
    }

    /// What a virus scanner said.
    AttachmentScan of proto::AttachmentScan {
        /// No scanner is configured.
        Off,
        /// Not scanned yet: cannot be downloaded until it is.
        Waiting,
        Clean,
        /// Never handed out.
        Infected,
    }
}

mirror! {
    /// A file: of an update, of an answer, of a message, of a step.
    Attachment of proto::Attachment {
        /// UUID.
        id: Option<String>,
        /// As the uploader called it, without path.
        name: Option<String>,
        /// As judged by its content (M-2).
        media_type: Option<String>,
        /// In bytes.
        size: i64,
        /// SHA-256 of the content, hexadecimal.
        sha256: Option<String>,
        /// Pending or linked.
        state: Option<AttachmentState>,
        /// What a virus scanner said.
        scan: Option<AttachmentScan>,
        /// A small picture of it can be had.
        has_thumbnail: bool,
        /// When it was uploaded.
        create_time: Option<Time>,
        /// Who uploaded it.
        uploader: Option<Actor>,
    }
}

/// A link that downloads a file without a token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentLink {
    /// Path and query on this host.
    pub path: String,
    /// When it ends.
    pub expire_time: Option<Time>,
}

/// The bytes of a file.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Bytes(#[allow(dead_code, reason = "describes the body")] Vec<u8>);
