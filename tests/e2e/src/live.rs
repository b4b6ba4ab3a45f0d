//! A reader of the live stream.

use std::time::Duration;

use callboard_testkit::PATIENCE;
use serde_json::Value;
use tokio::time::timeout;

use crate::Client;

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// `id:`, the position to resume from.
    pub id: String,
    /// `event:`; empty for what happened on the platform.
    pub event: String,
    /// `data:`.
    pub data: Value,
}

impl Frame {
    /// What happened: `ticket.opened`; empty for the stream's own words.
    pub fn name(&self) -> &str {
        self.data["name"].as_str().unwrap_or_default()
    }

    /// The event's id, the same as on NATS.
    pub fn event_id(&self) -> &str {
        self.data["id"].as_str().unwrap_or_default()
    }

    fn is_of_drawer(&self) -> bool {
        matches!(self.event.as_str(), "unread" | "notification")
    }

    /// The ticket it is about; empty when it is about none.
    pub fn ticket(&self) -> &str {
        self.data["ticketId"].as_str().unwrap_or_default()
    }
}

/// An open stream.
#[derive(Debug)]
pub struct Live {
    response: reqwest::Response,
    read: String,
}

impl Live {
    /// Opens `/v1/live`, from a position or from now on, and waits until it is ready.
    pub async fn open(caller: &Client, last_event_id: Option<&str>) -> Self {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let response = caller.stream("/v1/live", &headers).await;
        assert!(response.status().is_success(), "{}", response.status());
        let mut live = Self { response, read: String::new() };
        let ready = live.next().await.expect("the beginning of the stream");
        assert_eq!(ready.event, "ready");
        live
    }

    /// Opens a conversation's stream, from a position or from its latest messages on.
    pub async fn conversation(caller: &Client, id: &str, last_event_id: Option<&str>) -> Self {
        let headers: Vec<(&str, &str)> = last_event_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = caller.stream(&format!("/v1/conversations/{id}/live"), &headers).await;
        assert!(response.status().is_success(), "{}", response.status());
        Self { response, read: String::new() }
    }

    /// Opens the stream of the caller's own drawer.
    pub async fn drawer(caller: &Client) -> Self {
        let response = caller.stream("/v1/notifications/live", &[]).await;
        assert!(response.status().is_success(), "{}", response.status());
        Self { response, read: String::new() }
    }

    /// The next event; `None` at the end of the stream. Heartbeats are passed over, and so is what the stream says of the
    /// caller's own drawer.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.any().await?;
            if !frame.is_of_drawer() {
                return Some(frame);
            }
        }
    }

    /// What it says next of the caller's own drawer.
    pub async fn of_drawer(&mut self) -> Frame {
        loop {
            let frame = self.any().await.expect("an open stream");
            if frame.is_of_drawer() {
                return frame;
            }
        }
    }

    /// The next event whatever it says; `None` at the end of the stream. Heartbeats are passed over.
    pub async fn any(&mut self) -> Option<Frame> {
        loop {
            while let Some((frame, rest)) = self.read.split_once("\n\n") {
                let frame = parse(frame);
                self.read = rest.to_owned();
                if frame.data != Value::Null {
                    return Some(frame);
                }
            }
            let chunk = timeout(PATIENCE.max(Duration::from_secs(20)), self.response.chunk())
                .await
                .expect("news on the live stream in time")
                .ok()??;
            self.read.push_str(std::str::from_utf8(&chunk).expect("whole characters"));
        }
    }

    /// Everything up to and with the first event that fits.
    pub async fn until(&mut self, mut fits: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
        let mut seen = Vec::new();
        loop {
            let Some(frame) = self.next().await else { panic!("the stream ended after {seen:?}") };
            let last = fits(&frame);
            seen.push(frame);
            if last {
                return seen;
            }
        }
    }
}

fn parse(text: &str) -> Frame {
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
    };
    Frame {
        id: field("id").to_owned(),
        event: field("event").to_owned(),
        data: serde_json::from_str(field("data")).unwrap_or(Value::Null),
    }
}
