//! The least that a gRPC call costs: a unary echo of a text, in a process of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Stdio;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tonic::body::Body;
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::Failure;
use crate::measure::Caller;

/// The subcommand that serves it.
pub const COMMAND: &str = "serve-echo";

#[derive(Debug, Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "callboard.load.Echo";
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
            Ok(grpc.unary(Say, request).await)
        })
    }
}

struct Say;

impl UnaryService<String> for Say {
    type Response = String;
    type Future = std::future::Ready<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

/// Serves until its input ends; says on standard output where.
///
/// # Errors
/// The port cannot be had.
pub async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    crate::say(&listener.local_addr()?.to_string());
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    let over = async {
        let _ = input.read_line(&mut line).await;
    };
    // The builder's own `tcp_nodelay` does not reach connections that somebody else accepts.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder().add_service(Echo).serve_with_incoming_shutdown(incoming, over).await?;
    Ok(())
}

/// The echo in a process of its own; gone when dropped.
#[derive(Debug)]
pub struct EchoServer {
    _child: Child,
    url: String,
}

impl EchoServer {
    /// Starts it.
    ///
    /// # Errors
    /// It does not say where it listens.
    pub async fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("no output of the echo")?;
        let address = BufReader::new(output).lines().next_line().await?.ok_or("the echo did not start")?;
        Ok(Self { _child: child, url: format!("http://{address}") })
    }

    /// So many callers on so many connections.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn callers(&self, callers: usize, connections: usize) -> Result<Vec<EchoCaller>, Failure> {
        let channels = channels(&self.url, connections).await?;
        Ok((0..callers).map(|at| EchoCaller { channel: channels[at % channels.len()].clone() }).collect())
    }
}

/// Connections to a gRPC server.
///
/// # Errors
/// It cannot be reached.
pub async fn channels(url: &str, connections: usize) -> Result<Vec<Channel>, Failure> {
    let endpoint = Channel::from_shared(url.to_owned())?.tcp_nodelay(true);
    let mut channels = Vec::new();
    for _ in 0..connections {
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// Calls it.
#[derive(Debug)]
pub struct EchoCaller {
    channel: Channel,
}

impl Caller for EchoCaller {
    async fn call(&mut self) -> Result<(), Failure> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await?;
        let path = PathAndQuery::from_static("/callboard.load.Echo/Say");
        let text = "x".repeat(400);
        let answer =
            grpc.unary(Request::new(text), path, ProstCodec::<String, String>::default()).await?.into_inner();
        if answer.len() == 400 { Ok(()) } else { Err("not what was said".into()) }
    }
}
