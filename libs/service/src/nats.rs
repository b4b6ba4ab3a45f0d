//! NATS: the connection, and the news of ended sessions.

use std::time::Duration;
use std::{path::Path, sync::Arc};

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use callboard_auth::Revocations;
use callboard_kernel::{Clock, Timestamp};
use callboard_proto::Event;
use callboard_proto::directory::v1::PrincipalTokensRevoked;
use chrono::{DateTime, TimeDelta};
use futures::StreamExt;
use parking_lot::Mutex;
use prost::Message;
use secrecy::ExposeSecret;

use crate::config::NatsConfig;
use crate::lifecycle::BoxError;

/// The oldest server that is supported: older ones ignore parts of a consumer's configuration without a word.
pub const OLDEST_NATS: (u32, u32) = (2, 10);

/// Connects, and keeps connecting for as long as the client lives.
///
/// # Errors
/// A missing address, credentials that cannot be read, a server that is not there or too old.
pub async fn connect(config: &NatsConfig, service: &str) -> Result<async_nats::Client, BoxError> {
    let url = config.url.expose_secret();
    if url.is_empty() {
        return Err("nats.url is required".into());
    }
    let mut options = async_nats::ConnectOptions::new()
        .name(format!("callboard-{service}"))
        .connection_timeout(Duration::from_secs(5))
        .ping_interval(Duration::from_secs(10));
    if !config.credentials_file.is_empty() {
        options = options.credentials_file(Path::new(&config.credentials_file)).await?;
    }
    let servers: Vec<&str> = url.split(',').map(str::trim).collect();
    let client = options.connect(servers).await.map_err(|error| error.to_string())?;
    let version = client.server_info().version;
    if is_too_old(&version) {
        let (major, minor) = OLDEST_NATS;
        return Err(format!("nats-server {version} is too old: {major}.{minor} or newer is needed").into());
    }
    Ok(client)
}

fn is_too_old(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) < OLDEST_NATS
}

/// Follows `principal.tokens_revoked`: first what was said within `window` (the longest life of a token), then live.
#[derive(Debug)]
pub(crate) struct RevocationFeed {
    pub client: async_nats::Client,
    pub revocations: Arc<Revocations>,
    pub clock: Arc<dyn Clock>,
    pub window: TimeDelta,
    /// `None`: not yet caught up. `Some(Err)`: lost, and why.
    pub state: Arc<Mutex<Option<Result<(), String>>>>,
}

impl RevocationFeed {
    /// Runs until dropped; begins again after every failure.
    pub async fn run(self) {
        let mut since = self.clock.now() - self.window;
        loop {
            let began = self.clock.now();
            let problem = match self.follow(since).await {
                Ok(never) => match never {},
                Err(problem) => problem,
            };
            // Whatever came while we were away is read again; telling it twice does no harm.
            since = since.max(began - TimeDelta::minutes(1));
            *self.state.lock() = Some(Err(problem));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn follow(&self, since: Timestamp) -> Result<std::convert::Infallible, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let jetstream = jetstream::new(self.client.clone());
        let name = callboard_bus::stream_name(PrincipalTokensRevoked::CONTEXT);
        let stream = match jetstream.get_stream(&name).await {
            Ok(stream) => stream,
            Err(error) => {
                // Nobody has ended a session where nobody has ever published.
                if is_missing(&error) {
                    *self.state.lock() = Some(Ok(()));
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Err(text(&error));
            }
        };
        let start_time = std::time::SystemTime::from(since).into();
        let subject =
            callboard_bus::subject("*", PrincipalTokensRevoked::CONTEXT, PrincipalTokensRevoked::SUBJECT);
        let config = pull::Config {
            filter_subject: subject,
            deliver_policy: DeliverPolicy::ByStartTime { start_time },
            ack_policy: AckPolicy::None,
            inactive_threshold: Duration::from_secs(60),
            memory_storage: true,
            ..pull::Config::default()
        };
        let mut consumer = stream.create_consumer(config).await.map_err(|error| text(&error))?;
        let mut behind = consumer.info().await.map_err(|error| text(&error))?.num_pending;
        let mut messages = consumer.messages().await.map_err(|error| text(&error))?;
        if behind == 0 {
            *self.state.lock() = Some(Ok(()));
        }
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| text(&error))?;
            self.take(&message.payload);
            behind = behind.saturating_sub(1);
            if behind == 0 {
                *self.state.lock() = Some(Ok(()));
            }
        }
        Err("the subscription ended".to_owned())
    }

    fn take(&self, payload: &[u8]) {
        let Ok(event) = PrincipalTokensRevoked::decode(payload) else {
            tracing::error!("an event of ended sessions cannot be decoded");
            return;
        };
        let Ok(key) = event.subject_id.parse() else {
            tracing::error!("an event of ended sessions names no subject");
            return;
        };
        let at = event
            .revoke_time
            .and_then(|at| DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).unwrap_or_default()))
            .unwrap_or_else(|| self.clock.now());
        self.revocations.revoke(key, event.min_epoch, at);
        metrics::counter!("callboard_auth_revocations_total").increment(1);
    }
}

fn is_missing(error: &jetstream::context::GetStreamError) -> bool {
    use jetstream::context::GetStreamErrorKind;
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_before_2_10_are_refused() {
        for (version, old) in
            [("2.9.10", true), ("2.10.0", false), ("2.15.1", false), ("3.0.0-RC.1", false), ("", true)]
        {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }
}
