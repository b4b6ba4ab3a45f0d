//! Call tokens: who may speak in a call, without an access token.
//!
//! A page that holds one can say and hear the signals of one connection in one call, and nothing else. It is worthless as
//! soon as the call is over, somebody else has the place, or the person's sessions are ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_auth::{Revocations, Standing};
use callboard_journal::Pool;
use callboard_kernel::{ErrorKind, OrganisationId, Principal, Refusal, Subject, Timestamp};
use callboard_service::BoxError;
use callboard_video_domain::{ConnectionId, SessionId};
use chrono::{DateTime, TimeDelta};
use ring::hmac::{HMAC_SHA256, Key};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest token that is looked at.
const MAX_TOKEN: usize = 2_048;
/// How long a token is good at most.
const LIFETIME: TimeDelta = TimeDelta::hours(12);
/// Another use of the same secret must never make a token.
const PURPOSE: &str = "callboard call token\0";

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    /// Organisation.
    o: Uuid,
    /// Session.
    s: Uuid,
    /// Connection.
    c: Uuid,
    /// Who; missing in tokens of older releases.
    #[serde(default)]
    w: String,
    /// Whose end ends it: the person's, the code's.
    k: Vec<Uuid>,
    /// The epoch of the access token it was given for; missing where that has none, and in tokens of older releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<i64>,
    /// When that was issued, and when this expires; seconds.
    i: i64,
    e: i64,
}

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The tenant.
    pub organisation: OrganisationId,
    /// The session.
    pub session: SessionId,
    /// The connection.
    pub connection: ConnectionId,
    /// The person, as an actor's word.
    pub who: String,
    standing: Standing,
    expires: Timestamp,
}

impl Speaker {
    /// Whether the token still counts.
    pub fn counts(&self, now: Timestamp, revocations: &Revocations) -> bool {
        now < self.expires && !self.standing.is_ended(revocations)
    }
}

/// The secrets that tokens are signed with: the first signs, all verify.
pub struct Signer {
    keys: Vec<Key>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

/// Every "no" is the same: who tries tokens learns nothing.
pub fn refused() -> Refusal {
    let message = "the call token is not valid (any more): join again";
    Refusal::new(ErrorKind::Unauthenticated, "CALL_TOKEN_INVALID", message)
}

/// The signer of the settings, or of a secret of the schema, which all replicas share.
///
/// # Errors
/// When the schema cannot be asked.
pub async fn open(pool: &Pool, configured: &SecretString) -> Result<Signer, BoxError> {
    let configured = configured.expose_secret();
    if !configured.is_empty() {
        return Ok(Signer::new(vec![configured.as_bytes().to_vec()]));
    }
    sqlx::query("insert into call_secret (id, secret) values (1, $1) on conflict (id) do nothing")
        .bind(rand::random::<[u8; 32]>().to_vec())
        .execute(pool)
        .await?;
    let secrets = sqlx::query_scalar("select secret from call_secret order by id desc");
    Ok(Signer::new(secrets.fetch_all(pool).await?))
}

impl Signer {
    /// Of these secrets.
    pub fn new(secrets: Vec<Vec<u8>>) -> Self {
        Self { keys: secrets.iter().map(|secret| Key::new(HMAC_SHA256, secret)).collect() }
    }

