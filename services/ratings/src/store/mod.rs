//! How ratings are stored, and what is read of them and of the read copies.

mod copies;
mod queries;
mod request;
mod switches;

pub use copies::Copies;
pub use queries::{FigureRow, Filter, Grouping, ListCursor, Queries, StoredRating, Viewer};
pub use request::RequestMapping;
pub use switches::SwitchSetMapping;
