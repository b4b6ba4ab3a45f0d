//! The WebSocket of a call, between a real client and a video service that says what a test tells it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use callboard_gateway::config::Settings;
use callboard_kernel::{ErrorKind, Refusal};
use callboard_proto::video::v1 as proto;
use callboard_service::error::status;
use callboard_testkit::{PATIENCE, eventually_some};
use futures::{SinkExt, StreamExt};
use proto::signal_request::Signal as Said;
use proto::signal_response::Signal as Told;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

use crate::world::{SESSION, World, nobody, read};

const OURS: &str = "https://help.example.com";

/// One exchange, on the service's side.
struct Line {
    said: Streaming<proto::SignalRequest>,
    tell: mpsc::Sender<Result<proto::SignalResponse, Status>>,
}

impl Line {
    /// What comes next; `None`: the browser's side is over.
    async fn said(&mut self) -> Option<Said> {
        let next = timeout(PATIENCE, self.said.message()).await.expect("something is said");
        next.ok().flatten().and_then(|said| said.signal)
    }

    async fn tell(&self, signal: Told) {
        self.tell.send(Ok(proto::SignalResponse { signal: Some(signal) })).await.unwrap();
    }

    async fn end(&self, ending: proto::SignalEnding) {
        self.tell(Told::Ended(proto::SignalEnded { ending: ending.into() })).await;
    }
}

/// A video service as far as signals go. Knows one token: "good".
struct Calls {
    address: String,
    lines: Mutex<mpsc::UnboundedReceiver<Line>>,
    _server: TaskTracker,
}

impl Calls {
    async fn start() -> Self {
        let (opened, lines) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router =
            Router::new().route("/callboard.video.v1.VideoService/Signal", post(signal)).with_state(opened);
        let server = TaskTracker::new();
        server.spawn(async move { axum::serve(listener, router).await });
        Self { address, lines: Mutex::new(lines), _server: server }
    }

    async fn line(&self) -> Line {
        timeout(PATIENCE, self.lines.lock().await.recv()).await.expect("an exchange").unwrap()
    }

    /// Nobody was let in so far.
    async fn is_quiet(&self) -> bool {
        self.lines.lock().await.try_recv().is_err()
    }
}

async fn signal(State(opened): State<mpsc::UnboundedSender<Line>>, request: Request) -> Response {
    let codec = tonic_prost::ProstCodec::<proto::SignalResponse, proto::SignalRequest>::default();
    let service = tower::service_fn(move |request: tonic::Request<Streaming<proto::SignalRequest>>| {
        let opened = opened.clone();
        async move {
            let mut said = request.into_inner();
            let first = said.message().await?.and_then(|first| first.signal);
            let hello = proto::SignalHello { session_id: SESSION.to_string(), call_token: "good".into() };
            if first != Some(Said::Hello(hello)) {
                let refusal = Refusal::new(ErrorKind::Unauthenticated, "CALL_TOKEN_INVALID", "join again");
                return Err(status("video", &refusal));
            }
            let (tell, told) = mpsc::channel(8);
            let _ = opened.send(Line { said, tell });
            Ok(tonic::Response::new(ReceiverStream::new(told)))
        }
    });
    tonic::server::Grpc::new(codec).streaming(service, request).await.map(Body::new)
}

