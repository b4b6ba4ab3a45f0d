//! The nine kinds of simple records (D-1).

mod customer;
mod device;
mod employee;
mod named;
mod organisation;

pub use customer::{Customer, CustomerKind, CustomerUser};
pub use device::{Device, Template};
pub use employee::{Employee, SupportRole};
pub use named::{Department, MetaTeam, Team};
pub use organisation::Organisation;
