//! A call by hand that changes an aggregate.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use callboard_actor::{Ask, AskError, Lane, Outcome, Registry, Store};
use callboard_kernel::{Aggregate, Cause, CommandId, ErrorKind, Principal, Refusal, Version};
use uuid::Uuid;

use crate::request::{self, Deadline};
use crate::telemetry;

/// What a mutating request says besides its command: who, until when, under which id (AIP-155), seen at which version
/// (AIP-154).
#[derive(Clone)]
pub struct Mutation {
    /// Who asks.
    pub principal: Arc<Principal>,
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// Names the command for good.
    pub command_id: CommandId,
    fingerprint: i64,
    expected: Option<Version>,
    creates: bool,
    about: Option<(&'static str, Uuid)>,
    telling: fn(AskError) -> Refusal,
}

impl fmt::Debug for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutation").field("command_id", &self.command_id).finish_non_exhaustive()
    }
}

impl Mutation {
    /// The mutation that a request is. `rpc` is the method's name: part of the command's id, so it must never change.
    ///
    /// # Errors
    /// Nobody asks; `request_id` is missing or no UUID.
    pub fn new<T: prost::Message>(
        request: &tonic::Request<T>,
        rpc: &str,
        request_id: &str,
    ) -> Result<Self, Refusal> {
        let principal = request::principal(request)?;
        let command_id = request::command_id(&principal, rpc, request_id)?;
        let deadline = request::deadline(request).0;
        Ok(Self::once(principal, command_id, deadline).as_of(request.get_ref()))
    }

    /// A mutation without a request that could be repeated: `command_id` is new, or derived from what it follows from.
    pub fn once(principal: Arc<Principal>, command_id: CommandId, deadline: Instant) -> Self {
        Self {
            principal,
            deadline: Deadline(deadline),
            command_id,
            fingerprint: 0,
            expected: None,
            creates: false,
            about: None,
            telling: Refusal::from,
        }
    }

    /// Told from other requests by this message instead of the one that came, such as by one without its secrets:
    /// the hash is kept, and that of a few digits could be worked out.
    #[must_use]
    pub fn as_of(mut self, message: &impl prost::Message) -> Self {
        self.fingerprint = request::fingerprint(message);
        self
    }

    /// Only at the version the caller saw; an empty tag stands for any.
    ///
    /// # Errors
    /// Names the field when it is no entity tag of ours.
    pub fn expecting(mut self, field: &str, etag: &str) -> Result<Self, Refusal> {
        if !etag.is_empty() {
            let version = Version::from_etag(etag);
            self.expected = Some(version.ok_or_else(|| Refusal::field(field, "is no entity tag of ours"))?);
        }
        Ok(self)
    }

    /// Makes a new aggregate under an id of its own: nothing needs to be read first.
    #[must_use]
    pub fn creating(mut self) -> Self {
        self.creates = true;
        self
    }

    /// What the request is about, in the words of the API: named where it is not there, or not to be seen.
    #[must_use]
    pub fn about(mut self, kind: &'static str, id: impl Into<Uuid>) -> Self {
        self.about = Some((kind, id.into()));
        self
    }

    /// Words for the failures of the store, where the service has better ones than [`Refusal::from`].
    #[must_use]
    pub fn telling(mut self, telling: fn(AskError) -> Refusal) -> Self {
        self.telling = telling;
        self
    }

    /// Asks the aggregate. `answer` makes the response from what is true after the command; a repeat of the request
    /// gets the same response.
    ///
    /// # Errors
    /// The domain's "no", or why it could not be asked.
    pub async fn ask<A: Aggregate, S: Store<A>, R: prost::Message + Default>(
        &self,
        registry: &Registry<A, S>,
        id: Uuid,
        command: A::Command,
        answer: impl Fn(&A::State, &[A::Event], Version) -> R + Send + Sync + 'static,
    ) -> Result<R, Refusal> {
        let answer = move |state: &A::State, events: &[A::Event], version| {
            Bytes::from(answer(state, events, version).encode_to_vec())
        };
        let kept = self.ask_bytes(registry, id, command, answer).await?;
        decode(kept)
    }

