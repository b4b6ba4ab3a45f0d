//! Tokens as LiveKit has them: JWTs by HMAC-SHA256 with the secret that is shared with the server. Ours let people in and
//! speak for us to the server; the server's come with its webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_kernel::{ErrorKind, Refusal, Timestamp};
use callboard_video_domain::{ConnectionId, Side};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// How far clocks may differ.
const SKEW: TimeDelta = TimeDelta::seconds(30);
/// How long a token for one question is good.
const QUESTION: TimeDelta = TimeDelta::minutes(1);
/// The longest token that is looked at.
const MAX_TOKEN: usize = 4 * 1024;

/// What a token lets do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// In this room alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub room: String,
    /// Taking part.
    #[serde(skip_serializing_if = "is_false")]
    pub room_join: bool,
    /// Being seen and heard.
    #[serde(skip_serializing_if = "is_false")]
    pub can_publish: bool,
    /// Seeing and hearing.
    #[serde(skip_serializing_if = "is_false")]
    pub can_subscribe: bool,
    /// Opening and closing rooms.
    #[serde(skip_serializing_if = "is_false")]
    pub room_create: bool,
    /// Asking who is there, and putting out.
    #[serde(skip_serializing_if = "is_false")]
    pub room_admin: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde asks with")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    nbf: i64,
    exp: i64,
    video: &'a Grant,
}

/// What the server says of a webhook.
#[derive(Deserialize)]
struct Said {
    iss: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    sha256: String,
}

/// A key and its secret.
pub struct Keys {
    name: String,
    signs: EncodingKey,
    verifies: DecodingKey,
    compares: ring::hmac::Key,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every "no" is the same: who tries tokens learns nothing.
pub fn unverified() -> Refusal {
    let message =
        "the webhook is not signed by the provider's server, has expired, or was changed on its way";
    Refusal::new(ErrorKind::Unauthenticated, "WEBHOOK_UNVERIFIED", message)
}

impl Keys {
    /// Of this name and secret.
    pub fn new(name: &str, secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        Self {
            name: name.to_owned(),
            signs: EncodingKey::from_secret(secret),
            verifies: DecodingKey::from_secret(secret),
            compares: ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret),
        }
    }

    fn sign(
        &self,
        sub: &str,
        name: &str,
        grant: &Grant,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<String, Refusal> {
        let (nbf, exp) = ((from - SKEW).timestamp(), until.timestamp());
        let claims = Claims { iss: &self.name, sub, name, nbf, exp, video: grant };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signs)
            .map_err(|_| Refusal::new(ErrorKind::Internal, "INTERNAL", "a token could not be signed"))
    }

    /// Lets one connection into one room until then. The others see which side it is, and nothing else of the person.
    ///
    /// # Errors
    /// When it cannot be signed, which does not happen.
    pub fn access(
        &self,
        connection: ConnectionId,
        side: Side,
        room: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<String, Refusal> {
        let grant = Grant {
            room: room.to_owned(),
            room_join: true,
            can_publish: true,
            can_subscribe: true,
            ..Grant::default()
        };
        self.sign(&connection.to_string(), side.as_str(), &grant, now, until)
    }

    /// Speaks for us to the server, for one question.
    ///
    /// # Errors
    /// When it cannot be signed, which does not happen.
    pub fn question(&self, grant: &Grant, now: Timestamp) -> Result<String, Refusal> {
        self.sign("callboard", "", grant, now, now + QUESTION)
    }

    /// Whether a webhook is the server's: signed with our secret, meant for now, and of this body to the byte.
    ///
    /// # Errors
    /// `WEBHOOK_UNVERIFIED`.
    pub fn verify(&self, token: &str, body: &[u8], now: Timestamp) -> Result<(), Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(unverified());
        }
        // The server sends the bare token; a proxy may have made it look like others.
        let token = token.trim();
        let token = match token.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
            _ => token,
        };
        // Times and issuer are judged below, by our own clock.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let said: Said =
            jsonwebtoken::decode(token, &self.verifies, &validation).map_err(|_| unverified())?.claims;
        let is_now = (now - SKEW).timestamp() < said.exp
            && said.nbf.is_none_or(|from| from <= (now + SKEW).timestamp());
        let hash = STANDARD.decode(&said.sha256).map_err(|_| unverified())?;
        // Compared as HMACs of both, which takes the same time wherever they differ.
        let tag = ring::hmac::sign(&self.compares, &hash);
        let is_whole =
            ring::hmac::verify(&self.compares, digest(&SHA256, body).as_ref(), tag.as_ref()).is_ok();
        if said.iss == self.name && is_now && is_whole { Ok(()) } else { Err(unverified()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn keys() -> Keys {
        Keys::new("north", &"a secret of at least 32 characters".to_owned().into())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).expect("a moment")
    }

    fn said(token: &str) -> Value {
        let payload = token.split('.').nth(1).expect("a payload");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[test]
    fn v_10_an_access_token_lets_one_connection_into_one_room_and_names_nobody() {
        let connection = Uuid::from_u128(5).into();
        let token = keys().access(connection, Side::Guest, "r", at(NOW), at(NOW + 300)).expect("a token");
        let expected = json!({
            "iss": "north", "sub": connection.to_string(), "name": "GUEST", "nbf": NOW - 30, "exp": NOW + 300,
            "video": {"room": "r", "roomJoin": true, "canPublish": true, "canSubscribe": true}
        });
        assert_eq!(said(&token), expected);
        let grant = Grant { room_admin: true, room: "r".into(), ..Grant::default() };
        let token = keys().question(&grant, at(NOW)).expect("a token");
        assert_eq!(said(&token)["video"], json!({"room": "r", "roomAdmin": true}));
        assert_eq!(said(&token)["exp"], NOW + 60);
    }

    fn signed(secret: &str, algorithm: Algorithm, claims: &Value) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("a token")
    }

    #[test]
    fn v_10_a_webhook_counts_when_the_server_signed_this_very_body_just_now() {
        let (secret, body) = ("a secret of at least 32 characters", br#"{"event":"room_started"}"#);
        let hash = STANDARD.encode(digest(&SHA256, body));
        let good = json!({"iss": "north", "exp": NOW + 300, "nbf": NOW, "sha256": hash});
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            signed(secret, Algorithm::HS256, &claims)
        };
        let keys = keys();
        let token = signed(secret, Algorithm::HS256, &good);
        keys.verify(&token, body, at(NOW)).expect("the server's");
        keys.verify(&format!("Bearer {token}"), body, at(NOW)).expect("the server's");
        let none = format!("{}.{}.", "eyJhbGciOiJub25lIn0", token.split('.').nth(1).expect("a payload"));
        let wrong = [
            String::new(),
            "guessed".to_owned(),
            none,
            signed("another secret of 32 characters or so", Algorithm::HS256, &good),
            signed(secret, Algorithm::HS512, &good),
            with("iss", json!("south")),
            with("exp", json!(NOW - 31)),
            with("exp", Value::Null),
            with("nbf", json!(NOW + 31)),
            with("sha256", json!(STANDARD.encode(digest(&SHA256, b"another")))),
            with("sha256", json!("")),
            with("sha256", Value::Null),
            "x".repeat(MAX_TOKEN + 1),
        ];
        for token in wrong {
            let refused = keys.verify(&token, body, at(NOW)).expect_err("not the server's");
            assert_eq!(refused.reason, "WEBHOOK_UNVERIFIED", "{token}");
        }
        assert!(keys.verify(&token, b"{}", at(NOW)).is_err(), "changed on its way");
        assert!(!format!("{keys:?}").contains("secret"));
    }
}
