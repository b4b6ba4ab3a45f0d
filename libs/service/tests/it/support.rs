//! A service of one RPC that does what its request says.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_kernel::{Employee, Language, Principal, RandomIds, Role, Subject, SystemClock};
use callboard_service::{
    BackgroundTask, BuildContext, Built, Definition, Running, Stage, StartOptions, request,
};
use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use uuid::Uuid;

pub const NAME: &str = "callboard.test.v1.TestService";
pub const DEFAULTS: &str = "[test]\ncrash = false\nhttp = false\n";
/// Opened by the test to let calls that say `gate` go on.
pub static GATE: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(0));
/// How many calls wait at the gate.
pub static WAITING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(0));

/// How many calls have begun that never end.
pub static ENTERED: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(0));

#[derive(Debug, Clone)]
struct Test {
    limit: usize,
}

impl NamedService for Test {
    const NAME: &'static str = NAME;
}

impl Service<http::Request<Body>> for Test {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let codec = ProstCodec::<String, String>::default();
        let mut grpc = Grpc::new(codec).max_decoding_message_size(self.limit);
        async move { Ok(grpc.unary(Handler, request).await) }.boxed()
    }
}

struct Handler;

impl UnaryService<String> for Handler {
    type Response = String;
    type Future = BoxFuture<'static, Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        async move {
            let answer = match request.get_ref().as_str() {
                "who" => request::principal(&request).map_or("nobody".into(), |who| who.actor().to_string()),
                "deadline" => request::deadline(&request).remaining().as_millis().to_string(),
                "trace" => callboard_service::telemetry::current_trace_id().unwrap_or_default(),
                "request id" => request::request_id(&request).unwrap_or_default().to_owned(),
                "for ever" => {
                    ENTERED.add_permits(1);
                    std::future::pending().await
                }
                "gate" => {
                    WAITING.add_permits(1);
                    GATE.acquire().await.unwrap().forget();
                    "passed".into()
                }
                "hold" => std::future::pending().await,
                "panic" => panic!("the secret is 42"),
                other => other.len().to_string(),
            };
            Ok(Response::new(answer))
        }
        .boxed()
    }
}

fn build(context: BuildContext) -> BoxFuture<'static, Result<Built, callboard_service::BoxError>> {
    async move {
        #[derive(serde::Deserialize)]
        struct Section {
            crash: bool,
            http: bool,
        }
        let section: Section = context.config.section()?;
        let service = Test { limit: context.config.grpc.max_message_bytes };
        let mut routes = Routes::new(service);
        if section.http {
            let hello = axum::Router::new().route("/v1/hello", axum::routing::get(async || "hello"));
            routes = Routes::from(routes.into_axum_router().merge(hello));
        }
        let mut built = Built::new(routes, vec![NAME]);
        built.serves_http = section.http;
        built.public_rpcs = &["callboard.test.v1.TestService/Public"];
        built.admin_routes =
            Some(axum::Router::new().route("/.well-known/thing", axum::routing::get(async || "here")));
        let stop = context.stop.clone();
        built.tasks.push(BackgroundTask::new("worker", Stage::Fetch, async move {
            if section.crash {
                return Err("the worker broke".into());
            }
            stop.fetch.cancelled().await;
            Ok(())
        }));
        Ok(built)
    }
    .boxed()
}

pub const fn definition() -> Definition {
    Definition {
        name: "test",
        default_config: DEFAULTS,
        check: |_| Ok(()),
        migrations: None,
        uses_bus: false,
        build,
        operate: None,
    }
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let settings = IssuerSettings { issuer: "https://id.test".into(), audience: "callboard".into() };
    Issuer::new(settings, SigningKey::generate().unwrap(), Arc::new(SystemClock), Arc::new(RandomIds))
});

pub fn token() -> SecretString {
    let employee = Employee { id: Uuid::from_u128(2).into(), role: Role::Member, departments: vec![] };
    let principal = Principal {
        organisation: Uuid::from_u128(1).into(),
        subject: Subject::Employee(employee),
        language: Language::En,
    };
    ISSUER.issue(&principal, 0, TimeDelta::minutes(5)).unwrap().token
}

/// Free ports, a known issuer, no time wasted.
pub fn options() -> StartOptions {
    let issuer = serde_json::json!({
        "issuer": "https://id.test", "audience": "callboard", "jwks": ISSUER.jwks().to_string(),
    });
    StartOptions::default()
        .with("grpc.listen", "127.0.0.1:0")
        .with("admin.listen", "127.0.0.1:0")
        .with("auth.issuers", serde_json::json!([issuer]))
        .with("shutdown.propagation_delay", "0ms")
        .with("shutdown.drain_timeout", "5s")
        .with("shutdown.hard_limit", "25s")
}

pub async fn start_with(definition: Definition, options: StartOptions) -> Running {
    crate::collector::spans();
    let metrics = callboard_service::telemetry::metrics();
    callboard_service::start(definition, options, metrics, CancellationToken::new()).await.unwrap()
}

pub async fn started(options: StartOptions) -> Running {
    let mut running = start_with(definition(), options).await;
    running.ready().await.unwrap();
    running
}

pub fn channel(running: &Running) -> Channel {
    callboard_service::client::channel(&format!("http://{}", running.grpc_addr)).unwrap()
}

/// One call; `token` and further metadata as given.
pub async fn call(
    channel: Channel,
    method: &'static str,
    text: &str,
    metadata: &[(&'static str, &str)],
) -> Result<Response<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(text.to_owned());
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    grpc.unary(request, method.parse().unwrap(), ProstCodec::<String, String>::default()).await
}

/// A call with a good token.
pub async fn ask(channel: Channel, text: &str) -> Result<String, Status> {
    let bearer = format!("Bearer {}", token().expose_secret());
    let answer =
        call(channel, "/callboard.test.v1.TestService/Ask", text, &[("authorization", &bearer)]).await;
    answer.map(Response::into_inner)
}

/// Polls until it holds.
///
/// # Panics
/// After ten seconds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    callboard_testkit::eventually(what, Duration::from_secs(10), || {
        let answer = holds();
        async move { answer.await.then_some(()).ok_or("not yet") }
    })
    .await;
}

pub async fn get(running: &Running, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("http://{}{path}", running.admin_addr)).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
