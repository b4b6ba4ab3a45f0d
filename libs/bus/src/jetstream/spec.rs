//! What a context's stream looks like.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};

use super::difference::Comparison;
use super::{ConfigDifference, Nats};
use crate::{all_of, stream_name};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The stream of one producing context. Names and subjects follow from the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// The producing context, lower case.
    pub context: String,
    /// Copies in the cluster: 1 on one server, 3 in production.
    pub replicas: usize,
    /// How long events stay. Not longer than the outbox keeps them, so that the stream can be built again whole.
    pub max_age: Duration,
    /// How large the stream may become, in bytes; the oldest go first. -1: as large as the server allows.
    pub max_bytes: i64,
    /// Within it the server answers a repeated event id with where it is. A convenience: nothing rests on it.
    pub duplicate_window: Duration,
}

impl StreamSpec {
    /// Seven days, one copy, no limit of size.
    pub fn new(context: impl Into<String>) -> Self {
        Self {
            context: context.into(),
            replicas: 1,
            max_age: 7 * DAY,
            max_bytes: -1,
            duplicate_window: Duration::from_secs(120),
        }
    }

    /// The stream's name.
    pub fn name(&self) -> String {
        stream_name(&self.context)
    }

    fn config(&self) -> Config {
        Config {
            name: self.name(),
            description: Some(format!("Events of {}, written by its relay alone", self.context)),
            subjects: vec![all_of(&self.context)],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            num_replicas: self.replicas,
            max_age: self.max_age,
            max_bytes: self.max_bytes,
            max_messages: -1,
            max_messages_per_subject: -1,
            max_consumers: -1,
            max_message_size: -1,
            duplicate_window: self.duplicate_window.min(self.max_age),
            ..Config::default()
        }
    }

    /// Makes the stream if it is not there, and compares what is there with what was asked for. An existing stream
    /// is never changed.
    ///
    /// # Errors
    /// [`SpecError::Differs`] names the field.
    pub async fn ensure(&self, nats: &Nats) -> Result<(), SpecError> {
        let asked = self.config();
        let stream = nats
            .jetstream()
            .get_or_create_stream(asked.clone())
            .await
            .map_err(|error| SpecError::Unavailable(error.to_string()))?;
        compare(&asked, stream.cached_info())?;
        Ok(())
    }
}

fn compare(asked: &Config, info: &Info) -> Result<(), ConfigDifference> {
    let found = &info.config;
    Comparison::of(format!("stream {}", asked.name))
        .field("subjects", &asked.subjects, &found.subjects)
        .field("retention", &asked.retention, &found.retention)
        .field("storage", &asked.storage, &found.storage)
        .field("discard", &asked.discard, &found.discard)
        .field("num_replicas", &asked.num_replicas, &found.num_replicas)
        .field("max_age", &asked.max_age, &found.max_age)
        .field("max_bytes", &asked.max_bytes, &found.max_bytes)
        .field("max_msgs", &asked.max_messages, &found.max_messages)
        .field("max_msgs_per_subject", &asked.max_messages_per_subject, &found.max_messages_per_subject)
        .field("max_consumers", &asked.max_consumers, &found.max_consumers)
        .field("max_msg_size", &asked.max_message_size, &found.max_message_size)
        .field("duplicate_window", &asked.duplicate_window, &found.duplicate_window)
        .field("no_ack", &asked.no_ack, &found.no_ack)
        .field("sealed", &asked.sealed, &found.sealed)
        .field("mirror", &asked.mirror.is_some(), &found.mirror.is_some())
        .field("sources", &asked.sources.is_some(), &found.sources.is_some())
        .result()
}

/// The stream is not as asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SpecError {
    /// It is there and looks otherwise.
    #[error(transparent)]
    Differs(#[from] ConfigDifference),
    /// The server did not answer, or refused to make it.
    #[error("the stream cannot be made: {0}")]
    Unavailable(String),
}
