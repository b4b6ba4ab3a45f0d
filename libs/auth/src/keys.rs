//! The key set of one issuer: fetched, kept, rotated.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_kernel::{Clock, Timestamp};
use chrono::TimeDelta;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::RwLock;
use serde_json::Value;
use std::sync::Arc;

use crate::AuthError;

/// Where the public keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A JWKS document at an `http` or `https` address.
    Url(String),
    /// A JWKS document at hand. Never rotates.
    Document(String),
}

/// Largest JWKS document that is read.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failed fetch the next one waits at least this long.
pub(crate) const RETRY_INTERVAL: TimeDelta = TimeDelta::milliseconds(200);
/// Smallest RSA modulus: 2048 bits.
const MIN_RSA_BYTES: usize = 256;

/// A public key with the one algorithm it may be used with.
#[derive(Debug)]
pub(crate) struct PinnedKey {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// The intervals of a key set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    /// A key id not known makes us look again at most this often.
    pub unknown_key: TimeDelta,
    /// Known keys are looked up again after this.
    pub refresh: TimeDelta,
    /// Keys that could not be looked up again serve for this long.
    pub serve_stale: TimeDelta,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<String, Arc<PinnedKey>>,
    /// The only key of a document that names none.
    nameless: Option<Arc<PinnedKey>>,
    fetched_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
}

impl Kept {
    fn find(&self, id: Option<&str>) -> Option<Arc<PinnedKey>> {
        match id {
            Some(id) => self.by_id.get(id).or(self.nameless.as_ref()),
            // A token without a key id fits only where there is nothing to choose.
            None if self.by_id.len() == 1 && self.nameless.is_none() => self.by_id.values().next(),
            None => self.nameless.as_ref(),
        }
        .cloned()
    }
}

#[derive(Debug)]
pub(crate) struct KeySet {
    source: KeySource,
    http: Option<reqwest::Client>,
    clock: Arc<dyn Clock>,
    intervals: Intervals,
    kept: RwLock<Kept>,
    flight: tokio::sync::Mutex<()>,
}

impl KeySet {
    pub fn new(
        source: KeySource,
        http: Option<reqwest::Client>,
        clock: Arc<dyn Clock>,
        intervals: Intervals,
    ) -> Self {
        let kept = RwLock::new(Kept::default());
        Self { source, http, clock, intervals, kept, flight: tokio::sync::Mutex::new(()) }
    }

    /// The key of this id.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when the issuer has no such key, [`AuthError::KeysUnavailable`] when it cannot be asked.
    pub async fn key(&self, id: Option<&str>) -> Result<Arc<PinnedKey>, AuthError> {
        let now = self.clock.now();
        let (found, age) = {
            let kept = self.kept.read();
            (kept.find(id), kept.fetched_at.map(|at| now - at))
        };
        match (found, age) {
            (Some(key), Some(age)) if age <= self.intervals.refresh => return Ok(key),
            // Whoever finds somebody else fetching takes the key that is there.
            (Some(key), Some(age)) if age <= self.intervals.serve_stale => match self.flight.try_lock() {
                Err(_) => return Ok(key),
                Ok(_flight) => {
                    if self.may_fetch(now, self.intervals.unknown_key) {
                        self.fetch().await;
                    }
                }
            },
            _ => {
                let _flight = self.flight.lock().await;
                // Somebody may have fetched while we waited.
                let missing = self.kept.read().find(id).is_none() || self.is_too_stale(now);
                if missing && self.may_fetch(now, self.intervals.unknown_key) {
                    self.fetch().await;
                }
            }
        }
        let now = self.clock.now();
        let kept = self.kept.read();
        let usable = kept.fetched_at.is_some_and(|at| now - at <= self.intervals.serve_stale);
        match kept.find(id) {
            Some(key) if usable => Ok(key),
            None if usable && kept.failed_at.is_none() => {
                Err(AuthError::Invalid("signed with an unknown key"))
            }
            // The last look failed, so the key may exist after all.
            Some(_) | None => Err(AuthError::KeysUnavailable),
        }
    }

    /// Looks the keys up again when they are about to grow old. Failure leaves those that are there.
    pub async fn refresh(&self) {
        let now = self.clock.now();
        let due = self.kept.read().fetched_at.is_none_or(|at| now - at >= self.intervals.refresh / 2);
        if due {
            let _flight = self.flight.lock().await;
            if self.may_fetch(now, RETRY_INTERVAL) {
                self.fetch().await;
            }
        }
    }

