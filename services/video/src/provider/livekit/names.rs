//! What a call and its people are called at the server: ids alone, nothing of a person.

use callboard_kernel::derive_uuid;
use callboard_video_domain::{ConnectionId, SessionId, StreamId};
use uuid::Uuid;

use crate::store::Room;

/// A server may serve others too.
const PREFIX: &str = "callboard-";

/// The room of a call.
pub fn room(room: Room) -> String {
    format!("{PREFIX}{}-{}", room.session, room.number)
}

/// The session and the number of a call by its room's name; `None`: it is none of ours.
pub fn call_of(name: &str) -> Option<(SessionId, i32)> {
    let (session, number) = name.strip_prefix(PREFIX)?.rsplit_once('-')?;
    let (session, number) = (session.parse::<Uuid>().ok()?, number.parse::<i32>().ok()?);
    (number > 0).then(|| (session.into(), number))
}

/// The connection of a participant by their identity; `None`: none of ours. Recorders and agents that an operator lets in
/// are left alone.
pub fn connection_of(identity: &str) -> Option<ConnectionId> {
    identity.parse::<Uuid>().ok().map(Into::into)
}

/// One coming of a participant: who leaves and comes back has another `sid`.
pub fn stream(connection: ConnectionId, sid: &str) -> StreamId {
    derive_uuid(connection.uuid(), &[sid.as_bytes()]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_named_after_its_call_and_found_by_its_name() {
        let session = Uuid::from_u128(7);
        let it = Room { organisation: Uuid::from_u128(1).into(), session: session.into(), number: 12 };
        assert_eq!(room(it), "callboard-00000000-0000-0000-0000-000000000007-12");
        assert_eq!(call_of(&room(it)), Some((session.into(), 12)));
        let others = ["", "callboard-", "callboard-x-1", "somebody-else", "callboard-7-1"];
        let zeroth = room(Room { number: 0, ..it });
        assert!(others.into_iter().chain([zeroth.as_str()]).all(|name| call_of(name).is_none()));
        assert_eq!(connection_of("EG_4uGt"), None);
        assert_ne!(stream(session.into(), "PA_1"), stream(session.into(), "PA_2"));
    }
}
