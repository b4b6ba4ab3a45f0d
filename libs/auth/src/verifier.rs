//! From a bearer token to a principal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_kernel::{Clock, Principal, Timestamp};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::claims::Reader;
use crate::keys::{Intervals, KeySet, RETRY_INTERVAL};
use crate::{AuthError, ClaimNames, KeySource, Revocations, Standing, TokenKind};

/// Largest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// One issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// Its `iss`, compared to the letter.
    pub issuer: String,
    /// The `aud` that its tokens must name (one of, where they name several).
    pub audience: String,
    /// Its keys.
    pub keys: KeySource,
    /// How it names its claims.
    pub claims: ClaimNames,
    /// Which kinds of callers it may speak for. Leave `service` to issuers under your own control.
    pub kinds: Vec<TokenKind>,
    /// The organisations it may speak for; empty: any. With exactly one, its tokens need not name it.
    pub organisations: Vec<Uuid>,
    /// Accept only tokens that say `typ: at+jwt` (RFC 9068). Otherwise `JWT` and none will do.
    pub require_at_jwt: bool,
}

impl IssuerConfig {
    /// An issuer that names its claims as we do and speaks for people, not for services.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: KeySource) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            keys,
            claims: ClaimNames::default(),
            kinds: vec![TokenKind::Employee, TokenKind::CodeUser, TokenKind::CustomerUser],
            organisations: Vec::new(),
            require_at_jwt: false,
        }
    }
}

/// What a [`Verifier`] goes by.
#[derive(Debug, Clone)]
pub struct VerifierConfig {
    /// Whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// How far clocks may differ.
    pub clock_skew: TimeDelta,
    /// Tokens made to live longer are refused: what was revoked need be remembered no longer than this.
    pub max_token_lifetime: TimeDelta,
    /// A key id that is not known makes us ask the issuer again at most this often.
    pub unknown_key_interval: TimeDelta,
    /// Keys are looked up again after this.
    pub key_refresh_interval: TimeDelta,
    /// While the issuer cannot be reached, its keys serve for this long after they were last looked up.
    pub keys_serve_stale: TimeDelta,
    /// How many verified tokens are remembered.
    pub cache_size: u64,
}

impl Default for VerifierConfig {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            clock_skew: TimeDelta::seconds(30),
            max_token_lifetime: TimeDelta::hours(12),
            unknown_key_interval: TimeDelta::minutes(1),
            key_refresh_interval: TimeDelta::minutes(10),
            keys_serve_stale: TimeDelta::hours(24),
            cache_size: 10_000,
        }
    }
}

/// What a valid token says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Who is calling.
    pub principal: Principal,
    /// As what.
    pub kind: TokenKind,
    /// When the token ends, without skew.
    pub expires_at: Timestamp,
    /// What can end it before.
    pub standing: Standing,
}

/// How long a verified token is remembered at most, so that a key taken out of a key set stops serving soon.
const CACHE_TIME: Duration = Duration::from_secs(300);

struct Trusted {
    config: IssuerConfig,
    keys: KeySet,
}

/// Verifies access tokens. Cheap to share behind an `Arc`.
pub struct Verifier {
    issuers: HashMap<String, Trusted>,
    clock: Arc<dyn Clock>,
    clock_skew: TimeDelta,
    max_token_lifetime: TimeDelta,
    refresh: TimeDelta,
    revocations: Arc<Revocations>,
    cache: moka::future::Cache<[u8; 32], Arc<Verified>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("issuers", &self.issuers.keys()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Unverified {
    iss: Option<String>,
}

impl Verifier {
    /// A verifier that has fetched nothing yet: keys are looked up when the first token comes.
    ///
    /// When keys are fetched, a TLS provider must have been installed in the process before
    /// (`rustls::crypto::CryptoProvider`).
    pub fn new(config: VerifierConfig, clock: Arc<dyn Clock>, revocations: Arc<Revocations>) -> Self {
        // An issuer that redirects to who knows where is not asked further.
        let fetches = config.issuers.iter().any(|issuer| matches!(issuer.keys, KeySource::Url(_)));
        let http = fetches.then(|| {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(Duration::from_secs(3))
                .build()
                .unwrap_or_default()
        });
        let intervals = Intervals {
            unknown_key: config.unknown_key_interval,
            refresh: config.key_refresh_interval,
            serve_stale: config.keys_serve_stale,
        };
        let issuers = config
            .issuers
            .into_iter()
            .map(|issuer| {
                let keys = KeySet::new(issuer.keys.clone(), http.clone(), clock.clone(), intervals);
                (issuer.issuer.clone(), Trusted { config: issuer, keys })
            })
            .collect();
        let cache =
            moka::future::Cache::builder().max_capacity(config.cache_size).time_to_live(CACHE_TIME).build();
        Self {
            issuers,
            clock,
            clock_skew: config.clock_skew,
            max_token_lifetime: config.max_token_lifetime,
            refresh: config.key_refresh_interval,
            revocations,
            cache,
        }
    }

    /// What is known of ended sessions.
    pub const fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Verifies a token (without `Bearer `).
    ///
    /// # Errors
    /// Every failure is [`callboard_kernel::ErrorKind::Unauthenticated`], but for
    /// [`AuthError::KeysUnavailable`] and [`AuthError::RevocationsUnknown`], which may be retried.
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified>, AuthError> {
        let outcome = self.verify_uncounted(token).await;
        if let Err(error) = &outcome {
            let reason = callboard_kernel::Rejection::reason(error);
            metrics::counter!("callboard_auth_refusals_total", "reason" => reason).increment(1);
        }
        outcome
    }

    async fn verify_uncounted(&self, token: &str) -> Result<Arc<Verified>, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Invalid("too long"));
        }
        if !self.revocations.is_complete() {
            return Err(AuthError::RevocationsUnknown);
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let verified = match self.cache.get(&digest).await {
            Some(verified) => verified,
            None => {
                let verified = Arc::new(self.examine(token).await?);
                self.cache.insert(digest, verified.clone()).await;
                verified
            }
        };
        // Time and revocation are judged on every call, remembered or not.
        if self.clock.now() - self.clock_skew >= verified.expires_at {
            return Err(AuthError::Expired);
        }
        if verified.standing.is_ended(&self.revocations) {
            return Err(AuthError::Revoked);
        }
        Ok(verified)
    }

