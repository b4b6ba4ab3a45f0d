//! `SessionService`: getting in (D-2, D-3). All but `GetMe` need no access token.

use std::sync::Arc;

use bytes::Bytes;
use callboard_directory_domain::code::{Command as CodeCommand, Event as CodeEvent, PinProof, State};
use callboard_directory_domain::session::{Command, Ending, Event, Holder, Kept, State as SessionState};
use callboard_directory_domain::{CustomerUser, Device, Email, Employee, Organisation, Refused};
use callboard_kernel::{
    CodeUser, ErrorKind, Language, OrganisationId, Principal, Refusal, Subject, Timestamp,
};
use callboard_proto::directory::v1 as proto;
use callboard_proto::directory::v1::session_service_server::SessionService;
use callboard_service::request::{deadline, parse_optional_id, principal};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::directory_service::respond;
use super::exposed::{Exposed, visible};
use super::refusal;
use crate::directory::Directory;
use crate::pin::{Pins, is_pin};
use crate::store::lookups;
use crate::store::read::{self, CodeRow};
use crate::tokens::{RefreshToken, Tokens};

/// Serves `SessionService`.
#[derive(Debug, Clone)]
pub struct SessionApi {
    /// The actors.
    pub directory: Arc<Directory>,
    /// Checks PINs.
    pub pins: Arc<Pins>,
    /// Makes tokens.
    pub tokens: Arc<Tokens>,
}

/// RPCs that need no access token.
pub const PUBLIC_RPCS: &[&str] = &[
    "callboard.directory.v1.SessionService/LookUpCode",
    "callboard.directory.v1.SessionService/ScanCode",
    "callboard.directory.v1.SessionService/RefreshSession",
    "callboard.directory.v1.SessionService/EndSession",
    "callboard.directory.v1.SessionService/IssueDevelopmentToken",
];

/// What the code said of somebody who wants in.
#[derive(Serialize, Deserialize)]
enum Admission {
    In { device: Uuid, epoch: i64 },
    WrongPin { locked: bool },
}

/// What became of a refresh.
#[derive(Serialize, Deserialize)]
enum Refreshed {
    Again { holder: HolderWords, language: Language, expires_at: Timestamp },
    Reused,
}

#[derive(Serialize, Deserialize)]
enum HolderWords {
    CodeUser { code: Uuid, device: Uuid, epoch: i64 },
    Employee(Uuid),
    CustomerUser(Uuid),
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

fn read_json<'a, T: Deserialize<'a>>(bytes: &'a Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::new(ErrorKind::Internal, "INTERNAL", format!("a kept answer: {error}")))
}

fn ended() -> Refusal {
    Refusal::from(&Refused::SessionEnded)
}

fn check_code_text(text: &str) -> Result<(), Refusal> {
    let fits = (16..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fits { Ok(()) } else { Err(Refusal::field("code", "16 to 64 of A-Z a-z 0-9 - _")) }
}

fn lifetime(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::hours(1))
}

impl SessionApi {
    async fn look_up(
        &self,
        request: &Request<proto::LookUpCodeRequest>,
    ) -> Result<proto::LookUpCodeResponse, Refusal> {
        let asked = request.get_ref();
        check_code_text(&asked.code)?;
        let found = read::code_by_token(&self.directory.pool, &asked.code).await?;
        let (_, code) = found.ok_or_else(|| Refusal::not_found("code"))?;
        let code = code.value;
        let mut response = proto::LookUpCodeResponse {
            admits_code_users: code.admits_code_users(),
            needs_pin: code.pin.is_some(),
            device_id: String::new(),
            is_unpaired: false,
        };
        let Some(caller) = principal(request).ok().filter(|caller| caller.organisation == code.organisation)
        else {
            return Ok(response);
        };
        match code.device {
            // D-3: whoever is logged in and may see the device gets to it, deactivated or not, without the PIN.
            Some(device) => {
                if visible::<Device>(&self.directory, &caller, device.uuid()).await?.is_some() {
                    response.device_id = device.to_string();
                }
            }
            // D-3: an unpaired code is for nobody but employees.
            None => response.is_unpaired = caller.employee().is_some(),
        }
        Ok(response)
    }

