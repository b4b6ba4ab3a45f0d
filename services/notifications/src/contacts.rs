//! Names and e-mail addresses, asked of the directory when something is sent: they are kept nowhere else.

use std::sync::Arc;
use std::time::Duration;

use callboard_auth::Issuer;
use callboard_kernel::{Actor, CodeId, OrganisationId, Principal};
use callboard_notifications_domain::Person;
use callboard_proto::directory::v1 as proto;
use callboard_proto::directory::v1::code_service_client::CodeServiceClient;
use callboard_proto::directory::v1::directory_service_client::DirectoryServiceClient;
use callboard_service::{BoxError, client, telemetry};
use chrono::TimeDelta;
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::config::DirectoryConfig;

/// How long a name or an address may be used before it is asked for again.
const TTL: Duration = Duration::from_secs(30);
/// How long the directory may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a token of our own holds, and how long it is used.
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(5);
const TOKEN_USE: Duration = Duration::from_secs(120);

/// A person as the directory knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// As they are called.
    pub name: String,
    /// Where they are written to.
    pub email: String,
}

impl std::fmt::Debug for Contact {
    /// Personal data is never printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact")
    }
}

/// Asks the directory.
#[derive(Debug, Clone)]
pub struct Contacts {
    channel: Option<Channel>,
    issuer: Arc<Issuer>,
    people: Cache<(OrganisationId, Person), Option<Contact>>,
    tokens: Cache<OrganisationId, SecretString>,
}

impl Contacts {
    /// Asks the directory at the configured address, with tokens of this issuer.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(settings: &DirectoryConfig, issuer: Arc<Issuer>) -> Result<Self, BoxError> {
        let channel = if settings.url.is_empty() { None } else { Some(client::channel(&settings.url)?) };
        Ok(Self {
            channel,
            issuer,
            people: Cache::builder().max_capacity(10_000).time_to_live(TTL).build(),
            tokens: Cache::builder().max_capacity(1_000).time_to_live(TOKEN_USE).build(),
        })
    }

    /// A request of this service itself, within an organisation.
    async fn request<T>(&self, organisation: OrganisationId, message: T) -> Result<Request<T>, Status> {
        let token = match self.tokens.get(&organisation).await {
            Some(token) => token,
            None => {
                let issued = self
                    .issuer
                    .issue(&Principal::system(organisation), 0, TOKEN_LIFE)
                    .map_err(|_| Status::internal("no token can be signed"))?;
                self.tokens.insert(organisation, issued.token.clone()).await;
                issued.token
            }
        };
        let mut request = Request::new(message);
        request.set_timeout(PATIENCE);
        telemetry::inject(request.metadata_mut());
        let bearer = format!("Bearer {}", token.expose_secret());
        let mut bearer: tonic::metadata::MetadataValue<_> =
            bearer.parse().map_err(|_| Status::internal("a token that no header takes"))?;
        bearer.set_sensitive(true);
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }

    fn channel(&self) -> Result<Channel, Status> {
        self.channel.clone().ok_or_else(|| Status::unavailable("notifications.directory.url is not set"))
    }

    /// Name and address of a person who logs in; `None`: the directory knows no such person.
    ///
    /// # Errors
    /// When the directory cannot be asked.
    pub async fn person(
        &self,
        organisation: OrganisationId,
        person: Person,
    ) -> Result<Option<Contact>, Status> {
        if let Some(known) = self.people.get(&(organisation, person)).await {
            return Ok(known);
        }
        let found = self.ask(organisation, person).await?;
        self.people.insert((organisation, person), found.clone()).await;
        Ok(found)
    }

    async fn ask(&self, organisation: OrganisationId, person: Person) -> Result<Option<Contact>, Status> {
        let mut client = DirectoryServiceClient::new(self.channel()?);
        let answer = match person {
            Person::Employee(id) => {
                let message = proto::GetEmployeeRequest { id: id.to_string() };
                let request = self.request(organisation, message).await?;
                let answer = client.get_employee(request).await;
                answer.map(|answer| answer.into_inner().employee.map(|one| (one.name, one.email)))
            }
            Person::CustomerUser(id) => {
                let message = proto::GetCustomerUserRequest { id: id.to_string() };
                let request = self.request(organisation, message).await?;
                let answer = client.get_customer_user(request).await;
                answer.map(|answer| answer.into_inner().customer_user.map(|one| (one.name, one.email)))
            }
            Person::Code(_) => return Ok(None),
        };
        match answer {
            Ok(found) => Ok(found.map(|(name, email)| Contact { name, email })),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// The name of who did something, if it has one and the directory answers: a text is told without it otherwise.
    pub async fn name(&self, organisation: OrganisationId, actor: Actor) -> Option<String> {
        let person = match actor {
            Actor::Employee(id) => Person::Employee(id),
            Actor::CustomerUser(id) => Person::CustomerUser(id),
            Actor::CodeUser(_) | Actor::System => return None,
        };
        self.channel.as_ref()?;
        let contact = self.person(organisation, person).await.ok().flatten()?;
        Some(contact.name)
    }

    /// The text of a code that lets its users in; `None`: no such code, or it lets nobody in.
    ///
    /// # Errors
    /// When the directory cannot be asked.
    pub async fn code(&self, organisation: OrganisationId, code: CodeId) -> Result<Option<String>, Status> {
        let mut client = CodeServiceClient::new(self.channel()?);
        let message = proto::GetCodeRequest { id: code.to_string() };
        let answer = client.get_code(self.request(organisation, message).await?).await;
        match answer {
            Ok(answer) => {
                let code = answer.into_inner().code;
                Ok(code.filter(|code| code.active && !code.device_id.is_empty()).map(|code| code.token))
            }
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }
}
