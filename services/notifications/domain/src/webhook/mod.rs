//! Webhooks: endpoints of the organisation's own backends that are told of its events.

pub mod attempt;
mod decide;
#[cfg(test)]
mod tests;

use std::fmt;

use callboard_kernel::{ErrorKind, FieldViolation, Rejection, Timestamp};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::words::words;

/// Bytes of an address.
pub const MAX_URL: usize = 2_000;
/// Characters of a description.
pub const MAX_DESCRIPTION: usize = 500;
/// Types of one webhook.
pub const MAX_EVENT_TYPES: usize = 100;
/// Bytes of a type.
pub const MAX_EVENT_TYPE: usize = 200;
/// Secrets that sign at once. With more the oldest ends.
pub const MAX_SECRETS: usize = 5;
/// Bytes of a secret (Standard Webhooks: 24 to 64).
pub const SECRET_BYTES: usize = 32;
/// Webhooks of one organisation. Whoever makes two at the same moment may get one more: it keeps a runaway within
/// bounds and is nobody's price.
pub const MAX_PER_ORGANISATION: usize = 20;

words! {
    /// Why nothing is sent.
    DisabledReason as "reason of a webhook's end" {
        /// An administrator switched it off.
        ByHand = "BY_HAND",
        /// It answered 410.
        Gone = "GONE",
        /// Every attempt failed for too long.
        Failing = "FAILING",
    }
}

/// A webhook.
#[derive(Debug)]
pub struct Webhook;

/// What signs. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub Vec<u8>);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

/// A signing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Names it.
    pub id: Uuid,
    /// What signs.
    pub key: SecretKey,
    /// When it was made.
    pub created: Timestamp,
    /// When it ceases to sign.
    pub expires: Option<Timestamp>,
}

impl Secret {
    /// Whether it signs.
    pub fn signs(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// Where events are sent, and which. The address may hold a secret and is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// 1 to 2,000 bytes; whether it may be called is the service's to know.
    pub url: String,
    /// At most 500 characters.
    pub description: String,
    /// Full names, or `callboard.<context>.v1.*`; none: all.
    pub event_types: Vec<String>,
    /// Whether anything is sent.
    pub enabled: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

/// Since when nothing is sent, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Why.
    pub reason: DisabledReason,
    /// Since when.
    pub at: Timestamp,
}

/// What is known of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookState {
    /// `None`: not there, or not any more.
    pub endpoint: Option<Endpoint>,
    /// Newest first.
    pub secrets: Vec<Secret>,
    /// Set while it is switched off.
    pub disabled: Option<Disabled>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it changed last.
    pub updated: Option<Timestamp>,
}

/// What can be asked of a [`Webhook`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Makes it, switched on.
    Create {
        /// Where to.
        endpoint: Endpoint,
        /// Its first secret.
        key: SecretKey,
    },
    /// Replaces address, description, types, and whether it is switched on.
    Update(Endpoint),
    /// Makes a new secret; the others end after `overlap`.
    Rotate {
        /// The new one.
        key: SecretKey,
        /// How long the old ones go on signing.
        overlap: TimeDelta,
    },
    /// Callboard itself switches it off. Of the address alone that failed: one that was changed meanwhile has its own
    /// chance.
    SwitchOff {
        /// The address that failed.
        url: String,
        /// Why.
        reason: DisabledReason,
    },
    /// Removes it.
    Delete,
}

/// What can happen to a [`Webhook`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookEvent {
    /// It is this now.
    Changed {
        /// Where to.
        endpoint: Endpoint,
        /// Set while it is switched off.
        disabled: Option<Disabled>,
        /// When.
        at: Timestamp,
    },
    /// These sign now.
    Rotated {
        /// Newest first.
        secrets: Vec<Secret>,
        /// When.
        at: Timestamp,
    },
    /// It is no more, and its secrets with it.
    Deleted,
}

/// How a [`Webhook`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejection {
    /// No such webhook.
    #[error("no such webhook")]
    Missing,
    /// The id is taken.
    #[error("there is a webhook of this id")]
    Exists,
    /// Not for this caller.
    #[error("webhooks are kept by administrators")]
    Denied,
    /// Wrong fields.
    #[error("invalid webhook")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for WebhookRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing => ErrorKind::NotFound,
            Self::Exists => ErrorKind::AlreadyExists,
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "NOT_FOUND",
            Self::Exists => "ALREADY_EXISTS",
            Self::Denied => "PERMISSION_DENIED",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Missing | Self::Exists | Self::Denied => Vec::new(),
        }
    }
}
