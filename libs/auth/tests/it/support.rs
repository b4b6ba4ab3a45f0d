//! A clock to turn, a key server to break, and tokens to bend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use callboard_auth::{
    IssuerConfig, IssuerSettings, KeySource, Revocations, SigningKey, Verifier, VerifierConfig,
};
use callboard_kernel::{Clock, Employee, Language, Principal, RandomIds, Role, Subject, Timestamp};
use chrono::{DateTime, TimeDelta};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub const ISSUER: &str = "https://id.example.com";
pub const AUDIENCE: &str = "callboard";

#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap())))
    }

    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// Serves a key set over HTTP on loopback.
#[derive(Debug, Clone)]
pub struct KeyServer {
    pub url: String,
    document: Arc<Mutex<Value>>,
    broken: Arc<AtomicBool>,
    fetches: Arc<AtomicUsize>,
}

impl KeyServer {
    pub async fn start(keys: &[&SigningKey]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let server = Self { url, document: Arc::default(), broken: Arc::default(), fetches: Arc::default() };
        server.publish(keys);
        let router = axum::Router::new().route("/jwks.json", get(answer)).with_state(server.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub fn publish(&self, keys: &[&SigningKey]) {
        self.publish_jwks(keys.iter().map(|key| key.public_jwk()).collect());
    }

    pub fn publish_jwks(&self, keys: Vec<Value>) {
        *self.document.lock() = json!({ "keys": keys });
    }

    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

async fn answer(State(server): State<KeyServer>) -> Result<axum::Json<Value>, StatusCode> {
    server.fetches.fetch_add(1, Ordering::SeqCst);
    if server.broken.load(Ordering::SeqCst) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    Ok(axum::Json(server.document.lock().clone()))
}

/// One issuer, one verifier, one clock.
pub struct World {
    pub clock: Arc<TestClock>,
    pub server: KeyServer,
    pub issuer: callboard_auth::Issuer,
    pub verifier: Verifier,
    pub revocations: Arc<Revocations>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(adjust: impl FnOnce(&mut VerifierConfig)) -> Self {
        let clock = TestClock::new();
        let key = SigningKey::generate().unwrap();
        let server = KeyServer::start(&[&key]).await;
        let mut config = VerifierConfig {
            issuers: vec![IssuerConfig::new(ISSUER, AUDIENCE, KeySource::Url(server.url.clone()))],
            ..VerifierConfig::default()
        };
        adjust(&mut config);
        let revocations = Arc::new(Revocations::new(config.max_token_lifetime));
        let verifier = Verifier::new(config, clock.clone(), revocations.clone());
        let issuer = issuer(key, &clock);
        Self { clock, server, issuer, verifier, revocations }
    }

    pub fn token(&self, principal: &Principal, epoch: i64) -> String {
        expose(&self.issuer.issue(principal, epoch, TimeDelta::minutes(10)).unwrap().token)
    }
}

pub fn expose(token: &SecretString) -> String {
    token.expose_secret().to_owned()
}

pub fn issuer(key: SigningKey, clock: &Arc<TestClock>) -> callboard_auth::Issuer {
    let settings = IssuerSettings { issuer: ISSUER.into(), audience: AUDIENCE.into() };
    callboard_auth::Issuer::new(settings, key, clock.clone(), Arc::new(RandomIds))
}

pub fn employee() -> Principal {
    Principal {
        organisation: Uuid::from_u128(1).into(),
        subject: Subject::Employee(Employee {
            id: Uuid::from_u128(2).into(),
            role: Role::Moderator,
            departments: vec![Uuid::from_u128(3).into()],
        }),
        language: Language::De,
    }
}

/// A token of a provider that names things as it likes, signed with this key.
pub fn foreign_token(key: &SigningKey, header: Value, claims: &Map<String, Value>) -> String {
    let mut full = json!({ "alg": "EdDSA", "kid": key.id() });
    for (name, value) in header.as_object().unwrap() {
        full[name] = value.clone();
    }
    let header: jsonwebtoken::Header = serde_json::from_value(full).unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    let encoding = jsonwebtoken::EncodingKey::from_ed_pem(pem.expose_secret().as_bytes()).unwrap();
    jsonwebtoken::encode(&header, claims, &encoding).unwrap()
}

/// The least claims of an employee's token, valid for ten minutes.
pub fn claims(clock: &TestClock) -> Map<String, Value> {
    let now = clock.now().timestamp();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": Uuid::from_u128(2), "iat": now, "exp": now + 600,
        "callboard_org": Uuid::from_u128(1), "callboard_role": "member",
    });
    claims.as_object().unwrap().clone()
}
