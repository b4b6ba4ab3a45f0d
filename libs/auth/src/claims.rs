//! What an access token says, and how it becomes a principal.

use std::str::FromStr;

use callboard_kernel::{
    CodeUser, CustomerUser, Employee, Language, OrganisationId, Principal, Role, Subject, Timestamp,
};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::AuthError;

/// Most departments that a token may carry. Longer lists do not belong into a header that goes with each call.
pub const MAX_DEPARTMENTS: usize = 200;

/// What kind of caller a token speaks for: the claim `callboard_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A logged-in person of the organisation.
    Employee,
    /// A person without login who scanned a code.
    CodeUser,
    /// A corporate customer's own login.
    CustomerUser,
    /// Another system that acts as Callboard itself. Only issuers that are told to may say so.
    Service,
}

impl TokenKind {
    /// The word in the token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "employee",
            Self::CodeUser => "code_user",
            Self::CustomerUser => "customer_user",
            Self::Service => "service",
        }
    }
}

impl FromStr for TokenKind {
    type Err = AuthError;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "employee" => Ok(Self::Employee),
            "code_user" => Ok(Self::CodeUser),
            "customer_user" => Ok(Self::CustomerUser),
            "service" => Ok(Self::Service),
            _ => Err(AuthError::Invalid("unknown kind of caller")),
        }
    }
}

/// The names of the claims. The defaults are those of Callboard's own access tokens:
///
/// | claim | of | says |
/// |---|---|---|
/// | `iss`, `aud`, `exp`, `iat`, `nbf`, `jti` | all | as in RFC 9068; `nbf` and `jti` may be missing |
/// | `sub` | all | employee id, code-session id or customer-user id (UUID) |
/// | `callboard_org` | all | organisation id (UUID) |
/// | `callboard_kind` | all | `employee`, `code_user`, `customer_user` or `service`; missing: `employee` |
/// | `callboard_role` | employee | `member`, `moderator` or `administrator`; of a list the highest known one |
/// | `callboard_departments` | employee | department ids; missing: none |
/// | `callboard_code`, `callboard_device` | code user | ids (UUID) |
/// | `callboard_customer` | customer user | id (UUID) |
/// | `callboard_epoch` | all, optional | number that rises when sessions are ended; lower ones are refused |
/// | `locale` | all, optional | BCP 47 tag; not one of ours: English |
///
/// For an external provider each may be named differently. A name that starts with `/` is a JSON pointer, such as
/// `/realm_access/roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// Who.
    pub subject: String,
    /// The organisation.
    pub organisation: String,
    /// The kind of caller.
    pub kind: String,
    /// The role of an employee.
    pub role: String,
    /// The departments of an employee.
    pub departments: String,
    /// The code of a code user.
    pub code: String,
    /// The device of a code user.
    pub device: String,
    /// The company of a customer user.
    pub customer: String,
    /// The epoch.
    pub epoch: String,
    /// The language.
    pub locale: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".into(),
            organisation: "callboard_org".into(),
            kind: "callboard_kind".into(),
            role: "callboard_role".into(),
            departments: "callboard_departments".into(),
            code: "callboard_code".into(),
            device: "callboard_device".into(),
            customer: "callboard_customer".into(),
            epoch: "callboard_epoch".into(),
            locale: "locale".into(),
        }
    }
}

/// What was read from a token whose signature holds.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub principal: Principal,
    pub kind: TokenKind,
    pub subject: Option<Uuid>,
    pub code: Option<Uuid>,
    pub epoch: Option<i64>,
}

/// The times of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub expires_at: Timestamp,
    pub issued_at: Timestamp,
    pub not_before: Option<Timestamp>,
}

pub(crate) struct Reader<'a> {
    claims: &'a Map<String, Value>,
    names: &'a ClaimNames,
}

impl<'a> Reader<'a> {
    pub fn new(claims: &'a Map<String, Value>, names: &'a ClaimNames) -> Self {
        Self { claims, names }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        let found = match name.strip_prefix('/') {
            None => self.claims.get(name),
            Some(path) => {
                let (first, rest) = path.split_once('/').map_or((path, None), |(a, b)| (a, Some(b)));
                let value = self.claims.get(&first.replace("~1", "/").replace("~0", "~"));
                match rest {
                    None => value,
                    Some(rest) => value.and_then(|value| value.pointer(&format!("/{rest}"))),
                }
            }
        };
        found.filter(|value| !value.is_null())
    }

    fn uuid(&self, name: &str, problem: &'static str) -> Result<Uuid, AuthError> {
        let text = self.get(name).and_then(Value::as_str).ok_or(AuthError::Invalid(problem))?;
        text.parse().map_err(|_| AuthError::Invalid(problem))
    }

