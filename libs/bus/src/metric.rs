//! Names of the metrics of this crate. No organisation and no aggregate id is ever a label.

/// Gauge, labels `consumer`, `context`: events not yet handled, those being handled included.
pub const CONSUMER_LAG: &str = "callboard_consumer_lag";
/// Counter, labels `consumer`, `outcome` (`done`, `ignored`, `parked`).
pub const CONSUMER_PROCESSED: &str = "callboard_consumer_processed_total";
/// Counter, label `consumer`: tries that did not succeed and are made again.
pub const CONSUMER_RETRIED: &str = "callboard_consumer_retried_total";
/// Counter, label `consumer`: events parked, those behind a parked one included.
pub const CONSUMER_PARKED: &str = "callboard_deadletter_total";
/// Histogram in seconds, labels `messaging_system`, `messaging_consumer_group_name`, `messaging_destination_template`.
pub const PROCESS_DURATION: &str = "messaging.process.duration";
/// Counter, label `context`: events stored in a stream.
pub const PUBLISHED: &str = "callboard_bus_published_total";
/// Gauge: 1 while connected to NATS.
pub const CONNECTED: &str = "callboard_nats_connected";