    /// As [`Self::ask`], for what has to be looked up first, which is where a service says "no such device", "not for
    /// you". A repeat of the request is answered as it was (AIP-155), whatever is gone, hidden or forbidden since.
    ///
    /// `prepared` yields whom to ask and what.
    ///
    /// # Errors
    /// That of `prepared` where the command was not carried out before; else as [`Self::ask`]. What a deleted
    /// aggregate once answered went with it (T-11): NOT_FOUND.
    pub async fn carry_out<A: Aggregate, S: Store<A>, R: prost::Message + Default>(
        &self,
        registry: &Registry<A, S>,
        prepared: impl Future<Output = Result<(Uuid, A::Command), Refusal>>,
        answer: impl Fn(&A::State, &[A::Event], Version) -> R + Send + Sync + 'static,
    ) -> Result<R, Refusal> {
        match prepared.await {
            Ok((id, command)) => self.ask(registry, id, command, answer).await,
            Err(refusal) => self.repeated(registry, refusal).await,
        }
    }

    /// As [`Self::ask`], with the bytes as they are kept.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn ask_bytes<A: Aggregate, S: Store<A>>(
        &self,
        registry: &Registry<A, S>,
        id: Uuid,
        command: A::Command,
        answer: impl Fn(&A::State, &[A::Event], Version) -> Bytes + Send + Sync + 'static,
    ) -> Result<Bytes, Refusal> {
        let ask = Ask {
            command,
            command_id: self.command_id,
            fingerprint: self.fingerprint,
            principal: Arc::clone(&self.principal),
            cause: Arc::new(Cause { traceparent: telemetry::current_traceparent(), ..Cause::default() }),
            lane: Lane::User,
            deadline: self.deadline.0,
            expected: self.expected,
            creates: self.creates,
            answer: Box::new(answer),
        };
        registry.ask(id, ask).await.map(|answer| answer.bytes).map_err(|error| self.told(error))
    }

    /// The answer that was given before; else `otherwise`, which kept the command from being asked. The command's id is
    /// made of caller, method and `request_id`, so nobody gets another's answer.
    ///
    /// # Errors
    /// `otherwise`, or that the id was used for another request.
    pub async fn repeated<A: Aggregate, S: Store<A>, R: prost::Message + Default>(
        &self,
        registry: &Registry<A, S>,
        otherwise: Refusal,
    ) -> Result<R, Refusal> {
        // Nothing was found out, so nothing can be known to be gone.
        if matches!(
            otherwise.kind,
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded | ErrorKind::Cancelled | ErrorKind::Internal
        ) {
            return Err(otherwise);
        }
        let receipt = registry.receipt(self.command_id).await.map_err(|error| self.told(error))?;
        let Some(receipt) = receipt else { return Err(otherwise) };
        if receipt.fingerprint != self.fingerprint {
            return Err(AskError::RequestIdReused.into());
        }
        match receipt.outcome {
            Outcome::Applied | Outcome::Nothing => decode(receipt.answer),
            Outcome::Erased => Err(self.named(Refusal::not_found("object"))),
            Outcome::Rejected(_) => Err(otherwise),
        }
    }

    fn told(&self, error: AskError) -> Refusal {
        let nothing_there = matches!(error, AskError::NotFound);
        let refusal = (self.telling)(error);
        match self.about {
            Some(_) if refusal.kind != ErrorKind::NotFound => refusal,
            Some(_) if nothing_there => self.named(refusal),
            Some((kind, id)) => refusal.of(kind, id),
            None => refusal,
        }
    }

    fn named(&self, refusal: Refusal) -> Refusal {
        self.about.map_or(refusal, |(kind, id)| Refusal::missing(kind, id))
    }
}

fn decode<R: prost::Message + Default>(kept: Bytes) -> Result<R, Refusal> {
    R::decode(kept)
        .map_err(|error| Refusal::new(ErrorKind::Internal, "INTERNAL", format!("a kept answer: {error}")))
}
