//! What video makes of the ratings context's events: switches, and what became of a session's rating (V-4).

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_proto::Event as _;
use callboard_proto::ratings::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use callboard_video_domain::session::SessionCommand;
use futures::future::BoxFuture;

use crate::store::Copies;
use crate::{Sessions, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "video-ratings";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] =
    &[proto::SwitchesChanged::SUBJECT, proto::RatingSubmitted::SUBJECT, proto::RatingWaived::SUBJECT];

/// Closes what was rated.
#[derive(Debug, Clone)]
pub struct RatingsHandler {
    /// Sessions.
    pub sessions: Sessions,
    /// The copies.
    pub copies: Copies,
}

impl RatingsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let (facts, score) = match event.kind.as_str() {
            proto::SwitchesChanged::TYPE => {
                let switches = decode::<proto::SwitchesChanged>(event)?.switches;
                let switches =
                    switches.ok_or_else(|| HandleError::Poison(format!("{} has no switches", event.kind)))?;
                let template = event_id("template_id", &switches.template_id)?;
                let version = event.aggregate_version.0;
                self.copies
                    .keep_switch(event.organisation, version, template, switches.video_sessions)
                    .await
                    .map_err(not_now)?;
                return Ok(Handled::Done);
            }
            proto::RatingSubmitted::TYPE => {
                let message: proto::RatingSubmitted = decode(event)?;
                (message.rating, Some(message.score))
            }
            proto::RatingWaived::TYPE => (decode::<proto::RatingWaived>(event)?.rating, None),
            _ => return Ok(Handled::Ignored),
        };
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} has no rating", event.kind)))?;
        if facts.subject_kind() != proto::SubjectKind::VideoSession {
            return Ok(Handled::Ignored);
        }
        if score.is_some_and(|score| !(1..=5).contains(&score)) {
            return Err(HandleError::Poison(format!("{}: a score is 1 to 5", event.kind)));
        }
        let session = event_id("subject_id", &facts.subject_id)?;
        let command = SessionCommand::Rate { round: facts.done_round, score };
        Reaction { consumer: CONSUMER, event }.give(&self.sessions, session, command).await
    }
}

impl Handler for RatingsHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
