//! Calls: what two browsers tell each other, and who is there (V-3, V-4, V-8, V-10).

use std::time::Duration;

use callboard_kernel::Principal;
use callboard_proto::directory::v1 as directory;
use callboard_proto::video::v1 as video;
use callboard_proto::video::v1::SessionStatus;
use callboard_service::error::report;
use callboard_stage::refused;
use callboard_testkit::PATIENCE;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use video::signal_request::Signal as Said;
use video::signal_response::Signal as Heard;
use video::video_service_client::VideoServiceClient;

use crate::house::{House, uuid};

/// A browser in a call.
pub struct Browser {
    says: Option<mpsc::Sender<video::SignalRequest>>,
    hears: Streaming<video::SignalResponse>,
}

impl Browser {
    pub async fn open(
        mut service: VideoServiceClient<Channel>,
        session: &str,
        token: &str,
    ) -> Result<Self, Status> {
        let (says, said) = mpsc::channel(16);
        let hello = video::SignalHello { session_id: session.into(), call_token: token.into() };
        let first = video::SignalRequest { signal: Some(Said::Hello(hello)) };
        says.send(first).await.expect("room");
        let hears = service.signal(ReceiverStream::new(said)).await?.into_inner();
        Ok(Self { says: Some(says), hears })
    }

    pub async fn say(&self, signal: Said) {
        let says = self.says.as_ref().expect("still there");
        says.send(video::SignalRequest { signal: Some(signal) }).await.expect("heard");
    }