    /// Whether the keys of at least one issuer are there; before that no call but public ones can be served.
    pub fn has_keys(&self) -> bool {
        self.issuers.is_empty() || self.issuers.values().any(|trusted| trusted.keys.serves())
    }

    /// Keeps the keys fresh for as long as it is polled, so that calls need not wait for a fetch. An issuer that has
    /// not answered yet is asked again soon.
    pub async fn keep_keys_fresh(&self) {
        let pause =
            (self.refresh / 4).to_std().unwrap_or(Duration::from_secs(60)).max(Duration::from_secs(1));
        let soon = RETRY_INTERVAL.to_std().unwrap_or(Duration::from_secs(1));
        loop {
            for trusted in self.issuers.values() {
                trusted.keys.refresh().await;
            }
            let all = self.issuers.values().all(|trusted| trusted.keys.serves());
            tokio::time::sleep(if all { pause } else { soon }).await;
        }
    }

    async fn examine(&self, token: &str) -> Result<Verified, AuthError> {
        let (header, payload) = split(token)?;
        // The unverified issuer only chooses the keys; all else is read after the signature held.
        let unverified: Unverified = part(payload, "the claims are malformed")?;
        let trusted =
            unverified.iss.and_then(|issuer| self.issuers.get(&issuer)).ok_or(AuthError::IssuerUnknown)?;
        let config = &trusted.config;
        let header: Header = part(header, "the header is malformed")?;
        let algorithm = algorithm(&header.alg)?;
        check_type(header.typ.as_deref(), config.require_at_jwt)?;
        if header.crit.is_some() {
            return Err(AuthError::Invalid("it demands extensions that are not known"));
        }
        let key = trusted.keys.key(header.kid.as_deref()).await?;
        if key.algorithm != algorithm {
            return Err(AuthError::Invalid("the algorithm is not that of the key"));
        }
        // Times, issuer and audience are judged below, by our own clock.
        let mut validation = Validation::new(key.algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims: Map<String, Value> = jsonwebtoken::decode(token, &key.key, &validation)
            .map_err(|_| AuthError::Invalid("the signature does not hold"))?
            .claims;
        self.judge(&claims, config)
    }

    fn judge(&self, claims: &Map<String, Value>, config: &IssuerConfig) -> Result<Verified, AuthError> {
        let reader = Reader::new(claims, &config.claims);
        if claims.get("iss").and_then(Value::as_str) != Some(config.issuer.as_str()) {
            return Err(AuthError::IssuerUnknown);
        }
        if !reader.audience_is(&config.audience) {
            return Err(AuthError::Invalid("meant for another audience"));
        }
        let (now, times) = (self.clock.now(), reader.times()?);
        // The skew goes to our own time: a token may name the end of time, to which nothing can be added.
        if now - self.clock_skew >= times.expires_at {
            return Err(AuthError::Expired);
        }
        if times.not_before.is_some_and(|at| at > now + self.clock_skew)
            || times.issued_at > now + self.clock_skew
        {
            return Err(AuthError::Invalid("not valid yet"));
        }
        if times.expires_at - times.issued_at > self.max_token_lifetime {
            return Err(AuthError::Invalid("made to live too long"));
        }
        let only_organisation = match config.organisations.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let read = reader.read(only_organisation)?;
        if !config.organisations.is_empty()
            && !config.organisations.contains(&read.principal.organisation.uuid())
        {
            return Err(AuthError::Invalid("the issuer may not speak for this organisation"));
        }
        if !config.kinds.contains(&read.kind) {
            return Err(AuthError::Invalid("the issuer may not speak for this kind of caller"));
        }
        Ok(Verified {
            principal: read.principal,
            kind: read.kind,
            expires_at: times.expires_at,
            standing: Standing {
                keys: read.subject.into_iter().chain(read.code).collect(),
                epoch: read.epoch,
                issued_at: times.issued_at,
            },
        })
    }
}

fn split(token: &str) -> Result<(&str, &str), AuthError> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(_), None) => Ok((header, payload)),
        _ => Err(AuthError::Invalid("not of three parts")),
    }
}

fn part<T: serde::de::DeserializeOwned>(part: &str, problem: &'static str) -> Result<T, AuthError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthError::Invalid(problem))?;
    serde_json::from_slice(&bytes).map_err(|_| AuthError::Invalid(problem))
}

/// Asymmetric signatures only: `none` and the HMAC family are refused before any key is looked at.
fn algorithm(name: &str) -> Result<Algorithm, AuthError> {
    match name.parse::<Algorithm>() {
        Ok(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) | Err(_) => {
            Err(AuthError::Invalid("signed with an algorithm that is not accepted"))
        }
        Ok(algorithm) => Ok(algorithm),
    }
}

fn check_type(typ: Option<&str>, require_at_jwt: bool) -> Result<(), AuthError> {
    let typ = typ.map(|typ| typ.to_ascii_lowercase());
    match typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ)) {
        Some("at+jwt") => Ok(()),
        None | Some("jwt") if !require_at_jwt => Ok(()),
        _ => Err(AuthError::Invalid("not an access token")),
    }
}
