//! The bus: the connection to NATS, and the news of ended sessions.

use std::path::PathBuf;
use std::sync::Arc;

use callboard_auth::Revocations;
use callboard_bus::{Bus, Nats, NatsError, NatsOptions, Start, StreamSpec, TailFrom, TailItem};
use callboard_kernel::{Clock, Timestamp};
use callboard_proto::Event;
use callboard_proto::directory::v1::PrincipalTokensRevoked;
use chrono::TimeDelta;
use futures::StreamExt;
use prost::Message;
use secrecy::ExposeSecret;

use crate::config::NatsConfig;

/// Connects, and keeps connecting for as long as the bus lives.
///
/// # Errors
/// See [`NatsError`].
pub async fn connect(config: &NatsConfig, service: &str) -> Result<Bus, NatsError> {
    let mut options = NatsOptions::new("", format!("callboard-{service}"));
    options.servers = config.url.expose_secret().split(',').map(|url| url.trim().to_owned()).collect();
    if !config.credentials_file.is_empty() {
        options.credentials_file = Some(PathBuf::from(&config.credentials_file));
    }
    if !config.ca_file.is_empty() {
        options.root_certificates = Some(PathBuf::from(&config.ca_file));
    }
    options.require_tls = config.require_tls;
    Nats::connect(options).await.map(Bus::from)
}

/// True when it may go away by itself: the server is not there yet.
pub(crate) fn is_passing(error: &NatsError) -> bool {
    match error {
        NatsError::Connect(_) | NatsError::NoJetStream(_) => true,
        NatsError::Address(_) | NatsError::Credentials(_) | NatsError::TooOld { .. } => false,
    }
}

/// The stream that a service publishes to, with the replicas and the age of its configuration.
pub fn stream_spec(config: &NatsConfig, service: &str) -> StreamSpec {
    StreamSpec {
        replicas: config.stream_replicas,
        max_age: config.stream_max_age,
        ..StreamSpec::new(service)
    }
}

/// Follows `principal.tokens_revoked`: first what was said since `since`, then live.
#[derive(Debug)]
pub(crate) struct RevocationFeed {
    pub bus: Bus,
    pub revocations: Arc<Revocations>,
    pub clock: Arc<dyn Clock>,
}

impl RevocationFeed {
    /// Reads what was said within `window` (the longest time a token is accepted), then goes on for ever.
    pub async fn run(self, window: TimeDelta) {
        let from = TailFrom {
            context: PrincipalTokensRevoked::CONTEXT.to_owned(),
            start: Start::Time(self.clock.now() - window),
            filter: Some(callboard_bus::subject(
                "*",
                PrincipalTokensRevoked::CONTEXT,
                PrincipalTokensRevoked::SUBJECT,
            )),
        };
        let mut news = self.bus.tail(vec![from]);
        while let Some(item) = news.next().await {
            match item {
                TailItem::Event { event, .. } => self.take(&event.payload, event.time),
                TailItem::CaughtUp => self.revocations.caught_up(),
                // All comes again, which does no harm.
                TailItem::Rebuilt { .. } => {}
            }
        }
    }

    fn take(&self, payload: &[u8], said_at: Timestamp) {
        let Ok(event) = PrincipalTokensRevoked::decode(payload) else {
            tracing::error!("an event of ended sessions cannot be decoded");
            return;
        };
        let Ok(key) = event.subject_id.parse() else {
            tracing::error!("an event of ended sessions names no subject");
            return;
        };
        let at = event.revoke_time.and_then(|at| crate::convert::from_proto_time("revoke_time", &at).ok());
        self.revocations.revoke(key, event.min_epoch, at.unwrap_or(said_at));
        metrics::counter!("callboard_auth_revocations_total").increment(1);
    }
}
