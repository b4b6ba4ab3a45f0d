//! Web Push: encrypted for the browser (RFC 8291), signed by us (VAPID, RFC 8292), taken by its push service (RFC 8030).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_kernel::Timestamp;
use callboard_service::BoxError;
use p256::ecdsa::signature::Signer;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use p256::{PublicKey, SecretKey};
use ring::{aead, hkdf};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::outward::{self, Bounds};
use crate::config::PushConfig;
use crate::store::Subscription;

/// Longest text that is pushed, in bytes: one record, which every push service takes (RFC 8030, 7.2).
pub const MAX_PAYLOAD: usize = 3_000;
/// How long a signature holds; at most a day.
const SIGNED_FOR: i64 = 12 * 60 * 60;

/// The key that signs pushes.
pub struct PushKey {
    key: p256::ecdsa::SigningKey,
    public: String,
    contact: String,
}

impl std::fmt::Debug for PushKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushKey").field("public", &self.public).finish_non_exhaustive()
    }
}

fn random_secret() -> SecretKey {
    loop {
        // All but one in 2^32 numbers are keys.
        if let Ok(key) = SecretKey::from_slice(&rand::random::<[u8; 32]>()) {
            return key;
        }
    }
}

impl PushKey {
    /// A new key, as PEM.
    ///
    /// # Errors
    /// When it cannot be written, which does not happen with a well-formed key.
    pub fn generate() -> Result<SecretString, BoxError> {
        let pem = random_secret().to_pkcs8_pem(LineEnding::LF).map_err(|error| error.to_string())?;
        Ok(SecretString::from(pem.as_str().to_owned()))
    }

    /// A key from its PEM.
    ///
    /// # Errors
    /// When it is none of P-256 in PKCS#8.
    pub fn from_pem(pem: &SecretString, contact: &str) -> Result<Self, BoxError> {
        let secret = SecretKey::from_pkcs8_pem(pem.expose_secret())
            .map_err(|_| "the key of pushes is no P-256 key in PKCS#8")?;
        let public = URL_SAFE_NO_PAD.encode(secret.public_key().to_encoded_point(false).as_bytes());
        Ok(Self { key: secret.into(), public, contact: contact.to_owned() })
    }

    /// What browsers subscribe with.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The header that says who pushes.
    fn authorization(&self, origin: &str, now: Timestamp) -> String {
        let header = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"ES256"}"#);
        let claims = json!({ "aud": origin, "exp": now.timestamp() + SIGNED_FOR, "sub": self.contact });
        let said = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature: p256::ecdsa::Signature = self.key.sign(said.as_bytes());
        format!("vapid t={said}.{}, k={}", URL_SAFE_NO_PAD.encode(signature.to_bytes()), self.public)
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(prk: &hkdf::Prk, info: &[&[u8]]) -> Option<[u8; N]> {
    let mut out = [0; N];
    prk.expand(info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// Encrypts for one browser: `aes128gcm` in one record. `None`: its keys are none.
fn encrypt(text: &[u8], p256dh: &[u8], auth: &[u8], own: &SecretKey, salt: [u8; 16]) -> Option<Vec<u8>> {
    let theirs = PublicKey::from_sec1_bytes(p256dh).ok()?;
    let shared = p256::ecdh::diffie_hellman(own.to_nonzero_scalar(), theirs.as_affine());
    let ours = own.public_key().to_encoded_point(false);
    // RFC 8291, 3.4.
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, auth).extract(shared.raw_secret_bytes());
    let ikm: [u8; 32] = expand(&prk, &[b"WebPush: info\0", p256dh, ours.as_bytes()])?;
    // RFC 8188, 2.2 and 2.3.
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(&ikm);
    let key: [u8; 16] = expand(&prk, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: [u8; 12] = expand(&prk, &[b"Content-Encoding: nonce\0"])?;
    let mut record = text.to_vec();
    // The last record.
    record.push(2);
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).ok()?);
    key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::empty(), &mut record)
        .ok()?;
    let mut body = Vec::with_capacity(86 + record.len());
    body.extend_from_slice(&salt);
    body.extend_from_slice(&4096_u32.to_be_bytes());
    body.push(u8::try_from(ours.as_bytes().len()).ok()?);
    body.extend_from_slice(ours.as_bytes());
    body.extend_from_slice(&record);
    Some(body)
}

