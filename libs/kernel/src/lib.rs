//! Words every crate shares: ids, time, principals, versions, error kinds, and the shape of an aggregate.
//!
//! No async, no I/O, no word of a context. Domain crates depend on this crate and nothing else of ours.

mod aggregate;
mod error;
mod id;
mod isolation;
mod principal;
mod time;
mod words;

pub use aggregate::{Aggregate, Cause, DecisionContext, Version};
pub use error::{ErrorKind, FieldViolation, Refusal, Rejection, Resource};
pub use id::{IdGenerator, RandomIds, derive_uuid};
pub use isolation::Isolation;
pub use principal::{
    Actor, CodeUser, CustomerUser, Employee, Language, Principal, Role, Subject, UnknownWord,
};
pub use time::{Clock, SystemClock, Timestamp, truncate_to_micros};

id::define_id! {
    /// An organisation: the tenant. Everything belongs to exactly one; nothing crosses.
    OrganisationId
}
id::define_id! {
    /// An employee of an organisation.
    EmployeeId
}
id::define_id! {
    /// A department of an organisation, for isolation.
    DepartmentId
}
id::define_id! {
    /// A customer's own login.
    CustomerUserId
}
id::define_id! {
    /// A customer, private or corporate.
    CustomerId
}
id::define_id! {
    /// A code on a device.
    CodeId
}
id::define_id! {
    /// One visit of a code user: from scan to expiry.
    CodeSessionId
}
id::define_id! {
    /// A device: the digital twin of one physical thing.
    DeviceId
}
id::define_id! {
    /// A template: the blueprint of devices. Every context owns its own part of it.
    TemplateId
}
id::define_id! {
    /// A ticket.
    TicketId
}
id::define_id! {
    /// Names one command for good. Its receipt makes the command idempotent (AIP-155).
    CommandId
}
id::define_id! {
    /// Names one event for good: the `ce-id`, the `Nats-Msg-Id`, the outbox row.
    EventId
}
