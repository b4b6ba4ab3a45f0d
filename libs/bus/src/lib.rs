//! Publisher and subscriber ports for events, with JetStream and in-memory adapters.
//!
//! An event is a protobuf payload with CloudEvents 1.0 attributes (binary mode: `ce-*` headers). One stream per
//! producing context, written only by that context's relay. Order is promised per aggregate and nowhere else.

mod event;
mod port;

pub use event::{Event, subject, stream_name};
pub use port::{HandleError, Handled, Handler, Parking, PublishError, StreamLog, StreamTail};
