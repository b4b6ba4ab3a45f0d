//! Why a token is not accepted.

use callboard_kernel::{ErrorKind, Rejection};

/// Why a token is not accepted. The text holds neither the token nor a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token came with the call.
    #[error("a bearer token is needed")]
    Missing,
    /// Past `exp`, skew included.
    #[error("the token has expired")]
    Expired,
    /// Malformed, badly signed, for another audience, of a refused algorithm, or with claims that make no principal.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// Its sessions were ended.
    #[error("the token was revoked")]
    Revoked,
    /// Nobody we trust issued it.
    #[error("the issuer of the token is not known")]
    IssuerUnknown,
    /// The issuer's keys cannot be fetched now and none are kept. Safe to retry.
    #[error("the keys of the issuer cannot be reached")]
    KeysUnavailable,
    /// Which sessions were ended is not known yet: this process has just started. Safe to retry.
    #[error("which sessions were ended is not known yet")]
    RevocationsUnknown,
}

impl Rejection for AuthError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing | Self::Expired | Self::Invalid(_) | Self::Revoked | Self::IssuerUnknown => {
                ErrorKind::Unauthenticated
            }
            Self::KeysUnavailable | Self::RevocationsUnknown => ErrorKind::Unavailable,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "TOKEN_MISSING",
            Self::Expired => "TOKEN_EXPIRED",
            Self::Invalid(_) => "TOKEN_INVALID",
            Self::Revoked => "TOKEN_REVOKED",
            Self::IssuerUnknown => "ISSUER_UNKNOWN",
            Self::KeysUnavailable => "KEYS_UNAVAILABLE",
            Self::RevocationsUnknown => "REVOCATIONS_UNKNOWN",
        }
    }
}