/// A browser's side.
struct Browser(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Browser {
    async fn open(world: &World) -> Self {
        let address = format!("ws://{}/v1/videoSessions/{SESSION}/call", world.address);
        Self(tokio_tungstenite::connect_async(address).await.unwrap().0)
    }

    async fn in_call(world: &World, calls: &Calls) -> (Self, Line) {
        let mut browser = Self::open(world).await;
        browser.hello("good").await;
        (browser, calls.line().await)
    }

    async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    async fn say(&mut self, said: Value) {
        self.send(Message::text(said.to_string())).await;
    }

    async fn hello(&mut self, token: &str) {
        self.say(json!({"sessionId": SESSION, "callToken": token})).await;
    }

    async fn next(&mut self) -> Message {
        timeout(PATIENCE, self.0.next()).await.expect("something comes").expect("no end yet").unwrap()
    }

    /// The next that is no ping.
    async fn heard(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Code and reason of the end.
    async fn closed(mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Message::Close(frame) => {
                    let frame = frame.expect("a reason");
                    return (frame.code.into(), frame.reason.to_string());
                }
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What a handshake is answered.
async fn handshake(world: &World, origin: &str) -> (u16, Value) {
    let request = world
        .anonymous(Method::GET, &format!("/v1/videoSessions/{SESSION}/call"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("origin", origin);
    let response = request.send().await.unwrap();
    match response.status().as_u16() {
        101 => (101, Value::Null),
        _ => read(response).await,
    }
}

async fn stage(change: impl FnOnce(&mut Settings)) -> (World, Calls) {
    let calls = Calls::start().await;
    let world = World::with(|settings| {
        settings.upstreams.insert("video".to_owned(), calls.address.clone());
        change(settings);
    })
    .await;
    (world, calls)
}

fn told(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn v_10_signals_go_both_ways_as_json_until_the_call_is_over() {
    let (world, calls) = stage(|_| {}).await;
    let (mut browser, mut line) = Browser::in_call(&world, &calls).await;
    let state =
        proto::SignalState { peer_present: true, peer_connection_id: "c".into(), ..Default::default() };
    line.tell(Told::State(state)).await;
    let expected = json!({"state": {
        "peerPresent": true, "peerConnectionId": "c", "ownConsent": false, "peerConsent": false, "recording": false
    }});
    assert_eq!(browser.heard().await, expected);
    browser.say(json!({"description": {"type": "offer", "sdp": "v=0\r\n"}})).await;
    let offer =
        proto::SessionDescription { r#type: "offer".into(), sdp: "v=0\r\n".into(), ..Default::default() };
    assert_eq!(line.said().await, Some(Said::Description(offer)));
    let answer =
        proto::SessionDescription { r#type: "answer".into(), sdp: "v=1\r\n".into(), ..Default::default() };
    line.tell(Told::Description(answer)).await;
    assert_eq!(browser.heard().await, json!({"description": {"type": "answer", "sdp": "v=1\r\n"}}));
    browser.say(json!({"candidate": {"candidate": "a", "sdpMid": null, "sdpMLineIndex": 2}})).await;
    let candidate = proto::IceCandidate { candidate: "a".into(), sdp_m_line_index: 2, ..Default::default() };
    assert_eq!(line.said().await, Some(Said::Candidate(candidate)));
    browser.say(json!({"recording": {"running": true}})).await;
    assert_eq!(line.said().await, Some(Said::Recording(proto::SignalRecording { running: true })));
    line.tell(Told::Refused(proto::SignalRefused { reason: "NO_CONSENT".into() })).await;
    assert_eq!(browser.heard().await, json!({"refused": {"reason": "NO_CONSENT"}}));
    browser.say(json!({"hangUp": {}})).await;
    assert_eq!(line.said().await, Some(Said::HangUp(proto::SignalHangUp {})));
    line.end(proto::SignalEnding::CallEnded).await;
    assert_eq!(browser.heard().await, json!({"ended": {"ending": "CALL_ENDED"}}));
    assert_eq!(browser.closed().await, told(1000, "CALL_ENDED"));
    assert_eq!(line.said().await, None);
}

#[tokio::test]
async fn an_offer_of_64_kib_fits() {
    let (world, calls) = stage(|_| {}).await;
    let (mut browser, mut line) = Browser::in_call(&world, &calls).await;
    let sdp = "a=x\r\n".repeat(13_107);
    browser.say(json!({"description": {"type": "offer", "sdp": sdp}})).await;
    let Some(Said::Description(offer)) = line.said().await else { panic!("an offer") };
    assert_eq!(offer.sdp, sdp);
    line.tell(Told::Description(offer)).await;
    assert_eq!(browser.heard().await["description"]["sdp"], sdp);
}

#[tokio::test]
async fn who_says_no_proper_hello_does_not_reach_the_service() {
    let (world, calls) = stage(|_| {}).await;
    let said = |text: &str| Message::text(text.to_owned());
    let other = uuid::Uuid::from_u128(77);
    for (first, expected) in [
        (said("hello"), told(4400, "INVALID_FIELDS")),
        (said(r#"{"hangUp": {}}"#), told(4400, "INVALID_FIELDS")),
        (said(&format!(r#"{{"sessionId": "{other}", "callToken": "good"}}"#)), told(4400, "INVALID_FIELDS")),
        (Message::binary(vec![1, 2, 3]), told(1003, "INVALID_FIELDS")),
        (said(&" ".repeat(256 * 1024 + 1)), told(1009, "MESSAGE_TOO_LARGE")),
    ] {
        let mut browser = Browser::open(&world).await;
        browser.send(first).await;
        assert_eq!(browser.closed().await, expected);
    }
    assert!(calls.is_quiet().await);
    let mut forger = Browser::open(&world).await;
    forger.hello("bad").await;
    assert_eq!(forger.closed().await, told(4401, "CALL_TOKEN_INVALID"));
    assert!(calls.is_quiet().await);
}

#[tokio::test]
async fn who_says_nothing_is_sent_away() {
    let (world, calls) = stage(|settings| settings.calls.hello_timeout = Duration::from_millis(50)).await;
    assert_eq!(Browser::open(&world).await.closed().await, told(4408, "HELLO_MISSING"));
    assert!(calls.is_quiet().await);
}

#[tokio::test]
async fn what_is_none_of_the_messages_ends_the_exchange() {
    let (world, calls) = stage(|_| {}).await;
    let (mut browser, mut line) = Browser::in_call(&world, &calls).await;
    browser.say(json!({"dance": {}})).await;
    assert_eq!(browser.closed().await, told(4400, "INVALID_FIELDS"));
    assert_eq!(line.said().await, None, "the service hears that it is over");
}

#[tokio::test]
async fn the_service_s_refusals_become_close_codes() {
    let (world, calls) = stage(|_| {}).await;
    let (browser, line) = Browser::in_call(&world, &calls).await;
    let refusal = Refusal::new(ErrorKind::ResourceExhausted, "TOO_MANY_SIGNALS", "slower");
    line.tell.send(Err(status("video", &refusal))).await.unwrap();
    assert_eq!(browser.closed().await, told(4429, "TOO_MANY_SIGNALS"));
    let (mut browser, line) = Browser::in_call(&world, &calls).await;
    line.end(proto::SignalEnding::Replaced).await;
    assert_eq!(browser.heard().await, json!({"ended": {"ending": "REPLACED"}}));
    assert_eq!(browser.closed().await, told(4409, "REPLACED"));
    // Its process is gone.
    let (browser, line) = Browser::in_call(&world, &calls).await;
    drop(line);
    assert_eq!(browser.closed().await, told(4503, "UNAVAILABLE"));
    let world = World::with(|settings| drop(settings.upstreams.insert("video".to_owned(), nobody()))).await;
    let mut browser = Browser::open(&world).await;
    browser.hello("good").await;
    assert_eq!(browser.closed().await, told(4503, "UNAVAILABLE"));
}

#[tokio::test]
async fn a_browser_that_goes_is_gone_for_the_service() {
    let (world, calls) = stage(|_| {}).await;
    let (mut orderly, mut line) = Browser::in_call(&world, &calls).await;
    orderly.0.close(None).await.unwrap();
    assert_eq!(line.said().await, None);
    let (browser, mut line) = Browser::in_call(&world, &calls).await;
    drop(browser);
    assert_eq!(line.said().await, None);
}

#[tokio::test]
async fn who_answers_pings_stays_and_who_does_not_is_gone() {
    let (world, calls) = stage(|settings| settings.calls.ping_interval = Duration::from_millis(100)).await;
    let (mut awake, mut line) = Browser::in_call(&world, &calls).await;
    for _ in 0..4 {
        // Answered by the client itself.
        assert!(matches!(awake.next().await, Message::Ping(_)));
    }
    awake.say(json!({"hangUp": {}})).await;
    assert_eq!(line.said().await, Some(Said::HangUp(proto::SignalHangUp {})));
    let (asleep, mut line) = Browser::in_call(&world, &calls).await;
    // Nobody reads, so nobody answers.
    assert_eq!(line.said().await, None);
    assert_eq!(asleep.closed().await, told(4408, "NOT_HEARD"));
}

#[tokio::test]
async fn a_stop_sends_everybody_away_to_come_back() {
    let (world, calls) = stage(|_| {}).await;
    let (mut browser, mut line) = Browser::in_call(&world, &calls).await;
    let mut silent = Browser::open(&world).await;
    world.stopping.cancel();
    for browser in [&mut browser, &mut silent] {
        assert_eq!(browser.heard().await, json!({"ended": {"ending": "GOING_AWAY"}}));
    }
    assert_eq!(browser.closed().await, told(1001, "GOING_AWAY"));
    assert_eq!(silent.closed().await, told(1001, "GOING_AWAY"));
    assert_eq!(line.said().await, None);
}

#[tokio::test]
async fn pages_of_other_origins_and_plain_requests_are_refused() {
    let (world, _calls) = stage(|_| {}).await;
    let own = format!("http://{}", world.address);
    for origin in ["https://app.example.com", OURS, &own] {
        assert_eq!(handshake(&world, origin).await.0, 101, "{origin}");
    }
    let refused = handshake(&world, "https://evil.example").await;
    assert_eq!((refused.0, &refused.1["reason"]), (403, &json!("ORIGIN_NOT_ALLOWED")));
    let path = format!("/v1/videoSessions/{SESSION}/call");
    let plain = world.anonymous(Method::GET, &path).send().await.unwrap();
    assert_eq!(plain.headers()["upgrade"], "websocket");
    let (status, problem) = read(plain).await;
    assert_eq!((status, &problem["reason"]), (426, &json!("WEBSOCKET_REQUIRED")));
    let nothing = world.anonymous(Method::GET, "/v1/videoSessions/7/call").send().await.unwrap();
    assert_eq!(nothing.status(), 400);
}

#[tokio::test]
async fn there_are_only_so_many_sockets() {
    let (world, _calls) = stage(|settings| settings.calls.max_sockets = 2).await;
    let first = Browser::open(&world).await;
    let _second = Browser::open(&world).await;
    let refused = handshake(&world, OURS).await;
    assert_eq!((refused.0, &refused.1["reason"]), (429, &json!("TOO_MANY_STREAMS")));
    drop(first);
    eventually_some("a seat is free again", PATIENCE, || async {
        (handshake(&world, OURS).await.0 == 101).then_some(())
    })
    .await;
}
