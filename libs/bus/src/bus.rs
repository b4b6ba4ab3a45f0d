//! The bus as services hold it.

use bytes::Bytes;
use callboard_kernel::EventId;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::jetstream::{Durable, PullSubscription, remove_durable, tail_one};
use crate::tail::OneItem;
use crate::{
    Event, JetStreamLog, MemBus, MemLog, Nats, PublishError, SpecError, StreamLog, StreamSpec, StreamTail,
    SubscribeError, Subscription, TailFrom, TailItem,
};

/// What carries events: NATS, or this process's memory in tests. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// JetStream.
    Nats(Nats),
    /// Memory.
    Memory(MemBus),
}

impl Bus {
    /// Makes a context's stream if it is not there, and compares what is there with what was asked for.
    ///
    /// # Errors
    /// [`SpecError::Differs`] names the field; it never goes away by itself.
    pub async fn ensure_stream(&self, spec: &StreamSpec) -> Result<(), SpecError> {
        match self {
            Self::Nats(nats) => spec.ensure(nats).await,
            Self::Memory(memory) => {
                memory.ensure(&spec.context);
                Ok(())
            }
        }
    }

    /// A context's stream, to write it. Only its relay may.
    pub fn log(&self, spec: StreamSpec) -> Log {
        match self {
            Self::Nats(nats) => Log::JetStream(JetStreamLog::new(nats.clone(), spec)),
            Self::Memory(memory) => Log::Memory(memory.log(&spec.context)),
        }
    }

    /// Reads streams along: ordered within each, without gap or double whatever happens to connection and server.
    /// Ends never; drop it. Nothing is acknowledged and nothing kept: a reader who wants to resume remembers
    /// sequences.
    pub fn tail(&self, from: Vec<TailFrom>) -> BoxStream<'static, TailItem> {
        crate::tail::tail(self, from)
    }

    /// Tells all who listen to a topic now, in any process, and keeps nothing: for what is worthless a moment later,
    /// such as who is typing. Whoever is not connected misses it; while there is no connection it is lost.
    ///
    /// `topic` is `<context>.<what>`, lower-case letters, digits and dots.
    pub async fn whisper(&self, topic: &str, payload: Bytes) {
        match self {
            Self::Nats(nats) => {
                let sent = nats.client().publish(whispered(topic), payload).await;
                if let Err(error) = sent {
                    tracing::debug!(%error, topic, "a whisper was lost");
                }
            }
            Self::Memory(memory) => memory.whisper(topic, payload),
        }
    }

    /// What is whispered about a topic from now on, by any process, this one included. Survives lost connections;
    /// what was whispered meanwhile is missed.
    ///
    /// # Errors
    /// [`SubscribeError`] when the connection was closed for good.
    pub async fn listen(&self, topic: &str) -> Result<BoxStream<'static, Bytes>, SubscribeError> {
        Ok(match self {
            Self::Nats(nats) => nats
                .client()
                .subscribe(whispered(topic))
                .await
                .map_err(|error| SubscribeError::Unavailable(error.to_string()))?
                .map(|message| message.payload)
                .boxed(),
            Self::Memory(memory) => memory.listen(topic.to_owned()),
        })
    }

    /// The last sequence of a context's stream; 0 when the stream is not there (it is not made): where a reader who
    /// begins with what is new stands.
    ///
    /// # Errors
    /// [`PublishError::Unavailable`] when the server does not answer.
    pub async fn last_sequence(&self, context: &str) -> Result<u64, PublishError> {
        match self {
            Self::Nats(nats) => crate::jetstream::last_sequence(nats, context).await,
            Self::Memory(memory) => Ok(memory.events(context).len() as u64),
        }
    }

    /// True while events can flow: for readiness.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Nats(nats) => nats.is_connected(),
            Self::Memory(_) => true,
        }
    }

    /// Sends what is waiting and closes the connection. The last thing a process does.
    pub async fn close(&self) {
        match self {
            Self::Nats(nats) => nats.close().await,
            Self::Memory(_) => {}
        }
    }

    pub(crate) fn tail_one(&self, from: TailFrom) -> BoxStream<'static, OneItem> {
        match self {
            Self::Nats(nats) => tail_one(nats.clone(), from),
            Self::Memory(memory) => memory.tail_one(from),
        }
    }

    pub(crate) async fn remove_durable(&self, context: &str, name: &str) -> Result<(), SubscribeError> {
        match self {
            Self::Nats(nats) => remove_durable(nats, context, name).await,
            Self::Memory(memory) => {
                memory.remove_durable(context, name);
                Ok(())
            }
        }
    }

    pub(crate) async fn subscribe(&self, durable: &Durable) -> Result<Box<dyn Subscription>, SubscribeError> {
        Ok(match self {
            Self::Nats(nats) => Box::new(PullSubscription::open(nats, durable).await?),
            Self::Memory(memory) => Box::new(memory.open(durable)?),
        })
    }
}

/// The subject of a topic: none that a stream takes, whose subjects all begin with `callboard.`.
fn whispered(topic: &str) -> String {
    format!("callboard-whisper.{topic}")
}

impl From<Nats> for Bus {
    fn from(nats: Nats) -> Self {
        Self::Nats(nats)
    }
}

impl From<MemBus> for Bus {
    fn from(memory: MemBus) -> Self {
        Self::Memory(memory)
    }
}

/// A context's stream, to write it.
#[derive(Debug, Clone)]
pub enum Log {
    /// On JetStream.
    JetStream(JetStreamLog),
    /// In memory.
    Memory(MemLog),
}

impl StreamLog for Log {
    async fn tail(&self) -> Result<StreamTail, PublishError> {
        match self {
            Self::JetStream(log) => log.tail().await,
            Self::Memory(log) => log.tail().await,
        }
    }

    async fn events_from(&self, sequence: u64, limit: usize) -> Result<Vec<(u64, EventId)>, PublishError> {
        match self {
            Self::JetStream(log) => log.events_from(sequence, limit).await,
            Self::Memory(log) => log.events_from(sequence, limit).await,
        }
    }

    async fn publish(&self, events: &[Event], expected_last: u64) -> (Vec<u64>, Option<PublishError>) {
        match self {
            Self::JetStream(log) => log.publish(events, expected_last).await,
            Self::Memory(log) => log.publish(events, expected_last).await,
        }
    }

    async fn recreate(&self) -> Result<(), PublishError> {
        match self {
            Self::JetStream(log) => log.recreate().await,
            Self::Memory(log) => log.recreate().await,
        }
    }
}
