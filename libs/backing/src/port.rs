//! Free ports.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Below the range from which systems take the source ports of connections (from 32768 on Linux, 49152 elsewhere),
/// and above what is commonly served. A port of that upper range could be taken by anybody's connection while its
/// server is being restarted, and a client that tries again and again could even end up connected to itself.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Ports handed out by this process, so that two servers that start at the same time never get the same.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port on the loopback address on which nothing listens now, never a well-known one, and never the same twice in
/// one process. It suits servers that are restarted on the same port while clients keep trying to reach it.
///
/// Another process may take it before it is used; the risk is small, as ports are drawn by chance from 12,000.
///
/// # Errors
/// The operating system's, if after a thousand draws no port could be had.
pub fn free_port() -> std::io::Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut last = std::io::Error::other("every port is given out");
    for draw in 0..1_000_u16 {
        let port = RANGE.start + (RandomState::new().hash_one(draw) % RANGE.len() as u64) as u16;
        if given.contains(&port) {
            continue;
        }
        match is_free(port) {
            Ok(()) => {
                given.insert(port);
                return Ok(port);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether a server could listen on the port now, on the loopback address and on all addresses.
pub(crate) fn is_free(port: u16) -> std::io::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop)
}
