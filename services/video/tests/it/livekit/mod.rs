//! Calls that a LiveKit server carries (V-10), against a fake of one.

mod calls;
mod chaos;
mod fake;
mod webhooks;

use callboard_kernel::Principal;
use callboard_proto::video::v1 as video;
use callboard_stage::{StageBuilder, done, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::house::{House, Told};
use fake::{Fake, KEY, SECRET};

/// The settings that make LiveKit carry calls.
pub fn settings(fake: &Fake, interval: &str, grace: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("video.provider", json!("LIVEKIT")),
        ("video.livekit.url", json!(fake.url())),
        ("video.livekit.api_key", json!(KEY)),
        ("video.livekit.api_secret", json!(SECRET)),
        ("video.livekit.interval", json!(interval)),
        ("video.livekit.timeout", json!("2s")),
        ("video.grace_time", json!(grace)),
    ]
}

/// Somebody who has joined.
#[derive(Debug, Clone)]
pub struct Joined {
    pub token: String,
    pub call_token: String,
    pub room: String,
    pub identity: String,
}

/// A house whose calls a fake server carries; asked this often, and over after this grace time.
pub async fn house(interval: &str, grace: &str) -> (House, Fake) {
    let fake = Fake::start().await;
    let set = |stage: StageBuilder| {
        settings(&fake, interval, grace)
            .into_iter()
            .fold(stage, |stage, (path, value)| stage.with(path, value))
    };
    (House::with(set).await, fake.clone())
}

impl House {
    /// Takes a place, and answers what a client needs.
    pub async fn livekit(&self, who: &Principal, session: &str) -> Told<Joined> {
        let credentials = self.join(who, session).await?.credentials.expect("credentials");
        let token = credentials.livekit.expect("of LiveKit").access_token;
        let claims = fake::claims(&token).expect("a token that the server takes");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (room, identity) = (text(&claims["video"]["room"]), text(&claims["sub"]));
        Ok(Joined { token, call_token: credentials.call_token, room, identity })
    }

    /// Takes a place and connects to the server.
    pub async fn connect(&self, fake: &Fake, who: &Principal, session: &str) -> Joined {
        let joined = self.livekit(who, session).await.expect("joined");
        fake.enter(&joined.token).expect("let in");
        joined
    }

    /// A webhook arrives.
    pub async fn webhook(&self, body: &[u8], token: &str) -> Told<()> {
        let request = video::ReceiveProviderWebhookRequest {
            provider: video::CallProvider::Livekit.into(),
            body: body.to_vec(),
            authorization_token: token.into(),
        };
        done(self.service().receive_provider_webhook(request).await).map(drop)
    }

    /// One that the server sent arrives.
    pub async fn hear(&self, said: &Value) {
        let body = said.to_string();
        self.webhook(body.as_bytes(), &fake::signed(body.as_bytes(), KEY, SECRET, 300)).await.expect("taken");
    }

    /// Waits until who is there is known: the guest, the employee.
    pub async fn until_present(&self, session: &str, guest: bool, employee: bool) {
        self.until("who is there", session, |found| {
            let call = found.call?;
            (call.guest_present == guest && call.employee_present == employee).then_some(())
        })
        .await;
    }

    /// Joins with a client that speaks these.
    pub async fn join_speaking(
        &self,
        who: &Principal,
        session: &str,
        providers: &[video::CallProvider],
    ) -> Told<video::JoinSessionResponse> {
        let request = video::JoinSessionRequest {
            request_id: request_id(),
            session_id: session.into(),
            providers: providers.iter().map(|provider| (*provider).into()).collect(),
        };
        done(self.service().join_session(signed(who, request)).await)
    }
}

/// Waits until a room is as wanted.
pub async fn until_people(fake: &Fake, room: &str, wanted: Option<Vec<String>>) {
    let wanted = wanted.map(|mut people| {
        people.sort();
        people
    });
    eventually("the people in a room", PATIENCE, || async {
        let found = fake.people(room);
        if found == wanted { Ok(()) } else { Err(found) }
    })
    .await;
}
