//! Which tokens are accepted.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_auth::{
    AuthError, IssuerConfig, KeySource, Revocations, SigningKey, TokenKind, Verifier, VerifierConfig,
};
use callboard_kernel::{Clock, CodeUser, CustomerUser, Language, Principal, Rejection, Role, Subject};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::support::{AUDIENCE, ISSUER, TestClock, World, claims, employee, expose, foreign_token, issuer};

/// A verifier that has one key at hand, and that key.
fn at_hand(adjust: impl FnOnce(&mut IssuerConfig)) -> (Arc<TestClock>, SigningKey, Verifier) {
    let (clock, key) = (TestClock::new(), SigningKey::generate().unwrap());
    let document = json!({ "keys": [key.public_jwk()] }).to_string();
    let mut config = IssuerConfig::new(ISSUER, AUDIENCE, KeySource::Document(document));
    adjust(&mut config);
    let config = VerifierConfig { issuers: vec![config], ..VerifierConfig::default() };
    let revocations = Arc::new(Revocations::new(config.max_token_lifetime));
    let verifier = Verifier::new(config, clock.clone(), revocations);
    (clock, key, verifier)
}

async fn outcome(verifier: &Verifier, token: &str) -> Result<Principal, &'static str> {
    verifier.verify(token).await.map(|verified| verified.principal.clone()).map_err(|error| error.reason())
}

#[tokio::test]
async fn d_2_every_kind_of_principal_survives_its_token() {
    let world = World::new().await;
    let code_user = Subject::CodeUser(CodeUser {
        session: Uuid::from_u128(4).into(),
        code: Uuid::from_u128(5).into(),
        device: Uuid::from_u128(6).into(),
    });
    let customer_user = Subject::CustomerUser(CustomerUser {
        id: Uuid::from_u128(7).into(),
        customer: Uuid::from_u128(8).into(),
    });
    for subject in [employee().subject, code_user, customer_user] {
        let principal = Principal { subject, ..employee() };
        assert_eq!(outcome(&world.verifier, &world.token(&principal, 0)).await, Ok(principal));
    }
}

