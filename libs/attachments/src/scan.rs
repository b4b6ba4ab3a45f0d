//! Whether a file is harmful: a port, and clamd behind it.

use std::time::Duration;

use bytes::Bytes;
use callboard_kernel::{ErrorKind, Refusal};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a scanner says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing found.
    Clean,
    /// Something harmful.
    Infected,
}

/// Looks into a file.
pub trait Scanner: Send + Sync + std::fmt::Debug {
    /// Judges these bytes.
    ///
    /// # Errors
    /// When it cannot judge now: the file waits, and is tried again.
    fn scan<'a>(
        &'a self,
        bytes: BoxStream<'static, Result<Bytes, Refusal>>,
    ) -> BoxFuture<'a, Result<Verdict, Refusal>>;
}

/// How long one file may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A clamd, over TCP (`INSTREAM`).
#[derive(Debug, Clone)]
pub struct Clamd {
    /// `host:port`.
    pub address: String,
}

fn away(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", format!("the scanner: {error}"))
}

impl Clamd {
    async fn ask(&self, mut bytes: BoxStream<'static, Result<Bytes, Refusal>>) -> Result<Verdict, Refusal> {
        let mut stream = TcpStream::connect(&self.address).await.map_err(away)?;
        stream.write_all(b"zINSTREAM\0").await.map_err(away)?;
        while let Some(part) = bytes.next().await {
            let part = part?;
            let length = u32::try_from(part.len()).map_err(away)?;
            // A length of zero ends the stream.
            if length > 0 {
                stream.write_all(&length.to_be_bytes()).await.map_err(away)?;
                stream.write_all(&part).await.map_err(away)?;
            }
        }
        stream.write_all(&[0; 4]).await.map_err(away)?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await.map_err(away)?;
        let answer = String::from_utf8_lossy(&answer);
        let answer = answer.trim_end_matches('\0').trim();
        if answer.ends_with("OK") {
            Ok(Verdict::Clean)
        } else if answer.ends_with("FOUND") {
            Ok(Verdict::Infected)
        } else {
            Err(away(answer))
        }
    }
}

impl Scanner for Clamd {
    fn scan<'a>(
        &'a self,
        bytes: BoxStream<'static, Result<Bytes, Refusal>>,
    ) -> BoxFuture<'a, Result<Verdict, Refusal>> {
        Box::pin(async move {
            tokio::time::timeout(LIMIT, self.ask(bytes)).await.unwrap_or_else(|late| Err(away(late)))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A clamd that calls what contains EICAR infected.
    async fn clamd() -> Clamd {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio_util::task::TaskTracker::new().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut command = [0; 10];
                stream.read_exact(&mut command).await.unwrap();
                assert_eq!(&command, b"zINSTREAM\0");
                let mut all = Vec::new();
                loop {
                    let length = stream.read_u32().await.unwrap();
                    if length == 0 {
                        break;
                    }
                    let mut part = vec![0; length as usize];
                    stream.read_exact(&mut part).await.unwrap();
                    all.extend(part);
                }
                let found = all.windows(5).any(|window| window == b"EICAR");
                let answer: &[u8] = match (found, all.is_empty()) {
                    (true, _) => b"stream: Eicar-Signature FOUND\0",
                    (false, false) => b"stream: OK\0",
                    (false, true) => b"INSTREAM size limit exceeded. ERROR\0",
                };
                stream.write_all(answer).await.unwrap();
            }
        });
        Clamd { address }
    }

    #[tokio::test]
    async fn clamd_judges_what_is_streamed_to_it() {
        let clamd = clamd().await;
        let scan = |parts: &[&'static str]| {
            let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect();
            clamd.scan(futures::stream::iter(parts).boxed())
        };
        assert_eq!(scan(&["a", "", "b"]).await, Ok(Verdict::Clean));
        assert_eq!(scan(&["xEI", "CARx"]).await, Ok(Verdict::Infected));
        assert_eq!(scan(&[]).await.unwrap_err().kind, ErrorKind::Unavailable);
        let nobody = Clamd { address: "127.0.0.1:1".to_owned() };
        assert!(nobody.scan(futures::stream::empty().boxed()).await.is_err());
    }
}
