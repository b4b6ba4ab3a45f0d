//! Shapes that every context shares.

use std::collections::BTreeMap;

use callboard_kernel::{Language, Timestamp};
use callboard_proto::common::v1 as proto;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror::{Absent, Mirror, mirror, words};

words! {
    /// What kind of somebody acted.
    ActorKind of proto::ActorKind {
        /// A logged-in person of the organisation.
        Employee,
        /// A person without login who scanned a code.
        CodeUser,
        /// A corporate customer's own login.
        CustomerUser,
        /// Callboard itself.
        System,
    }

    /// The role of an employee, each with the rights of those below it.
    Role of proto::Role { Member, Moderator, Administrator }
}

mirror! {
    /// Who did something: by reference, never by name.
    Actor of proto::Actor {
        /// Kind of somebody.
        kind: Option<ActorKind>,
        /// Employee, code session or customer user id (UUID); not set for the system.
        id: Option<String>,
    }
}

/// A moment, RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Time(pub Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = chrono::DateTime::parse_from_rfc3339(&text).map_err(|_| {
            serde::de::Error::custom("must be a time such as 2026-11-22T08:00:00Z (RFC 3339)")
        })?;
        Ok(Self(time.into()))
    }
}

impl Mirror<prost_types::Timestamp> for Time {
    fn out(proto: prost_types::Timestamp) -> Self {
        let nanos = u32::try_from(proto.nanos).unwrap_or_default();
        Self(Timestamp::from_timestamp(proto.seconds, nanos).unwrap_or_default())
    }
    fn back(self) -> prost_types::Timestamp {
        callboard_service::convert::to_proto_time(self.0)
    }
}

/// A text by language: `{"en": "Leak", "de": "Undicht"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Localized(pub BTreeMap<String, String>);

impl Absent for Localized {}

impl Mirror<proto::LocalizedText> for Localized {
    fn out(proto: proto::LocalizedText) -> Self {
        Self(proto.by_language)
    }
    fn back(self) -> proto::LocalizedText {
        proto::LocalizedText { by_language: self.0 }
    }
}

impl Localized {
    /// The text in a language, else English, else any; `None` when there is none.
    pub fn text(&self, language: Language) -> Option<&str> {
        let found =
            self.0.get(language.as_str()).or_else(|| self.0.get("en")).or_else(|| self.0.values().next());
        found.map(String::as_str)
    }
}

/// A duration in seconds; protobuf's finer part is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seconds(pub i64);

impl Mirror<prost_types::Duration> for Seconds {
    fn out(proto: prost_types::Duration) -> Self {
        Self(proto.seconds)
    }
    fn back(self) -> prost_types::Duration {
        prost_types::Duration { seconds: self.0, nanos: 0 }
    }
}

/// A span of time from two optional moments; `None` when neither is given.
pub fn time_range(start: Option<Time>, end: Option<Time>) -> Option<proto::TimeRange> {
    (start.is_some() || end.is_some())
        .then(|| proto::TimeRange { start: start.map(Mirror::back), end: end.map(Mirror::back) })
}
