//! Connections of the port for calls: taken, kept for as long as they may last, ended in order.
//!
//! The server that comes with tonic lets no HTTP/1.1 connection become something else, such as a WebSocket, and cuts
//! connections that have grown old without having told the client; this one does both, and is else the same.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use futures::StreamExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::{Connected, TcpIncoming};
use tower::ServiceExt;

use crate::config::GrpcConfig;

/// How long nobody is let in after somebody could not be: mostly since there are too many files open.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections until `drain`, as many at once as there may be, then finishes what is in flight on each. What is
/// still open when this is dropped is cut.
pub(super) async fn serve(
    listener: TcpListener,
    router: axum::Router,
    config: &GrpcConfig,
    serves_http: bool,
    drain: CancellationToken,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    if !serves_http {
        builder = builder.http2_only();
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_concurrent_streams)
        .keep_alive_interval(config.keepalive_interval)
        .keep_alive_timeout(config.keepalive_timeout);
    // With a timer there is a limit to how long the head of a request may take.
    builder.http1().timer(TokioTimer::new());
    let cut = CancellationToken::new();
    let life = Life {
        drain: drain.clone(),
        cut: cut.clone(),
        age: config.max_connection_age,
        grace: config.max_connection_age_grace,
        first_request: config.first_request_timeout,
    };
    let _cut = cut.drop_guard();
    let connections = TaskTracker::new();
    // HTTP/1.1 has no pings of its own: the kernel asks whether a silent reader of a stream is still there.
    let mut incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(config.keepalive_interval))
        .with_keepalive_interval(Some(config.keepalive_timeout))
        .with_keepalive_retries(Some(3));
    while let Some(Some(accepted)) = drain.run_until_cancelled(incoming.next()).await {
        match accepted {
            // Its file is free again at once: those who are being served go on.
            Ok(stream) if connections.len() >= config.max_connections => {
                metrics::counter!("callboard_connections_refused_total").increment(1);
                drop(stream);
            }
            Ok(stream) => {
                let connection = connection(stream, router.clone(), builder.clone(), life.clone());
                connections.spawn(connection);
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken");
                sleep(PAUSE).await;
            }
        }
    }
    // Others may have the port now.
    drop(incoming);
    connections.close();
    connections.wait().await;
}

/// When a connection ends.
#[derive(Clone)]
struct Life {
    /// Finishes what is in flight.
    drain: CancellationToken,
    /// At once.
    cut: CancellationToken,
    /// The same as `drain`, when it is this old.
    age: Duration,
    /// The same as `cut`, so much later.
    grace: Duration,
    /// The same as `cut`, when nothing was asked for so long.
    first_request: Duration,
}

async fn connection(stream: TcpStream, router: axum::Router, builder: Builder<TokioExecutor>, life: Life) {
    let peer = stream.connect_info();
    let asked = Arc::new(AtomicBool::new(false));
    let has_asked = Arc::clone(&asked);
    let service = router.map_request(move |request: http::Request<Incoming>| -> Request {
        asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        request
    });
    let service = TowerToHyperService::new(service);
    let mut served = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let now = Instant::now();
    let (silent, old) = (now + life.first_request, now + life.age);
    let (mut ends, mut is_new) = (false, true);
    loop {
        let should_end = async {
            tokio::select! {
                () = life.drain.cancelled() => {}
                () = sleep_until(old) => {}
            }
        };
        tokio::select! {
            outcome = served.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(error, "a connection broke");
                }
                return;
            }
            () = should_end, if !ends => {
                ends = true;
                served.as_mut().graceful_shutdown();
            }
            () = sleep_until(silent), if is_new => {
                is_new = false;
                if !has_asked.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = sleep_until(old + life.grace) => return,
            () = life.cut.cancelled() => return,
        }
    }
}