    /// What the code's PIN says to the one given. The work is the same whether there is such a code or not; a lock-out
    /// spares it, since nothing is looked at then.
    async fn prove(&self, code: Option<&CodeRow>, pin: &str) -> Result<PinProof, Refusal> {
        if pin.is_empty() {
            return Ok(PinProof::None);
        }
        let stored = code.and_then(|(_, code)| code.value.pin.clone());
        let now = self.directory.clock.now();
        if code.is_some_and(|(_, code)| code.value.locked_until.is_some_and(|until| now < until)) {
            return Err(Refusal::from(&Refused::PinLocked));
        }
        let right = self.pins.is_right(pin.to_owned(), stored.clone()).await?;
        Ok(stored.map_or(PinProof::None, |against| PinProof::Checked { against, right }))
    }

    /// D-3. Wrong PINs are counted by the code's actor, so that any number of guesses at once gets five answers.
    async fn admit(&self, code: &CodeRow, proof: PinProof, until: Instant) -> Result<(Uuid, i64), Refusal> {
        let (id, organisation) = (code.0, code.1.value.organisation);
        let call = self.directory.once(organisation, until).about("code", id);
        let answer = |state: &State, events: &[CodeEvent], _| {
            let failed = events.iter().find_map(|event| match event {
                CodeEvent::PinFailed { locked_until, .. } => Some(locked_until.is_some()),
                _ => None,
            });
            let code = state.kept();
            json(&match failed {
                Some(locked) => Admission::WrongPin { locked },
                None => Admission::In {
                    device: code.and_then(|code| code.device).map(Into::into).unwrap_or_default(),
                    epoch: code.map_or(0, |code| code.session_epoch),
                },
            })
        };
        let answer = call.ask_bytes(&self.directory.codes, id, CodeCommand::Admit(proof), answer).await?;
        match read_json(&answer)? {
            Admission::In { device, epoch } => Ok((device, epoch)),
            Admission::WrongPin { locked: true } => Err(Refusal::from(&Refused::PinLocked)),
            Admission::WrongPin { locked: false } => {
                Err(Refusal::new(ErrorKind::Unauthenticated, "PIN_WRONG", "wrong PIN"))
            }
        }
    }

    async fn open(
        &self,
        organisation: OrganisationId,
        holder: Holder,
        language: Language,
        expires_at: Timestamp,
        session: Uuid,
        until: Instant,
    ) -> Result<RefreshToken, Refusal> {
        let refresh = RefreshToken::first(session);
        let (family, secret) = (refresh.family_hash(), refresh.secret_hash());
        let command = Command::Open { holder, language, family, secret, expires_at };
        let call = self.directory.once(organisation, until).creating().telling(refusal::of_create);
        call.ask_bytes(&self.directory.sessions, session, command, |_, _, _| Bytes::new()).await?;
        Ok(refresh)
    }

