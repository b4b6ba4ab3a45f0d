//! What the server sends: `WebhookEvent`s, signed. A hint that a room is worth asking about, and no more: whatever it says
//! of who came or went may be old, said before, or never said at all.

use callboard_kernel::Refusal;
use callboard_service::database::refusal;
use serde::Deserialize;

use super::LiveKit;
use super::names::call_of;

/// The largest body that is looked at.
const MAX_BODY: usize = 256 * 1024;
/// What changes who is there. The rest (tracks, recordings of an operator's own) does not.
const EVENTS: [&str; 5] = [
    "room_started",
    "room_finished",
    "participant_joined",
    "participant_left",
    "participant_connection_aborted",
];

#[derive(Debug, Default, Deserialize)]
struct WebhookEvent {
    #[serde(default)]
    event: String,
    #[serde(default)]
    room: Option<RoomSaid>,
}

#[derive(Debug, Default, Deserialize)]
struct RoomSaid {
    #[serde(default)]
    name: String,
}

impl LiveKit {
    /// Takes a webhook. What is not ours, or of no interest, is taken too: the server would send it again otherwise.
    ///
    /// # Errors
    /// `WEBHOOK_UNVERIFIED`, and then nothing was done; a body that is too large; when the database does not answer.
    pub async fn heard(&self, token: &str, body: &[u8]) -> Result<(), Refusal> {
        if body.len() > MAX_BODY {
            return Err(Refusal::field("body", "at most 256 KiB"));
        }
        self.keys.verify(token, body, self.clock.now())?;
        let said: WebhookEvent = serde_json::from_slice(body).unwrap_or_default();
        let is_of_interest = EVENTS.contains(&said.event.as_str());
        let call = said.room.as_ref().and_then(|room| call_of(&room.name)).filter(|_| is_of_interest);
        let outcome = match call {
            Some((session, number)) if self.rooms.hint(session, number).await.map_err(refusal)? => "taken",
            Some(_) | None => "ignored",
        };
        metrics::counter!("callboard_video_livekit_webhooks_total", "outcome" => outcome).increment(1);
        self.wake.notify_one();
        Ok(())
    }
}
