//! A call by hand that changes an aggregate.

use std::sync::Arc;

use bytes::Bytes;
use callboard_actor::{Ask, Lane, Registry, Store};
use callboard_kernel::{Aggregate, Cause, CommandId, ErrorKind, Principal, Refusal, Version};
use uuid::Uuid;

use crate::request::{self, Deadline};
use crate::telemetry;

/// What a mutating request says besides its command: who, until when, under which id (AIP-155), seen at which version
/// (AIP-154).
#[derive(Debug, Clone)]
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
        Ok(Self {
            command_id: request::command_id(&principal, rpc, request_id)?,
            deadline: request::deadline(request),
            fingerprint: request::fingerprint(request.get_ref()),
            expected: None,
            creates: false,
            principal,
        })
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
            answer: Box::new(move |state, events, version| {
                Bytes::from(answer(state, events, version).encode_to_vec())
            }),
        };
        let answer = registry.ask(id, ask).await?;
        R::decode(answer.bytes)
            .map_err(|error| Refusal::new(ErrorKind::Internal, "INTERNAL", error.to_string()))
    }
}
