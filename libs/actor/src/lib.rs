//! The actor runtime: every aggregate in use is a task with a bounded mailbox that decides in memory and commits
//! through a [`Store`].
//!
//! What it promises:
//! - one decision at a time per aggregate and process; across processes the store's version guard decides;
//! - state is installed after the commit, never before; after an unknown outcome it is read again;
//! - a command named by a [`CommandId`](callboard_kernel::CommandId) happens once: asked again, it answers the same;
//! - nothing waits without bound: mailboxes are bounded, commands carry deadlines, residents and loads are capped;
//! - an idle actor retires without losing a command.

mod actor;
mod answer;
mod decide;
mod mailbox;
pub mod metric_names;
mod options;
mod port;
mod recent;
mod registry;

pub use answer::{Answer, AskError};
pub use options::Options;
pub use port::{Ask, CommitError, Lane, Loaded, Outcome, Receipt, Step, StepMeta, Store, StoreError, Unit};
pub use registry::Registry;
