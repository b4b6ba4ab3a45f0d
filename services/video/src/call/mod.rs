//! Running calls, as far as this service has a part in them: what the two browsers tell each other until they are
//! connected, and who is there (V-3, V-4, V-10). Audio and video never come here.
//!
//! Each browser has one exchange of signals with one replica. What it says to the other side is whispered to all replicas,
//! and the one that serves the other side passes it on. Nothing of it is kept: a browser that comes back negotiates anew.

mod exchange;
mod hub;
mod whisper;

pub use hub::Calls;
