//! A running ratings service, the contexts it listens to, and people who call it.

use std::sync::{Arc, LazyLock};

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_bus::{Bus, Event, Log, Nats, NatsOptions, StreamLog, StreamSpec};
use callboard_kernel::{
    Actor, Clock, CodeUser, CustomerUser, DepartmentId, Employee, IdGenerator, Language, Principal,
    RandomIds, Role, Subject, SystemClock, Version,
};
use callboard_proto::Event as ProtoEvent;
use callboard_proto::directory::v1 as directory;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::ratings::v1::rating_service_client::RatingServiceClient;
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

/// A context that ratings listen to, as far as its stream goes.
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
            callboard_ratings::definition(),
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
        let boss = house.boss();
        eventually("the template is known", PATIENCE, || house.switches(&boss)).await;
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

    pub fn code_user(&self, device: Uuid) -> Principal {
        let user = CodeUser { session: id().into(), code: id().into(), device: device.into() };
        Principal {
            organisation: self.organisation.into(),
            subject: Subject::CodeUser(user),
            language: Language::En,
        }
    }

    pub fn customer_user(&self, customer: Uuid) -> Principal {
        let user = CustomerUser { id: id().into(), customer: customer.into() };
        Principal {
            organisation: self.organisation.into(),
            subject: Subject::CustomerUser(user),
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

    pub fn service(&self) -> RatingServiceClient<Channel> {
        RatingServiceClient::new(self.channel.clone())
    }

    pub async fn pool(&self) -> sqlx::PgPool {
        sqlx::PgPool::connect(self.database.url()).await.expect("a pool")
    }

    // Switches

    pub async fn switches(&self, who: &Principal) -> Result<ratings::Switches, Status> {
        let request = ratings::GetSwitchesRequest { template_id: self.template.to_string() };
        let answer = self.service().get_switches(self.request(who, request)).await?;
        Ok(answer.into_inner().switches.expect("switches"))
    }

    pub async fn switch(&self, tickets: bool) -> ratings::Switches {
        let switches =
            ratings::Switches { template_id: self.template.to_string(), tickets, ..Default::default() };
        let request = ratings::SetSwitchesRequest { request_id: id().to_string(), switches: Some(switches) };
        let answer = self.service().set_switches(self.request(&self.boss(), request)).await;
        answer.expect("switched").into_inner().switches.expect("switches")
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

    /// The ticket becomes DONE for the first time and ratings have answered.
    pub async fn done(&self, facts: &tickets::TicketFacts) -> ratings::Rating {
        let facts = tickets::TicketFacts {
            status: tickets::TicketStatus::Done.into(),
            done_round: 1,
            ..facts.clone()
        };
        let message = tickets::TicketDone { ticket: Some(facts.clone()), ..Default::default() };
        self.tell_ticket(&facts.ticket_id, 2, &message).await;
        self.until("asked or waived", &facts.ticket_id, |rating| {
            rating.state() != ratings::RatingState::Unspecified
        })
        .await
    }

    pub async fn rating(&self, who: &Principal, ticket: &str) -> Result<ratings::Rating, Status> {
        let request = ratings::GetRatingRequest {
            subject_kind: ratings::SubjectKind::Ticket.into(),
            subject_id: ticket.into(),
        };
        let answer = self.service().get_rating(self.request(who, request)).await?;
        Ok(answer.into_inner().rating.expect("a rating"))
    }

    /// Waits until a rating is as wanted.
    pub async fn until(
        &self,
        what: &str,
        ticket: &str,
        holds: impl Fn(&ratings::Rating) -> bool,
    ) -> ratings::Rating {
        let boss = self.boss();
        eventually(what, PATIENCE, || async {
            let rating = self.rating(&boss, ticket).await.map_err(|status| status.to_string())?;
            if holds(&rating) { Ok(rating) } else { Err(format!("{rating:?}")) }
        })
        .await
    }

    pub async fn rate(&self, who: &Principal, ticket: &str, score: i32) -> Result<ratings::Rating, Status> {
        let request = ratings::SubmitRatingRequest {
            request_id: id().to_string(),
            subject_kind: ratings::SubjectKind::Ticket.into(),
            subject_id: ticket.into(),
            score,
            comment: "Thank you".into(),
        };
        let answer = self.service().submit_rating(self.request(who, request)).await?;
        Ok(answer.into_inner().rating.expect("a rating"))
    }

    /// The first `count` events that ratings have published of a ticket, by name, in order.
    pub async fn told(&self, ticket: &str, count: usize) -> Vec<String> {
        let pool = self.pool().await;
        let key: Uuid = ticket.parse().expect("an id");
        eventually("published events", PATIENCE, || async {
            let names: Vec<String> = sqlx::query_scalar(
                "select name from ratings.outbox where aggregate_id = $1 and stream_seq is not null order by position",
            )
            .bind(key)
            .fetch_all(&pool)
            .await
            .expect("names");
            if names.len() >= count { Ok(names) } else { Err(names) }
        })
        .await
    }
}

pub fn reason(status: &Status) -> String {
    report(status).reason
}