    pub async fn offer(&self, sdp: &str) {
        let description =
            video::SessionDescription { r#type: "offer".into(), sdp: sdp.into(), ..Default::default() };
        self.say(Said::Description(description)).await;
    }

    /// Whatever comes next.
    pub async fn next(&mut self) -> Result<Option<Heard>, Status> {
        let next = tokio::time::timeout(PATIENCE, self.hears.message()).await.expect("in time")?;
        Ok(next.and_then(|next| next.signal))
    }

    /// Waits for what satisfies a condition, past everything else.
    pub async fn until<T>(&mut self, what: &str, wanted: impl Fn(&Heard) -> Option<T>) -> T {
        loop {
            let Some(heard) = self.next().await.expect("no error") else {
                panic!("the exchange ended before {what}")
            };
            if let Some(found) = wanted(&heard) {
                return found;
            }
        }
    }

    pub async fn until_peer(&mut self, present: bool) -> video::SignalState {
        self.until("the other side", |heard| match heard {
            Heard::State(state) if state.peer_present == present => Some(state.clone()),
            _ => None,
        })
        .await
    }

    pub async fn until_ended(&mut self) -> video::SignalEnding {
        self.until("the end", |heard| match heard {
            Heard::Ended(ended) => Some(ended.ending()),
            _ => None,
        })
        .await
    }

    /// The connection breaks: no word, no goodbye.
    pub fn drop(self) {}
}

impl House {
    pub async fn browser(&self, who: &Principal, session: &str) -> Browser {
        let joined = self.join(who, session).await.expect("joined");
        let token = joined.credentials.expect("credentials").call_token;
        Browser::open(self.service(), session, &token).await.expect("an exchange")
    }
}

async fn called() -> (House, String, Browser, Browser) {
    let house = House::with(|stage| stage.with("video.grace_time", "5s")).await;
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    let mut host = house.browser(&house.boss(), &session).await;
    let mut guest = house.browser(&house.guest(), &session).await;
    host.until_peer(true).await;
    guest.until_peer(true).await;
    (house, session, host, guest)
}

#[tokio::test]
async fn v_10_what_one_browser_says_the_other_hears_in_order() {
    let (house, session, mut host, mut guest) = called().await;
    host.offer("v=0 offer").await;
    for number in 0..30 {
        let candidate = video::IceCandidate {
            candidate: format!("candidate:{number}"),
            sdp_mid: "0".into(),
            ..video::IceCandidate::default()
        };
        host.say(Said::Candidate(candidate)).await;
    }
    let sdp = guest
        .until("the offer", |heard| match heard {
            Heard::Description(description) => Some(description.sdp.clone()),
            _ => None,
        })
        .await;
    assert_eq!(sdp, "v=0 offer");
    for number in 0..30 {
        let heard = guest
            .until("a candidate", |heard| match heard {
                Heard::Candidate(candidate) => Some(candidate.candidate.clone()),
                _ => None,
            })
            .await;
        assert_eq!(heard, format!("candidate:{number}"));
    }
    // Screenshots go to both (V-8).
    guest.say(Said::Screenshot(video::SignalScreenshot {})).await;
    host.until("a screenshot", |heard| matches!(heard, Heard::Screenshot(_)).then_some(())).await;
    let found = house.get(&house.boss(), &session).await.expect("it").call.expect("a call");
    assert!(found.guest_present && found.employee_present && found.number == 1);
    // V-4: either hangs up, and both hear it.
    guest.say(Said::HangUp(video::SignalHangUp {})).await;
    for browser in [&mut host, &mut guest] {
        assert_eq!(browser.until_ended().await, video::SignalEnding::CallEnded);
    }
    house.until_status(&session, SessionStatus::Closed).await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_4_a_dropped_browser_comes_back_within_the_grace_time() {
    let (house, session, mut host, guest) = called().await;
    let who = house.guest();
    guest.drop();
    let state = host.until_peer(false).await;
    let mut guest = house.browser(&who, &session).await;
    let back = host.until_peer(true).await;
    assert_ne!(state.peer_connection_id, back.peer_connection_id, "negotiated anew");
    guest.until_peer(true).await;
    assert_eq!(house.get(&who, &session).await.expect("it").call_count, 1, "still the same call");
    // One is enough: the call goes on while somebody is there.
    guest.drop();
    host.until_peer(false).await;
    tokio::time::timeout(Duration::from_secs(7), host.next()).await.expect_err("the call goes on");
    // Nobody for longer than the grace time: over.
    host.drop();
    house.until_status(&session, SessionStatus::Closed).await;
    let told = house.stage.told(uuid(&session), "video.call_ended").await;
    assert!(!told.contains(&"video.session_cancelled".to_owned()));
    house.stage.stop().await;
}

#[tokio::test]
async fn the_same_token_comes_back_and_the_browser_left_behind_is_told() {
    let house = House::new().await;
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    let joined = house.join(&house.boss(), &session).await.expect("joined");
    let token = joined.credentials.expect("credentials").call_token;
    let mut first = Browser::open(house.service(), &session, &token).await.expect("an exchange");
    first.until_peer(false).await;
    let mut second = Browser::open(house.service(), &session, &token).await.expect("an exchange");
    assert_eq!(first.until_ended().await, video::SignalEnding::Replaced);
    second.until_peer(false).await;
    // A new joining of the same person takes the place.
    let _third = house.browser(&house.boss(), &session).await;
    assert_eq!(second.until_ended().await, video::SignalEnding::Replaced);
    let late = Browser::open(house.service(), &session, &token).await.err().expect("refused");
    assert_eq!(report(&late).reason, "NO_CALL");
    let call =
        house.until("somebody is there", &session, |found| found.call.filter(|call| call.employee_present));
    assert_eq!(call.await.number, 1);
    house.stage.stop().await;
}

#[tokio::test]
async fn v_8_consents_and_recordings_are_heard_by_both() {
    let (house, session, mut host, mut guest) = called().await;
    let recording = |running| Said::Recording(video::SignalRecording { running });
    let consent = |given| Said::Consent(video::SignalConsent { given });
    host.say(recording(true)).await;
    let reason = host
        .until("a refusal", |heard| match heard {
            Heard::Refused(refused) => Some(refused.reason.clone()),
            _ => None,
        })
        .await;
    assert_eq!(reason, "NO_CONSENT");
    host.say(consent(true)).await;
    guest.say(consent(true)).await;
    let both = |heard: &Heard| match heard {
        Heard::State(state) if state.own_consent && state.peer_consent => Some(()),
        _ => None,
    };
    host.until("both consent", both).await;
    guest.until("both consent", both).await;
    host.say(recording(true)).await;
    let is_recording = |wanted: bool| {
        move |heard: &Heard| match heard {
            Heard::State(state) if state.recording == wanted => Some(()),
            _ => None,
        }
    };
    guest.until("a recording", is_recording(true)).await;
    guest.say(consent(false)).await;
    host.until("the recording stops", |heard| match heard {
        Heard::State(state) if !state.recording && !state.peer_consent => Some(()),
        _ => None,
    })
    .await;
    house.stage.told(uuid(&session), "video.recording_changed").await;
    house.stage.stop().await;
}

#[tokio::test]
async fn t_13_an_internal_session_ends_the_exchange_at_once_and_d_3_so_does_logging_out() {
    let (house, session, _host, mut guest) = called().await;
    house.hide(&house.boss(), &session).await.expect("hidden");
    assert_eq!(guest.until_ended().await, video::SignalEnding::CallEnded);
    // D-3.
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    let who = house.guest();
    let mut guest = house.browser(&who, &session).await;
    guest.until_peer(false).await;
    let person = who.actor().id().expect("an id");
    // Said before they joined, and heard of only now.
    let before =
        callboard_kernel::Clock::now(&callboard_kernel::SystemClock) - chrono::TimeDelta::seconds(10);
    let revoked = directory::PrincipalTokensRevoked {
        subject_id: person.to_string(),
        organisation_id: house.people.id.to_string(),
        min_epoch: 1,
        revoke_time: Some(callboard_service::convert::to_proto_time(before)),
    };
    house.stage.publish(house.people.id, person, 1, &revoked).await;
    let ended = loop {
        match guest.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no reason given"),
            Err(status) => break report(&status).reason,
        }
    };
    assert_eq!(ended, "CALL_TOKEN_INVALID");
    house.stage.stop().await;
}

#[tokio::test]
async fn who_has_no_token_of_this_call_hears_nothing() {
    let house = House::new().await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let other = house.create(&boss, house.plan()).await.expect("made").id;
    let token = house.join(&guest, &session).await.expect("joined").credentials.expect("it").call_token;
    for (session, token) in [(&session, "x.y"), (&session, ""), (&other, token.as_str())] {
        let refused = Browser::open(house.service(), session, token).await.err().expect("refused");
        assert_eq!(report(&refused).reason, "CALL_TOKEN_INVALID");
    }
    // What is too large ends the exchange.
    let too_large = [("x".repeat(65_537), String::new()), ("v=0".into(), "1".repeat(257))];
    for (sdp, answers) in too_large {
        let mut browser = Browser::open(house.service(), &session, &token).await.expect("an exchange");
        browser.until_peer(false).await;
        let description = video::SessionDescription { r#type: "answer".into(), sdp, answers };
        browser.say(Said::Description(description)).await;
        let refused_with = loop {
            match browser.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no reason given"),
                Err(status) => break report(&status).violations,
            }
        };
        assert_eq!(refused_with[0].field, "description");
    }
    // Over: the token is worthless.
    house.end(&boss, &session).await.expect("over");
    let late = Browser::open(house.service(), &session, &token).await.err().expect("refused");
    assert_eq!(report(&late).reason, "NO_CALL");
    assert_eq!(refused(house.join(&guest, &session).await), "SESSION_OVER");
    house.stage.stop().await;
}