    /// Whether keys are there that serve.
    pub fn serves(&self) -> bool {
        !self.is_too_stale(self.clock.now())
    }

    fn is_too_stale(&self, now: Timestamp) -> bool {
        self.kept.read().fetched_at.is_none_or(|at| now - at > self.intervals.serve_stale)
    }

    fn may_fetch(&self, now: Timestamp, interval: TimeDelta) -> bool {
        let kept = self.kept.read();
        kept.fetched_at.is_none_or(|at| now - at >= interval)
            && kept.failed_at.is_none_or(|at| now - at >= RETRY_INTERVAL)
    }

    async fn fetch(&self) {
        let document = match &self.source {
            KeySource::Document(document) => Ok(document.clone()),
            KeySource::Url(url) => self.download(url).await,
        };
        let parsed = document.and_then(|document| parse(&document));
        let now = self.clock.now();
        let mut kept = self.kept.write();
        match parsed {
            Ok((by_id, nameless)) => {
                *kept = Kept { by_id, nameless, fetched_at: Some(now), failed_at: None };
                metrics::counter!("callboard_auth_key_fetches_total", "outcome" => "ok").increment(1);
            }
            Err(problem) => {
                kept.failed_at = Some(now);
                metrics::counter!("callboard_auth_key_fetches_total", "outcome" => "failed").increment(1);
                tracing::warn!(source = ?self.source, problem, kept = kept.by_id.len(), "cannot fetch the keys of an issuer");
            }
        }
    }

    async fn download(&self, url: &str) -> Result<String, String> {
        let http = self.http.as_ref().ok_or("no client to fetch with")?;
        let request = http.get(url).timeout(FETCH_TIMEOUT).header("accept", "application/json");
        let mut response = request.send().await.map_err(|error| error.without_url().to_string())?;
        if !response.status().is_success() {
            return Err(format!("answered {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_DOCUMENT_BYTES {
                return Err(format!("is larger than {MAX_DOCUMENT_BYTES} bytes"));
            }
        }
        String::from_utf8(body).map_err(|_| "is not UTF-8".to_owned())
    }
}

type Parsed = (HashMap<String, Arc<PinnedKey>>, Option<Arc<PinnedKey>>);

/// Reads each key on its own, so that one of a kind we do not know takes no other with it.
fn parse(document: &str) -> Result<Parsed, String> {
    let document: Value = serde_json::from_str(document).map_err(|_| "is not JSON".to_owned())?;
    let keys = document.get("keys").and_then(Value::as_array).ok_or("has no list of keys")?;
    let (mut by_id, mut nameless) = (HashMap::new(), Vec::new());
    for key in keys.iter().take(100) {
        let Ok(jwk) = serde_json::from_value::<Jwk>(key.clone()) else { continue };
        let Some(pinned) = pin(&jwk).map(Arc::new) else { continue };
        match jwk.common.key_id {
            Some(id) => drop(by_id.insert(id, pinned)),
            None => nameless.push(pinned),
        }
    }
    if by_id.is_empty() && nameless.is_empty() {
        return Err("has no key for signatures that we accept".to_owned());
    }
    // Several nameless keys cannot be told apart.
    let nameless = if nameless.len() == 1 { nameless.pop() } else { None };
    Ok((by_id, nameless))
}

/// The key with its one algorithm; `None` for keys that are not for signatures, symmetric, weak or malformed.
fn pin(jwk: &Jwk) -> Option<PinnedKey> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let said = match jwk.common.key_algorithm {
        None => None,
        Some(algorithm) => Some(algorithm.to_string().parse::<Algorithm>().ok()?),
    };
    let length = |part: &str| URL_SAFE_NO_PAD.decode(part).map(|bytes| bytes.len()).unwrap_or_default();
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) if length(&rsa.n) >= MIN_RSA_BYTES => {
            match said.unwrap_or(Algorithm::RS256) {
                algorithm @ (Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512) => algorithm,
                _ => return None,
            }
        }
        AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
            EllipticCurve::P256 => Algorithm::ES256,
            EllipticCurve::P384 => Algorithm::ES384,
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(okp)
            if okp.curve == EllipticCurve::Ed25519 && length(&okp.x) == 32 =>
        {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    if said.is_some_and(|said| said != algorithm) {
        return None;
    }
    Some(PinnedKey { algorithm, key: DecodingKey::from_jwk(jwk).ok()? })
}
