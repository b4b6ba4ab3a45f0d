//! One side of a video call, as far as signals go: what a browser's page says and hears.

use callboard_testkit::PATIENCE;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// An open WebSocket.
#[derive(Debug)]
pub struct CallSocket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl CallSocket {
    /// Opens the WebSocket of a session's call at a gateway, and says who speaks.
    pub async fn open(gateway_url: &str, session: &str, call_token: &str) -> Self {
        let address = gateway_url.replacen("http", "ws", 1);
        let address = format!("{address}/v1/videoSessions/{session}/call");
        let (socket, _) = tokio_tungstenite::connect_async(address).await.expect("a WebSocket");
        let mut socket = Self(socket);
        socket.say(json!({"sessionId": session, "callToken": call_token})).await;
        socket
    }

    /// Says something.
    pub async fn say(&mut self, said: Value) {
        self.0.send(Message::text(said.to_string())).await.expect("an open WebSocket");
    }

    async fn next(&mut self) -> Message {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("something to come");
            match next.expect("no end without a goodbye").expect("an unbroken WebSocket") {
                // Answered by the client itself.
                Message::Ping(_) | Message::Pong(_) => {}
                other => return other,
            }
        }
    }

    /// What comes next.
    pub async fn heard(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("no message but {other:?}"),
        }
    }

    /// Reads on until something comes that is as wanted.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let heard = self.heard().await;
            if wanted(&heard) {
                return heard;
            }
        }
    }

    /// Stays for as long as the call goes on.
    pub async fn stay(mut self) {
        // Whatever it is: reading answers pings.
        while let Some(Ok(_)) = self.0.next().await {}
    }

    /// Reads to the end; its close code and reason.
    pub async fn closed(mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.expect("a reason");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}
