//! Between the protos' words and the kernel's.

use callboard_kernel::{Actor, FieldViolation, Language, Role, Timestamp, truncate_to_micros};
use callboard_proto::common::v1 as proto;

/// A moment as protobuf has it.
pub fn to_proto_time(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}

/// A moment from protobuf, cut to the microsecond.
///
/// # Errors
/// Names the field when the time does not exist.
pub fn from_proto_time(field: &str, time: &prost_types::Timestamp) -> Result<Timestamp, FieldViolation> {
    u32::try_from(time.nanos)
        .ok()
        .and_then(|nanos| Timestamp::from_timestamp(time.seconds, nanos))
        .map(truncate_to_micros)
        .ok_or_else(|| {
            FieldViolation::new(field, "a time between years 0001 and 9999 (google.protobuf.Timestamp)")
        })
}

/// Who did something, as protobuf has it.
pub fn to_proto_actor(actor: Actor) -> proto::Actor {
    let kind = match actor {
        Actor::Employee(_) => proto::ActorKind::Employee,
        Actor::CodeUser(_) => proto::ActorKind::CodeUser,
        Actor::CustomerUser(_) => proto::ActorKind::CustomerUser,
        Actor::System => proto::ActorKind::System,
    };
    proto::Actor { kind: kind.into(), id: actor.id().map(|id| id.to_string()).unwrap_or_default() }
}

/// Who did something, from protobuf; `None` when it makes no sense.
pub fn from_proto_actor(actor: &proto::Actor) -> Option<Actor> {
    let id = || actor.id.parse::<uuid::Uuid>().ok();
    match actor.kind() {
        proto::ActorKind::Employee => Some(Actor::Employee(id()?.into())),
        proto::ActorKind::CodeUser => Some(Actor::CodeUser(id()?.into())),
        proto::ActorKind::CustomerUser => Some(Actor::CustomerUser(id()?.into())),
        proto::ActorKind::System => Some(Actor::System),
        proto::ActorKind::Unspecified => None,
    }
}

/// A role, as protobuf has it.
pub const fn to_proto_role(role: Role) -> proto::Role {
    match role {
        Role::Member => proto::Role::Member,
        Role::Moderator => proto::Role::Moderator,
        Role::Administrator => proto::Role::Administrator,
    }
}

/// A role from protobuf; `None` when unspecified.
pub const fn from_proto_role(role: proto::Role) -> Option<Role> {
    match role {
        proto::Role::Member => Some(Role::Member),
        proto::Role::Moderator => Some(Role::Moderator),
        proto::Role::Administrator => Some(Role::Administrator),
        proto::Role::Unspecified => None,
    }
}

/// The text in a language, else English, else any; empty when there is none.
pub fn localized(text: &proto::LocalizedText, language: Language) -> &str {
    text.by_language
        .get(language.as_str())
        .or_else(|| text.by_language.get(Language::En.as_str()))
        .or_else(|| text.by_language.values().next())
        .map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn actors_survive_the_protos() {
        for actor in [
            Actor::System,
            Actor::Employee(Uuid::from_u128(1).into()),
            Actor::CodeUser(Uuid::from_u128(2).into()),
            Actor::CustomerUser(Uuid::from_u128(3).into()),
        ] {
            assert_eq!(from_proto_actor(&to_proto_actor(actor)), Some(actor));
        }
    }

    #[test]
    fn times_survive_the_protos_and_impossible_ones_name_the_field() {
        let time = Timestamp::from_timestamp(1_763_760_000, 123_456_000).expect("a time");
        assert_eq!(from_proto_time("t", &to_proto_time(time)), Ok(time));
        let impossible = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        assert_eq!(from_proto_time("t", &impossible).expect_err("no such time").field, "t");
    }
}
