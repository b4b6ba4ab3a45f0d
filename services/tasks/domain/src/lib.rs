//! Pure decisions of the tasks context: what is to be done on devices, and when (K-1 to K-5).
//!
//! Four aggregates: [`Definition`] (what is done again and again), [`DeviceEvent`] (when, on which device), [`Task`]
//! (somebody is to do it now) and [`Feed`] (a calendar that programs subscribe to).

pub mod definition;
pub mod device_event;
pub mod feed;
pub mod recurrence;
pub mod task;
mod text;

pub use definition::Definition;
pub use device_event::DeviceEvent;
pub use feed::Feed;
pub use task::Task;

use callboard_kernel::{CustomerId, DepartmentId, TemplateId};
use serde::{Deserialize, Serialize};

callboard_kernel::define_id! {
    /// A definition of a template.
    DefinitionId
}
callboard_kernel::define_id! {
    /// An event of a device.
    DeviceEventId
}
callboard_kernel::define_id! {
    /// A task.
    TaskId
}
callboard_kernel::define_id! {
    /// A step of a definition or a task.
    StepId
}

/// The most employees that are assigned to one task.
pub const MAX_ASSIGNEES: usize = 50;

/// Where a device stands: what decides who sees what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its template.
    pub template: TemplateId,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
}

pub(crate) use callboard_kernel::words;

words! {
    /// Who sees a task or a device event.
    Visibility as "visibility" {
        /// Employees only.
        Internal = "INTERNAL",
        /// Also code users of the device and users of the customer.
        External = "EXTERNAL",
    }
}

#[cfg(test)]
mod world;