    fn time(&self, name: &str, problem: &'static str) -> Result<Option<Timestamp>, AuthError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        // RFC 7519: NumericDate may have a fraction.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a NumericDate of any sense fits; the rest is refused"
        )]
        let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
        seconds
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map(Some)
            .ok_or(AuthError::Invalid(problem))
    }

    pub fn audience_is(&self, audience: &str) -> bool {
        match self.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }

    pub fn times(&self) -> Result<Times, AuthError> {
        Ok(Times {
            expires_at: self.time("exp", "exp is no time")?.ok_or(AuthError::Invalid("exp is missing"))?,
            issued_at: self.time("iat", "iat is no time")?.ok_or(AuthError::Invalid("iat is missing"))?,
            not_before: self.time("nbf", "nbf is no time")?,
        })
    }

    pub fn read(&self, only_organisation: Option<Uuid>) -> Result<Read, AuthError> {
        let organisation = match (self.get(&self.names.organisation), only_organisation) {
            (None, Some(organisation)) => organisation,
            _ => self.uuid(&self.names.organisation, "the organisation is missing or no UUID")?,
        };
        let kind = match self.get(&self.names.kind) {
            None => TokenKind::Employee,
            Some(value) => value.as_str().unwrap_or_default().parse()?,
        };
        let subject = || self.uuid(&self.names.subject, "the subject is missing or no UUID");
        let language = self
            .get(&self.names.locale)
            .and_then(Value::as_str)
            .and_then(|tag| tag.parse::<Language>().ok())
            .unwrap_or_default();
        let epoch = match self.get(&self.names.epoch) {
            None => None,
            Some(value) => Some(value.as_i64().ok_or(AuthError::Invalid("the epoch is no whole number"))?),
        };
        let (subject_id, code, subject) = match kind {
            TokenKind::Employee => {
                let id = subject()?;
                let employee =
                    Employee { id: id.into(), role: self.role()?, departments: self.departments()? };
                (Some(id), None, Subject::Employee(employee))
            }
            TokenKind::CodeUser => {
                let id = subject()?;
                let code = self.uuid(&self.names.code, "the code is missing or no UUID")?;
                let device = self.uuid(&self.names.device, "the device is missing or no UUID")?;
                let user = CodeUser { session: id.into(), code: code.into(), device: device.into() };
                (Some(id), Some(code), Subject::CodeUser(user))
            }
            TokenKind::CustomerUser => {
                let id = subject()?;
                let customer = self.uuid(&self.names.customer, "the customer is missing or no UUID")?;
                (
                    Some(id),
                    None,
                    Subject::CustomerUser(CustomerUser { id: id.into(), customer: customer.into() }),
                )
            }
            // A service's subject may be any name; only a UUID can be revoked by id.
            TokenKind::Service => (subject().ok(), None, Subject::System),
        };
        let principal = Principal { organisation: OrganisationId(organisation), subject, language };
        Ok(Read { principal, kind, subject: subject_id, code, epoch })
    }

    fn role(&self) -> Result<Role, AuthError> {
        const PROBLEM: AuthError = AuthError::Invalid("the role is missing or unknown");
        match self.get(&self.names.role) {
            Some(Value::String(word)) => word.parse().map_err(|_| PROBLEM),
            // Providers list a person's roles among others; the highest of ours counts.
            Some(Value::Array(words)) => words
                .iter()
                .filter_map(|word| word.as_str().and_then(|word| word.parse::<Role>().ok()))
                .max()
                .ok_or(PROBLEM),
            _ => Err(PROBLEM),
        }
    }

    /// A malformed list is an error, never an empty one: an employee without departments sees all.
    fn departments(&self) -> Result<Vec<callboard_kernel::DepartmentId>, AuthError> {
        const PROBLEM: AuthError = AuthError::Invalid("the departments are no list of UUIDs");
        match self.get(&self.names.departments) {
            None => Ok(Vec::new()),
            Some(Value::Array(ids)) if ids.len() <= MAX_DEPARTMENTS => {
                ids.iter().map(|id| id.as_str().and_then(|id| id.parse().ok()).ok_or(PROBLEM)).collect()
            }
            Some(_) => Err(PROBLEM),
        }
    }
}

/// The claims of a principal, under the default names, without the registered ones.
pub(crate) fn write(principal: &Principal, epoch: i64) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("callboard_org", principal.organisation.to_string().into());
    put("callboard_epoch", epoch.into());
    put("locale", principal.language.as_str().into());
    let (kind, subject) = match &principal.subject {
        Subject::Employee(employee) => {
            put("callboard_role", employee.role.as_str().into());
            let departments: Vec<Value> =
                employee.departments.iter().map(|id| id.to_string().into()).collect();
            put("callboard_departments", departments.into());
            (TokenKind::Employee, employee.id.to_string())
        }
        Subject::CodeUser(user) => {
            put("callboard_code", user.code.to_string().into());
            put("callboard_device", user.device.to_string().into());
            (TokenKind::CodeUser, user.session.to_string())
        }
        Subject::CustomerUser(user) => {
            put("callboard_customer", user.customer.to_string().into());
            (TokenKind::CustomerUser, user.id.to_string())
        }
        Subject::System => (TokenKind::Service, "callboard".to_owned()),
    };
    put("callboard_kind", kind.as_str().into());
    put("sub", subject.into());
    claims
}
