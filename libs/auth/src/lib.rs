//! Who is calling: verification of access tokens, revocation within seconds, and an issuer of our own.
//!
//! - [`Verifier`] turns a bearer token into a [`callboard_kernel::Principal`]: by issuer, audience and key set, with
//!   rotation of keys, tolerance for clock skew, and a cache that makes a repeated token cost microseconds.
//! - [`Revocations`] is asked on every verification, also on a cached one. Whoever ends sessions feeds it.
//! - [`Issuer`] signs access tokens with Ed25519 and publishes its key set and discovery document.
//! - [`random_secret`], [`hash_secret`] and [`secret_matches`] serve opaque secrets such as refresh tokens.
//!
//! The claims of an access token are documented at [`claims::ClaimNames`].

pub mod claims;
mod error;
mod issuer;
mod keys;
mod revocation;
mod secret;
mod verifier;

pub use claims::{ClaimNames, TokenKind};
pub use error::AuthError;
pub use issuer::{AccessToken, Issuer, IssuerSettings, KeyError, SigningKey};
pub use keys::KeySource;
pub use revocation::{Revocations, Standing};
pub use secret::{SecretHash, hash_secret, random_secret, secret_matches};
pub use verifier::{IssuerConfig, Verified, Verifier, VerifierConfig};