    /// A token for this person's connection, which ends with the person's access token should that be ended (D-3).
    ///
    /// # Errors
    /// Callboard itself calls nobody.
    pub fn seal(
        &self,
        (principal, standing): (&Principal, &Standing),
        session: SessionId,
        connection: ConnectionId,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        if matches!(principal.subject, Subject::System) {
            return Err(Refusal::denied("calls are for people"));
        }
        let claims = Claims {
            o: principal.organisation.uuid(),
            s: session.uuid(),
            c: connection.uuid(),
            w: principal.actor().to_string(),
            k: standing.keys.clone(),
            n: standing.epoch,
            i: standing.issued_at.timestamp(),
            e: (now + LIFETIME).timestamp(),
        };
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap_or_default());
        let internal = || Refusal::new(ErrorKind::Internal, "INTERNAL", "no secret for call tokens");
        let key = self.keys.first().ok_or_else(internal)?;
        let signature = ring::hmac::sign(key, format!("{PURPOSE}{payload}").as_bytes());
        Ok(format!("{payload}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Who speaks by a token.
    ///
    /// # Errors
    /// `CALL_TOKEN_INVALID`: forged, expired, or of somebody whose sessions were ended.
    pub fn open(&self, token: &str, now: Timestamp, revocations: &Revocations) -> Result<Speaker, Refusal> {
        let (payload, signature) =
            token.split_once('.').filter(|_| token.len() <= MAX_TOKEN).ok_or_else(refused)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused())?;
        let signed = format!("{PURPOSE}{payload}");
        let is_genuine =
            self.keys.iter().any(|key| ring::hmac::verify(key, signed.as_bytes(), &signature).is_ok());
        if !is_genuine {
            return Err(refused());
        }
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| refused())?;
        let claims: Claims = serde_json::from_slice(&bytes).map_err(|_| refused())?;
        let time = |seconds| DateTime::from_timestamp(seconds, 0).ok_or_else(refused);
        let speaker = Speaker {
            organisation: claims.o.into(),
            session: claims.s.into(),
            connection: claims.c.into(),
            who: claims.w,
            standing: Standing { keys: claims.k, epoch: claims.n, issued_at: time(claims.i)? },
            expires: time(claims.e)?,
        };
        if speaker.counts(now, revocations) { Ok(speaker) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use callboard_kernel::{CodeUser, Language};

    use super::*;

    fn id<I: From<Uuid>>(number: u128) -> I {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn a_call_token_is_good_for_its_connection_until_it_ends_or_is_ended() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a moment");
        let revocations = Revocations::new(TimeDelta::hours(24));
        let user = CodeUser { session: id(1), code: id(2), device: id(3) };
        let who = Principal { organisation: id(9), subject: Subject::CodeUser(user), language: Language::En };
        let signer = Signer::new(vec![vec![7; 32]]);
        let standing = |epoch| Standing { keys: vec![id(1), id(2)], epoch, issued_at: now };
        let token = signer.seal((&who, &standing(None)), id(4), id(5), now).expect("a token");
        let counted = signer.seal((&who, &standing(Some(1))), id(4), id(5), now).expect("a token");
        let speaker = signer.open(&token, now, &revocations).expect("a speaker");
        assert_eq!((speaker.session, speaker.connection), (id(4), id(5)));
        assert_eq!(speaker.who, who.actor().to_string());
        // Rotated: the old secret still verifies.
        let rotated = Signer::new(vec![vec![8; 32], vec![7; 32]]);
        assert!(rotated.open(&token, now, &revocations).is_ok());
        let other = Signer::new(vec![vec![8; 32]]);
        assert_eq!(other.open(&token, now, &revocations).expect_err("forged").reason, "CALL_TOKEN_INVALID");
        assert!(signer.open(&token, now + LIFETIME, &revocations).is_err());
        assert!(signer.open(&format!("x{token}"), now, &revocations).is_err());
        assert!(signer.open("", now, &revocations).is_err());
        // "Log out code users" of the code (D-3).
        revocations.revoke(id(2), 1, now + TimeDelta::seconds(1));
        assert!(signer.open(&counted, now, &revocations).is_ok(), "of the sessions after it");
        assert!(signer.open(&token, now, &revocations).is_err());
        assert!(!speaker.counts(now, &revocations));
    }

    #[test]
    fn d_3_who_joined_between_log_out_and_its_being_heard_of_has_no_place_either() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a moment");
        let revocations = Revocations::new(TimeDelta::hours(24));
        let user = CodeUser { session: id(1), code: id(2), device: id(3) };
        let who = Principal { organisation: id(9), subject: Subject::CodeUser(user), language: Language::En };
        let signer = Signer::new(vec![vec![7; 32]]);
        let issued_at = now - TimeDelta::minutes(4);
        for epoch in [Some(0), None] {
            let standing = Standing { keys: vec![id(1), id(2)], epoch, issued_at };
            let token = signer.seal((&who, &standing), id(4), id(5), now).expect("a token");
            let speaker = signer.open(&token, now, &revocations).expect("not heard of yet");
            let revocations = Revocations::new(TimeDelta::hours(24));
            revocations.revoke(id(2), 1, now - TimeDelta::seconds(3));
            assert!(!speaker.counts(now, &revocations), "{epoch:?}");
        }
    }
}
