//! A gateway on a free port, four fakes behind it, an issuer of tokens, a bus in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_auth::{
    Issuer, IssuerConfig, IssuerSettings, KeySource, Revocations, SigningKey, Verifier, VerifierConfig,
};
use callboard_bus::{Bus, MemBus};
use callboard_gateway::config::{CallSettings, CorsSettings, LiveSettings, RateSettings, Settings};
use callboard_gateway::limits::Limits;
use callboard_gateway::live::Hub;
use callboard_gateway::state::Gateway;
use callboard_gateway::upstream::{CONTEXTS, Upstreams};
use callboard_kernel::{
    Clock, CodeUser, CustomerUser, Employee, Language, OrganisationId, Principal, RandomIds, Role, Subject,
    SystemClock,
};
use chrono::TimeDelta;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::fake::Fake;

pub const ORGANISATION: Uuid = Uuid::from_u128(1);
pub const EMPLOYEE: Uuid = Uuid::from_u128(2);
pub const DEVICE: Uuid = Uuid::from_u128(3);
pub const TICKET: Uuid = Uuid::from_u128(4);
pub const OFFER: Uuid = Uuid::from_u128(5);
pub const DEPARTMENT: Uuid = Uuid::from_u128(6);
pub const SESSION: Uuid = Uuid::from_u128(7);
pub const CUSTOMER: Uuid = Uuid::from_u128(8);

pub struct World {
    pub directory: Fake,
    pub tickets: Fake,
    pub fleet: Fake,
    pub ratings: Fake,
    pub messenger: Fake,
    pub tasks: Fake,
    pub video: Fake,
    pub notifications: Fake,
    pub support: Fake,
    pub bus: MemBus,
    pub revocations: Arc<Revocations>,
    pub address: SocketAddr,
    pub stopping: CancellationToken,
    issuer: Issuer,
    http: reqwest::Client,
    _tasks: TaskTracker,
}

pub fn settings() -> Settings {
    Settings {
        public_url: "https://help.example.com".to_owned(),
        upstreams: BTreeMap::new(),
        call_timeout: Duration::from_secs(10),
        view_budget: Duration::from_secs(5),
        max_body_bytes: 4096,
        max_grpc_body_bytes: 65_536,
        rate: RateSettings { per_principal: 0, per_address: 0, trusted_proxies: 0 },
        cors: CorsSettings { origins: vec!["https://app.example.com".to_owned()] },
        live: LiveSettings {
            heartbeat: Duration::from_secs(5),
            buffer: 1024,
            remembered_tickets: 1000,
            max_streams_per_principal: 3,
        },
        calls: CallSettings {
            max_sockets: 100,
            hello_timeout: Duration::from_secs(30),
            ping_interval: Duration::from_secs(30),
        },
    }
}

/// An address where nobody listens.
pub fn nobody() -> String {
    format!("http://127.0.0.1:{}", callboard_testkit::free_port().unwrap())
}

pub fn member(departments: &[Uuid]) -> Principal {
    employee(Role::Member, departments)
}

pub fn employee(role: Role, departments: &[Uuid]) -> Principal {
    let departments = departments.iter().map(|id| (*id).into()).collect();
    Principal {
        organisation: OrganisationId(ORGANISATION),
        subject: Subject::Employee(Employee { id: EMPLOYEE.into(), role, departments }),
        language: Language::En,
    }
}

/// A customer's user.
pub fn customer_user(customer: Uuid) -> Principal {
    Principal {
        organisation: ORGANISATION.into(),
        subject: Subject::CustomerUser(CustomerUser {
            id: Uuid::from_u128(9).into(),
            customer: customer.into(),
        }),
        language: Language::En,
    }
}

pub fn visitor(device: Uuid) -> Principal {
    let user = CodeUser { session: SESSION.into(), code: Uuid::from_u128(70).into(), device: device.into() };
    Principal {
        organisation: OrganisationId(ORGANISATION),
        subject: Subject::CodeUser(user),
        language: Language::En,
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        callboard_service::install_crypto_provider();
        let (messenger, tasks_fake, video) = (Fake::start().await, Fake::start().await, Fake::start().await);
        let (notifications, support) = (Fake::start().await, Fake::start().await);
        let (directory, tickets, fleet, ratings) =
            (Fake::start().await, Fake::start().await, Fake::start().await, Fake::start().await);
        let mut settings = settings();
        // Contexts that no test asks have an address where nobody is.
        settings.upstreams = CONTEXTS.iter().map(|context| ((*context).to_owned(), nobody())).collect();
        for (context, fake) in
            [("directory", &directory), ("tickets", &tickets), ("fleet", &fleet), ("ratings", &ratings)]
        {
            settings.upstreams.insert(context.to_owned(), fake.address.clone());
        }
        settings.upstreams.insert("messenger".to_owned(), messenger.address.clone());
        settings.upstreams.insert("tasks".to_owned(), tasks_fake.address.clone());
        settings.upstreams.insert("video".to_owned(), video.address.clone());
        settings.upstreams.insert("notifications".to_owned(), notifications.address.clone());
        settings.upstreams.insert("support".to_owned(), support.address.clone());
        change(&mut settings);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let issuing =
            IssuerSettings { issuer: "https://issuer.example".into(), audience: "callboard".into() };
        let issuer =
            Issuer::new(issuing, SigningKey::generate().unwrap(), clock.clone(), Arc::new(RandomIds));
        let keys = KeySource::Document(issuer.jwks().to_string());
        let config = VerifierConfig {
            issuers: vec![IssuerConfig::new("https://issuer.example", "callboard", keys)],
            clock_skew: TimeDelta::zero(),
            ..VerifierConfig::default()
        };
        let revocations = Arc::new(Revocations::new(TimeDelta::hours(24)));
        let bus = MemBus::new();
        let live = Arc::new(Hub::new(Bus::Memory(bus.clone()), &settings.live));
        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        let gateway = Arc::new(Gateway {
            upstreams: Upstreams::new(&settings.upstreams).unwrap(),
            limits: Limits::new(&settings.rate),
            live: live.clone(),
            sockets: callboard_gateway::Sockets::new(settings.calls.max_sockets),
            names: callboard_gateway::Names::default(),
            visitors: callboard_gateway::Visitors::default(),
            verifier: Arc::new(Verifier::new(config, clock.clone(), revocations.clone())),
            clock,
            ids: Arc::new(RandomIds),
            stopping: stopping.clone(),
            tracker: tasks.clone(),
            settings,
        });
        tasks.spawn(async move { live.run().await });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service =
            callboard_gateway::app::router(&gateway).into_make_service_with_connect_info::<SocketAddr>();
        tasks.spawn(async move {
            axum::serve(listener, service).await.unwrap();
        });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            directory,
            tickets,
            fleet,
            ratings,
            messenger,
            tasks: tasks_fake,
            video,
            notifications,
            support,
            bus,
            revocations,
            address,
            stopping,
            issuer,
            http,
            _tasks: tasks,
        }
    }

    pub fn token(&self, principal: &Principal) -> String {
        self.token_for(principal, TimeDelta::hours(1))
    }

    pub fn token_for(&self, principal: &Principal, lifetime: TimeDelta) -> String {
        self.issuer.issue(principal, 1, lifetime).unwrap().token.expose_secret().to_owned()
    }

    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub fn request(&self, principal: &Principal, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(self.token(principal))
    }
}

/// Status, problem or value.
pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}
