//! The shape of an aggregate: pure decisions over a state.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Actor, CommandId, EventId, IdGenerator, Principal, Rejection, Timestamp};

/// How many commands have changed an aggregate. 0: it does not exist yet. The `etag` and the `ce` aggregate version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub i64);

impl Version {
    /// Before the first command.
    pub const NONE: Self = Self(0);

    /// The version after one more command.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Strong entity tag (AIP-154, RFC 9110): the version in quotes.
    pub fn etag(self) -> String {
        format!("\"{}\"", self.0)
    }

    /// Reads an entity tag back; `None` when it is none of ours.
    pub fn from_etag(etag: &str) -> Option<Self> {
        etag.strip_prefix('"')?.strip_suffix('"')?.parse().ok().map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Why a command is there: by hand, or because of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cause {
    /// The event that caused it; `None` for a call by hand.
    pub event: Option<EventId>,
    /// Its type, such as `callboard.fleet.v1.OfferAccepted`.
    pub event_type: Option<String>,
    /// What ties a whole chain together: the first command's id.
    pub correlation: Option<Uuid>,
    /// W3C trace context of the caller.
    pub traceparent: Option<String>,
}

impl Cause {
    /// True when Callboard does it by itself because of an event.
    pub const fn is_automatic(&self) -> bool {
        self.event.is_some()
    }
}

/// All that a decision may know besides state and command.
#[derive(Debug)]
pub struct DecisionContext<'a> {
    /// Now.
    pub now: Timestamp,
    /// On whose behalf.
    pub principal: &'a Principal,
    /// Because of what.
    pub cause: &'a Cause,
    /// The command's own id.
    pub command_id: CommandId,
    /// Where new ids come from.
    pub ids: &'a dyn IdGenerator,
}

impl DecisionContext<'_> {
    /// Who is recorded as having done it.
    pub const fn actor(&self) -> Actor {
        self.principal.actor()
    }

    /// A new UUIDv7 as any typed id.
    pub fn new_id<T: From<Uuid>>(&self) -> T {
        self.ids.next().into()
    }
}

/// A consistency boundary: one ticket, one conversation, one template's groups.
///
/// `decide` looks and says what happens; `evolve` makes it so. Both are pure: no clock, no I/O, no randomness of
/// their own. Decisions check permission too, since what a caller may do depends on the state.
pub trait Aggregate: Sized + Send + Sync + 'static {
    /// Stable name, lower case: `ticket`. Part of logs, metrics and row keys.
    const KIND: &'static str;

    /// What it knows. `Default` is the aggregate that does not exist yet.
    type State: Default + Clone + fmt::Debug + Send + Sync + 'static;
    /// What can be asked of it.
    type Command: fmt::Debug + Send + Sync + 'static;
    /// What can happen to it.
    type Event: Clone + fmt::Debug + PartialEq + Send + Sync + 'static;
    /// How it says no.
    type Rejection: Rejection + 'static;

    /// What happens if this command comes now. No events: nothing to do, and that is fine.
    ///
    /// # Errors
    /// The domain's "no". The state stays as it is.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Applies an event that was decided. Cannot fail.
    fn evolve(state: &mut Self::State, event: &Self::Event);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_strong_quoted_and_comes_back() {
        assert_eq!(Version(7).etag(), "\"7\"");
        assert_eq!(Version::from_etag("\"7\""), Some(Version(7)));
        assert_eq!(Version::from_etag("W/\"7\""), None);
        assert_eq!(Version::from_etag("7"), None);
    }
}
