//! An issuer of our own: for development, and for those who come without a login.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_kernel::{Clock, IdGenerator, Principal, Timestamp};
use chrono::{SubsecRound, TimeDelta};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::{Algorithm, EncodingKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::claims;

/// A key cannot be read or used. Says nothing of the key.
#[derive(Debug, thiserror::Error)]
#[error("not a usable Ed25519 key in PKCS#8")]
pub struct KeyError;

/// An Ed25519 key that signs access tokens. Never printed.
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    encoding: EncodingKey,
    id: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new random key.
    ///
    /// # Errors
    /// When it cannot be encoded, which does not happen with a well-formed key.
    pub fn generate() -> Result<Self, KeyError> {
        Self::new(ed25519_dalek::SigningKey::from_bytes(&rand::random()))
    }

    /// A key from its PEM (`BEGIN PRIVATE KEY`, PKCS#8), as [`Self::to_pkcs8_pem`] or `openssl genpkey` write it.
    ///
    /// # Errors
    /// When it is no Ed25519 key in PKCS#8.
    pub fn from_pkcs8_pem(pem: &SecretString) -> Result<Self, KeyError> {
        Self::new(
            ed25519_dalek::SigningKey::from_pkcs8_pem(pem.expose_secret().trim()).map_err(|_| KeyError)?,
        )
    }

    /// Its PEM, to be kept.
    ///
    /// # Errors
    /// When it cannot be encoded, which does not happen with a well-formed key.
    pub fn to_pkcs8_pem(&self) -> Result<SecretString, KeyError> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError)?;
        Ok(SecretString::from(pem.as_str()))
    }

    /// Its key id: the JWK thumbprint (RFC 7638), so that the same key has the same id everywhere.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a JWK.
    pub fn public_jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.id, "alg": "EdDSA", "use": "sig" })
    }

    fn new(key: ed25519_dalek::SigningKey) -> Result<Self, KeyError> {
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        // RFC 7638: the required members only, in lexical order, without white space.
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        let der = key.to_pkcs8_der().map_err(|_| KeyError)?;
        let encoding = EncodingKey::from_ed_der(der.as_bytes());
        Ok(Self { key, encoding, id: URL_SAFE_NO_PAD.encode(thumbprint) })
    }
}

/// Under which name tokens are issued, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// `iss`: the address under which `/.well-known/openid-configuration` is found, without a slash at its end.
    pub issuer: String,
    /// `aud`: the API that accepts the tokens.
    pub audience: String,
}

/// A signed access token.
#[derive(Debug)]
pub struct AccessToken {
    /// The token itself.
    pub token: SecretString,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Signs access tokens (RFC 9068: `typ: at+jwt`, EdDSA).
#[derive(Debug)]
pub struct Issuer {
    settings: IssuerSettings,
    active: SigningKey,
    retired: Vec<Value>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

impl Issuer {
    /// An issuer that signs with this key.
    pub fn new(
        settings: IssuerSettings,
        active: SigningKey,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self { settings, active, retired: Vec::new(), clock, ids }
    }

    /// Publishes a key that signed before, or will sign next, for as long as its tokens may be about.
    #[must_use]
    pub fn also_publishing(mut self, key: &SigningKey) -> Self {
        self.retired.push(key.public_jwk());
        self
    }

    /// The settings.
    pub const fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// A token for this principal. `epoch` is the present epoch of the subject (for a code user: of the code).
    ///
    /// # Errors
    /// When signing fails, which does not happen with a well-formed key.
    pub fn issue(
        &self,
        principal: &Principal,
        epoch: i64,
        lifetime: TimeDelta,
    ) -> Result<AccessToken, KeyError> {
        let issued_at = self.clock.now().trunc_subsecs(0);
        let expires_at = issued_at + lifetime;
        let mut claims = claims::write(principal, epoch);
        claims.insert("iss".into(), self.settings.issuer.clone().into());
        claims.insert("aud".into(), self.settings.audience.clone().into());
        claims.insert("iat".into(), issued_at.timestamp().into());
        claims.insert("nbf".into(), issued_at.timestamp().into());
        claims.insert("exp".into(), expires_at.timestamp().into());
        claims.insert("jti".into(), self.ids.next().to_string().into());
        let mut header = jsonwebtoken::Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".into());
        header.kid = Some(self.active.id.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.active.encoding).map_err(|_| KeyError)?;
        Ok(AccessToken { token: SecretString::from(token), expires_at })
    }

    /// The key set document: what `/.well-known/jwks.json` answers.
    pub fn jwks(&self) -> Value {
        let keys: Vec<Value> =
            std::iter::once(self.active.public_jwk()).chain(self.retired.iter().cloned()).collect();
        json!({ "keys": keys })
    }

    /// The discovery document: what `/.well-known/openid-configuration` answers.
    ///
    /// Tokens come from the directory's own RPCs, so there are no OAuth endpoints to name.
    pub fn openid_configuration(&self, jwks_uri: &str) -> Value {
        json!({
            "issuer": self.settings.issuer,
            "jwks_uri": jwks_uri,
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
            "claims_supported": [
                "iss", "aud", "sub", "exp", "iat", "nbf", "jti", "locale", "callboard_org", "callboard_kind",
                "callboard_role", "callboard_departments", "callboard_code", "callboard_device", "callboard_customer",
                "callboard_epoch",
            ],
        })
    }
}
