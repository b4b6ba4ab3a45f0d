//! A stream as its only writer sees it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use callboard_kernel::EventId;
use futures::StreamExt;

use super::{Nats, SpecError, StreamSpec, server_code};
use crate::{Event, PublishError, StreamLog, StreamTail, all_of, cloudevents, metric};

/// Publishes in flight at once. Whatever is not stored makes every later one of the batch fail: order is never broken.
const WINDOW: usize = 256;

/// The stream of a context on JetStream.
#[derive(Debug, Clone)]
pub struct JetStreamLog {
    nats: Nats,
    spec: Arc<StreamSpec>,
}

impl JetStreamLog {
    /// The stream of `spec`. It is made when first needed and not there.
    pub fn new(nats: Nats, spec: StreamSpec) -> Self {
        Self { nats, spec: Arc::new(spec) }
    }

    async fn stream(&self) -> Result<Stream, PublishError> {
        let name = self.spec.name();
        match self.nats.jetstream().get_stream(&name).await {
            Ok(stream) => Ok(stream),
            Err(error) if is_missing(&error) => {
                tracing::info!(stream = name, "the stream is not there and is made");
                self.spec.ensure(&self.nats).await?;
                self.nats.jetstream().get_stream(&name).await.map_err(unavailable)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The message of one event. `behind`: the event before it in the same batch.
    ///
    /// The sequence alone is not enough within a pipeline: were the stream further on than this writer thinks, the
    /// first messages would be refused and a later one, whose number then happens to fit, would be taken. So each but
    /// the first also names the message it must follow. (The first cannot: servers forget ids with time.)
    fn message(&self, event: &Event, expected_last: u64, behind: Option<&Event>) -> PublishMessage {
        let headers: HeaderMap = cloudevents::encode(event);
        let message = PublishMessage::build()
            .payload(event.payload.clone())
            .headers(headers)
            .message_id(event.id.to_string())
            .expected_stream(self.spec.name())
            .expected_last_sequence(expected_last);
        match behind {
            Some(before) => message.expected_last_message_id(before.id.to_string()),
            None => message,
        }
    }
}

impl From<SpecError> for PublishError {
    fn from(error: SpecError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn unavailable(error: impl std::fmt::Display) -> PublishError {
    PublishError::Unavailable(error.to_string())
}

/// The last sequence of a context's stream; 0 when there is none. Makes nothing.
pub(crate) async fn last_sequence(nats: &Nats, context: &str) -> Result<u64, PublishError> {
    match nats.jetstream().get_stream(crate::stream_name(context)).await {
        Ok(stream) => Ok(stream.cached_info().state.last_sequence),
        Err(error) if is_missing(&error) => Ok(0),
        Err(error) => Err(unavailable(error)),
    }
}

fn is_missing(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::context::GetStreamErrorKind as Kind;
    matches!(error.kind(), Kind::JetStream(server) if server.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

impl StreamLog for JetStreamLog {
    async fn tail(&self) -> Result<StreamTail, PublishError> {
        let stream = self.stream().await?;
        let last_sequence = stream.cached_info().state.last_sequence;
        if last_sequence == 0 || stream.cached_info().state.messages == 0 {
            return Ok(StreamTail { last_sequence, last_event: None });
        }
        let last_event = match stream.get_raw_message(last_sequence).await {
            Ok(message) => cloudevents::event_id(Some(&message.headers)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
            Err(error) if server_code(&error) == Some(ErrorCode::NO_MESSAGE_FOUND) => None,
            Err(error) => return Err(unavailable(error)),
        };
        Ok(StreamTail { last_sequence, last_event })
    }

    async fn events_from(&self, sequence: u64, limit: usize) -> Result<Vec<(u64, EventId)>, PublishError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let stream = self.stream().await?;
        let consumer = stream
            .create_consumer(pull::Config {
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: sequence.max(1) },
                ack_policy: AckPolicy::None,
                headers_only: true,
                memory_storage: true,
                num_replicas: 1,
                inactive_threshold: Duration::from_secs(30),
                ..pull::Config::default()
            })
            .await
            .map_err(unavailable)?;
        let pending = usize::try_from(consumer.cached_info().num_pending).unwrap_or(usize::MAX);
        let wanted = pending.min(limit);
        let mut found = Vec::with_capacity(wanted);
        if wanted > 0 {
            let mut messages = consumer.fetch().max_messages(wanted).messages().await.map_err(unavailable)?;
            while let Some(message) = messages.next().await {
                let message = message.map_err(unavailable)?;
                let at = message.info().map_err(unavailable)?.stream_sequence;
                // A message without an id is not ours; the nil id is in no outbox, so the relay sees a stranger.
                let id =
                    cloudevents::event_id(message.headers.as_ref()).unwrap_or(EventId(uuid::Uuid::nil()));
                found.push((at, id));
            }
        }
        let name = consumer.cached_info().name.clone();
        if let Err(error) = stream.delete_consumer(&name).await {
            tracing::debug!(%error, "an ephemeral consumer goes by itself");
        }
        if found.len() < wanted {
            return Err(PublishError::Unavailable(format!("{} of {wanted} messages came", found.len())));
        }
        Ok(found)
    }

    async fn publish(&self, events: &[Event], expected_last: u64) -> (Vec<u64>, Option<PublishError>) {
        let began = Instant::now();
        let mut stored = Vec::with_capacity(events.len());
        let mut waiting = VecDeque::with_capacity(WINDOW);
        let mut stopped = None;
        let mut failed = None;
        for (index, event) in events.iter().enumerate() {
            if let Err(reason) = cloudevents::check(event) {
                stopped = Some(PublishError::Refused { index, reason });
                break;
            }
            let expected = expected_last + index as u64;
            let behind = index.checked_sub(1).and_then(|before| events.get(before));
            let message = self.message(event, expected, behind);
            match self.nats.jetstream().send_publish(event.subject(), message).await {
                Ok(ack) => waiting.push_back(ack),
                Err(error) => {
                    stopped = Some(classify(&error, index));
                    break;
                }
            }
            if waiting.len() >= WINDOW
                && let Some(ack) = waiting.pop_front()
                && let Err(error) = settle(ack, expected_last, &mut stored).await
            {
                failed = Some(error);
                break;
            }
        }
        // What was sent before the stop may have been stored: the answers tell. The first one that is no success
        // ends the prefix, whatever follows it.
        while failed.is_none()
            && let Some(ack) = waiting.pop_front()
        {
            failed = settle(ack, expected_last, &mut stored).await.err();
        }
        metrics::counter!(
            metric::SENT,
            "messaging_system" => "nats",
            "messaging_destination_template" => all_of(&self.spec.context),
        )
        .increment(stored.len() as u64);
        metrics::histogram!(
            metric::OPERATION_DURATION,
            "messaging_system" => "nats",
            "messaging_operation_name" => "publish",
            "messaging_destination_template" => all_of(&self.spec.context),
        )
        .record(began.elapsed());
        (stored, failed.or(stopped))
    }

    async fn recreate(&self) -> Result<(), PublishError> {
        match self.nats.jetstream().delete_stream(self.spec.name()).await {
            Ok(_) => {}
            Err(error) if server_code(&error) == Some(ErrorCode::STREAM_NOT_FOUND) => {}
            Err(error) => {
                // The error may not carry its code: what counts is whether the stream is still there.
                match self.nats.jetstream().get_stream(self.spec.name()).await {
                    Err(missing) if is_missing(&missing) => {}
                    _ => return Err(unavailable(error)),
                }
            }
        }
        self.spec.ensure(&self.nats).await?;
        Ok(())
    }
}

/// Waits for one answer. What it says must be the next number: anything else (a duplicate known from before above
/// all) means that the stream is not where the caller thinks.
async fn settle(
    ack: async_nats::jetstream::context::PublishAckFuture,
    expected_last: u64,
    stored: &mut Vec<u64>,
) -> Result<(), PublishError> {
    let index = stored.len();
    match ack.await {
        Ok(ack) if !ack.duplicate && ack.sequence == expected_last + index as u64 + 1 => {
            stored.push(ack.sequence);
            Ok(())
        }
        Ok(_) => Err(PublishError::WrongLastSequence),
        Err(error) => Err(classify(&error, index)),
    }
}

fn classify(error: &async_nats::jetstream::context::PublishError, index: usize) -> PublishError {
    match error.kind() {
        PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => {
            PublishError::WrongLastSequence
        }
        PublishErrorKind::MaxPayloadExceeded => PublishError::Refused { index, reason: error.to_string() },
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending => unavailable(error),
        PublishErrorKind::Other => match server_code(error) {
            Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM) => {
                PublishError::Refused { index, reason: error.to_string() }
            }
            _ => unavailable(error),
        },
    }
}
