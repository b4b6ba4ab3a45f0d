//! The tail of one JetStream stream.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use futures::StreamExt;
use futures::stream::{BoxStream, unfold};

use super::Nats;
use crate::tail::OneItem;
use crate::{Start, TailFrom, cloudevents, stream_name};

const PAUSE: Duration = Duration::from_millis(200);

/// Reads one stream along, without end. Survives lost connections, restarted servers and streams built anew.
pub(crate) fn tail_one(nats: Nats, from: TailFrom) -> BoxStream<'static, OneItem> {
    let tail = Tail {
        stream: stream_name(&from.context),
        nats,
        from,
        last: 0,
        made: None,
        goal: 0,
        caught_up: false,
        open: None,
    };
    unfold(tail, |mut tail| async move {
        let item = tail.next().await;
        Some((item, tail))
    })
    .boxed()
}

struct Tail {
    nats: Nats,
    stream: String,
    from: TailFrom,
    /// The last sequence that was yielded (or that `Start` says to skip).
    last: u64,
    /// When the stream was made, as text: tells one that was built anew.
    made: Option<String>,
    /// Caught up when here.
    goal: u64,
    caught_up: bool,
    open: Option<Open>,
}

struct Open {
    messages: pull::Stream,
    /// The consumer's own count: a hole in it is a lost message.
    delivered: u64,
}

enum Opened {
    Open,
    Rebuilt,
    Missing,
}

impl Tail {
    async fn next(&mut self) -> OneItem {
        loop {
            if !self.caught_up && self.last >= self.goal && self.open.is_some() {
                self.caught_up = true;
                return OneItem::CaughtUp;
            }
            let Some(open) = &mut self.open else {
                match self.open().await {
                    Ok(Opened::Open) => {}
                    Ok(Opened::Rebuilt) => return OneItem::Rebuilt,
                    Ok(Opened::Missing) if !self.caught_up => {
                        self.caught_up = true;
                        // Whatever comes now is new, from its first event on.
                        self.from.start = Start::Beginning;
                        return OneItem::CaughtUp;
                    }
                    Ok(Opened::Missing) => tokio::time::sleep(PAUSE).await,
                    Err(error) => {
                        tracing::debug!(%error, stream = self.stream, "opens again");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                continue;
            };
            let message = match open.messages.next().await {
                Some(Ok(message)) => message,
                other => {
                    if let Some(Err(error)) = other {
                        tracing::debug!(%error, stream = self.stream, "opens again");
                    }
                    self.open = None;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(info) = message.info() else {
                self.open = None;
                continue;
            };
            let (sequence, pending) = (info.stream_sequence, info.pending);
            if info.consumer_sequence != open.delivered + 1 {
                tracing::debug!(stream = self.stream, "a message was lost on the way: opens again");
                self.open = None;
                continue;
            }
            open.delivered += 1;
            if sequence <= self.last {
                continue;
            }
            self.last = sequence;
            if pending == 0 {
                // With a filter the goal itself may never come.
                self.goal = self.goal.min(sequence);
            }
            let headers = message.headers.as_ref();
            match cloudevents::decode(
                &message.subject,
                headers,
                message.payload.clone(),
                (&self.stream, sequence),
            ) {
                Ok(event) => return OneItem::Event { sequence, event },
                Err(error) => tracing::warn!(stream = self.stream, sequence, error.reason, "passed over"),
            }
        }
    }

    async fn open(&mut self) -> Result<Opened, String> {
        let stream = match self.nats.jetstream().get_stream(&self.stream).await {
            Ok(stream) => stream,
            Err(error) => {
                return match error.kind() {
                    GetStreamErrorKind::JetStream(server)
                        if server.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                    {
                        Ok(Opened::Missing)
                    }
                    _ => Err(error.to_string()),
                };
            }
        };
        let info = stream.cached_info();
        let made = format!("{:?}", info.created);
        let first_time = self.made.is_none();
        if self.made.as_ref().is_some_and(|known| *known != made) {
            self.made = Some(made);
            self.last = 0;
            self.from.start = Start::Beginning;
            return Ok(Opened::Rebuilt);
        }
        self.made = Some(made);
        let end = info.state.last_sequence;
        if first_time {
            match self.from.start {
                // Said now, so that a connection lost before the first event leaves no gap.
                Start::New => self.last = end,
                Start::Sequence(sequence) => self.last = sequence.saturating_sub(1),
                Start::Beginning | Start::Time(_) => {}
            }
            self.goal = if info.state.messages == 0 { self.last } else { end };
        }
        let deliver_policy = match self.from.start {
            Start::Time(time) if self.last == 0 => DeliverPolicy::ByStartTime { start_time: time },
            _ => DeliverPolicy::ByStartSequence { start_sequence: self.last + 1 },
        };
        let consumer: PullConsumer = stream
            .create_consumer(pull::Config {
                deliver_policy,
                ack_policy: AckPolicy::None,
                filter_subject: self.from.filter.clone().unwrap_or_default(),
                memory_storage: true,
                num_replicas: 1,
                inactive_threshold: Duration::from_secs(30),
                ..pull::Config::default()
            })
            .await
            .map_err(|error| error.to_string())?;
        if consumer.cached_info().num_pending == 0 {
            self.goal = self.goal.min(self.last);
        }
        let messages = consumer
            .stream()
            .max_messages_per_batch(256)
            .expires(Duration::from_secs(30))
            .heartbeat(Duration::from_secs(3))
            .messages()
            .await
            .map_err(|error| error.to_string())?;
        self.open = Some(Open { messages, delivered: 0 });
        Ok(Opened::Open)
    }
}
