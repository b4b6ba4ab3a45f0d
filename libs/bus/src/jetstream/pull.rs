//! A durable pull consumer.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, ReplayPolicy, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{AckKind, ErrorCode};
use callboard_kernel::Timestamp;
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio::time::timeout;

use super::Nats;
use super::difference::Comparison;
use crate::event::matches;
use crate::{ConfigDifference, Delivery, Settle, SubscribeError, Subscription, cloudevents, stream_name};

/// How long it may take to hand something to the client.
const SEND_LIMIT: Duration = Duration::from_secs(2);

/// What a durable is made of.
#[derive(Debug, Clone)]
pub(crate) struct Durable {
    pub(crate) name: String,
    pub(crate) context: String,
    /// Subjects, none within another.
    pub(crate) filters: Vec<String>,
    pub(crate) ack_wait: Duration,
    pub(crate) max_ack_pending: i64,
    /// The caller is the only reader: what an earlier one took and did not acknowledge comes first, in order.
    pub(crate) only_reader: bool,
    /// Where it begins when it is made; `None`: with the oldest event.
    pub(crate) since: Option<Timestamp>,
}

impl Durable {
    pub(crate) fn takes(&self, subject: &str) -> bool {
        self.filters.iter().any(|filter| matches(filter, subject))
    }

    fn config(&self, deliver_policy: DeliverPolicy) -> pull::Config {
        let (filter_subject, filter_subjects) = match self.filters.as_slice() {
            [one] => (one.clone(), Vec::new()),
            several => (String::new(), several.to_vec()),
        };
        pull::Config {
            durable_name: Some(self.name.clone()),
            description: Some(format!("{} reads {}", self.name, self.context)),
            deliver_policy,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            // Without end: a limit drops messages without a word.
            max_deliver: -1,
            filter_subject,
            filter_subjects,
            replay_policy: ReplayPolicy::Instant,
            max_ack_pending: self.max_ack_pending,
            ..pull::Config::default()
        }
    }

    fn compare(&self, found: &async_nats::jetstream::consumer::Config) -> Result<(), ConfigDifference> {
        let asked = self.config(DeliverPolicy::All);
        Comparison::of(format!("consumer {}", self.name))
            .field("durable_name", &asked.durable_name, &found.durable_name)
            .field("filter_subject", &asked.filter_subject, &found.filter_subject)
            .field("filter_subjects", &asked.filter_subjects, &found.filter_subjects)
            .field("ack_policy", &asked.ack_policy, &found.ack_policy)
            .field("ack_wait", &asked.ack_wait, &found.ack_wait)
            .field("max_deliver", &asked.max_deliver, &found.max_deliver)
            .field("max_ack_pending", &asked.max_ack_pending, &found.max_ack_pending)
            .field("replay_policy", &asked.replay_policy, &found.replay_policy)
            .field("deliver_subject", &None, &found.deliver_subject)
            .field("headers_only", &asked.headers_only, &found.headers_only)
            .field("backoff", &asked.backoff, &found.backoff)
            .result()
    }
}

/// Removes a durable; it may be gone, and its stream, too.
pub(crate) async fn remove_durable(nats: &Nats, context: &str, name: &str) -> Result<(), SubscribeError> {
    let stream = match nats.jetstream().get_stream(stream_name(context)).await {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                GetStreamErrorKind::JetStream(server)
                    if server.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(())
                }
                _ => Err(unavailable(error)),
            };
        }
    };
    match stream.consumer_info(name).await {
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unavailable(error)),
        Ok(_) => {}
    }
    stream.delete_consumer(name).await.map(drop).map_err(unavailable)
}

/// An open durable.
pub(crate) struct PullSubscription {
    nats: Nats,
    stream_name: String,
    consumer: PullConsumer,
    messages: pull::Stream,
}

