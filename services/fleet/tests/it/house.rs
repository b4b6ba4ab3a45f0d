//! A running fleet service, the contexts it listens to, and people who call it.

use std::sync::{Arc, LazyLock};

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_bus::{Bus, Event, Log, Nats, NatsOptions, StreamLog, StreamSpec};
use callboard_kernel::{
    Actor, Clock, CodeUser, DepartmentId, Employee, IdGenerator, Language, Principal, RandomIds, Role,
    Subject, SystemClock, Version,
};
use callboard_proto::Event as ProtoEvent;
use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use callboard_proto::fleet::v1::group_service_client::GroupServiceClient;
use callboard_proto::tickets::v1 as tickets;
use callboard_service::error::report;
use callboard_service::{Running, StartOptions};
use callboard_testkit::{Database, PATIENCE, Servers, eventually, fresh_nats};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};
use uuid::Uuid;

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let settings = IssuerSettings { issuer: "https://id.test".into(), audience: "callboard".into() };
    Issuer::new(settings, SigningKey::generate().expect("a key"), Arc::new(SystemClock), Arc::new(RandomIds))
});

pub fn id() -> Uuid {
    RandomIds.next()
}

/// A context that fleet listens to, as far as its stream goes.
struct Producer {
    log: Log,
    last: Mutex<u64>,
}

impl Producer {
    async fn new(bus: &Bus, context: &str) -> Self {
        let spec = StreamSpec::new(context);
        bus.ensure_stream(&spec).await.expect("a stream");
        Self { log: bus.log(spec), last: Mutex::new(0) }
    }

    async fn publish<M: ProtoEvent>(&self, organisation: Uuid, key: Uuid, version: i64, message: &M) {
        let event = Event {
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
        };
        let mut last = self.last.lock().await;
        let (stored, problem) = self.log.publish(&[event], *last).await;
        assert!(problem.is_none(), "{problem:?}");
        *last = *stored.last().expect("stored");
    }
}

pub struct House {
    pub organisation: Uuid,
    pub template: Uuid,
    pub database: Database,
    _bus: Bus,
    _broker: Nats_,
    channel: Channel,
    directory: Producer,
    tickets: Producer,
    running: Option<Running>,
}

type Nats_ = callboard_testkit::Nats;

impl House {
    pub async fn new() -> Self {
        let database = Servers::shared().await.fresh_database().await;
        let broker = fresh_nats().await;
        let bus: Bus =
            Nats::connect(NatsOptions::new(broker.url(), "test")).await.expect("a connection").into();
        let directory = Producer::new(&bus, "directory").await;
        let tickets = Producer::new(&bus, "tickets").await;
        let issuer = serde_json::json!({
            "issuer": "https://id.test", "audience": "callboard", "jwks": ISSUER.jwks().to_string(),
        });
        let options = StartOptions::default()
            .with("grpc.listen", "127.0.0.1:0")
            .with("admin.listen", "127.0.0.1:0")
            .with("auth.issuers", serde_json::json!([issuer]))
            .with("database.url", database.url())
            .with("database.migrate_on_start", true)
            .with("nats.url", broker.url())
            .with("shutdown.propagation_delay", "0ms")
            .with("shutdown.drain_timeout", "5s")
            .with("shutdown.hard_limit", "10s");
        let metrics = callboard_service::telemetry::metrics();
        let mut running = callboard_service::start(
            callboard_fleet::definition(),
            options,
            metrics,
            CancellationToken::new(),
        )
        .await
        .expect("it starts");
        running.ready().await.expect("it serves");
        let channel =
            callboard_service::client::channel(&format!("http://{}", running.grpc_addr)).expect("a channel");
        let house = Self {
            organisation: id(),
            template: id(),
            database,
            _bus: bus,
            _broker: broker,
            channel,
            directory,
            tickets,
            running: Some(running),
        };
        let template = directory::TemplateChanged {
            template_id: house.template.to_string(),
            organisation_id: house.organisation.to_string(),
            name: None,
        };
        house.tell_directory(house.template, 1, &template).await;
        eventually("the template is known", PATIENCE, || house.groups(house.boss(), house.template)).await;
        house
    }

    pub async fn stop(mut self) {
        self.running.take().expect("it runs").stop().await.expect("it ends well");
    }

