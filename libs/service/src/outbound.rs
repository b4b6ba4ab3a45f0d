//! From a decided step to an event on the bus.

use bytes::Bytes;
use callboard_actor::StepMeta;
use callboard_bus::Event;
use callboard_kernel::{EventId, derive_uuid};
use uuid::Builder;

/// The event that a step publishes: `message` with the step's attributes.
///
/// `index` numbers the events of one step. The id is a UUIDv7 of the step's time whose random part is derived from
/// command and index, so recording is pure and a repeated command names its events the same.
pub fn outbound<M: callboard_proto::Event>(meta: &StepMeta, index: usize, message: &M) -> Event {
    let derived = derive_uuid(meta.command_id.uuid(), &[meta.aggregate_id.as_bytes(), &index.to_be_bytes()]);
    let mut random = [0; 10];
    random.copy_from_slice(&derived.as_bytes()[..10]);
    let millis = u64::try_from(meta.at.timestamp_millis()).unwrap_or_default();
    Event {
        id: EventId(Builder::from_unix_timestamp_millis(millis, &random).into_uuid()),
        context: M::CONTEXT.to_owned(),
        name: M::SUBJECT.to_owned(),
        kind: M::TYPE.to_owned(),
        organisation: meta.principal.organisation,
        aggregate_id: meta.aggregate_id,
        aggregate_version: meta.version,
        time: meta.at,
        causation: meta.cause.event,
        correlation: Some(meta.cause.correlation.unwrap_or(meta.command_id.uuid())),
        traceparent: meta.cause.traceparent.clone(),
        actor: meta.principal.actor(),
        payload: Bytes::from(message.encode_to_vec()),
    }
}
