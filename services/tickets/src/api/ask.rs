//! What every handler goes through: who is asking, may they see it, ask the actor, answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use callboard_actor::{Ask, AskError, Lane};
use callboard_kernel::{Cause, Clock, CommandId, ErrorKind, Principal, Refusal, TicketId, Version};
use callboard_service::request;
use callboard_service::telemetry::current_traceparent;
use callboard_tickets_domain::{Command, Event, FlowSetAggregate, State, TicketAggregate};
use prost::Message;
use sqlx::PgPool;

use crate::events::inbound::{Flows, Tickets};
use crate::store::{Copies, Found, Numbers, ReadError, Reads, Viewer};

/// The answer given before. Of a deleted ticket none is left (T-11), but that of the deletion itself.
const REPEATED: &str =
    "select fingerprint, answer from command_receipt where command_id = $1 and outcome = 'applied'";

/// What the handlers share.
#[derive(Debug)]
pub struct Api {
    /// For receipts.
    pub pool: PgPool,
    /// The tickets.
    pub tickets: Tickets,
    /// The creation flows.
    pub flows: Flows,
    /// What is known of other contexts.
    pub copies: Copies,
    /// What is stored.
    pub reads: Reads,
    /// T-14.
    pub numbers: Numbers,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

/// A mutating call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) principal: Arc<Principal>,
    pub(super) command_id: CommandId,
    fingerprint: i64,
    deadline: Instant,
}

impl Call {
    /// The call that a request is.
    ///
    /// # Errors
    /// Unauthenticated, or names `request_id`.
    pub(super) fn new<T: Message>(
        request: &tonic::Request<T>,
        rpc: &str,
        request_id: &str,
    ) -> Result<Self, Refusal> {
        let principal = request::principal(request)?;
        Ok(Self {
            command_id: request::command_id(&principal, rpc, request_id)?,
            fingerprint: request::fingerprint(request.get_ref()),
            deadline: request::deadline(request).0,
            principal,
        })
    }

    fn cause() -> Arc<Cause> {
        Arc::new(Cause { traceparent: current_traceparent(), ..Cause::default() })
    }

    /// The command for a ticket; the answer is the whole response.
    pub(super) fn ask<R: Message>(
        &self,
        command: Command,
        expected: Option<Version>,
        creates: bool,
        answer: impl Fn(&State, &[Event], Version) -> R + Send + Sync + 'static,
    ) -> Ask<TicketAggregate> {
        Ask {
            command,
            command_id: self.command_id,
            fingerprint: self.fingerprint,
            principal: Arc::clone(&self.principal),
            cause: Self::cause(),
            lane: Lane::User,
            deadline: self.deadline,
            expected,
            creates,
            answer: Box::new(move |state, events, version| {
                Bytes::from(answer(state, events, version).encode_to_vec())
            }),
        }
    }

    /// The command for a template's flows.
    #[expect(clippy::type_complexity, reason = "as in `Ask`")]
    pub(super) fn ask_flows(
        &self,
        command: <FlowSetAggregate as callboard_kernel::Aggregate>::Command,
        expected: Option<Version>,
        answer: Box<
            dyn Fn(
                    &<FlowSetAggregate as callboard_kernel::Aggregate>::State,
                    &[<FlowSetAggregate as callboard_kernel::Aggregate>::Event],
                    Version,
                ) -> Bytes
                + Send
                + Sync,
        >,
    ) -> Ask<FlowSetAggregate> {
        Ask {
            command,
            command_id: self.command_id,
            fingerprint: self.fingerprint,
            principal: Arc::clone(&self.principal),
            cause: Self::cause(),
            lane: Lane::User,
            deadline: self.deadline,
            expected,
            creates: false,
            answer,
        }
    }
}

/// The version that the caller saw.
///
/// # Errors
/// Names `field` when it is none of ours.
pub(super) fn etag(field: &str, etag: &str) -> Result<Option<Version>, Refusal> {
    if etag.is_empty() {
        return Ok(None);
    }
    Version::from_etag(etag).map(Some).ok_or_else(|| Refusal::field(field, "an etag as it was answered"))
}

/// Reads the response out of a receipt.
///
/// # Errors
/// A receipt that does not decode: our fault.
pub(super) fn response<R: Message + Default>(bytes: &Bytes) -> Result<R, Refusal> {
    R::decode(bytes.as_ref())
        .map_err(|error| Refusal::new(ErrorKind::Internal, "INTERNAL", format!("a receipt: {error}")))
}

fn of_ask(error: AskError) -> Refusal {
    match error {
        AskError::NotFound => Refusal::not_found("ticket"),
        other => other.into(),
    }
}

impl Api {
    /// The caller as one who looks at tickets.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn viewer(&self, principal: &Principal) -> Result<Viewer, Refusal> {
        // Departments separate employees; nobody else's sight depends on the organisation's setting.
        let isolation = match principal.employee() {
            Some(employee) if !employee.departments.is_empty() => {
                self.copies.isolation(principal.organisation).await?
            }
            Some(_) | None => callboard_kernel::Isolation::Off,
        };
        Ok(Viewer::new(principal, isolation))
    }

    /// A ticket that the caller may see.
    ///
    /// # Errors
    /// `NOT_FOUND`, whether it is not there or not to be seen.
    pub(super) async fn visible(&self, principal: &Principal, id: TicketId) -> Result<Found, Refusal> {
        let viewer = self.viewer(principal).await?;
        self.reads.ticket(&viewer, id).await?.ok_or_else(|| Refusal::not_found("ticket"))
    }

    /// Asks a ticket that the caller may see. What the caller may do with it is decided by the ticket itself.
    ///
    /// A repeat is answered by its receipt, even where the first call deleted the ticket or hid it from the caller.
    ///
    /// # Errors
    /// `NOT_FOUND`, or what the ticket says.
    pub(super) async fn change<R: Message + Default>(
        &self,
        call: &Call,
        id: TicketId,
        ask: Ask<TicketAggregate>,
    ) -> Result<R, Refusal> {
        let viewer = self.viewer(&call.principal).await?;
        if self.reads.visible(&viewer, &[id.uuid()]).await?.is_empty() {
            return self.repeated(call, Refusal::not_found("ticket")).await;
        }
        self.ask(id, ask).await
    }

    /// Asks a ticket.
    ///
    /// # Errors
    /// What the ticket says.
    pub(super) async fn ask<R: Message + Default>(
        &self,
        id: TicketId,
        ask: Ask<TicketAggregate>,
    ) -> Result<R, Refusal> {
        let answer = self.tickets.ask(id.uuid(), ask).await.map_err(of_ask)?;
        response(&answer.bytes)
    }

    /// The answer of a call that was carried out before, whatever has changed since (AIP-155); else `otherwise`.
    ///
    /// # Errors
    /// `otherwise`, or that the id was used for another request.
    pub(super) async fn repeated<R: Message + Default>(
        &self,
        call: &Call,
        otherwise: Refusal,
    ) -> Result<R, Refusal> {
        let receipt: Option<(i64, Vec<u8>)> = sqlx::query_as(REPEATED)
            .bind(call.command_id.uuid())
            .fetch_optional(&self.pool)
            .await
            .map_err(ReadError::from)?;
        match receipt {
            None => Err(otherwise),
            Some((fingerprint, answer)) if fingerprint == call.fingerprint => response(&answer.into()),
            Some(_) => Err(AskError::RequestIdReused.into()),
        }
    }
}
