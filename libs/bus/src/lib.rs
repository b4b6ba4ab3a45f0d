//! Publisher and subscriber ports for events, with JetStream and in-memory adapters.
//!
//! An event is a protobuf payload with CloudEvents 1.0 attributes (binary mode: `ce-*` headers). One stream per
//! producing context, written only by that context's relay. Order is promised per aggregate and nowhere else.
//!
//! - [`Bus`] is what services hold: NATS, or memory in tests. It gives a [`Log`] to write a stream (the relay's
//!   business), runs [`Consumer`]s, and reads along with [`Bus::tail`].
//! - [`check`] says before a commit whether an event could ever be published.

mod bus;
mod cloudevents;
mod consumer;
mod event;
mod hold;
mod jetstream;
mod lanes;
mod memory;
mod metric;
mod port;
mod subscription;
mod tail;

pub use bus::{Bus, Log};
pub use cloudevents::{MAX_EVENT_BYTES, Undecodable, check, structured};
pub use consumer::{Consumer, ConsumerOptions};
pub use event::{Event, Key, all_of, stream_name, subject};
pub use hold::{Exclusive, Held};
pub use jetstream::{ConfigDifference, JetStreamLog, Nats, NatsError, NatsOptions, SpecError, StreamSpec};
pub use memory::{Faults, MemBus, MemLog, MemParking};
pub use port::{HandleError, Handled, Handler, Parking, Problem, PublishError, StreamLog, StreamTail};
pub use subscription::{Delivery, Settle, SubscribeError, Subscription};
pub use tail::{Start, TailFrom, TailItem};
