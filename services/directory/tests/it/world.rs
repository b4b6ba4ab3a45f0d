//! One directory service for all tests of the run; each test makes an organisation of its own in it.

use std::sync::{Arc, LazyLock};

use callboard_directory::{Directory, NewOrganisation, Offline, bootstrap, definition};
use callboard_journal::Pool;
use callboard_kernel::{IdGenerator, Isolation, Language, OrganisationId, RandomIds, SystemClock};
use callboard_proto::common::v1::{LocalizedText, Role};
use callboard_proto::directory::v1 as proto;
use callboard_proto::directory::v1::code_service_client::CodeServiceClient;
use callboard_proto::directory::v1::directory_service_client::DirectoryServiceClient;
use callboard_proto::directory::v1::session_service_client::SessionServiceClient;
use callboard_service::config::{Config, Sources};
use callboard_service::error::{Report, report};
use callboard_service::{Running, StartOptions, client, database};
use callboard_testkit::{PATIENCE, Servers, eventually, free_port, fresh_nats};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// Where the service is.
pub struct World {
    pub grpc: String,
    pub admin: String,
    pub database_url: String,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let (sender, receiver) = std::sync::mpsc::channel();
    // A runtime that outlives every test's own.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (world, running, _database, _nats) = start().await;
            sender.send(world).unwrap();
            running.wait().await.unwrap();
        });
    });
    receiver.recv().unwrap()
});

async fn start() -> (World, Running, callboard_testkit::Database, callboard_testkit::Nats) {
    start_with(&[("directory.issuer.development_tokens", true.into())]).await
}

/// A service of its own, with these settings.
pub async fn start_with(
    settings: &[(&str, serde_json::Value)],
) -> (World, Running, callboard_testkit::Database, callboard_testkit::Nats) {
    let database = Servers::shared().await.fresh_database().await;
    let nats = fresh_nats().await;
    let admin = format!("http://127.0.0.1:{}", free_port().unwrap());
    let issuer = json!({
        "issuer": admin, "audience": "callboard", "jwks_url": format!("{admin}/.well-known/jwks.json"),
        "require_at_jwt": true,
    });
    let mut options = StartOptions::default()
        .with("grpc.listen", "127.0.0.1:0")
        .with("admin.listen", admin.trim_start_matches("http://"))
        .with("database.url", database.url())
        .with("database.migrate_on_start", true)
        .with("nats.url", nats.url())
        .with("auth.issuers", json!([issuer]))
        .with("directory.issuer.issuer", admin.as_str());
    for (path, value) in settings {
        options = options.with(*path, value.clone());
    }
    let metrics = callboard_service::telemetry::metrics();
    let mut running =
        callboard_service::start(definition(), options, metrics, CancellationToken::new()).await.unwrap();
    running.ready().await.unwrap();
    let world = World {
        grpc: format!("http://{}", running.grpc_addr),
        admin,
        database_url: database.url().to_owned(),
    };
    (world, running, database, nats)
}

/// A request with a token; without one when it is empty.
pub fn signed<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

/// A new request id.
pub fn rid() -> String {
    new_id().to_string()
}

/// A new id.
pub fn new_id() -> Uuid {
    RandomIds.next()
}

/// What went wrong: code's kind, reason, fields.
pub fn refused<T: std::fmt::Debug>(result: Result<Response<T>, Status>) -> Report {
    report(&result.expect_err("a refusal"))
}

/// The reason.
pub fn reason<T: std::fmt::Debug>(result: Result<Response<T>, Status>) -> String {
    refused(result).reason
}

/// One organisation with an administrator, and clients.
pub struct Tenant {
    pub world: &'static World,
    pub id: OrganisationId,
    pub admin: String,
    pub admin_id: Uuid,
    pub admin_email: String,
    pub pool: Pool,
    pub directory: DirectoryServiceClient<Channel>,
    pub codes: CodeServiceClient<Channel>,
    pub sessions: SessionServiceClient<Channel>,
}

/// Settings of a directory on this database.
pub fn config(database_url: &str) -> Config {
    Config::load(&Sources {
        service: "directory",
        defaults: definition().default_config,
        overrides: vec![
            ("database.url".into(), database_url.into()),
            ("database.max_connections".into(), 2.into()),
        ],
        ..Sources::default()
    })
    .unwrap()
}

impl Tenant {
    pub async fn new(isolation: Isolation) -> Self {
        let world = tokio::task::spawn_blocking(|| &*WORLD).await.unwrap();
        let pool = database::pool(&config(&world.database_url).database, "directory").unwrap();
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
        let mut offline = Offline::new(pool.clone(), clock.clone(), ids.clone());
        let directory = Directory::new(&mut offline, pool.clone(), clock, ids);
        let id: OrganisationId = new_id().into();
        let new = NewOrganisation {
            id,
            name: "Nordlicht".into(),
            language: Language::De,
            isolation,
            admin_name: "Ada".into(),
            admin_email: format!("ada@{}.example", id.uuid().simple()),
        };
        let admin_id = bootstrap(&directory, &new).await.unwrap();
        assert_eq!(bootstrap(&directory, &new).await, Ok(admin_id), "again changes nothing");
        let channel = client::channel(&world.grpc).unwrap();
        let mut tenant = Self {
            world,
            id,
            admin: String::new(),
            admin_id,
            admin_email: new.admin_email.clone(),
            pool,
            directory: DirectoryServiceClient::new(channel.clone()),
            codes: CodeServiceClient::new(channel.clone()),
            sessions: SessionServiceClient::new(channel),
        };
        tenant.admin = tenant.token(&new.admin_email).await;
        // The verifier asks for the issuer's keys before the issuer answers, and again a second later.
        eventually("the issuer's keys are read", PATIENCE, || async {
            tenant.me(&tenant.admin).await.map_err(|status| status.message().to_owned())
        })
        .await;
        tenant
    }

