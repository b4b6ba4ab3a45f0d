//! A wire that can be cut without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// Passes TCP connections on to a server, until it is told to keep what comes to itself, as a host that died or a
/// partition does: nothing is refused, nothing is closed, nothing arrives.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    /// Connections up to this number are cut.
    cut: Arc<AtomicU64>,
    made: Arc<AtomicU64>,
}

impl Wire {
    /// A wire to a server, `host:port`. It ends with the runtime.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (cut, made) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (server, cuts, count, tasks) =
            (server.to_owned(), Arc::clone(&cut), Arc::clone(&made), TaskTracker::new());
        tasks.clone().spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let Ok(far) = TcpStream::connect(&server).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tasks.spawn(pass(near_in, far_out, number, Arc::clone(&cuts)));
                tasks.spawn(pass(far_in, near_out, number, Arc::clone(&cuts)));
            }
        });
        Self { port, cut, made }
    }

    /// The near end.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the connections there are; later ones work.
    pub fn cut(&self) {
        self.cut.fetch_max(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Cuts all connections, those to come too.
    pub fn cut_for_good(&self) {
        self.cut.store(u64::MAX, Ordering::SeqCst);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, cut: Arc<AtomicU64>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        if cut.load(Ordering::SeqCst) >= number {
            // Both halves stay open.
            std::future::pending::<()>().await;
        }
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