/// What a push service said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It has it.
    Yes(u16),
    /// The browser is gone (404, 410): forget it.
    Gone(u16),
    /// Not this.
    Refused(u16),
    /// Not now (429, 5xx).
    NotNow(u16),
    /// It could not be called: nothing left the house.
    Unreachable,
    /// No answer.
    Unknown,
}

/// Hands pushes to push services.
#[derive(Debug)]
pub struct PushChannel {
    client: reqwest::Client,
    key: Arc<PushKey>,
    keep_for: Duration,
    bounds: Bounds,
}

impl PushChannel {
    /// Signed with this key.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &PushConfig, key: Arc<PushKey>) -> Result<Self, BoxError> {
        let bounds = Bounds { allow_private: settings.allow_private, allow_http: settings.allow_private };
        Ok(Self {
            client: outward::client(settings.timeout, bounds)?,
            key,
            keep_for: settings.keep_for,
            bounds,
        })
    }

    /// Pushes a text to one browser. `topic`: a later push of the same topic replaces one that was not fetched yet; at
    /// most 32 letters of base64url.
    pub async fn push(&self, subscription: &Subscription, text: &[u8], topic: &str, now: Timestamp) -> Taken {
        let Some(url) = outward::admitted(&subscription.endpoint, self.bounds) else {
            return Taken::Refused(0);
        };
        let text = &text[..text.len().min(MAX_PAYLOAD)];
        let body = encrypt(text, &subscription.p256dh, &subscription.auth, &random_secret(), rand::random());
        let Some(body) = body else { return Taken::Gone(0) };
        let origin = url.origin().ascii_serialization();
        let sent = self
            .client
            .post(url)
            .header("authorization", self.key.authorization(&origin, now))
            .header("content-encoding", "aes128gcm")
            .header("content-type", "application/octet-stream")
            .header("ttl", self.keep_for.as_secs().to_string())
            .header("urgency", "normal")
            .header("topic", topic)
            .body(body)
            .send()
            .await;
        match sent {
            Ok(response) => match response.status().as_u16() {
                code @ 200..=299 => Taken::Yes(code),
                code @ (404 | 410) => Taken::Gone(code),
                code @ (429 | 500..=599) => Taken::NotNow(code),
                code => Taken::Refused(code),
            },
            Err(error) if error.is_connect() || error.is_builder() => Taken::Unreachable,
            Err(_) => Taken::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).expect("base64url")
    }

    #[test]
    fn rfc_8291_the_example_of_its_appendix() {
        let own =
            SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).expect("a key");
        let theirs =
            bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let auth = bytes("BTBZMqHH6r4Tts7J_aSIgg");
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().expect("16 bytes");
        let body = encrypt(b"When I grow up, I want to be a watermelon", &theirs, &auth, &own, salt);
        assert_eq!(
            URL_SAFE_NO_PAD.encode(body.expect("encrypted")),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz\
             AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn rfc_8292_a_push_is_signed_for_the_service_it_goes_to() {
        use p256::ecdsa::signature::Verifier;
        let key =
            PushKey::from_pem(&PushKey::generate().expect("a key"), "mailto:a@b.example").expect("read");
        let header = key.authorization("https://push.example", Timestamp::UNIX_EPOCH);
        let token = header.strip_prefix("vapid t=").and_then(|rest| rest.split(',').next()).expect("a token");
        let (said, signature) = token.rsplit_once('.').expect("three parts");
        let signature = p256::ecdsa::Signature::from_slice(&bytes(signature)).expect("a signature");
        let public = p256::ecdsa::VerifyingKey::from_sec1_bytes(&bytes(key.public())).expect("a key");
        public.verify(said.as_bytes(), &signature).expect("ours");
        let claims: serde_json::Value =
            serde_json::from_slice(&bytes(said.split('.').nth(1).expect("claims"))).expect("json");
        assert_eq!(claims["aud"], "https://push.example");
        assert!(header.ends_with(&format!("k={}", key.public())));
    }
}
