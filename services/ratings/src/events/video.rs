//! What ratings make of the video context's events.

use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_proto::Event as _;
use callboard_proto::video::v1 as proto;
use callboard_ratings_domain::request::{News, RequestCommand};
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;

use crate::store::Queries;
use crate::{Requests, convert, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "ratings-video";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::SessionDone::SUBJECT,
    proto::SessionClosed::SUBJECT,
    proto::SessionCancelled::SUBJECT,
    proto::SessionReopened::SUBJECT,
    proto::SessionVisibilityChanged::SUBJECT,
];

/// Asks, waives and withdraws.
#[derive(Debug, Clone)]
pub struct VideoHandler {
    /// Ratings.
    pub requests: Requests,
    /// Knows the switches.
    pub queries: Queries,
}

/// What an event means besides its facts.
enum Meaning {
    Facts,
    Done,
    Over,
}

impl VideoHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let (facts, meaning) = match event.kind.as_str() {
            proto::SessionDone::TYPE => (decode::<proto::SessionDone>(event)?.session, Meaning::Done),
            proto::SessionClosed::TYPE => (decode::<proto::SessionClosed>(event)?.session, Meaning::Over),
            proto::SessionCancelled::TYPE => {
                (decode::<proto::SessionCancelled>(event)?.session, Meaning::Over)
            }
            proto::SessionReopened::TYPE => (decode::<proto::SessionReopened>(event)?.session, Meaning::Over),
            proto::SessionVisibilityChanged::TYPE => {
                (decode::<proto::SessionVisibilityChanged>(event)?.session, Meaning::Facts)
            }
            _ => return Ok(Handled::Ignored),
        };
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} has no session", event.kind)))?;
        let id = event_id("session_id", &facts.session_id)?;
        let subject = convert::session(&facts, event.aggregate_version.0)
            .map_err(|problem| HandleError::Poison(format!("{}: {problem}", event.kind)))?;
        let news = match meaning {
            Meaning::Facts => News::Facts,
            Meaning::Over => News::Over,
            Meaning::Done => {
                // The switch at the moment of DONE counts, not that of now.
                let switches = self
                    .queries
                    .switches_at(event.organisation, subject.template, event.time)
                    .await
                    .map_err(not_now)?;
                News::Done { switched_on: switches.video_sessions }
            }
        };
        let observe = RequestCommand::Observe { subject: Arc::new(subject), news };
        Reaction { consumer: CONSUMER, event }.give(&self.requests, id, observe).await
    }
}

impl Handler for VideoHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