    async fn scan(
        &self,
        request: &Request<proto::ScanCodeRequest>,
    ) -> Result<proto::ScanCodeResponse, Refusal> {
        let (asked, until) = (request.get_ref(), deadline(request).0);
        check_code_text(&asked.code)?;
        if !asked.pin.is_empty() && !is_pin(&asked.pin) {
            return Err(Refusal::field("pin", "4 to 12 digits"));
        }
        let language = match asked.language.as_str() {
            "" => None,
            tag => Some(tag.parse::<Language>().map_err(|_| Refusal::field("language", "en or de"))?),
        };
        let pool = &self.directory.pool;
        let found = read::code_by_token(pool, &asked.code).await?;
        let proof = self.prove(found.as_ref(), &asked.pin).await?;
        let code = found.ok_or_else(|| Refusal::not_found("code"))?;
        let (device, epoch) = self.admit(&code, proof, until).await?;
        let organisation = code.1.value.organisation;
        let unpaired =
            Refused::NotAdmitted { reason: "CODE_UNPAIRED", message: "the code leads to no device" };
        // Removed a moment ago, and the code does not know yet.
        let twin =
            read::get::<Device>(pool, organisation, device).await?.ok_or_else(|| Refusal::from(&unpaired))?;
        let language = match language {
            Some(language) => language,
            None => {
                let own = read::get::<Organisation>(pool, organisation, organisation.uuid()).await?;
                own.map_or(Language::default(), |own| own.value.value.language)
            }
        };
        let session = self.directory.ids.next();
        let expires_at = self.directory.clock.now() + lifetime(self.tokens.config().code_session_lifetime);
        let holder = Holder::CodeUser { code: code.0.into(), device: device.into(), epoch };
        let refresh = self.open(organisation, holder, language, expires_at, session, until).await?;
        let user = CodeUser { session: session.into(), code: code.0.into(), device: device.into() };
        let who = Principal { organisation, subject: Subject::CodeUser(user), language };
        Ok(proto::ScanCodeResponse {
            tokens: Some(self.tokens.tokens(&who, epoch, &refresh, expires_at)?),
            session_id: session.to_string(),
            organisation_id: organisation.to_string(),
            device_id: device.to_string(),
            template_id: twin.value.value.template.to_string(),
        })
    }

    /// Who the holder of a session is now, and at which epoch; `None`: gone, or logged out.
    async fn holder(
        &self,
        organisation: OrganisationId,
        session: Uuid,
        holder: HolderWords,
        language: Language,
    ) -> Result<Option<(Principal, i64)>, Refusal> {
        let pool = &self.directory.pool;
        Ok(match holder {
            HolderWords::CodeUser { code, device, epoch } => {
                let now = read::code(pool, organisation, code).await?;
                let holds = now.is_some_and(|(_, code)| {
                    code.value.admits_code_users()
                        && code.value.session_epoch == epoch
                        && code.value.device == Some(device.into())
                });
                let user = CodeUser { session: session.into(), code: code.into(), device: device.into() };
                let who = Principal { organisation, subject: Subject::CodeUser(user), language };
                holds.then_some((who, epoch))
            }
            HolderWords::Employee(id) => self.employee(organisation, id).await?,
            HolderWords::CustomerUser(id) => self.customer_user(organisation, id).await?,
        })
    }

    async fn employee(
        &self,
        organisation: OrganisationId,
        id: Uuid,
    ) -> Result<Option<(Principal, i64)>, Refusal> {
        let found = read::get::<Employee>(&self.directory.pool, organisation, id).await?;
        Ok(found.map(|found| {
            let employee = found.value.value;
            let subject = Subject::Employee(callboard_kernel::Employee {
                id: id.into(),
                role: employee.role,
                departments: employee.departments,
            });
            (Principal { organisation, subject, language: employee.language }, employee.auth_epoch)
        }))
    }

    async fn customer_user(
        &self,
        organisation: OrganisationId,
        id: Uuid,
    ) -> Result<Option<(Principal, i64)>, Refusal> {
        let found = read::get::<CustomerUser>(&self.directory.pool, organisation, id).await?;
        Ok(found.map(|found| {
            let user = found.value.value;
            let subject = Subject::CustomerUser(callboard_kernel::CustomerUser {
                id: id.into(),
                customer: user.customer,
            });
            (Principal { organisation, subject, language: user.language }, user.auth_epoch)
        }))
    }

    /// The session of a refresh token, as far as it names one.
    async fn session(&self, text: &str) -> Result<(RefreshToken, OrganisationId), Refusal> {
        let token = RefreshToken::parse(text).ok_or_else(ended)?;
        let organisation =
            lookups::session_organisation(&self.directory.pool, token.session).await?.ok_or_else(ended)?;
        Ok((token, organisation))
    }