#[tokio::test]
async fn a_token_ends_at_exp_plus_skew_also_when_remembered() {
    let world = World::new().await;
    let token = world.token(&employee(), 0);
    assert!(world.verifier.verify(&token).await.is_ok());
    world.clock.advance(TimeDelta::seconds(629));
    assert!(world.verifier.verify(&token).await.is_ok());
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(world.verifier.verify(&token).await.unwrap_err(), AuthError::Expired);
    let fresh = World::new().await;
    let token = expose(&fresh.issuer.issue(&employee(), 0, TimeDelta::seconds(-31)).unwrap().token);
    assert_eq!(outcome(&fresh.verifier, &token).await, Err("TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_token_of_the_future_is_accepted_within_the_skew_only() {
    let (clock, key, verifier) = at_hand(|_| {});
    for (ahead, expected) in [(30, Ok(())), (31, Err("TOKEN_INVALID"))] {
        let mut claims = claims(&clock);
        claims.insert("nbf".into(), (clock.now().timestamp() + ahead).into());
        let token = foreign_token(&key, json!({}), &claims);
        assert_eq!(outcome(&verifier, &token).await.map(|_| ()), expected, "{ahead} s ahead");
    }
}

#[tokio::test]
async fn a_token_that_names_the_end_of_time_is_refused_like_others() {
    let (clock, key, verifier) = at_hand(|_| {});
    let mut claims = claims(&clock);
    claims.insert("exp".into(), chrono::DateTime::<chrono::Utc>::MAX_UTC.timestamp().into());
    let token = foreign_token(&key, json!({}), &claims);
    assert_eq!(outcome(&verifier, &token).await, Err("TOKEN_INVALID"));
}

#[tokio::test]
async fn d_2_issuer_and_audience_must_be_ours() {
    let (clock, key, verifier) = at_hand(|_| {});
    let with = |name: &str, value: Value| {
        let mut claims = claims(&clock);
        claims.insert(name.into(), value);
        foreign_token(&key, json!({}), &claims)
    };
    assert_eq!(outcome(&verifier, &with("iss", "https://else.example".into())).await, Err("ISSUER_UNKNOWN"));
    assert_eq!(outcome(&verifier, &with("iss", json!([ISSUER]))).await, Err("TOKEN_INVALID"));
    assert_eq!(outcome(&verifier, &with("aud", "another".into())).await, Err("TOKEN_INVALID"));
    assert_eq!(outcome(&verifier, &with("aud", Value::Null)).await, Err("TOKEN_INVALID"));
    assert!(outcome(&verifier, &with("aud", json!(["another", AUDIENCE]))).await.is_ok());
    assert_eq!(outcome(&verifier, "").await, Err("TOKEN_MISSING"));
    assert_eq!(outcome(&verifier, "a.b").await, Err("TOKEN_INVALID"));
    assert_eq!(outcome(&verifier, &"a".repeat(20_000)).await, Err("TOKEN_INVALID"));
}

#[tokio::test]
async fn an_algorithm_that_is_not_that_of_the_key_is_refused() {
    let (clock, key, verifier) = at_hand(|_| {});
    let claims = claims(&clock);
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let body = encode(&Value::Object(claims.clone()));
    // No signature at all.
    for alg in ["none", "None", "nOnE", ""] {
        let token = format!("{}.{body}.", encode(&json!({ "alg": alg, "kid": key.id() })));
        assert_eq!(outcome(&verifier, &token).await, Err("TOKEN_INVALID"), "{alg:?}");
    }
    // The public key taken for a shared secret.
    let public = URL_SAFE_NO_PAD.decode(key.public_jwk()["x"].as_str().unwrap()).unwrap();
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some(key.id().into());
    let secret = jsonwebtoken::EncodingKey::from_secret(&public);
    let token = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
    assert_eq!(outcome(&verifier, &token).await, Err("TOKEN_INVALID"));
    // Another asymmetric algorithm in the header of a good signature.
    let good = foreign_token(&key, json!({}), &claims);
    let tail = good.split_once('.').unwrap().1;
    let token = format!("{}.{tail}", encode(&json!({ "alg": "RS256", "kid": key.id() })));
    assert_eq!(outcome(&verifier, &token).await, Err("TOKEN_INVALID"));
    // One letter of the claims changed.
    let (header, rest) = good.split_once('.').unwrap();
    let signature = rest.split_once('.').unwrap().1;
    let mut forged = claims;
    forged.insert("callboard_role".into(), "administrator".into());
    let token = format!("{header}.{}.{signature}", encode(&Value::Object(forged)));
    assert_eq!(outcome(&verifier, &token).await, Err("TOKEN_INVALID"));
    assert!(outcome(&verifier, &good).await.is_ok());
}

#[tokio::test]
async fn the_type_of_the_token_is_judged() {
    for (typ, lax, strict) in [
        (json!("at+jwt"), true, true),
        (json!("application/at+JWT"), true, true),
        (json!("JWT"), true, false),
        (Value::Null, true, false),
        (json!("logout+jwt"), false, false),
    ] {
        for (require_at_jwt, accepted) in [(false, lax), (true, strict)] {
            let (clock, key, verifier) = at_hand(|config| config.require_at_jwt = require_at_jwt);
            let token = foreign_token(&key, json!({ "typ": typ }), &claims(&clock));
            assert_eq!(outcome(&verifier, &token).await.is_ok(), accepted, "{typ} {require_at_jwt}");
        }
    }
}

#[tokio::test]
async fn claims_may_be_named_differently() {
    let (clock, key, verifier) = at_hand(|config| {
        config.claims.role = "/realm_access/roles".into();
        config.claims.subject = "employee_id".into();
        config.organisations = vec![Uuid::from_u128(1)];
    });
    let mut claims = claims(&clock);
    claims.remove("callboard_org");
    claims.insert("sub".into(), "someone".into());
    claims.insert("employee_id".into(), Uuid::from_u128(9).to_string().into());
    claims.insert("realm_access".into(), json!({ "roles": ["offline_access", "member", "moderator"] }));
    claims.insert("locale".into(), "de-AT".into());
    let principal = outcome(&verifier, &foreign_token(&key, json!({}), &claims)).await.unwrap();
    assert_eq!(principal.employee().map(|employee| employee.role), Some(Role::Moderator));
    assert_eq!(principal.actor().id(), Some(Uuid::from_u128(9)));
    assert_eq!(principal.language, Language::De);
}

#[tokio::test]
async fn an_issuer_speaks_only_for_whom_it_may() {
    let check = async |adjust: fn(&mut IssuerConfig), change: fn(&mut Map<String, Value>)| {
        let (clock, key, verifier) = at_hand(adjust);
        let mut claims = claims(&clock);
        change(&mut claims);
        outcome(&verifier, &foreign_token(&key, json!({}), &claims)).await.map(|principal| principal.subject)
    };
    let service: fn(&mut Map<String, Value>) =
        |claims| drop(claims.insert("callboard_kind".into(), "service".into()));
    assert_eq!(check(|_| {}, service).await, Err("TOKEN_INVALID"));
    assert_eq!(check(|config| config.kinds.push(TokenKind::Service), service).await, Ok(Subject::System));
    assert_eq!(
        check(|config| config.organisations = vec![Uuid::from_u128(77)], |_| {}).await,
        Err("TOKEN_INVALID")
    );
}

#[tokio::test]
async fn claims_that_make_no_principal_are_refused() {
    let (clock, key, verifier) = at_hand(|_| {});
    for (name, value) in [
        ("sub", json!("no uuid")),
        ("callboard_org", Value::Null),
        ("callboard_role", json!("owner")),
        ("callboard_role", json!(["owner"])),
        // Read as none it would let an employee see all.
        ("callboard_departments", json!("all")),
        ("callboard_departments", json!(["x"])),
        ("callboard_kind", json!("robot")),
        ("callboard_kind", json!("code_user")),
        ("callboard_epoch", json!("1")),
        ("exp", Value::Null),
        ("iat", Value::Null),
        ("exp", json!(clock.now().timestamp() + 13 * 3600)),
    ] {
        let mut claims = claims(&clock);
        claims.insert(name.into(), value.clone());
        let token = foreign_token(&key, json!({}), &claims);
        assert_eq!(outcome(&verifier, &token).await, Err("TOKEN_INVALID"), "{name} = {value}");
    }
}

#[tokio::test]
async fn d_3_ending_sessions_refuses_their_tokens_at_once_and_new_ones_pass() {
    let world = World::new().await;
    let (session, code) = (Uuid::from_u128(4), Uuid::from_u128(5));
    let user = CodeUser { session: session.into(), code: code.into(), device: Uuid::from_u128(6).into() };
    let principal = Principal { subject: Subject::CodeUser(user), ..employee() };
    let old = world.token(&principal, 3);
    // Remembered now: the cache must not outlive the revocation.
    assert!(world.verifier.verify(&old).await.is_ok());
    world.revocations.revoke(code, 4, world.clock.now());
    assert_eq!(world.verifier.verify(&old).await.unwrap_err(), AuthError::Revoked);
    assert!(world.verifier.verify(&world.token(&principal, 4)).await.is_ok());
    // One session of the code.
    world.revocations.revoke(session, i64::MAX, world.clock.now());
    assert_eq!(outcome(&world.verifier, &world.token(&principal, 4)).await, Err("TOKEN_REVOKED"));
}

#[tokio::test]
async fn tokens_without_an_epoch_are_revoked_by_time() {
    let (clock, key, verifier) = at_hand(|_| {});
    let old = foreign_token(&key, json!({}), &claims(&clock));
    assert!(verifier.verify(&old).await.is_ok());
    verifier.revocations().revoke(Uuid::from_u128(2), 1, clock.now());
    assert_eq!(verifier.verify(&old).await.unwrap_err(), AuthError::Revoked);
    clock.advance(TimeDelta::seconds(1));
    assert!(verifier.verify(&foreign_token(&key, json!({}), &claims(&clock))).await.is_ok());
}

#[tokio::test]
async fn a_key_survives_its_pem_and_is_never_printed() {
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    let again = SigningKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(again.id(), key.id());
    let secret = pem.expose_secret().lines().nth(1).unwrap();
    assert!(!format!("{key:?}").contains(secret) && !format!("{key:?}").contains("PRIVATE"));
    assert!(SigningKey::from_pkcs8_pem(&SecretString::from("nothing")).is_err());
    let clock = TestClock::new();
    let issuer = issuer(key, &clock).also_publishing(&SigningKey::generate().unwrap());
    assert_eq!(issuer.jwks()["keys"].as_array().map(Vec::len), Some(2));
    assert!(issuer.jwks()["keys"][0].get("d").is_none());
}