    /// Tokens of a person.
    pub async fn tokens(&self, email: &str) -> proto::Tokens {
        let request =
            proto::IssueDevelopmentTokenRequest { email: email.into(), organisation_id: self.id.to_string() };
        let response = self.sessions.clone().issue_development_token(request).await.unwrap().into_inner();
        response.tokens.unwrap()
    }

    /// An access token of a person.
    pub async fn token(&self, email: &str) -> String {
        self.tokens(email).await.access_token
    }

    /// An e-mail address in this organisation.
    pub fn email(&self, name: &str) -> String {
        format!("{name}@{}.example", self.id.uuid().simple())
    }

    pub async fn create_employee(
        &self,
        employee: proto::Employee,
    ) -> Result<Response<proto::CreateEmployeeResponse>, Status> {
        let message = proto::CreateEmployeeRequest { request_id: rid(), employee: Some(employee) };
        self.directory.clone().create_employee(signed(&self.admin, message)).await
    }

    /// An employee with a token.
    pub async fn employee(&self, name: &str, role: Role, departments: &[&str]) -> (proto::Employee, String) {
        let employee = proto::Employee {
            name: name.into(),
            email: self.email(name),
            role: role.into(),
            department_ids: departments.iter().map(|&id| id.to_owned()).collect(),
            ..proto::Employee::default()
        };
        let made = self.create_employee(employee).await.unwrap().into_inner().employee.unwrap();
        let token = self.token(&made.email).await;
        (made, token)
    }

    pub async fn department(&self, name: &str) -> String {
        let department = Some(proto::Department { name: name.into(), ..proto::Department::default() });
        let message = proto::CreateDepartmentRequest { request_id: rid(), department };
        let made = self.directory.clone().create_department(signed(&self.admin, message)).await.unwrap();
        made.into_inner().department.unwrap().id
    }

    pub async fn team(&self, name: &str) -> String {
        let team = Some(proto::Team { name: name.into(), ..proto::Team::default() });
        let message = proto::CreateTeamRequest { request_id: rid(), team };
        let made = self.directory.clone().create_team(signed(&self.admin, message)).await.unwrap();
        made.into_inner().team.unwrap().id
    }

    pub async fn template(&self, name: &str) -> String {
        let name = LocalizedText { by_language: [("en".to_owned(), name.to_owned())].into() };
        let template = Some(proto::Template { name: Some(name), ..proto::Template::default() });
        let message = proto::CreateTemplateRequest { request_id: rid(), template };
        let made = self.directory.clone().create_template(signed(&self.admin, message)).await.unwrap();
        made.into_inner().template.unwrap().id
    }

    pub async fn customer(&self, kind: proto::CustomerKind) -> String {
        let customer =
            Some(proto::Customer { name: "Ritz".into(), kind: kind.into(), ..proto::Customer::default() });
        let message = proto::CreateCustomerRequest { request_id: rid(), customer };
        let made = self.directory.clone().create_customer(signed(&self.admin, message)).await.unwrap();
        made.into_inner().customer.unwrap().id
    }

    pub async fn device(&self, template: &str, device: proto::Device) -> proto::Device {
        let device = proto::Device { template_id: template.into(), ..device };
        let message = proto::CreateDeviceRequest { request_id: rid(), device: Some(device) };
        let made = self.directory.clone().create_device(signed(&self.admin, message)).await.unwrap();
        made.into_inner().device.unwrap()
    }

    /// A device named `Lift` and a code that leads to it.
    pub async fn lift_with_code(&self, pin: &str) -> (proto::Device, proto::Code) {
        let template = self.template("Lift").await;
        let device = self
            .device(
                &template,
                proto::Device {
                    name: "Lift".into(),
                    serial_number: "L-1".into(),
                    ..proto::Device::default()
                },
            )
            .await;
        let code = Some(proto::Code { device_id: device.id.clone(), ..proto::Code::default() });
        let message = proto::CreateCodeRequest { request_id: rid(), code, pin: pin.into() };
        let made = self.codes.clone().create_code(signed(&self.admin, message)).await.unwrap();
        (device, made.into_inner().code.unwrap())
    }

    pub async fn scan(&self, code: &str, pin: &str) -> Result<Response<proto::ScanCodeResponse>, Status> {
        let message = proto::ScanCodeRequest { code: code.into(), pin: pin.into(), language: "en".into() };
        self.sessions.clone().scan_code(message).await
    }

    pub async fn refresh(&self, token: &str) -> Result<Response<proto::RefreshSessionResponse>, Status> {
        let message = proto::RefreshSessionRequest { refresh_token: token.into() };
        self.sessions.clone().refresh_session(message).await
    }

    pub async fn me(&self, token: &str) -> Result<Response<proto::GetMeResponse>, Status> {
        self.sessions.clone().get_me(signed(token, proto::GetMeRequest {})).await
    }
}
