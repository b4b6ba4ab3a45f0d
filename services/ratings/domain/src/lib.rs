//! Pure decisions of the ratings context: who is asked to rate, and what was given.
//!
//! Two aggregates: [`RatingRequest`] (one per subject, its id is the subject's) and [`SwitchSet`] (one per template,
//! its id is the template's).

pub mod request;
pub mod switches;

pub use request::RatingRequest;
pub use switches::{SwitchSet, Switches};

pub(crate) use callboard_kernel::words;
