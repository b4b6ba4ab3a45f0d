//! The tables.

pub mod addresses;
mod circle;
mod copies;
pub mod deliveries;
mod destinations;
mod devices;
pub mod drawer;
mod group;
mod hook_log;
mod hooks;
mod keys;
mod known;
mod preferences;
mod subjects;
mod subscriptions;
pub mod telling;
mod webhook;

pub use addresses::{Address, Addresses};
pub use circle::{Around, Circles};
pub use copies::Copies;
pub use deliveries::{Claimed, Deliveries};
pub use destinations::{Destinations, Failing};
pub use devices::KnownFlow;
pub use drawer::Drawers;
pub use group::{GroupMapping, Groups};
pub use hook_log::{AttemptCursor, HookCursor, HookLog, LoggedAttempt, LoggedHook};
pub use hooks::{ClaimedHook, HookEvent, Hooks, Tried};
pub use keys::OwnKeys;
pub use known::{KnownEmployee, KnownSubject};
pub use preferences::{Chosen, PreferencesMapping};
pub use subjects::Judged;
pub use subscriptions::{Subscription, Subscriptions};
pub use telling::{Telling, Tellings};
pub use webhook::{StoredWebhook, WebhookMapping, Webhooks};

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
