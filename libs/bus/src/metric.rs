//! Names of the metrics of this crate. No organisation and no aggregate id is ever a label.

/// Gauge, labels `consumer`, `context`: events not yet handled, those being handled included.
pub const CONSUMER_LAG: &str = "callboard_consumer_lag";
/// Counter, labels `consumer`, `outcome` (`done`, `ignored`, `parked`).
pub const CONSUMER_PROCESSED: &str = "callboard_consumer_processed_total";
/// Counter, label `consumer`: tries that did not succeed and are made again.
pub const CONSUMER_RETRIED: &str = "callboard_consumer_retried_total";
/// Counter, label `consumer`: events parked, those behind a parked one included.
pub const CONSUMER_PARKED: &str = "callboard_deadletter_total";

// Those of OpenTelemetry's conventions for messaging, as Prometheus writes them. Labels of all: `messaging_system`
// (`nats`) and `messaging_destination_template` (the subjects of a context, without an organisation).

/// Histogram in seconds, also label `messaging_consumer_group_name` (the durable): one try at handling an event.
pub const PROCESS_DURATION: &str = "messaging_process_duration_seconds";
/// Counter, also label `messaging_consumer_group_name`: events taken from a stream, those that come again included.
pub const CONSUMED: &str = "messaging_client_consumed_messages_total";
/// Counter: events stored in a stream.
pub const SENT: &str = "messaging_client_sent_messages_total";
/// Histogram in seconds, also label `messaging_operation_name` (`publish`): one pipelined batch until its last answer.
pub const OPERATION_DURATION: &str = "messaging_client_operation_duration_seconds";
/// Gauge: 1 while connected to NATS.
pub const CONNECTED: &str = "callboard_nats_connected";
