//! What is said and heard in a call, as JSON: one object, one field, which says what it is.

use callboard_proto::video::v1 as proto;
use proto::signal_request::Signal as Said;
use proto::signal_response::Signal as Told;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::mirror::{Mirror, mirror, words};

words! {
    /// Why an exchange ends.
    CallEnding of proto::SignalEnding {
        /// The call is over.
        CallEnded,
        /// The same person is in the call from elsewhere.
        Replaced,
        /// This process stops: open the WebSocket again with the same token.
        GoingAway,
    }
}

mirror! {
    /// The first message: who speaks.
    CallHello of proto::SignalHello {
        /// The session of the address.
        session_id: String,
        /// As joining answered it.
        call_token: String,
    }

    /// This side's consent to recordings.
    CallConsent of proto::SignalConsent { given: bool }

    /// Whether this side records.
    CallRecording of proto::SignalRecording { running: bool }

    /// How a call stands.
    CallState of proto::SignalState {
        /// Whether the other side's connection stands.
        peer_present: bool,
        /// Names the other side's connection: with another one, negotiation begins anew. Left out: never there yet.
        peer_connection_id: Option<String>,
        own_consent: bool,
        peer_consent: bool,
        recording: bool,
    }

    /// What was said last is not allowed now.
    CallRefused of proto::SignalRefused {
        /// As in the catalogue of errors.
        reason: String,
    }

    /// The exchange ends.
    CallEnded of proto::SignalEnded { ending: Option<CallEnding> }
}

/// Nothing more is to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallNothing {}

/// An offer or an answer: `RTCSessionDescription` as browsers write it. What they may add is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CallDescription {
    /// `offer`, `answer`, `pranswer`, `rollback`.
    pub r#type: String,
    /// At most 64 KiB.
    pub sdp: String,
    /// In an answer: id and version of the `o=` line of the offer that it answers, with a space between. Left out or null:
    /// not said. At most 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<String>,
}

impl Mirror<proto::SessionDescription> for CallDescription {
    fn out(proto: proto::SessionDescription) -> Self {
        Self { r#type: proto.r#type, sdp: proto.sdp, answers: Mirror::out(proto.answers) }
    }
    fn back(self) -> proto::SessionDescription {
        proto::SessionDescription { r#type: self.r#type, sdp: self.sdp, answers: self.answers.back() }
    }
}

/// An address to be tried: `RTCIceCandidate` as browsers write it. What they may add is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CallCandidate {
    /// At most 2 KiB; empty: there are no more.
    pub candidate: String,
    /// Of which stream; null or left out: not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// Which in the description, from 0; null or left out: 0.
    #[serde(rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    /// Null or left out: not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

impl Mirror<proto::IceCandidate> for CallCandidate {
    fn out(proto: proto::IceCandidate) -> Self {
        Self {
            candidate: proto.candidate,
            sdp_mid: Mirror::out(proto.sdp_mid),
            sdp_m_line_index: proto.sdp_m_line_index.try_into().ok(),
            username_fragment: Mirror::out(proto.username_fragment),
        }
    }
    fn back(self) -> proto::IceCandidate {
        proto::IceCandidate {
            candidate: self.candidate,
            sdp_mid: self.sdp_mid.back(),
            sdp_m_line_index: self.sdp_m_line_index.unwrap_or_default().into(),
            username_fragment: self.username_fragment.back(),
        }
    }
}

/// What a browser says while a call runs.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SaidInCall {
    /// For the other side.
    Description(CallDescription),
    /// For the other side.
    Candidate(CallCandidate),
    /// Gives or withdraws consent to recordings (V-8).
    Consent(CallConsent),
    /// Records, or no more (V-8).
    Recording(CallRecording),
    /// Takes a picture: both sides keep one (V-8).
    Screenshot(CallNothing),
    /// The call is over for both (V-4).
    HangUp(CallNothing),
}

impl SaidInCall {
    /// As the service is told.
    pub fn back(self) -> proto::SignalRequest {
        proto::SignalRequest {
            signal: Some(match self {
                Self::Description(of) => Said::Description(of.back()),
                Self::Candidate(of) => Said::Candidate(of.back()),
                Self::Consent(of) => Said::Consent(of.back()),
                Self::Recording(of) => Said::Recording(of.back()),
                Self::Screenshot(CallNothing {}) => Said::Screenshot(proto::SignalScreenshot {}),
                Self::HangUp(CallNothing {}) => Said::HangUp(proto::SignalHangUp {}),
            }),
        }
    }
}

/// What a browser hears while a call runs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum HeardInCall {
    /// The first: how the call stands. Again with everything that changes.
    State(CallState),
    /// From the other side.
    Description(CallDescription),
    /// From the other side.
    Candidate(CallCandidate),
    /// The other side takes a picture.
    Screenshot(CallNothing),
    /// What was said last is not allowed now.
    Refused(CallRefused),
    /// The last.
    Ended(CallEnded),
}

