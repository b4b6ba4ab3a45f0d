//! The tables.

pub mod addresses;
mod circle;
mod copies;
pub mod deliveries;
pub mod drawer;
mod group;
mod keys;
mod preferences;
mod subscriptions;
pub mod telling;

pub use addresses::{Address, Addresses};
pub use circle::Circles;
pub use copies::{Copies, KnownEmployee, KnownSubject};
pub use deliveries::{Claimed, Deliveries};
pub use drawer::Drawers;
pub use group::{GroupMapping, Groups};
pub use keys::OwnKeys;
pub use preferences::{Chosen, PreferencesMapping};
pub use subscriptions::{Subscription, Subscriptions};
pub use telling::{Telling, Tellings};

use callboard_journal::Value;
use serde::Serialize;
use uuid::Uuid;

/// What a query answers.
pub type Sql<T> = Result<T, sqlx::Error>;

fn json(value: &impl Serialize) -> Value {
    Value::Json(serde_json::to_value(value).unwrap_or_default())
}

fn uuids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().copied().map(Into::into).collect()
}

/// A stored word that is none of ours.
fn decoded<T, E: std::error::Error + Send + Sync + 'static>(result: Result<T, E>) -> Sql<T> {
    result.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
