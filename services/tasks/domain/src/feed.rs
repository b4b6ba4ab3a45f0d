//! A calendar that a calendar program subscribes to by a private token (K-5).

use callboard_kernel::{
    Actor, Aggregate, CustomerId, DecisionContext, ErrorKind, FieldViolation, Rejection, Subject, Timestamp,
};

use crate::text::check_title;
use crate::words;

words! {
    /// What a feed shows.
    FeedScope as "feed scope" {
        /// All its owner may see.
        All = "ALL",
        /// What its owner is assigned to.
        Mine = "MINE",
    }
}

/// One feed of one person.
#[derive(Debug)]
pub struct Feed;

/// Whose a feed is and how it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedContent {
    /// An employee or a customer user.
    pub owner: Actor,
    /// The customer user's company.
    pub customer: Option<CustomerId>,
    /// 1 to 200 characters.
    pub name: String,
    /// What it shows.
    pub scope: FeedScope,
    /// SHA-256 of the token. The token itself is kept nowhere.
    pub token_hash: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a [`Feed`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedState {
    /// It; `None`: not there, or ended.
    pub content: Option<FeedContent>,
    /// It was ended.
    pub ended: bool,
}

/// What can be asked of a [`Feed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedCommand {
    /// Makes it for the caller.
    Create {
        /// 1 to 200 characters.
        name: String,
        /// What it shows.
        scope: FeedScope,
        /// SHA-256 of its token.
        token_hash: Vec<u8>,
    },
    /// Ends it. Its owner; the system, when the owner leaves.
    End,
}

/// What can happen to a [`Feed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// It was made.
    Created(FeedContent),
    /// It was ended.
    Ended,
}

/// How a [`Feed`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedRejection {
    /// Code users have no feeds: a visit ends, a subscription does not.
    #[error("feeds are for employees and customer users")]
    Denied,
    /// No such feed, or somebody else's.
    #[error("no such feed")]
    Missing,
    /// Wrong fields.
    #[error("invalid feed")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for FeedRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Missing => ErrorKind::NotFound,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Denied => "PERMISSION_DENIED",
            Self::Missing => "NOT_FOUND",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Denied | Self::Missing => Vec::new(),
        }
    }
}

impl Aggregate for Feed {
    const KIND: &'static str = "feed";
    type State = FeedState;
    type Command = FeedCommand;
    type Event = FeedEvent;
    type Rejection = FeedRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let is_system = matches!(context.principal.subject, Subject::System);
        match command {
            FeedCommand::Create { name, scope, token_hash } => {
                let customer = match &context.principal.subject {
                    Subject::Employee(_) => None,
                    Subject::CustomerUser(user) => Some(user.customer),
                    Subject::CodeUser(_) | Subject::System => return Err(FeedRejection::Denied),
                };
                let mut violations = Vec::new();
                check_title("name", name, &mut violations);
                if *scope == FeedScope::Mine && customer.is_some() {
                    violations.push(FieldViolation::new("scope", "MINE is for employees: tasks are theirs"));
                }
                if !violations.is_empty() {
                    return Err(FeedRejection::Invalid(violations));
                }
                if state.content.is_some() || state.ended {
                    return Ok(Vec::new());
                }
                Ok(vec![FeedEvent::Created(FeedContent {
                    owner: context.actor(),
                    customer,
                    name: name.clone(),
                    scope: *scope,
                    token_hash: token_hash.clone(),
                    created_at: context.now,
                })])
            }
            FeedCommand::End => match &state.content {
                Some(content) if is_system || content.owner == context.actor() => Ok(vec![FeedEvent::Ended]),
                None if is_system => Ok(Vec::new()),
                Some(_) | None => Err(FeedRejection::Missing),
            },
        }
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        match event {
            FeedEvent::Created(content) => state.content = Some(content.clone()),
            FeedEvent::Ended => *state = Self::State { content: None, ended: true },
        }
    }
}
