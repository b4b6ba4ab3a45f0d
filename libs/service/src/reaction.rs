//! From somebody else's event, or a timer, to a command of one's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_actor::{Ask, AskError, Lane, Outcome, Registry, Store};
use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::{Aggregate, Cause, CommandId, Principal, derive_uuid};
use uuid::Uuid;

use crate::telemetry;

/// How long a reaction may take before it is tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a command of our own is given: the event that a consumer took.
#[derive(Debug, Clone, Copy)]
pub struct Reaction<'a> {
    /// The durable consumer's name. Part of the command's id, so it must never change.
    pub consumer: &'static str,
    /// What happened.
    pub event: &'a Event,
}

impl Reaction<'_> {
    /// The command that this event is for one target: the same however often the event comes.
    pub fn command_id(&self, target: Uuid) -> CommandId {
        derive_uuid(self.event.id.uuid(), &[self.consumer.as_bytes(), target.as_bytes()]).into()
    }

    /// Gives the command to the target, in the event lane, on behalf of the system. Its receipt is the inbox: the same
    /// event again changes nothing. A domain's "no" is an outcome.
    ///
    /// One event may give one command per target; two commands for one target need two consumers.
    ///
    /// # Errors
    /// [`HandleError::Retry`] where trying again helps, [`HandleError::Failed`] where it may,
    /// [`HandleError::Poison`] for what only a person can mend.
    pub async fn give<A: Aggregate, S: Store<A>>(
        &self,
        registry: &Registry<A, S>,
        target: Uuid,
        command: A::Command,
    ) -> Result<Handled, HandleError> {
        self.hand_over(registry, target, command, false).await
    }

    /// As [`Reaction::give`], for an event that is the first to speak of the target: nothing is read before the command
    /// is decided. Where the target is there all the same, the commit says so and the command is decided again on what
    /// it is.
    ///
    /// # Errors
    /// As [`Reaction::give`].
    pub async fn give_first<A: Aggregate, S: Store<A>>(
        &self,
        registry: &Registry<A, S>,
        target: Uuid,
        command: A::Command,
    ) -> Result<Handled, HandleError> {
        self.hand_over(registry, target, command, true).await
    }

    async fn hand_over<A: Aggregate, S: Store<A>>(
        &self,
        registry: &Registry<A, S>,
        target: Uuid,
        command: A::Command,
        creates: bool,
    ) -> Result<Handled, HandleError> {
        let id = self.command_id(target);
        let cause = Cause {
            event: Some(self.event.id),
            event_type: Some(self.event.kind.clone()),
            correlation: self.event.correlation,
            // The trace of the reaction, which is linked to the event's: the next consumer links to this one.
            traceparent: telemetry::current_traceparent().or_else(|| self.event.traceparent.clone()),
        };
        let principal = Principal::system(self.event.organisation);
        hand_over(registry, target, command, id, principal, cause, creates).await
    }
}

/// Gives a command of the system's own to an aggregate; `id` must be derived from what caused it.
///
/// # Errors
/// As [`Reaction::give`].
pub async fn give<A: Aggregate, S: Store<A>>(
    registry: &Registry<A, S>,
    target: Uuid,
    command: A::Command,
    id: CommandId,
    principal: Principal,
    cause: Cause,
) -> Result<Handled, HandleError> {
    hand_over(registry, target, command, id, principal, cause, false).await
}

async fn hand_over<A: Aggregate, S: Store<A>>(
    registry: &Registry<A, S>,
    target: Uuid,
    command: A::Command,
    id: CommandId,
    principal: Principal,
    cause: Cause,
    creates: bool,
) -> Result<Handled, HandleError> {
    let ask = Ask {
        command,
        command_id: id,
        fingerprint: 0,
        principal: Arc::new(principal),
        cause: Arc::new(cause),
        lane: Lane::Event,
        deadline: Instant::now() + PATIENCE,
        expected: None,
        creates,
        answer: Box::new(|_, _, _| Bytes::new()),
    };
    match registry.ask(target, ask).await {
        Ok(answer) => {
            if let Outcome::Rejected(reason) = &answer.outcome {
                tracing::info!(kind = A::KIND, %target, %reason, "an event met a domain's no");
            }
            Ok(Handled::Done)
        }
        Err(error) => taken(error),
    }
}

/// What a reaction's failure means for its event.
fn taken(error: AskError) -> Result<Handled, HandleError> {
    match error {
        AskError::Refused(_) | AskError::NotFound => Ok(Handled::Done),
        AskError::Busy { .. }
        | AskError::DeadlineExceeded
        | AskError::Conflict
        | AskError::Unavailable(_)
        | AskError::Stopping => Err(HandleError::Retry(error.to_string())),
        // A panic or a refused write may pass (a release that is being rolled out): tried a few times before it is
        // parked.
        AskError::Internal(_) => Err(HandleError::Failed(error.to_string())),
        AskError::EtagMismatch { .. } | AskError::RequestIdReused => {
            Err(HandleError::Poison(error.to_string()))
        }
    }
}

/// The message in an event.
///
/// # Errors
/// [`HandleError::Poison`] when it cannot be decoded, or was published under another event's subject: what one may
/// publish is ruled by subject.
pub fn decode<M: callboard_proto::Event + Default>(event: &Event) -> Result<M, HandleError> {
    if (event.context.as_str(), event.name.as_str()) != (M::CONTEXT, M::SUBJECT) {
        return Err(HandleError::Poison(format!(
            "{} belongs under {}.{}, not under {}.{}",
            M::TYPE,
            M::CONTEXT,
            M::SUBJECT,
            event.context,
            event.name
        )));
    }
    M::decode(event.payload.as_ref())
        .map_err(|error| HandleError::Poison(format!("{} does not decode: {error}", event.kind)))
}

/// An id in an event's message.
///
/// # Errors
/// [`HandleError::Poison`] when it is no UUID.
pub fn event_id<I: From<Uuid>>(field: &str, text: &str) -> Result<I, HandleError> {
    text.parse::<Uuid>().map(I::from).map_err(|_| HandleError::Poison(format!("{field} is no UUID")))
}
