//! A LiveKit server as far as calls need one: rooms, who is in them, its API with its tokens, and the webhooks that it
//! would send. Which of them arrive, how often and in which order, the test decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_kernel::Clock as _;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

pub const KEY: &str = "north";
pub const SECRET: &str = "what the server and we share, 32+";

/// The server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fake {
    address: String,
    state: Arc<Mutex<Rooms>>,
}

#[derive(Debug, Default)]
struct Rooms {
    /// Who is in which, and by which coming.
    rooms: BTreeMap<String, BTreeMap<String, String>>,
    /// What it would send, by room, in order.
    said: BTreeMap<String, Vec<Value>>,
    /// What it was asked: methods and rooms.
    asked: Vec<(String, String)>,
    comings: u32,
    /// Its API gives no answer. People come and go all the same.
    away: bool,
}

impl Rooms {
    fn say(&mut self, event: &str, room: &str, participant: Option<(&str, &str)>) {
        self.comings += 1;
        let participant = participant.map(|(identity, sid)| json!({ "identity": identity, "sid": sid }));
        let said = json!({
            "event": event,
            "room": { "sid": "RM_1", "name": room, "creation_time": "1700000000", "num_participants": 1 },
            "participant": participant,
            "id": format!("EV_{}", self.comings),
            "created_at": "1700000000",
        });
        self.said.entry(room.to_owned()).or_default().push(said);
    }

    fn open(&mut self, room: &str) {
        if !self.rooms.contains_key(room) {
            self.rooms.insert(room.to_owned(), BTreeMap::new());
            self.say("room_started", room, None);
        }
    }

    fn leave(&mut self, room: &str, identity: &str) -> bool {
        let sid = self.rooms.get_mut(room).and_then(|people| people.remove(identity));
        if let Some(sid) = &sid {
            self.say("participant_left", room, Some((identity, sid)));
        }
        sid.is_some()
    }

    fn close(&mut self, room: &str) -> bool {
        let Some(people) = self.rooms.get(room).cloned() else { return false };
        for identity in people.keys() {
            self.leave(room, identity);
        }
        self.rooms.remove(room);
        self.say("room_finished", room, None);
        true
    }
}

/// What a token says, where it is signed as agreed and good now.
pub fn claims(token: &str) -> Option<Value> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[KEY]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = 0;
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
}

/// A webhook's token, as the server signs one.
pub fn signed(body: &[u8], key: &str, secret: &str, lifetime: i64) -> String {
    let now = callboard_kernel::SystemClock.now().timestamp();
    let hash = STANDARD.encode(digest(&SHA256, body));
    let claims = json!({ "iss": key, "nbf": now, "exp": now + lifetime, "sha256": hash });
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token")
}

fn refuse(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "code": code, "msg": "no" }))).into_response()
}

async fn answer(
    State(state): State<Arc<Mutex<Rooms>>>,
    Path(method): Path<String>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    let text = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
    let room = if method == "CreateRoom" { text("name") } else { text("room") };
    let mut rooms = state.lock();
    if rooms.away {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    }
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(claims) = token.and_then(claims) else {
        return refuse(StatusCode::UNAUTHORIZED, "unauthenticated");
    };
    let grant = &claims["video"];
    let is_granted = match method.as_str() {
        "CreateRoom" | "DeleteRoom" => grant["roomCreate"] == true,
        "ListParticipants" | "RemoveParticipant" => {
            grant["roomAdmin"] == true && grant["room"] == room.as_str()
        }
        _ => return refuse(StatusCode::NOT_FOUND, "bad_route"),
    };
    if !is_granted {
        return refuse(StatusCode::FORBIDDEN, "permission_denied");
    }
    rooms.asked.push((method.clone(), room.clone()));
    let answer = match method.as_str() {
        "CreateRoom" => {
            rooms.open(&room);
            json!({ "name": room, "sid": "RM_1", "empty_timeout": 300 })
        }
        "ListParticipants" => {
            let people = rooms.rooms.get(&room).cloned().unwrap_or_default();
            let one = |(identity, sid)| json!({ "identity": identity, "sid": sid, "state": "ACTIVE", "joined_at": "1" });
            json!({ "participants": people.iter().map(one).collect::<Vec<_>>() })
        }
        "RemoveParticipant" if rooms.leave(&room, &text("identity")) => json!({}),
        "DeleteRoom" if rooms.close(&room) => json!({}),
        _ => return refuse(StatusCode::NOT_FOUND, "not_found"),
    };
    Json(answer).into_response()
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::<Mutex<Rooms>>::default();
        let router = Router::new()
            .route("/twirp/livekit.RoomService/{method}", post(answer))
            .with_state(Arc::clone(&state));
        // Ends with the test's runtime.
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Somebody connects with a token, as a client does; the same identity again takes the place of the one before.
    /// Answers the room and who they are there.
    pub fn enter(&self, token: &str) -> Option<(String, String)> {
        let claims = claims(token)?;
        let grant = &claims["video"];
        if grant["roomJoin"] != true || grant["canPublish"] != true || grant["canSubscribe"] != true {
            return None;
        }
        let (room, identity) = (grant["room"].as_str()?.to_owned(), claims["sub"].as_str()?.to_owned());
        self.comes(&room, &identity);
        Some((room, identity))
    }

    /// Somebody is in a room, by whatever token.
    pub fn comes(&self, room: &str, identity: &str) {
        let mut rooms = self.state.lock();
        rooms.open(room);
        rooms.leave(room, identity);
        rooms.comings += 1;
        let sid = format!("PA_{}", rooms.comings);
        rooms.rooms.entry(room.to_owned()).or_default().insert(identity.to_owned(), sid.clone());
        rooms.say("participant_joined", room, Some((identity, &sid)));
    }

    pub fn leaves(&self, room: &str, identity: &str) {
        self.state.lock().leave(room, identity);
    }

    /// Who is in a room; `None`: there is none.
    pub fn people(&self, room: &str) -> Option<Vec<String>> {
        self.state.lock().rooms.get(room).map(|people| people.keys().cloned().collect())
    }

    /// What it would have sent since it was asked last.
    pub fn webhooks(&self, room: &str) -> Vec<Value> {
        self.state.lock().said.remove(room).unwrap_or_default()
    }

    /// How often its API was asked about a room.
    pub fn asked(&self, room: &str) -> usize {
        self.state.lock().asked.iter().filter(|(_, asked)| asked == room).count()
    }

    pub fn away(&self, away: bool) {
        self.state.lock().away = away;
    }
}
