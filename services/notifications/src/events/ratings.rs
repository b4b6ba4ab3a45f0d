//! Questions for a rating.

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::Actor;
use callboard_notifications_domain::{EventType, SubjectKind};
use callboard_proto::Event as _;
use callboard_proto::ratings::v1 as proto;
use callboard_service::reaction::{decode, event_id};

use super::{handles, lacks};
use crate::tell::{Happening, Teller};

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[proto::RatingRequested::SUBJECT];

/// Tells those who are asked. Of the rating itself the subject's own context tells.
#[derive(Debug, Clone)]
pub struct RatingsHandler(pub Teller);

impl RatingsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        if event.kind != proto::RatingRequested::TYPE {
            return Ok(Handled::Ignored);
        }
        let facts = decode::<proto::RatingRequested>(event)?.rating.ok_or_else(|| lacks(event, "rating"))?;
        let kind = match facts.subject_kind() {
            proto::SubjectKind::Ticket => SubjectKind::Ticket,
            proto::SubjectKind::VideoSession => SubjectKind::VideoSession,
            proto::SubjectKind::Unspecified => return Ok(Handled::Ignored),
        };
        let id = event_id("subject_id", &facts.subject_id)?;
        let happening = Happening::new(EventType::RatingRequested, kind, id, Actor::System);
        self.0.tell(event, happening).await
    }
}

handles!(RatingsHandler, HEARS);