    pub async fn tell_directory<M: ProtoEvent>(&self, key: Uuid, version: i64, message: &M) {
        self.directory.publish(self.organisation, key, version, message).await;
    }

    // People

    pub fn boss(&self) -> Principal {
        self.person(Uuid::from_u128(0xB055), Role::Moderator, &[])
    }

    pub fn person(&self, id: Uuid, role: Role, departments: &[Uuid]) -> Principal {
        let departments = departments.iter().map(|id| DepartmentId(*id)).collect();
        let subject = Subject::Employee(Employee { id: id.into(), role, departments });
        Principal { organisation: self.organisation.into(), subject, language: Language::De }
    }

    pub fn member(&self, id: Uuid) -> Principal {
        self.person(id, Role::Member, &[])
    }

    pub fn code_user(&self, device: Uuid) -> Principal {
        let user = CodeUser { session: id().into(), code: id().into(), device: device.into() };
        Principal {
            organisation: self.organisation.into(),
            subject: Subject::CodeUser(user),
            language: Language::En,
        }
    }

    pub fn request<T>(&self, who: &Principal, message: T) -> Request<T> {
        let token = ISSUER.issue(who, 0, TimeDelta::minutes(5)).expect("a token").token;
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", token.expose_secret());
        request.metadata_mut().insert("authorization", bearer.parse().expect("a header"));
        request
    }

