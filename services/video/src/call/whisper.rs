//! What is whispered between processes: a signal for one side of a call.

use bytes::{BufMut, Bytes, BytesMut};
use callboard_kernel::OrganisationId;
use callboard_proto::video::v1 as proto;
use callboard_video_domain::{SessionId, Side};
use prost::Message as _;
use uuid::Uuid;

/// The topic of all of them.
pub const TOPIC: &str = "video.signals";

/// Two ids and a side.
const HEAD: usize = 33;

/// A whisper.
#[derive(Debug, Clone, PartialEq)]
pub struct Whisper {
    /// The tenant: nothing crosses.
    pub organisation: OrganisationId,
    /// The session.
    pub session: SessionId,
    /// For whom.
    pub to: Side,
    /// What.
    pub signal: proto::SignalResponse,
}

impl Whisper {
    /// As it is whispered.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEAD + self.signal.encoded_len());
        bytes.put_slice(self.organisation.uuid().as_bytes());
        bytes.put_slice(self.session.uuid().as_bytes());
        bytes.put_u8(match self.to {
            Side::Guest => 0,
            Side::Employee => 1,
        });
        bytes.put_slice(&self.signal.encode_to_vec());
        bytes.freeze()
    }

    /// Read back; `None` when it is none of ours.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (organisation, rest) = bytes.split_at_checked(16)?;
        let (session, rest) = rest.split_at_checked(16)?;
        let (to, rest) = rest.split_first()?;
        Some(Self {
            organisation: Uuid::from_slice(organisation).ok()?.into(),
            session: Uuid::from_slice(session).ok()?.into(),
            to: if *to == 0 { Side::Guest } else { Side::Employee },
            signal: proto::SignalResponse::decode(rest).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proto::signal_response::Signal;

    use super::*;

    #[test]
    fn a_whisper_is_what_was_said() {
        let description =
            proto::SessionDescription { r#type: "offer".into(), sdp: "v=0".into(), ..Default::default() };
        let said = Whisper {
            organisation: Uuid::from_u128(1).into(),
            session: Uuid::from_u128(2).into(),
            to: Side::Employee,
            signal: proto::SignalResponse { signal: Some(Signal::Description(description)) },
        };
        assert_eq!(Whisper::from_bytes(&said.to_bytes()), Some(said));
        assert_eq!(Whisper::from_bytes(b"short"), None);
    }
}
