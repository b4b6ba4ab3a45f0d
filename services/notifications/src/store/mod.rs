//! The tables.

pub mod addresses;
mod calls;
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
mod lists;
mod preferences;
mod settle;
mod subjects;
mod subscriptions;
pub mod telling;
mod webhook;

pub use addresses::{Address, Addresses};
pub use calls::CallChange;
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
pub use lists::List;
pub use preferences::{Chosen, PreferencesMapping};
pub use subjects::Judged;
pub use subscriptions::{Reached, Subscription, Subscriptions};
pub use telling::{Telling, Tellings};
pub use webhook::{StoredWebhook, WebhookMapping, Webhooks};

use callboard_journal::Value;
use callboard_kernel::OrganisationId;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
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

/// What was asked for together, each answer in the place of its question, which the column `place` says, from 1; `None`:
/// there is no row.
fn placed<T>(asked: usize, rows: &[PgRow], read: impl Fn(&PgRow) -> Sql<T>) -> Sql<Vec<Option<T>>> {
    let mut answers: Vec<Option<T>> = std::iter::repeat_with(|| None).take(asked).collect();
    for row in rows {
        let place = usize::try_from(row.try_get::<i64, _>("place")?).unwrap_or_default();
        if let Some(answer) = place.checked_sub(1).and_then(|place| answers.get_mut(place)) {
            *answer = Some(read(row)?);
        }
    }
    Ok(answers)
}

/// Questions about several of an organisation each, as columns: place of the question, from 1, organisation, who.
fn spread<T, C>(all: &[(OrganisationId, Vec<T>)], who: impl Fn(&T) -> C) -> (Vec<i64>, Vec<Uuid>, Vec<C>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (place, (organisation, asked)) in (1..).zip(all) {
        for one in asked {
            columns.0.push(place);
            columns.1.push(organisation.uuid());
            columns.2.push(who(one));
        }
    }
    columns
}

/// What was asked for together, all answers to a question in its place, from 1.
fn shared_out<T>(asked: usize, found: Vec<(i64, T)>) -> Vec<Vec<T>> {
    let mut answers: Vec<Vec<T>> = std::iter::repeat_with(Vec::new).take(asked).collect();
    for (place, answer) in found {
        let place = usize::try_from(place).unwrap_or_default();
        if let Some(answers) = place.checked_sub(1).and_then(|place| answers.get_mut(place)) {
            answers.push(answer);
        }
    }
    answers
}
