//! Pure decisions of notifications: who is told what, on which channels, and what follows from each attempt (N-1 to N-6).
//!
//! Three aggregates: [`Preferences`] (one per person), [`Group`] (N-4) and [`Webhook`]. What is told to thousands at once is no
//! aggregate: [`audience`](audience::audience) and [`delivery`] are functions over facts, and the service writes what
//! they answer set by set, under keys that keep it single.

pub mod audience;
pub mod delivery;
pub mod group;
mod person;
pub mod preferences;
pub mod webhook;
mod words;

pub use group::Group;
pub use person::Person;
pub use preferences::Preferences;
pub use webhook::Webhook;
pub use words::{Because, Channel, EventType, Origin, Strategy, SubjectKind};

callboard_kernel::define_id! {
    /// A team of the directory.
    TeamId
}
callboard_kernel::define_id! {
    /// A notification group.
    GroupId
}
callboard_kernel::define_id! {
    /// A webhook.
    WebhookId
}