impl PullSubscription {
    /// Opens a durable; makes it when it is not there.
    ///
    /// A durable that is there and looks otherwise is brought to what is asked for where the server allows it (a
    /// new release may well ask for another `ack_wait`); what still differs then is an error.
    pub(crate) async fn open(nats: &Nats, durable: &Durable) -> Result<Self, SubscribeError> {
        let stream_name = stream_name(&durable.context);
        let stream = nats.jetstream().get_stream(&stream_name).await.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(server) if server.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                SubscribeError::Missing(format!("stream {stream_name}"))
            }
            _ => unavailable(error),
        })?;
        let start = match stream.consumer_info(&durable.name).await {
            Ok(info) => Self::resume(&stream, durable, info).await?,
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Some(
                durable
                    .since
                    .map_or(DeliverPolicy::All, |start_time| DeliverPolicy::ByStartTime { start_time }),
            ),
            Err(error) => return Err(unavailable(error)),
        };
        if let Some(deliver_policy) = start {
            stream.create_consumer(durable.config(deliver_policy)).await.map_err(unavailable)?;
        }
        let consumer: PullConsumer = stream.get_consumer(&durable.name).await.map_err(unavailable)?;
        durable.compare(&consumer.cached_info().config)?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(usize::try_from(durable.max_ack_pending).unwrap_or(1).max(1))
            .expires(Duration::from_secs(30))
            // Two missed beats end the stream with an error, and the consumer opens anew.
            .heartbeat(Duration::from_secs(3))
            .messages()
            .await
            .map_err(unavailable)?;
        Ok(Self { nats: nats.clone(), stream_name, consumer, messages })
    }

    /// Looks at a durable that is there. Answers from where to make it anew, if it must be.
    async fn resume(
        stream: &Stream,
        durable: &Durable,
        info: async_nats::jetstream::consumer::Info,
    ) -> Result<Option<DeliverPolicy>, SubscribeError> {
        if durable.compare(&info.config).is_err() {
            let change = durable.config(info.config.deliver_policy);
            stream.update_consumer(change).await.map_err(|error| {
                tracing::error!(%error, consumer = durable.name, "the durable cannot be changed");
                match durable.compare(&info.config) {
                    Err(difference) => SubscribeError::Differs(difference),
                    Ok(()) => unavailable(error),
                }
            })?;
        }
        if !durable.only_reader || info.num_ack_pending == 0 {
            return Ok(None);
        }
        // An earlier reader took messages and died. The server would hand out what follows them first, and them
        // only after `ack_wait`: neighbouring events of a key in the wrong order. So the durable begins again right
        // behind the last one below which all is acknowledged. What comes twice is harmless: receipts answer.
        // Should this process die in between, the durable is made from the beginning of the stream: harmless too.
        let start_sequence = info.ack_floor.stream_sequence + 1;
        tracing::info!(
            consumer = durable.name,
            start_sequence,
            pending = info.num_ack_pending,
            "begins again"
        );
        stream.delete_consumer(&durable.name).await.map_err(unavailable)?;
        Ok(Some(DeliverPolicy::ByStartSequence { start_sequence }))
    }
}

fn unavailable(error: impl std::fmt::Display) -> SubscribeError {
    SubscribeError::Unavailable(error.to_string())
}

impl Subscription for PullSubscription {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivery, SubscribeError>> {
        Box::pin(async move {
            let message = match self.messages.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    return Err(match error.kind() {
                        pull::MessagesErrorKind::ConsumerDeleted | pull::MessagesErrorKind::NoResponders => {
                            SubscribeError::Missing(self.consumer.cached_info().name.clone())
                        }
                        _ => unavailable(error),
                    });
                }
                None => return Err(unavailable("the subscription ended")),
            };
            let sequence = message.info().map_err(unavailable)?.stream_sequence;
            let (message, acker) = message.split();
            let event = cloudevents::decode(
                &message.subject,
                message.headers.as_ref(),
                message.payload,
                (&self.stream_name, sequence),
            );
            let settle = AckSubject { acker, nats: self.nats.clone() };
            Ok(Delivery { sequence, event, settle: Arc::new(settle) })
        })
    }

    fn lag(&mut self) -> BoxFuture<'_, Result<u64, SubscribeError>> {
        Box::pin(async move {
            let info = self.consumer.get_info().await.map_err(unavailable)?;
            Ok(info.num_pending + info.num_ack_pending as u64)
        })
    }

    fn flush(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Without a server the client would wait for one, and with it whoever stops this process.
            match timeout(SEND_LIMIT, self.nats.client().flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "acknowledgements may be lost; the messages come again");
                }
                Err(_) => tracing::debug!("acknowledgements may be lost; the messages come again"),
            }
        })
    }
}

struct AckSubject {
    acker: Acker,
    nats: Nats,
}

impl AckSubject {
    /// What is sent without a connection waits in the client, which holds a limited number of such things and then
    /// keeps everybody waiting: so not for ever.
    async fn send(&self, kind: AckKind) {
        match timeout(SEND_LIMIT, self.acker.ack_with(kind)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a lost acknowledgement: the message comes again"),
            Err(_) => tracing::debug!("a lost acknowledgement: the message comes again"),
        }
    }
}

impl Settle for AckSubject {
    fn ack(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.send(AckKind::Ack))
    }

    fn progress(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // Told later it would mean nothing, and would take the place of what does.
            if self.nats.is_connected() {
                self.send(AckKind::Progress).await;
            }
        })
    }
}
