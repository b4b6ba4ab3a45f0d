//! What notifications make of what others tell.

mod directory;
mod fleet;
mod messenger;
mod ratings;
mod support;
mod tasks;
mod tickets;
mod video;
mod webhooks;

use std::sync::Arc;

use callboard_bus::{Event, HandleError};
use callboard_kernel::{Actor, DepartmentId, EmployeeId};
use callboard_proto::common::v1 as common;
use callboard_service::Context;
use callboard_service::convert::from_proto_actor;
use chrono::TimeDelta;
use futures::FutureExt as _;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::tell::Teller;

/// The consumers that feed webhooks, and the contexts they read: all that publish.
pub(crate) const FOR_WEBHOOKS: [(&str, &str); 8] = [
    ("notifications-webhooks-directory", "directory"),
    ("notifications-webhooks-tickets", "tickets"),
    ("notifications-webhooks-fleet", "fleet"),
    ("notifications-webhooks-messenger", "messenger"),
    ("notifications-webhooks-ratings", "ratings"),
    ("notifications-webhooks-tasks", "tasks"),
    ("notifications-webhooks-support", "support"),
    ("notifications-webhooks-video", "video"),
];

/// Events are heard for webhooks from so long before the oldest was made: the broker's clock and this one's may differ, and
/// rather is something told that happened a moment before than that something is missed.
const BEFORE: TimeDelta = TimeDelta::seconds(5);

/// Takes the events of all contexts. The names of the durables must never change.
pub(crate) fn subscribe(context: &mut Context, teller: &Teller, hooks_wake: &Arc<Notify>) {
    // Apart from what people are told: neither waits for the other.
    let handler = Arc::new(webhooks::WebhooksHandler {
        webhooks: teller.tables.webhooks.clone(),
        hooks: teller.tables.hooks.clone(),
        wake: Arc::clone(hooks_wake),
        clock: Arc::clone(&teller.clock),
    });
    let webhooks = teller.tables.webhooks.clone();
    let demand = context.demand(webhooks.nudge(), move || {
        let webhooks = webhooks.clone();
        async move { Ok(webhooks.wanted().await?.map(|since| since - BEFORE)) }.boxed()
    });
    for (durable, producer) in FOR_WEBHOOKS {
        context.consume_while(&demand, durable, producer, handler.clone());
    }
    let directory = directory::DirectoryHandler {
        copies: teller.tables.copies.clone(),
        drawers: teller.tables.drawers.clone(),
        windows: teller.windows.clone(),
    };
    context.consume("notifications-directory", "directory", Arc::new(directory));
    context.consume("notifications-tickets", "tickets", Arc::new(tickets::TicketsHandler(teller.clone())));
    context.consume("notifications-fleet", "fleet", Arc::new(fleet::FleetHandler(teller.clone())));
    context.consume(
        "notifications-messenger",
        "messenger",
        Arc::new(messenger::MessengerHandler(teller.clone())),
    );
    context.consume("notifications-ratings", "ratings", Arc::new(ratings::RatingsHandler(teller.clone())));
    context.consume("notifications-tasks", "tasks", Arc::new(tasks::TasksHandler(teller.clone())));
    context.consume("notifications-video", "video", Arc::new(video::VideoHandler(teller.clone())));
    context.consume("notifications-support", "support", Arc::new(support::SupportHandler(teller.clone())));
}

/// Implements the port for a handler with a `react` of its own, and says what it hears if that is not everything.
macro_rules! handles {
    ($handler:ident $(, $hears:expr)?) => {
        impl callboard_bus::Handler for $handler {
            fn handle<'a>(
                &'a self,
                event: &'a callboard_bus::Event,
            ) -> futures::future::BoxFuture<'a, Result<callboard_bus::Handled, callboard_bus::HandleError>>
            {
                Box::pin(self.react(event))
            }
            $(
                fn hears(&self) -> Option<&'static [&'static str]> {
                    Some($hears)
                }
            )?
        }
    };
}
pub(crate) use handles;

fn lacks(event: &Event, what: &str) -> HandleError {
    HandleError::Poison(format!("{} lacks its {what}", event.kind))
}

/// Who did it: as the message says, else as the envelope does.
fn by(event: &Event, actor: Option<&common::Actor>) -> Actor {
    actor.and_then(from_proto_actor).unwrap_or(event.actor)
}

/// An id that may be missing.
fn optional_id<I: From<Uuid>>(field: &str, text: &str) -> Result<Option<I>, HandleError> {
    if text.is_empty() { Ok(None) } else { callboard_service::reaction::event_id(field, text).map(Some) }
}

fn ids<I: From<Uuid>>(field: &str, texts: &[String]) -> Result<Vec<I>, HandleError> {
    texts.iter().map(|text| callboard_service::reaction::event_id(field, text)).collect()
}

fn departments(texts: &[String]) -> Result<Vec<DepartmentId>, HandleError> {
    ids("department_ids", texts)
}

fn employees(texts: &[String]) -> Result<Vec<EmployeeId>, HandleError> {
    ids("employee_ids", texts)
}
