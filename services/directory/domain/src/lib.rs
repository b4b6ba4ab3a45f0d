//! Pure decisions of the directory: who and what there is (D-1), codes (D-3, D-4), and sessions.
//!
//! Nine kinds of simple records share one mechanism, [`Record`]: an [`Entity`] says what is special about its kind.
//! [`Code`](code::Code) and [`Session`](session::Session) have a life of their own and are state machines.

pub mod code;
mod entity;
mod kinds;
mod record;
mod refused;
pub mod session;
mod text;

pub use entity::{Entity, Facts, Reference};
pub use kinds::{
    Customer, CustomerKind, CustomerUser, Department, Device, Employee, MetaTeam, Organisation, SupportRole,
    Team, Template,
};
pub use record::{Action, Command, Event, Kept, Record, State};
pub use refused::Refused;
pub use text::{Email, MAX_NAMES, MAX_REFERENCES, Name, Names};

callboard_kernel::define_id! {
    /// A local team.
    TeamId
}
callboard_kernel::define_id! {
    /// A set of local teams.
    MetaTeamId
}
