//! One running service for all tests; every test has an organisation of its own in it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_bus::{Bus, Event, Log, Nats, NatsOptions, StreamLog, StreamSpec};
use callboard_journal::Pool;
use callboard_kernel::{
    Actor, Clock, CodeUser, CustomerUser, Employee, IdGenerator, Language, Principal, RandomIds, Role,
    Subject, SystemClock, Version,
};
use callboard_proto::directory::v1 as directory;
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::attachment_service_client::AttachmentServiceClient;
use callboard_proto::tickets::v1::flow_service_client::FlowServiceClient;
use callboard_proto::tickets::v1::ticket_service_client::TicketServiceClient;
use callboard_service::error::{Report, report};
use callboard_service::{Running, StartOptions};
use callboard_testkit::{Database, PATIENCE, Servers, eventually, fresh_nats};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::statements::Statements;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static WORLD: OnceCell<World> = OnceCell::const_new();
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let settings = IssuerSettings { issuer: "https://id.test".into(), audience: "callboard".into() };
    Issuer::new(settings, SigningKey::generate().unwrap(), Arc::new(SystemClock), Arc::new(RandomIds))
});

/// Runs a test on the runtime that the service lives on.
pub fn run<F: Future<Output = ()>>(test: impl FnOnce(&'static World) -> F) {
    RUNTIME.block_on(async {
        let world = WORLD.get_or_init(|| World::new(&[])).await;
        test(world).await;
    });
}

/// Runs a test on the same runtime, without the service.
pub fn alone<F: Future<Output = ()>>(test: F) {
    RUNTIME.block_on(test);
}

pub fn id() -> Uuid {
    RandomIds.next()
}

/// The service, and the contexts it listens to as far as their streams go.
pub struct World {
    pub channel: Channel,
    pub pool: Pool,
    /// Where attachments are.
    pub folder: PathBuf,
    _bus: Bus,
    producers: Vec<(&'static str, Log, Mutex<u64>)>,
    _running: Running,
    _database: Database,
    _nats: callboard_testkit::Nats,
}

impl World {
    pub async fn new(settings: &[(&str, &str)]) -> Self {
        let database = Servers::shared().await.fresh_database().await;
        let url = database.url().to_owned();
        Self::on(database, &url, settings, Arc::new(SystemClock)).await
    }

    /// A world whose service goes by this clock. Tokens of callers go by the real one.
    pub async fn timed(clock: impl Clock + 'static) -> Self {
        let database = Servers::shared().await.fresh_database().await;
        let url = database.url().to_owned();
        Self::on(database, &url, &[], Arc::new(clock)).await
    }

    /// A world whose service talks to its database through a listener.
    pub async fn listened() -> (Self, Statements) {
        let database = Servers::shared().await.fresh_database().await;
        let (statements, url) = Statements::before(database.url()).await;
        (Self::on(database, &url, &[], Arc::new(SystemClock)).await, statements)
    }

    async fn on(database: Database, url: &str, settings: &[(&str, &str)], clock: Arc<dyn Clock>) -> Self {
        let nats = fresh_nats().await;
        let options = NatsOptions::new(nats.url(), "tests");
        let bus: Bus = Nats::connect(options).await.unwrap().into();
        let mut producers = Vec::new();
        for context in ["directory", "fleet", "ratings"] {
            let spec = StreamSpec::new(context);
            bus.ensure_stream(&spec).await.unwrap();
            producers.push((context, bus.log(spec), Mutex::new(0)));
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("attachments-{}", id()));
        let issuer = serde_json::json!({
            "issuer": "https://id.test", "audience": "callboard", "jwks": ISSUER.jwks().to_string(),
        });
        let mut options = StartOptions::default()
            .with("grpc.listen", "127.0.0.1:0")
            .with("admin.listen", "127.0.0.1:0")
            .with("auth.issuers", serde_json::json!([issuer]))
            .with("database.url", url)
            .with("database.migrate_on_start", true)
            .with("nats.url", nats.url())
            .with("tickets.attachments.folder", folder.to_str().unwrap());
        options.clock = clock;
        for (path, value) in settings {
            options = options.with(*path, *value);
        }
        let metrics = callboard_service::telemetry::metrics();
        let definition = callboard_tickets::definition();
        let mut running =
            callboard_service::start(definition, options, metrics, CancellationToken::new()).await.unwrap();
        running.ready().await.unwrap();
        let channel = callboard_service::client::channel(&format!("http://{}", running.grpc_addr)).unwrap();
        let url: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
        let pool = Pool::new(
            sqlx::postgres::PgPoolOptions::new().max_connections(4),
            url.options([("search_path", "tickets")]),
        );
        Self {
            channel,
            pool,
            folder,
            _bus: bus,
            producers,
            _running: running,
            _database: database,
            _nats: nats,
        }
    }

    /// Publishes as another context does; answers the event's id.
    pub async fn publish<M: callboard_proto::Event>(
        &self,
        organisation: Uuid,
        key: Uuid,
        version: i64,
        message: &M,
    ) -> Uuid {
        let event = event(organisation, key, version, message);
        let id = event.id.uuid();
        self.publish_event(event).await;
        id
    }

    /// Publishes an event as it is, also one that was published before.
    pub async fn publish_event(&self, event: Event) {
        let (_, log, last) = self.producers.iter().find(|(context, ..)| *context == event.context).unwrap();
        let mut last = last.lock().await;
        let (stored, problem) = log.publish(&[event], *last).await;
        assert!(problem.is_none(), "{problem:?}");
        *last = *stored.last().unwrap();
    }

    /// The subjects of a ticket's events that are on the stream, in order.
    pub async fn events(&self, ticket: &str) -> Vec<String> {
        sqlx::query_scalar(
            "select name from outbox where aggregate_id = $1 and stream_seq is not null order by position",
        )
        .bind(ticket.parse::<Uuid>().unwrap())
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// Waits until a ticket's published events are these.
    pub async fn expect_events(&self, ticket: &str, expected: &[&str]) {
        eventually("the events of the ticket", PATIENCE, || async {
            let found = self.events(ticket).await;
            if found == expected { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

/// An event as another context publishes it.
pub fn event<M: callboard_proto::Event>(organisation: Uuid, key: Uuid, version: i64, message: &M) -> Event {
    Event {
        id: id().into(),
        context: M::CONTEXT.into(),
        name: M::SUBJECT.into(),
        kind: M::TYPE.into(),
        organisation: organisation.into(),
        aggregate_id: key,
        aggregate_version: Version(version),
        time: SystemClock.now(),
        causation: None,
        correlation: None,
        traceparent: None,
        actor: Actor::System,
        payload: message.encode_to_vec().into(),
    }
}

/// Somebody who calls.
#[derive(Clone)]
pub struct Caller {
    pub channel: Channel,
    pub principal: Principal,
    token: String,
}

fn caller(channel: Channel, principal: Principal) -> Caller {
    let token = ISSUER.issue(&principal, 0, TimeDelta::minutes(30)).unwrap().token;
    Caller { channel, principal, token: format!("Bearer {}", token.expose_secret()) }
}

impl Caller {
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.parse().unwrap());
        request
    }

    pub fn tickets(&self) -> TicketServiceClient<Channel> {
        TicketServiceClient::new(self.channel.clone())
    }

    pub fn files(&self) -> AttachmentServiceClient<Channel> {
        AttachmentServiceClient::new(self.channel.clone())
    }

    pub fn flows(&self) -> FlowServiceClient<Channel> {
        FlowServiceClient::new(self.channel.clone())
    }

    pub async fn create(&self, message: proto::CreateTicketRequest) -> Result<proto::Ticket, Report> {
        done(self.tickets().create_ticket(self.request(message)).await).map(|answer| answer.ticket.unwrap())
    }

    pub async fn get(&self, ticket: &str) -> Result<proto::Ticket, Report> {
        let message = proto::GetTicketRequest { ticket_id: ticket.into() };
        done(self.tickets().get_ticket(self.request(message)).await).map(|answer| answer.ticket.unwrap())
    }

    pub async fn list(
        &self,
        message: proto::ListTicketsRequest,
    ) -> Result<proto::ListTicketsResponse, Report> {
        done(self.tickets().list_tickets(self.request(message)).await)
    }

    pub async fn set_status(
        &self,
        ticket: &str,
        status: proto::TicketStatus,
    ) -> Result<proto::Ticket, Report> {
        let message = proto::SetTicketStatusRequest {
            request_id: id().to_string(),
            ticket_id: ticket.into(),
            status: status.into(),
            etag: String::new(),
        };
        done(self.tickets().set_ticket_status(self.request(message)).await)
            .map(|answer| answer.ticket.unwrap())
    }

    pub async fn update(&self, ticket: proto::Ticket, paths: &[&str]) -> Result<proto::Ticket, Report> {
        let message = proto::UpdateTicketRequest {
            request_id: id().to_string(),
            ticket: Some(ticket),
            update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|p| (*p).into()).collect() }),
        };
        done(self.tickets().update_ticket(self.request(message)).await).map(|answer| answer.ticket.unwrap())
    }

    pub async fn set_visibility(&self, ticket: &str, to: proto::Visibility) -> Result<proto::Ticket, Report> {
        let ticket = proto::Ticket { id: ticket.into(), visibility: to.into(), ..Default::default() };
        self.update(ticket, &["visibility"]).await
    }

    pub async fn post(
        &self,
        ticket: &str,
        text: &str,
        visibility: proto::Visibility,
    ) -> Result<proto::Update, Report> {
        let message = proto::PostUpdateRequest {
            request_id: id().to_string(),
            ticket_id: ticket.into(),
            text: text.into(),
            visibility: visibility.into(),
            attachment_ids: vec![],
        };
        done(self.tickets().post_update(self.request(message)).await).map(|answer| answer.update.unwrap())
    }

    pub async fn delete(&self, request_id: Uuid, ticket: &str) -> Result<(), Report> {
        let message = proto::DeleteTicketRequest {
            request_id: request_id.to_string(),
            ticket_id: ticket.into(),
            etag: String::new(),
        };
        done(self.tickets().delete_ticket(self.request(message)).await).map(|_| ())
    }
}

/// What an RPC answered, or the reason of its refusal.
pub fn done<T>(result: Result<Response<T>, Status>) -> Result<T, Report> {
    result.map(Response::into_inner).map_err(|status| report(&status))
}

/// The reason of a refusal.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, Report>) -> String {
    match result {
        Err(report) => report.reason,
        Ok(answer) => panic!("expected a refusal, got {answer:?}"),
    }
}

/// The wrong fields of a refusal.
#[track_caller]
pub fn fields<T: std::fmt::Debug>(result: Result<T, Report>) -> Vec<String> {
    match result {
        Err(report) => report.violations.into_iter().map(|violation| violation.field).collect(),
        Ok(answer) => panic!("expected a refusal, got {answer:?}"),
    }
}

/// An organisation with a template, a device and people.
pub struct Tenant {
    pub world: &'static World,
    pub organisation: Uuid,
    pub template: Uuid,
    pub device: Uuid,
    pub customer: Uuid,
}

impl Tenant {
    /// A tenant whose device this service has heard of.
    pub async fn new(world: &'static World) -> Self {
        let tenant = Self { world, organisation: id(), template: id(), device: id(), customer: id() };
        let template = directory::TemplateChanged {
            template_id: tenant.template.to_string(),
            organisation_id: tenant.organisation.to_string(),
            name: None,
        };
        world.publish(tenant.organisation, tenant.template, 1, &template).await;
        tenant.put_device(tenant.device, 1, Some(tenant.customer), &[]).await;
        tenant
    }

    /// Publishes a device and waits until it is known.
    pub async fn put_device(&self, device: Uuid, version: i64, customer: Option<Uuid>, departments: &[Uuid]) {
        let facts = directory::DeviceFacts {
            device_id: device.to_string(),
            organisation_id: self.organisation.to_string(),
            template_id: self.template.to_string(),
            customer_id: customer.map(|id| id.to_string()).unwrap_or_default(),
            department_ids: departments.iter().map(ToString::to_string).collect(),
            ..directory::DeviceFacts::default()
        };
        let message = directory::DeviceChanged { device: Some(facts), previous: None };
        self.world.publish(self.organisation, device, version, &message).await;
        self.known("device", device, version).await;
    }

    /// Waits until a read copy has a version.
    pub async fn known(&self, table: &'static str, id: Uuid, version: i64) {
        let sql = match table {
            "device" => "select version from device where id = $1",
            "organisation" => "select version from organisation where id = $1",
            "template" => "select version from template where id = $1",
            other => panic!("{other}"),
        };
        eventually("the read copy", PATIENCE, || async {
            let found: Option<i64> =
                sqlx::query_scalar(sql).bind(id).fetch_optional(&self.world.pool).await.unwrap();
            if found >= Some(version) { Ok(()) } else { Err(found) }
        })
        .await;
    }

    fn caller(&self, subject: Subject) -> Caller {
        let organisation = self.organisation.into();
        caller(self.world.channel.clone(), Principal { organisation, subject, language: Language::En })
    }

    pub fn employee(&self, role: Role) -> Caller {
        self.employee_in(role, &[])
    }

    pub fn employee_in(&self, role: Role, departments: &[Uuid]) -> Caller {
        let departments = departments.iter().map(|id| (*id).into()).collect();
        self.caller(Subject::Employee(Employee { id: id().into(), role, departments }))
    }

    pub fn member(&self) -> Caller {
        self.employee(Role::Member)
    }

    pub fn moderator(&self) -> Caller {
        self.employee(Role::Moderator)
    }

    pub fn code_user(&self) -> Caller {
        self.code_user_at(self.device)
    }

    pub fn code_user_at(&self, device: Uuid) -> Caller {
        self.caller(Subject::CodeUser(CodeUser {
            session: id().into(),
            code: id().into(),
            device: device.into(),
        }))
    }

    pub fn customer_user(&self, customer: Uuid) -> Caller {
        self.caller(Subject::CustomerUser(CustomerUser { id: id().into(), customer: customer.into() }))
    }

    /// A plain ticket on the tenant's device.
    pub fn plain(&self, title: &str, open: bool) -> proto::CreateTicketRequest {
        proto::CreateTicketRequest {
            request_id: id().to_string(),
            device_id: self.device.to_string(),
            title: title.into(),
            open,
            ..Default::default()
        }
    }

    /// An open public ticket, made by a code user.
    pub async fn open(&self, title: &str) -> proto::Ticket {
        self.code_user().create(self.plain(title, true)).await.unwrap()
    }
}

/// The id of an employee.
pub fn employee_id(caller: &Caller) -> Uuid {
    caller.principal.employee().unwrap().id.uuid()
}
