//! The server's API: Twirp over HTTP with JSON. What comes back is read leniently: names in either case, enums by name or
//! number, what is not there as if it were empty.

use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::Clock;
use callboard_service::BoxError;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::token::{Grant, Keys};

/// The longest answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;
/// How long the server keeps a room that nobody has come into yet, in seconds.
const EMPTY_FOR: u32 = 300;
/// Two people, and those whose places they took over until they are put out.
const MOST_PARTICIPANTS: u32 = 6;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server cannot be reached, or says that it cannot answer now.
    #[error("the LiveKit server does not answer: {0}")]
    Unanswered(String),
    /// The server knows neither this key nor secret, or does not let us.
    #[error("the LiveKit server refuses the key or its secret")]
    Refused,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Participant {
    /// What their token calls them.
    #[serde(default)]
    pub identity: String,
    /// Names this coming.
    #[serde(default)]
    pub sid: String,
    #[serde(default)]
    state: Value,
}

impl Participant {
    /// Whether they are there: their line to the server stands, though nothing may be heard or seen of them yet.
    pub fn is_present(&self) -> bool {
        !self.identity.is_empty() && self.state != "DISCONNECTED" && self.state != 3
    }
}

#[derive(Debug, Default, Deserialize)]
struct Listed {
    #[serde(default)]
    participants: Option<Vec<Participant>>,
}

#[derive(Debug, Default, Deserialize)]
struct Anything {}

/// A server.
#[derive(Debug)]
pub struct Server {
    address: String,
    keys: Arc<Keys>,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl Server {
    /// At this address.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        address: String,
        keys: Arc<Keys>,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BoxError> {
        callboard_service::install_crypto_provider();
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("Callboard")
            .build()?;
        Ok(Self { address, keys, http, clock })
    }

    /// Opens a room, or finds it open. It closes by itself when nobody comes, or `empty_for` after all have left.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn open(&self, room: &str, empty_for: Duration) -> Result<(), Failure> {
        let grant = Grant { room_create: true, ..Grant::default() };
        let request = json!({
            "name": room,
            "empty_timeout": EMPTY_FOR,
            "departure_timeout": empty_for.as_secs(),
            "max_participants": MOST_PARTICIPANTS,
        });
        self.ask::<Anything>("CreateRoom", &grant, &request).await.map(drop)
    }

    /// Who is in a room; nobody where there is no such room.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn participants(&self, room: &str) -> Result<Vec<Participant>, Failure> {
        let grant = Grant { room_admin: true, room: room.to_owned(), ..Grant::default() };
        let listed: Option<Listed> = self.ask("ListParticipants", &grant, &json!({ "room": room })).await?;
        Ok(listed.and_then(|listed| listed.participants).unwrap_or_default())
    }

    /// Puts somebody out of a room; nothing where they are gone already.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn remove(&self, room: &str, identity: &str) -> Result<(), Failure> {
        let grant = Grant { room_admin: true, room: room.to_owned(), ..Grant::default() };
        let request = json!({ "room": room, "identity": identity });
        self.ask::<Anything>("RemoveParticipant", &grant, &request).await.map(drop)
    }

    /// Closes a room and puts everybody out; nothing where there is none.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn close(&self, room: &str) -> Result<(), Failure> {
        let grant = Grant { room_create: true, ..Grant::default() };
        self.ask::<Anything>("DeleteRoom", &grant, &json!({ "room": room })).await.map(drop)
    }

    /// The answer; `None`: there is no such thing.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        grant: &Grant,
        request: &Value,
    ) -> Result<Option<T>, Failure> {
        let answer = self.asked(method, grant, request).await;
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(Failure::Unanswered(_)) => "unanswered",
            Err(Failure::Refused) => "refused",
        };
        metrics::counter!("callboard_video_livekit_requests_total", "method" => method, "outcome" => outcome)
            .increment(1);
        answer
    }

    async fn asked<T: DeserializeOwned>(
        &self,
        method: &str,
        grant: &Grant,
        request: &Value,
    ) -> Result<Option<T>, Failure> {
        let unanswered = |why: &str| Failure::Unanswered(why.to_owned());
        let token = self.keys.question(grant, self.clock.now()).map_err(|_| unanswered("no token"))?;
        let address = format!("{}/twirp/livekit.RoomService/{method}", self.address);
        let sent = self.http.post(address).bearer_auth(token).json(request).send().await;
        // Without its address, which may hold what is not for the log.
        let mut answer = sent.map_err(|error| Failure::Unanswered(error.without_url().to_string()))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| Failure::Unanswered(error.without_url().to_string()))?
        {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(unanswered("the answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        if status == StatusCode::OK {
            return serde_json::from_slice(&body)
                .map(Some)
                .map_err(|_| unanswered("the answer is no JSON of ours"));
        }
        let code = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        match (status, code["code"].as_str()) {
            // Only Twirp says so: at another address there is nothing, either.
            (StatusCode::NOT_FOUND, Some("not_found")) => Ok(None),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Err(Failure::Refused),
            _ => Err(Failure::Unanswered(format!("status {}", status.as_u16()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<(String, bool)> {
        let listed: Listed = serde_json::from_str(text).expect("a list");
        let participants = listed.participants.unwrap_or_default();
        participants.into_iter().map(|found| (found.identity.clone(), found.is_present())).collect()
    }

    #[test]
    fn v_10_what_the_server_answers_is_read_as_protobufs_json_may_be_written() {
        assert!(listed("{}").is_empty() && listed(r#"{"participants": null}"#).is_empty());
        let text = r#"{"participants": [
            {"sid": "PA_1", "identity": "a", "state": "ACTIVE", "joined_at": "1700000000", "is_publisher": true},
            {"sid": "PA_2", "identity": "b", "state": 2, "joinedAt": "1700000000", "tracks": []},
            {"sid": "PA_3", "identity": "c"},
            {"sid": "PA_4", "identity": "d", "state": "DISCONNECTED"},
            {"sid": "PA_5", "identity": "e", "state": 3},
            {"sid": "PA_6"}
        ]}"#;
        let present: Vec<String> =
            listed(text).into_iter().filter(|(_, present)| *present).map(|(identity, _)| identity).collect();
        assert_eq!(present, ["a", "b", "c"]);
    }
}
