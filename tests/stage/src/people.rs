//! Organisations, the people in them, and their access tokens.

use std::fmt;
use std::sync::{Arc, LazyLock};

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_kernel::{
    CodeUser, CustomerUser, Employee, Language, Principal, RandomIds, Role, Subject, SystemClock,
};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tonic::Request;
use uuid::Uuid;

use crate::id;

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let settings = IssuerSettings { issuer: "https://id.test".into(), audience: "callboard".into() };
    let key = SigningKey::generate().expect("a signing key");
    Issuer::new(settings, key, Arc::new(SystemClock), Arc::new(RandomIds))
});

/// The setting `auth.issuers` of a service that takes the tokens of these people.
pub(crate) fn issuers() -> serde_json::Value {
    serde_json::json!([{
        "issuer": "https://id.test", "audience": "callboard", "jwks": ISSUER.jwks().to_string(),
    }])
}

/// Somebody's access token, good for half an hour, so that a crowd's requests need not be signed one by one.
#[derive(Clone)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// As the header says it: `Bearer …`.
    pub fn bearer(&self) -> &str {
        &self.0
    }
}

/// A token of this person.
///
/// # Panics
/// If none can be issued.
pub fn token(who: &Principal) -> Token {
    let token = ISSUER.issue(who, 0, TimeDelta::minutes(30)).expect("a token").token;
    Token(format!("Bearer {}", token.expose_secret()))
}

/// A request of this person.
pub fn signed<T>(who: &Principal, message: T) -> Request<T> {
    signed_by(&token(who), message)
}

/// A request with this token.
///
/// # Panics
/// If the token is none that a header can carry.
pub fn signed_by<T>(token: &Token, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.0.parse().expect("a header"));
    request
}

/// A tenant. Every test makes one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: Uuid,
}

impl Organisation {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        Self { id: id() }
    }

    /// The system, acting for it.
    pub fn system(&self) -> Principal {
        Principal::system(self.id.into())
    }

    /// Somebody new without departments.
    pub fn member(&self) -> Principal {
        self.employee(id(), Role::Member, &[])
    }

    /// Somebody new without departments.
    pub fn moderator(&self) -> Principal {
        self.employee(id(), Role::Moderator, &[])
    }

    /// Somebody new without departments.
    pub fn administrator(&self) -> Principal {
        self.employee(id(), Role::Administrator, &[])
    }

    /// This employee.
    pub fn employee(&self, id: Uuid, role: Role, departments: &[Uuid]) -> Principal {
        let departments = departments.iter().map(|id| (*id).into()).collect();
        self.person(Subject::Employee(Employee { id: id.into(), role, departments }))
    }

    /// Somebody new who scanned a code of this device.
    pub fn code_user(&self, device: Uuid) -> Principal {
        let user = CodeUser { session: id().into(), code: id().into(), device: device.into() };
        self.person(Subject::CodeUser(user))
    }

    /// A new login of this customer.
    pub fn customer_user(&self, customer: Uuid) -> Principal {
        self.person(Subject::CustomerUser(CustomerUser { id: id().into(), customer: customer.into() }))
    }

    /// Anybody of it. They speak English.
    pub fn person(&self, subject: Subject) -> Principal {
        Principal { organisation: self.id.into(), subject, language: Language::En }
    }
}