    async fn refresh(
        &self,
        request: &Request<proto::RefreshSessionRequest>,
    ) -> Result<proto::RefreshSessionResponse, Refusal> {
        let (token, organisation) = self.session(&request.get_ref().refresh_token).await?;
        let next = token.next();
        let (family, secret, next_hash) = (token.family_hash(), token.secret_hash(), next.secret_hash());
        let command = Command::Refresh { family, secret, next: next_hash };
        let call = self.directory.once(organisation, deadline(request).0);
        let answer = |state: &SessionState, events: &[Event], _| {
            let reused =
                events.iter().any(|event| matches!(event, Event::Ended { ending: Ending::Reused, .. }));
            json(&match state {
                Some(kept) if !reused => again(kept),
                _ => Refreshed::Reused,
            })
        };
        let answer = call.ask_bytes(&self.directory.sessions, token.session, command, answer).await;
        let answer =
            answer.map_err(|refusal| if refusal.kind == ErrorKind::NotFound { ended() } else { refusal })?;
        match read_json(&answer)? {
            Refreshed::Reused => Err(Refusal::new(
                ErrorKind::Unauthenticated,
                "REFRESH_TOKEN_REUSED",
                "the refresh token was used before; the session is over",
            )),
            Refreshed::Again { holder, language, expires_at } => {
                let holder = self.holder(organisation, token.session, holder, language).await?;
                let (who, epoch) = holder.ok_or_else(ended)?;
                Ok(proto::RefreshSessionResponse {
                    tokens: Some(self.tokens.tokens(&who, epoch, &next, expires_at)?),
                })
            }
        }
    }

    /// Ending what is over already is no error: the caller wanted it over.
    async fn end(
        &self,
        request: &Request<proto::EndSessionRequest>,
    ) -> Result<proto::EndSessionResponse, Refusal> {
        let Ok((token, organisation)) = self.session(&request.get_ref().refresh_token).await else {
            return Ok(proto::EndSessionResponse {});
        };
        let call = self.directory.once(organisation, deadline(request).0);
        let command = Command::End { family: token.family_hash() };
        match call.ask_bytes(&self.directory.sessions, token.session, command, |_, _, _| Bytes::new()).await {
            Ok(_) => Ok(proto::EndSessionResponse {}),
            Err(refusal) if refusal.kind == ErrorKind::Unauthenticated => Ok(proto::EndSessionResponse {}),
            Err(refusal) => Err(refusal),
        }
    }

    async fn development_token(
        &self,
        request: &Request<proto::IssueDevelopmentTokenRequest>,
    ) -> Result<proto::IssueDevelopmentTokenResponse, Refusal> {
        if !self.tokens.config().development_tokens {
            return Err(Refusal::denied(
                "development tokens are switched off (directory.issuer.development_tokens)",
            ));
        }
        let (asked, until) = (request.get_ref(), deadline(request).0);
        let email = Email::parse(&asked.email).map_err(|rule| Refusal::field("email", rule))?;
        let organisation = parse_optional_id::<OrganisationId>("organisation_id", &asked.organisation_id)?;
        let found = lookups::persons_by_email(&self.directory.pool, email.as_str(), organisation).await?;
        let (organisation, person) = match found.as_slice() {
            [] => return Err(Refusal::not_found("person of this e-mail address")),
            [one] => *one,
            _ => {
                return Err(Refusal::field(
                    "organisation_id",
                    "is required: several organisations know this address",
                ));
            }
        };
        let (who, epoch, holder) = match self.employee(organisation, person).await? {
            Some((who, epoch)) => (who, epoch, Holder::Employee(person.into())),
            None => {
                let user = self.customer_user(organisation, person).await?;
                let (who, epoch) = user.ok_or_else(|| Refusal::not_found("person of this e-mail address"))?;
                (who, epoch, Holder::CustomerUser(person.into()))
            }
        };
        let session = self.directory.ids.next();
        let expires_at = self.directory.clock.now() + lifetime(self.tokens.config().person_session_lifetime);
        let refresh = self.open(organisation, holder, who.language, expires_at, session, until).await?;
        let tokens = Some(self.tokens.tokens(&who, epoch, &refresh, expires_at)?);
        Ok(proto::IssueDevelopmentTokenResponse { tokens })
    }

