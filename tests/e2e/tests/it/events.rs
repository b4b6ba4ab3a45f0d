//! Another backend that lives on the events.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::OrderedConfig;
use callboard_e2e_tests::Platform;
use callboard_testkit::PATIENCE;
use futures::StreamExt;

/// An event as a stranger reads it: by its headers alone.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its place in the stream.
    pub sequence: u64,
    /// `ce-id`.
    pub id: String,
    /// `ce-type`, without `callboard.` and version: `tickets.TicketOpened`.
    pub kind: String,
    /// `ce-subject`.
    pub subject: String,
    /// `ce-causationid`; empty when done by hand.
    pub cause: String,
    /// `ce-correlationid`.
    pub correlation: String,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Those about one aggregate.
pub async fn heard(platform: &Platform, context: &str, aggregate: &str) -> Vec<Heard> {
    heard_all(platform, context).await.into_iter().filter(|event| event.subject == aggregate).collect()
}

/// All events of a context's stream so far, read from the beginning until none is left.
pub async fn heard_all(platform: &Platform, context: &str) -> Vec<Heard> {
    let client = async_nats::connect(platform.nats_url()).await.expect("NATS");
    let stream = async_nats::jetstream::new(client)
        .get_stream(format!("CALLBOARD_{}", context.to_uppercase()))
        .await
        .expect("the context's stream");
    let last = stream.get_info().await.expect("its state").state.last_sequence;
    let mut found = Vec::new();
    if last == 0 {
        return found;
    }
    let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    loop {
        let message = tokio::time::timeout(PATIENCE.max(Duration::from_secs(10)), messages.next())
            .await
            .expect("the stream to be read to its end")
            .expect("a message")
            .expect("a readable message");
        let sequence = message.info().expect("its place").stream_sequence;
        let header = |name: &str| {
            let headers = message.headers.as_ref().expect("CloudEvents headers");
            headers.get(name).map(ToString::to_string).unwrap_or_default()
        };
        assert_eq!(header("ce-specversion"), "1.0");
        assert_eq!(header("ce-id"), header("Nats-Msg-Id"));
        let kind = header("ce-type");
        let (context, name) = kind
            .strip_prefix("callboard.")
            .and_then(|rest| rest.split_once(".v1."))
            .expect("callboard.<context>.v1.<Message>");
        found.push(Heard {
            sequence,
            id: header("ce-id"),
            kind: format!("{context}.{name}"),
            subject: header("ce-subject"),
            cause: header("ce-causationid"),
            correlation: header("ce-correlationid"),
            payload: message.payload.to_vec(),
        });
        if sequence >= last {
            return found;
        }
    }
}

/// The one event of a kind.
#[track_caller]
pub fn only<'a>(heard: &'a [Heard], kind: &str) -> &'a Heard {
    let of_kind: Vec<&Heard> = heard.iter().filter(|event| event.kind == kind).collect();
    assert_eq!(
        of_kind.len(),
        1,
        "exactly one {kind} among {:?}",
        heard.iter().map(|event| &event.kind).collect::<Vec<_>>()
    );
    of_kind[0]
}
