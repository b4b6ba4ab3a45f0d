//! What REST answers: a resource with its tag.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::model::mirror::Mirror;
use crate::problem::Problem;

/// The answer of a handler.
pub type Answer<T> = Result<Shown<T>, Problem>;

/// A resource, its tag, and how it came about.
#[derive(Debug, Clone)]
pub struct Shown<T> {
    value: T,
    etag: Option<String>,
    created_at: Option<String>,
}

impl<T> Shown<T> {
    /// The same with what the gateway itself knows of it.
    #[must_use]
    pub fn with(mut self, fill_in: impl FnOnce(&mut T)) -> Self {
        fill_in(&mut self.value);
        self
    }
}

/// Something with a tag.
pub trait Tagged {
    /// The strong entity tag, quoted.
    fn etag(&self) -> Option<&str> {
        None
    }
    /// The id.
    fn id(&self) -> Option<&str> {
        None
    }
}

impl<T: Tagged> Shown<T> {
    /// 200 with a resource and its tag.
    pub fn new(value: T) -> Self {
        let etag = value.etag().map(str::to_owned);
        Self { value, etag, created_at: None }
    }

    /// 201 with `Location`.
    pub fn created(value: T, collection: &str) -> Self {
        let created_at = value.id().map(|id| format!("{collection}/{id}"));
        Self { created_at, ..Self::new(value) }
    }
}

/// Shows what a service answered.
pub fn show<P, T: Mirror<P> + Tagged>(proto: P) -> Answer<T> {
    Ok(Shown::new(T::out(proto)))
}

/// Shows the resource that a service's answer wraps.
pub fn show_inner<P, T: Mirror<P> + Tagged>(proto: Option<P>) -> Answer<T> {
    inner(proto).map(Shown::new)
}

/// Shows the resource that was made.
pub fn show_created<P, T: Mirror<P> + Tagged>(proto: Option<P>, collection: &str) -> Answer<T> {
    inner(proto).map(|value| Shown::created(value, collection))
}

fn inner<P, T: Mirror<P>>(proto: Option<P>) -> Result<T, Problem> {
    // Every answer promises its resource; one without is the service's bug.
    proto.map(T::out).ok_or_else(|| {
        tracing::error!("a service answered without the resource it promises");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
    })
}

/// Nothing is left to show.
pub type Gone = Result<StatusCode, Problem>;

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.value).into_response();
        if let Some(tag) = self.etag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            response.headers_mut().insert(ETAG, tag);
        }
        if let Some(location) = self.created_at {
            *response.status_mut() = StatusCode::CREATED;
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(LOCATION, location);
            }
        }
        response
    }
}

/// Says which shapes have id and tag.
macro_rules! tagged {
    ($($type:ty),* $(,)?) => {$(
        impl Tagged for $type {
            fn etag(&self) -> Option<&str> {
                self.etag.as_deref()
            }
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }
        }
    )*};
}

/// Says which shapes have neither.
macro_rules! untagged {
    ($($type:ty),* $(,)?) => {$(impl Tagged for $type {})*};
}

use crate::model::{directory as d, fleet as f, messenger as m, ratings as r, tickets as t};

tagged!(
    d::Organisation,
    d::Employee,
    d::Department,
    d::Team,
    d::MetaTeam,
    d::Customer,
    d::CustomerUser,
    d::Device,
    d::Template,
    d::Code,
    t::Ticket,
    t::Flow,
    f::Group,
    crate::model::support::SupportTicket,
    crate::model::tasks::Task,
    crate::model::tasks::TaskDefinition,
    crate::model::tasks::DeviceEvent,
    crate::model::notifications::NotificationGroup,
    crate::model::webhooks::Webhook,
    crate::model::video::VideoSession,
    m::Conversation,
    m::Message,
);
untagged!(
    crate::model::notifications::NotificationPage,
    crate::model::notifications::UnreadNotifications,
    crate::model::notifications::PushKey,
    crate::model::notifications::PushSubscriptionList,
    crate::model::notifications::DeliveryPage,
    crate::model::notifications::NotificationGroupPage,
    crate::model::notifications::CodeAddressList,
    crate::model::notifications::OpenedLink,
    crate::model::notifications::Unsubscribed,
    crate::model::webhooks::WebhookList,
    crate::model::webhooks::WebhookDeliveryPage,
    crate::model::webhooks::WebhookAttemptPage,
    crate::model::webhooks::WebhookTest,
    crate::model::webhooks::RedeliveredEvents,
    crate::model::attachments::AttachmentLink,
    d::EmployeePage,
    d::DepartmentPage,
    d::TeamPage,
    d::MetaTeamPage,
    d::CustomerPage,
    d::CustomerUserPage,
    d::DevicePage,
    d::TemplatePage,
    d::CodePage,
    d::EndedSessions,
    d::CodeNeeds,
    d::Admission,
    d::NewTokens,
    d::DevelopmentTokens,
    d::Me,
    t::TicketPage,
    t::UpdatePage,
    t::ServiceRecord,
    t::TimelinePage,
    t::TicketMoves,
    f::OfferPage,
    f::RoundPage,
    f::Explanation,
    f::Assignment,
    r::RatingPage,
    r::RatingFigures,
    crate::model::support::SupportTicketPage,
    crate::model::support::NotePage,
    crate::model::support::CommentPage,
    crate::model::support::DomainPage,
    crate::model::support::Remark,
    crate::model::tasks::TaskPage,
    crate::model::tasks::TaskDefinitionList,
    crate::model::tasks::DeviceEventPage,
    crate::model::tasks::CalendarPage,
    crate::model::tasks::CalendarFeedList,
    crate::model::video::VideoSessionPage,
    crate::model::video::JoinedCall,
    m::ConversationPage,
    m::MessagePage,
    m::MessageRevisionPage,
    m::ReadMarker,
);

impl Tagged for t::Update {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}
impl Tagged for t::AnsweredDraft {
    fn etag(&self) -> Option<&str> {
        self.ticket.as_ref()?.etag()
    }
}
impl Tagged for t::FlowList {
    fn etag(&self) -> Option<&str> {
        self.flows.first()?.etag()
    }
}
impl Tagged for f::GroupList {
    fn etag(&self) -> Option<&str> {
        self.groups.first()?.etag()
    }
}
impl Tagged for f::Offer {
    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }
}
impl Tagged for f::Dispatch {
    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }
}
impl Tagged for r::Rating {
    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }
}
impl Tagged for r::Switches {
    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }
}

impl Tagged for crate::model::video::SessionFile {
    fn id(&self) -> Option<&str> {
        self.attachment_id.as_deref()
    }
}

impl Tagged for crate::model::video::SessionFlow {
    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }
}

impl Tagged for crate::model::notifications::NotificationPreferences {
    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }
}

/// It is replaced or removed, never edited.
impl Tagged for crate::model::notifications::PushSubscription {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// It is confirmed or removed, never edited.
impl Tagged for crate::model::notifications::CodeAddress {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// A feed can only be ended.
impl Tagged for crate::model::tasks::NewCalendarFeed {
    fn id(&self) -> Option<&str> {
        self.feed.as_ref()?.id.as_deref()
    }
}

/// A file never changes, so its description has no tag.
impl Tagged for crate::model::attachments::Attachment {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}