    async fn me<Q>(&self, request: &Request<Q>) -> Result<proto::GetMeResponse, Refusal> {
        let caller = principal(request)?;
        let (pool, organisation) = (&self.directory.pool, caller.organisation);
        let own = read::get::<Organisation>(pool, organisation, organisation.uuid()).await?;
        let own = own.ok_or_else(|| Refusal::missing("organisation", organisation))?;
        let who = match &caller.subject {
            Subject::Employee(employee) => {
                let found = read::get::<Employee>(pool, organisation, employee.id.uuid()).await?;
                let found = found.ok_or_else(|| Refusal::missing("employee", employee.id))?;
                Some(proto::get_me_response::Who::Employee(Employee::message(&found.value, found.version)))
            }
            Subject::CustomerUser(user) => {
                let found = read::get::<CustomerUser>(pool, organisation, user.id.uuid()).await?;
                let found = found.ok_or_else(|| Refusal::missing("customer_user", user.id))?;
                Some(proto::get_me_response::Who::CustomerUser(CustomerUser::message(
                    &found.value,
                    found.version,
                )))
            }
            Subject::CodeUser(user) => Some(proto::get_me_response::Who::CodeUser(proto::CodeVisitor {
                session_id: user.session.to_string(),
                code_id: user.code.to_string(),
                device_id: user.device.to_string(),
            })),
            Subject::System => None,
        };
        Ok(proto::GetMeResponse { organisation: Some(Organisation::message(&own.value, own.version)), who })
    }
}

fn again(kept: &Kept) -> Refreshed {
    let holder = match kept.holder {
        Holder::CodeUser { code, device, epoch } => {
            HolderWords::CodeUser { code: code.uuid(), device: device.uuid(), epoch }
        }
        Holder::Employee(id) => HolderWords::Employee(id.uuid()),
        Holder::CustomerUser(id) => HolderWords::CustomerUser(id.uuid()),
    };
    Refreshed::Again { holder, language: kept.language, expires_at: kept.expires_at }
}

#[tonic::async_trait]
impl SessionService for SessionApi {
    async fn look_up_code(
        &self,
        request: Request<proto::LookUpCodeRequest>,
    ) -> Result<Response<proto::LookUpCodeResponse>, Status> {
        respond(self.look_up(&request).await)
    }

    async fn scan_code(
        &self,
        request: Request<proto::ScanCodeRequest>,
    ) -> Result<Response<proto::ScanCodeResponse>, Status> {
        respond(self.scan(&request).await)
    }

    async fn refresh_session(
        &self,
        request: Request<proto::RefreshSessionRequest>,
    ) -> Result<Response<proto::RefreshSessionResponse>, Status> {
        respond(self.refresh(&request).await)
    }

    async fn end_session(
        &self,
        request: Request<proto::EndSessionRequest>,
    ) -> Result<Response<proto::EndSessionResponse>, Status> {
        respond(self.end(&request).await)
    }

    async fn issue_development_token(
        &self,
        request: Request<proto::IssueDevelopmentTokenRequest>,
    ) -> Result<Response<proto::IssueDevelopmentTokenResponse>, Status> {
        respond(self.development_token(&request).await)
    }

    async fn get_me(
        &self,
        request: Request<proto::GetMeRequest>,
    ) -> Result<Response<proto::GetMeResponse>, Status> {
        respond(self.me(&request).await)
    }
}