impl HeardInCall {
    /// What the service told; `None`: what this version does not know.
    pub fn out(proto: proto::SignalResponse) -> Option<Self> {
        Some(match proto.signal? {
            Told::State(of) => Self::State(Mirror::out(of)),
            Told::Description(of) => Self::Description(Mirror::out(of)),
            Told::Candidate(of) => Self::Candidate(Mirror::out(of)),
            Told::Screenshot(proto::SignalScreenshot {}) => Self::Screenshot(CallNothing {}),
            Told::Refused(of) => Self::Refused(Mirror::out(of)),
            Told::Ended(of) => Self::Ended(Mirror::out(of)),
        })
    }

    /// That the exchange ends.
    pub const fn ended(ending: CallEnding) -> Self {
        Self::Ended(CallEnded { ending: Some(ending) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(value: Value) -> Result<Said, String> {
        let said: SaidInCall = serde_json::from_value(value).map_err(|error| error.to_string())?;
        said.back().signal.ok_or_else(|| "nothing".to_owned())
    }

    #[test]
    fn what_browsers_write_is_what_the_service_is_told() {
        let of_browser = json!({"candidate": {
            "candidate": "candidate:1 1 udp 1 10.0.0.7 9 typ host", "sdpMid": "0", "sdpMLineIndex": 1,
            "usernameFragment": null, "url": "new some day"
        }});
        let candidate = proto::IceCandidate {
            candidate: "candidate:1 1 udp 1 10.0.0.7 9 typ host".into(),
            sdp_mid: "0".into(),
            sdp_m_line_index: 1,
            username_fragment: String::new(),
        };
        assert_eq!(said(of_browser), Ok(Said::Candidate(candidate.clone())));
        let heard = HeardInCall::out(proto::SignalResponse { signal: Some(Told::Candidate(candidate)) });
        let expected = json!({"candidate": {
            "candidate": "candidate:1 1 udp 1 10.0.0.7 9 typ host", "sdpMid": "0", "sdpMLineIndex": 1
        }});
        assert_eq!(serde_json::to_value(heard.unwrap()).unwrap(), expected);
        let sdp = "v=0\r\n".to_owned();
        let offer =
            proto::SessionDescription { r#type: "offer".into(), sdp: sdp.clone(), ..Default::default() };
        assert_eq!(
            said(json!({"description": {"type": "offer", "sdp": "v=0\r\n"}})),
            Ok(Said::Description(offer))
        );
        let of_page = json!({"description": {"type": "answer", "sdp": "v=0\r\n", "answers": "46117 2"}});
        let answer = proto::SessionDescription { r#type: "answer".into(), sdp, answers: "46117 2".into() };
        assert_eq!(said(of_page.clone()), Ok(Said::Description(answer.clone())));
        let heard = HeardInCall::out(proto::SignalResponse { signal: Some(Told::Description(answer)) });
        assert_eq!(serde_json::to_value(heard.unwrap()).unwrap(), of_page);
        assert_eq!(
            said(json!({"consent": {"given": true}})),
            Ok(Said::Consent(proto::SignalConsent { given: true }))
        );
        assert_eq!(said(json!({"hangUp": {}})), Ok(Said::HangUp(proto::SignalHangUp {})));
        assert_eq!(said(json!({"screenshot": {}})), Ok(Said::Screenshot(proto::SignalScreenshot {})));
        for wrong in [
            json!({}),
            json!({"hello": {"sessionId": "s", "callToken": "t"}}),
            json!({"hangUp": {"why": "tired"}}),
            json!({"consent": {"given": "yes"}}),
            json!({"hangUp": {}, "screenshot": {}}),
            json!("hangUp"),
        ] {
            assert!(said(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_field_of_the_state_is_told() {
        let state = proto::SignalState { own_consent: true, ..Default::default() };
        let heard = HeardInCall::out(proto::SignalResponse { signal: Some(Told::State(state)) });
        let expected = json!({"state": {
            "peerPresent": false, "ownConsent": true, "peerConsent": false, "recording": false
        }});
        assert_eq!(serde_json::to_value(heard.unwrap()).unwrap(), expected);
        let ended = serde_json::to_value(HeardInCall::ended(CallEnding::GoingAway)).unwrap();
        assert_eq!(ended, json!({"ended": {"ending": "GOING_AWAY"}}));
    }
}
