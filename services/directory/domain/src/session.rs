//! Sessions: a refresh token that is good once, exchanged for the next.

use callboard_kernel::{
    Aggregate, CodeId, CustomerUserId, DecisionContext, DeviceId, EmployeeId, Language, OrganisationId,
    Subject, Timestamp,
};

use crate::Refused;

/// SHA-256 of a secret.
pub type Hash = [u8; 32];

/// The aggregate of one session.
#[derive(Debug)]
pub struct Session;

/// Whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Somebody who scanned a code (D-3).
    CodeUser {
        /// The code.
        code: CodeId,
        /// The device the code led to.
        device: DeviceId,
        /// The code's epoch then: a lower one than the code's present one is over.
        epoch: i64,
    },
    /// An employee.
    Employee(EmployeeId),
    /// A customer user.
    CustomerUser(CustomerUserId),
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its holder ended it.
    LoggedOut,
    /// A refresh token was used twice: somebody else has it too.
    Reused,
}

/// A session that was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whose organisation.
    pub organisation: OrganisationId,
    /// Whose.
    pub holder: Holder,
    /// For the access tokens of code users; people have their own in the profile.
    pub language: Language,
    /// Hash of what all refresh tokens of this session share. It tells a used token from a made-up one.
    pub family: Hash,
    /// Hash of what the one good refresh token has of its own.
    pub secret: Hash,
    /// The end, however often it is refreshed.
    pub expires_at: Timestamp,
    /// Over.
    pub ended: Option<Ending>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Kept {
    /// Without hashes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("organisation", &self.organisation)
            .field("holder", &self.holder)
            .field("language", &self.language)
            .field("expires_at", &self.expires_at)
            .field("ended", &self.ended)
            .field("created_at", &self.created_at)
            .field("updated_at", &self.updated_at)
            .finish_non_exhaustive()
    }
}

/// What a session knows; `None`: never opened.
pub type State = Option<Kept>;

/// What can be asked of a session. By the system only: who asks is told by the refresh token alone.
#[derive(Clone)]
pub enum Command {
    /// Opens it.
    Open {
        /// Whose.
        holder: Holder,
        /// For access tokens.
        language: Language,
        /// See [`Kept::family`].
        family: Hash,
        /// See [`Kept::secret`].
        secret: Hash,
        /// The end.
        expires_at: Timestamp,
    },
    /// Exchanges the refresh token.
    Refresh {
        /// What was presented.
        family: Hash,
        /// What was presented.
        secret: Hash,
        /// What the new one has.
        next: Hash,
    },
    /// Ends it. Any refresh token of the session will do, a used one too.
    End {
        /// What was presented.
        family: Hash,
    },
}

impl std::fmt::Debug for Command {
    /// Without hashes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open { .. } => "Open",
            Self::Refresh { .. } => "Refresh",
            Self::End { .. } => "End",
        })
    }
}

/// What happens to a session.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// It was opened.
    Opened(Kept),
    /// The refresh token was exchanged.
    Refreshed {
        /// Hash of the new one.
        next: Hash,
        /// When.
        at: Timestamp,
    },
    /// It is over.
    Ended {
        /// Why.
        ending: Ending,
        /// When.
        at: Timestamp,
    },
}

impl std::fmt::Debug for Event {
    /// Without hashes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opened(kept) => f.debug_tuple("Opened").field(kept).finish(),
            Self::Refreshed { .. } => f.write_str("Refreshed"),
            Self::Ended { ending, .. } => {
                f.debug_struct("Ended").field("ending", ending).finish_non_exhaustive()
            }
        }
    }
}

impl Aggregate for Session {
    const KIND: &'static str = "session";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Refused;

    fn decide(
        state: &State,
        command: &Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Event>, Refused> {
        if !matches!(context.principal.subject, Subject::System) {
            return Err(Refused::Denied("for Callboard itself"));
        }
        let at = context.now;
        let open = |given: &Hash| {
            state
                .as_ref()
                .filter(|kept| kept.organisation == context.principal.organisation && kept.family == *given)
                .filter(|kept| kept.ended.is_none() && at < kept.expires_at)
                .ok_or(Refused::SessionEnded)
        };
        match command {
            Command::Open { holder, language, family, secret, expires_at } => {
                if state.is_some() {
                    return Err(Refused::IdTaken);
                }
                Ok(vec![Event::Opened(Kept {
                    organisation: context.principal.organisation,
                    holder: *holder,
                    language: *language,
                    family: *family,
                    secret: *secret,
                    expires_at: *expires_at,
                    ended: None,
                    created_at: at,
                    updated_at: at,
                })])
            }
            Command::Refresh { family, secret, next } => {
                // A used token ends the session: either its holder or a thief has it for the second time.
                if open(family)?.secret == *secret {
                    Ok(vec![Event::Refreshed { next: *next, at }])
                } else {
                    Ok(vec![Event::Ended { ending: Ending::Reused, at }])
                }
            }
            Command::End { family } => {
                open(family)?;
                Ok(vec![Event::Ended { ending: Ending::LoggedOut, at }])
            }
        }
    }

    fn evolve(state: &mut State, event: &Event) {
        match (state, event) {
            (state, Event::Opened(kept)) => *state = Some(kept.clone()),
            (Some(kept), Event::Refreshed { next, at }) => (kept.secret, kept.updated_at) = (*next, *at),
            (Some(kept), Event::Ended { ending, at }) => (kept.ended, kept.updated_at) = (Some(*ending), *at),
            (None, Event::Refreshed { .. } | Event::Ended { .. }) => {}
        }
    }
}