    pub fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channel.clone())
    }

    pub fn group_service(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.channel.clone())
    }

    // Directory

    pub fn facts(&self, employee: Uuid, departments: &[Uuid], teams: &[Uuid]) -> directory::EmployeeFacts {
        directory::EmployeeFacts {
            employee_id: employee.to_string(),
            organisation_id: self.organisation.to_string(),
            role: 1,
            language: "en".into(),
            department_ids: departments.iter().map(ToString::to_string).collect(),
            team_ids: teams.iter().map(ToString::to_string).collect(),
        }
    }

    pub async fn hire(&self, departments: &[Uuid], teams: &[Uuid]) -> Uuid {
        let employee = id();
        let facts = self.facts(employee, departments, teams);
        self.tell_directory(employee, 1, &directory::EmployeeCreated { employee: Some(facts) }).await;
        employee
    }

    pub async fn hire_many(&self, count: usize) -> Vec<Uuid> {
        let mut hired = Vec::with_capacity(count);
        for _ in 0..count {
            hired.push(self.hire(&[], &[]).await);
        }
        hired
    }

    /// Waits until fleet has heard of so many employees.
    pub async fn knows(&self, count: i64) {
        let pool = self.pool().await;
        eventually("the employees are known", PATIENCE, || async {
            let known: i64 = sqlx::query_scalar("select count(*) from fleet.known_employee")
                .fetch_one(&pool)
                .await
                .expect("a count");
            if known >= count { Ok(()) } else { Err(known) }
        })
        .await;
    }

    pub async fn pool(&self) -> sqlx::PgPool {
        sqlx::PgPool::connect(self.database.url()).await.expect("a pool")
    }

    // Groups

    pub async fn groups(&self, who: Principal, template: Uuid) -> Result<Vec<fleet::Group>, Status> {
        let request = fleet::ListGroupsRequest { template_id: template.to_string() };
        Ok(self.group_service().list_groups(self.request(&who, request)).await?.into_inner().groups)
    }

    pub async fn put_group(&self, group: fleet::Group) -> fleet::Group {
        let request = fleet::PutGroupRequest { request_id: id().to_string(), group: Some(group) };
        let answer = self.group_service().put_group(self.request(&self.boss(), request)).await;
        answer.expect("put").into_inner().group.expect("a group")
    }

    pub fn group(&self, employees: &[Uuid]) -> fleet::Group {
        fleet::Group {
            id: id().to_string(),
            template_id: self.template.to_string(),
            name: "Technicians".into(),
            employee_ids: employees.iter().map(ToString::to_string).collect(),
            ..fleet::Group::default()
        }
    }

    // Tickets

    pub fn ticket(&self) -> tickets::TicketFacts {
        tickets::TicketFacts {
            ticket_id: id().to_string(),
            organisation_id: self.organisation.to_string(),
            number: 1,
            device_id: id().to_string(),
            template_id: self.template.to_string(),
            status: tickets::TicketStatus::Open.into(),
            visibility: tickets::Visibility::Public.into(),
            priority: tickets::Priority::Normal.into(),
            ..tickets::TicketFacts::default()
        }
    }

    pub async fn tell_ticket<M: ProtoEvent>(&self, ticket: &str, version: i64, message: &M) {
        let key = ticket.parse().expect("an id");
        self.tickets.publish(self.organisation, key, version, message).await;
    }

    /// Opens a ticket and waits for its first round.
    pub async fn open(&self, facts: &tickets::TicketFacts) -> fleet::Dispatch {
        self.tell_ticket(&facts.ticket_id, 1, &tickets::TicketOpened { ticket: Some(facts.clone()) }).await;
        eventually("the first round", PATIENCE, || async {
            let rounds = self.rounds(&facts.ticket_id).await;
            if rounds.is_empty() { Err("none") } else { Ok(()) }
        })
        .await;
        self.dispatch(&self.boss(), &facts.ticket_id).await.expect("a dispatch")
    }

    pub async fn rounds(&self, ticket: &str) -> Vec<fleet::Round> {
        let request = fleet::ListRoundsRequest { ticket_id: ticket.into(), ..Default::default() };
        match self.fleet().list_rounds(self.request(&self.boss(), request)).await {
            Ok(answer) => answer.into_inner().rounds,
            Err(_) => Vec::new(),
        }
    }

    pub async fn dispatch(&self, who: &Principal, ticket: &str) -> Result<fleet::Dispatch, Status> {
        let request = fleet::GetDispatchRequest { ticket_id: ticket.into() };
        let answer = self.fleet().get_dispatch(self.request(who, request)).await?;
        Ok(answer.into_inner().dispatch.expect("a dispatch"))
    }

    pub async fn accept(&self, who: &Principal, offer: &str) -> Result<fleet::Offer, Status> {
        let request = fleet::AcceptOfferRequest { request_id: id().to_string(), offer_id: offer.into() };
        let mut request = self.request(who, request);
        // Crowds accept at once on machines that have more to do: what counts is the answer, not how soon it comes.
        request.set_timeout(std::time::Duration::from_secs(60));
        let answer = self.fleet().accept_offer(request).await?;
        Ok(answer.into_inner().offer.expect("an offer"))
    }

    pub async fn decline(&self, who: &Principal, offer: &str) -> Result<fleet::Offer, Status> {
        let request = fleet::DeclineOfferRequest {
            request_id: id().to_string(),
            offer_id: offer.into(),
            reason: "On leave".into(),
        };
        let answer = self.fleet().decline_offer(self.request(who, request)).await?;
        Ok(answer.into_inner().offer.expect("an offer"))
    }

    /// Waits until fleet's lists of a ticket are as wanted.
    pub async fn until(&self, what: &str, ticket: &str, holds: impl Fn(&fleet::Dispatch) -> bool) {
        let boss = self.boss();
        eventually(what, PATIENCE, || async {
            let dispatch = self.dispatch(&boss, ticket).await.map_err(|status| status.to_string())?;
            if holds(&dispatch) { Ok(()) } else { Err(format!("{dispatch:?}")) }
        })
        .await;
    }

    /// What fleet has published of a ticket so far, by name, in order; once `wanted` is among it.
    pub async fn told(&self, ticket: &str, wanted: &str) -> Vec<String> {
        let pool = self.pool().await;
        let key: Uuid = ticket.parse().expect("an id");
        eventually(wanted, PATIENCE, || async {
            let names: Vec<String> = sqlx::query_scalar(
                "select name from fleet.outbox where aggregate_id = $1 and stream_seq is not null order by position",
            )
            .bind(key)
            .fetch_all(&pool)
            .await
            .expect("names");
            if names.iter().any(|name| name == wanted) { Ok(names) } else { Err(names) }
        })
        .await
    }
}

pub fn offer_of<'a>(dispatch: &'a fleet::Dispatch, employee: &Uuid) -> &'a fleet::Offer {
    let employee = employee.to_string();
    dispatch.requested.iter().find(|offer| offer.employee_id == employee).expect("an offer")
}

pub fn reason(status: &Status) -> String {
    report(status).reason
}
