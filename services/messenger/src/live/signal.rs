//! What is whispered between processes: who types, who is there. Kept nowhere (M-6).

use bytes::Bytes;
use callboard_kernel::{Actor, OrganisationId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The topic of all of them.
pub const TOPIC: &str = "messenger.signals";

/// What somebody does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// Types.
    Typing,
    /// Types no more.
    Still,
    /// Watches.
    Here,
    /// Watches no more.
    Gone,
}

/// A whisper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// The tenant: nothing crosses.
    pub organisation: OrganisationId,
    /// The conversation.
    pub conversation: Uuid,
    /// Who.
    pub actor: Actor,
    /// What.
    pub kind: SignalKind,
}

impl Signal {
    /// As it is whispered.
    pub fn to_bytes(self) -> Bytes {
        serde_json::to_vec(&self).unwrap_or_default().into()
    }

    /// Read back; `None` when it is none of ours.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
