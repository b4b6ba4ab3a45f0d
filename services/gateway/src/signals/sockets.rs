//! How many WebSockets are open.

use std::sync::Arc;

use http::StatusCode;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// How long somebody waits who came when all seats were taken.
const RETRY: Duration = Duration::from_secs(1);

/// The seats of this process. Nobody is known by name when a socket opens, so they are counted all together; what one
/// address may open in a minute is limited as all its requests are, and the call's token lets one connection have one.
#[derive(Debug)]
pub struct Sockets {
    seats: Arc<Semaphore>,
    most: usize,
}

/// A seat; free again when dropped.
#[derive(Debug)]
pub struct Seat(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Sockets {
    /// So many.
    pub fn new(most: usize) -> Self {
        Self { seats: Arc::new(Semaphore::new(most)), most }
    }

    /// A seat.
    ///
    /// # Errors
    /// None is free.
    pub fn take(&self) -> Result<Seat, Problem> {
        let Ok(permit) = Arc::clone(&self.seats).try_acquire_owned() else {
            let detail = format!("at most {} calls' sockets at once", self.most);
            let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS", detail);
            problem.retry_after = Some(RETRY);
            return Err(problem);
        };
        metrics::gauge!("callboard_gateway_call_sockets").increment(1.0);
        Ok(Seat(permit))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("callboard_gateway_call_sockets").decrement(1.0);
    }
}
