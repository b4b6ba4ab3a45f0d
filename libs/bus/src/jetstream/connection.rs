//! The connection to NATS.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, ServerAddr};

use crate::metric;

/// The oldest server that understands what is asked of it (subject transforms, metadata, consumer creation by name).
const OLDEST_SERVER: (i64, i64, i64) = (2, 10, 0);

/// How to reach NATS. Never printed whole: addresses, passwords and tokens stay out of its debug text.
#[derive(Clone)]
pub struct NatsOptions {
    /// `nats://host:port` or `tls://host:port`, one per server of the cluster. User and password may be part of it.
    pub servers: Vec<String>,
    /// Shown in the server's connection list: the service's name.
    pub name: String,
    /// User and password.
    pub user_password: Option<(String, String)>,
    /// A token.
    pub token: Option<String>,
    /// A `.creds` file (JWT and nkey seed).
    pub credentials_file: Option<PathBuf>,
    /// Root certificates (PEM) beside the system's.
    pub root_certificates: Option<PathBuf>,
    /// Refuses a connection without TLS.
    pub require_tls: bool,
    /// How long a server may take to answer a request. Also the limit of the first connection.
    pub request_timeout: Duration,
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("servers", &self.servers.len())
            .field("name", &self.name)
            .field("credentials_file", &self.credentials_file)
            .field("require_tls", &self.require_tls)
            .finish_non_exhaustive()
    }
}

impl NatsOptions {
    /// One server, no authentication.
    pub fn new(server: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            name: name.into(),
            user_password: None,
            token: None,
            credentials_file: None,
            root_certificates: None,
            require_tls: false,
            request_timeout: Duration::from_secs(5),
        }
    }
}

/// NATS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// An address makes no sense. It is not quoted, since it may hold a password; this is its place in the list,
    /// counted from 1.
    #[error("server {0} of the list is no address of the form nats://host:port")]
    Address(usize),
    /// The credentials file cannot be read.
    #[error("credentials file: {0}")]
    Credentials(#[source] std::io::Error),
    /// No server answered in time.
    #[error("no connection to NATS: {0}")]
    Connect(#[source] async_nats::ConnectError),
    /// The server is too old: it would ignore settings without a word.
    #[error("nats-server {found} is too old: at least 2.10.0 is needed")]
    TooOld {
        /// What the server says of itself.
        found: String,
    },
    /// The server has no JetStream.
    #[error("JetStream is not enabled on the server or for this account: {0}")]
    NoJetStream(String),
}

/// A connection to NATS that finds back by itself. Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub struct Nats(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    client: Client,
    context: jetstream::Context,
}

impl Nats {
    /// Connects and checks that the server is new enough and has JetStream. Later losses are survived: the client
    /// connects again for as long as it lives.
    ///
    /// # Errors
    /// See [`NatsError`].
    pub async fn connect(options: NatsOptions) -> Result<Self, NatsError> {
        let addresses = options
            .servers
            .iter()
            .zip(1..)
            .map(|(text, place)| text.parse::<ServerAddr>().map_err(|_| NatsError::Address(place)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut connect = ConnectOptions::new()
            .name(&options.name)
            .connection_timeout(options.request_timeout)
            .request_timeout(Some(options.request_timeout))
            .ping_interval(Duration::from_secs(10))
            .reconnect_delay_callback(|attempt| Duration::from_millis(50 * (1 << attempt.min(6)) as u64))
            .event_callback(|event| async move {
                match event {
                    async_nats::Event::Connected => metrics::gauge!(metric::CONNECTED).set(1.0),
                    async_nats::Event::Disconnected | async_nats::Event::Closed => {
                        metrics::gauge!(metric::CONNECTED).set(0.0);
                    }
                    _ => {}
                }
                tracing::info!(%event, "nats");
            });
        if let Some((user, password)) = options.user_password {
            connect = connect.user_and_password(user, password);
        }
        if let Some(token) = options.token {
            connect = connect.token(token);
        }
        if let Some(path) = options.credentials_file {
            connect = connect.credentials_file(path).await.map_err(NatsError::Credentials)?;
        }
        if let Some(path) = options.root_certificates {
            connect = connect.add_root_certificates(path);
        }
        if options.require_tls {
            connect = connect.require_tls(true);
        }
        let client = connect.connect(addresses).await.map_err(NatsError::Connect)?;
        let (major, minor, patch) = OLDEST_SERVER;
        if !client.is_server_compatible(major, minor, patch) {
            return Err(NatsError::TooOld { found: client.server_info().version });
        }
        let context = jetstream::context::ContextBuilder::new()
            .timeout(options.request_timeout)
            .ack_timeout(options.request_timeout)
            .build(client.clone());
        context.query_account().await.map_err(|error| NatsError::NoJetStream(error.to_string()))?;
        Ok(Self(Arc::new(Connection { client, context })))
    }

    /// True while connected: for readiness.
    pub fn is_connected(&self) -> bool {
        self.0.client.connection_state() == async_nats::connection::State::Connected
    }

    /// The client, for what this crate does not offer.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// JetStream on this connection.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.0.context
    }

    /// Sends what is waiting and closes the connection.
    pub async fn close(&self) {
        if let Err(error) = self.0.client.drain().await {
            tracing::debug!(%error, "closing the connection to NATS");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn neither_debug_text_nor_errors_hold_a_password() {
        let mut options = NatsOptions::new("nats://user:hunter2@host:port", "test");
        options.user_password = Some(("user".into(), "hunter2".into()));
        options.token = Some("hunter2".into());
        assert!(!format!("{options:?}").contains("hunter"));
        let error = Nats::connect(options).await.unwrap_err();
        assert!(matches!(error, NatsError::Address(1)), "{error:?}");
        assert!(!error.to_string().contains("hunter"));
    }
}
