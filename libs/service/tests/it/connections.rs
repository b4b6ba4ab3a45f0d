//! Connections of the port for calls: how many there may be, and when they end.

use std::net::SocketAddr;

use callboard_testkit::PATIENCE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{ask, channel, eventually, get, options, started};

const HELLO: &[u8] = b"GET /v1/hello HTTP/1.1\r\nhost: here\r\n\r\n";

/// A connection, as raw as it comes.
struct Line(TcpStream);

impl Line {
    async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// What comes next; empty: it was closed.
    async fn hear(&mut self) -> String {
        let mut bytes = vec![0; 4096];
        let heard = tokio::time::timeout(PATIENCE, self.0.read(&mut bytes)).await.expect("in time");
        // Cut while something was on its way: closed all the same.
        String::from_utf8_lossy(&bytes[..heard.unwrap_or(0)]).into_owned()
    }

    async fn is_served(&mut self) -> bool {
        if self.0.write_all(HELLO).await.is_err() {
            return false;
        }
        self.hear().await.starts_with("HTTP/1.1 200")
    }
}

#[tokio::test]
async fn who_asks_nothing_is_closed_and_who_has_asked_may_stay() {
    let options = options().with("test.http", true).with("grpc.first_request_timeout", "300ms");
    let running = started(options).await;
    let mut asked = Line::to(running.grpc_addr).await;
    assert!(asked.is_served().await);
    let over_http_2 = channel(&running);
    assert_eq!(ask(over_http_2.clone(), "abc").await.unwrap(), "3");
    let mut silent = Line::to(running.grpc_addr).await;
    // Half a head, and an HTTP/2 connection without a request.
    let mut slow = Line::to(running.grpc_addr).await;
    slow.say(&HELLO[..20]).await;
    let mut preface = Line::to(running.grpc_addr).await;
    preface.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert_eq!(silent.hear().await, "");
    assert_eq!(slow.hear().await, "");
    while !preface.hear().await.is_empty() {}
    assert!(asked.is_served().await, "older than those, and not closed");
    assert_eq!(ask(over_http_2, "abc").await.unwrap(), "3");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn more_connections_than_there_may_be_are_closed_as_they_come() {
    let running = started(options().with("test.http", true).with("grpc.max_connections", 2)).await;
    let (mut first, mut second) = (Line::to(running.grpc_addr).await, Line::to(running.grpc_addr).await);
    assert!(first.is_served().await && second.is_served().await);
    let mut third = Line::to(running.grpc_addr).await;
    assert_eq!(third.hear().await, "");
    let (_, metrics) = get(&running, "/metrics").await;
    assert!(metrics.contains("callboard_connections_refused_total"), "{metrics}");
    assert!(first.is_served().await, "those who are there go on");
    drop(second);
    let address = running.grpc_addr;
    eventually("a place to be free", || async { Line::to(address).await.is_served().await }).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_old_connection_ends_gently_and_another_takes_its_place() {
    let running = started(options().with("test.http", true).with("grpc.max_connection_age", "300ms")).await;
    let mut line = Line::to(running.grpc_addr).await;
    assert!(line.is_served().await);
    assert_eq!(line.hear().await, "", "closed while it is idle");
    let over_http_2 = channel(&running);
    for _ in 0..2 {
        assert_eq!(ask(over_http_2.clone(), "abc").await.unwrap(), "3", "a call is never cut");
        let mut other = Line::to(running.grpc_addr).await;
        assert!(other.is_served().await);
        assert_eq!(other.hear().await, "");
    }
    running.stop().await.unwrap();
}
