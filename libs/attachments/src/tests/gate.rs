//! Something between us and a server that passes bytes on, and breaks as it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// What happens when it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Connections are closed, those to come too.
    Closed,
    /// Nothing comes through any more, and nothing is closed.
    Silent,
    /// The connection is closed; whoever connects again gets through.
    Once,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// How many bytes come through yet: to the server, and back.
    left: [usize; 2],
    then: Then,
}

#[derive(Debug, Clone)]
pub struct Gate {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// What becomes of some bytes.
enum Fate {
    Pass,
    Close,
    Keep,
}

const OPEN: State = State { left: [usize::MAX; 2], then: Then::Closed };

impl Gate {
    /// An open gate to a server, `host:port`. It ends with the runtime.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let gate = Self { port, state: Arc::new(Mutex::new(OPEN)) };
        let (this, server, tasks) = (gate.clone(), server.to_owned(), TaskTracker::new());
        tasks.clone().spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&server).await else { continue };
                let this = this.clone();
                tasks.spawn(async move {
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    // Both are closed when one is.
                    tokio::select! {
                        () = this.pass(near_in, far_out, 0) => {}
                        () = this.pass(far_in, near_out, 1) => {}
                    }
                });
            }
        });
        gate
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn open(&self) {
        *self.state.lock().unwrap() = OPEN;
    }

    /// Breaks at once.
    pub fn shut(&self, then: Then) {
        *self.state.lock().unwrap() = State { left: [0; 2], then };
    }

    /// Breaks after so many more bytes to the server.
    pub fn break_towards(&self, bytes: usize, then: Then) {
        *self.state.lock().unwrap() = State { left: [bytes, usize::MAX], then };
    }

    /// Breaks after so many more bytes from the server.
    pub fn break_back(&self, bytes: usize, then: Then) {
        *self.state.lock().unwrap() = State { left: [usize::MAX, bytes], then };
    }

    fn fate(&self, bytes: usize, way: usize) -> Fate {
        let mut state = self.state.lock().unwrap();
        if state.left[way] == usize::MAX {
            return Fate::Pass;
        }
        if let Some(left) = state.left[way].checked_sub(bytes) {
            state.left[way] = left;
            return Fate::Pass;
        }
        match state.then {
            Then::Closed => {
                state.left = [0; 2];
                Fate::Close
            }
            Then::Silent => {
                state.left = [0; 2];
                Fate::Keep
            }
            Then::Once => {
                *state = OPEN;
                Fate::Close
            }
        }
    }

    async fn pass(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: usize) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length) = from.read(&mut buffer).await {
            if length == 0 {
                return;
            }
            match self.fate(length, way) {
                Fate::Pass if to.write_all(&buffer[..length]).await.is_ok() => {}
                Fate::Pass | Fate::Close => return,
                Fate::Keep => std::future::pending().await,
            }
        }
    }
}
