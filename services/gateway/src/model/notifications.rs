//! Shapes of notifications.

use callboard_proto::notifications::v1 as proto;
use serde::Deserialize;
use utoipa::ToSchema;

use super::mirror::{mirror, several, words};
use super::{Actor, Time};

words! {
    /// What somebody is told of.
    NotificationType of proto::EventType {
        TicketOpened, TicketStatus, TicketChanged, TicketUpdate, TicketRated, Message, Offer, OfferWithdrawn,
        Assigned, Unassigned, Unserved, Escalated, RatingRequested, TaskCreated, TaskDue, TaskStatus, TaskAssigned,
        SupportOpened, SupportAssigned, SupportComment, SupportDecided, VideoRequested, VideoConfirmed,
        VideoCancelled, VideoCall, VideoEnded, VideoRated, WebhookDisabled
    }

    /// Who caused it, seen from the person who is told.
    NotificationOrigin of proto::Origin { Me, Others }

    /// How somebody is told besides the drawer (N-2).
    NotificationChannel of proto::Channel { Browser, Push, Email }

    /// Which of the channels are used: all, or in order until one has truly delivered (N-2).
    NotificationStrategy of proto::Strategy { All, FirstSuccessful }

    /// What a notification is about.
    NotificationSubject of proto::SubjectKind { Ticket, Task, DeviceEvent, SupportTicket, VideoSession, Webhook }

    /// Where a delivery stands (N-5).
    DeliveryState of proto::DeliveryState { Waiting, Due, Delivered, Failed, Skipped, Withheld, Unknown }
}

several! {
    /// Channels, in order.
    NotificationChannels of NotificationChannel,
}

mirror! {
    /// Notifications of one type on one subject, stacked (N-1).
    Notification of proto::Entry {
        /// UUID.
        id: Option<String>,
        /// Of what.
        event_type: Option<NotificationType>,
        /// About what.
        subject_kind: Option<NotificationSubject>,
        /// About which.
        subject_id: Option<String>,
        /// The ticket's short number.
        number: Option<i64>,
        /// The device.
        device_id: Option<String>,
        /// How many there are since it was read last.
        count: i32,
        /// Not read yet.
        unread: bool,
        /// Who caused the latest.
        origin: Option<NotificationOrigin>,
        /// Who that is.
        actor: Option<Actor>,
        /// When.
        time: Option<Time>,
        /// In the reader's language.
        text: String,
        /// Rises with every change of the drawer.
        position: i64,
    }

    /// A page of the drawer, latest first.
    NotificationPage of proto::ListEntriesResponse {
        entries: Vec<Notification>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// How many notifications are unread.
    UnreadNotifications of proto::GetUnreadCountResponse {
        /// Stacks.
        unread: i32,
        /// The latest position; for `:markAllRead`.
        position: i64,
    }

    /// How one is told of a type of events of an origin (N-2).
    NotificationRule of proto::PreferenceRule {
        /// Of what.
        event_type: Option<NotificationType>,
        /// Who caused it.
        origin: Option<NotificationOrigin>,
        /// In order, each at most once. None: only the drawer.
        channels: NotificationChannels,
        /// Not needed for fewer than two channels.
        strategy: Option<NotificationStrategy>,
        /// Only shown: nobody has set it.
        is_default: bool,
    }

    /// How a person is told.
    NotificationPreferences of proto::Preferences {
        /// All of them when read; when written, those that differ from the default.
        rules: Vec<NotificationRule>,
        /// Of customer users: nothing is told at all (N-4).
        switched_off: bool,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// What a browser subscribes with.
    PushKey of proto::GetPushKeyResponse {
        /// P-256, uncompressed, base64url.
        key: String,
    }

    /// A browser that takes pushes. Address and secrets are only written.
    PushSubscription of proto::PushSubscription {
        /// UUID.
        id: Option<String>,
        /// https, at most 2,000 bytes.
        endpoint: Option<String>,
        /// The browser's public key, base64url.
        p256dh: Option<String>,
        /// The browser's authentication secret, base64url.
        auth: Option<String>,
        /// At most 200 characters.
        label: Option<String>,
        /// When it was added.
        create_time: Option<Time>,
    }

    /// The caller's browsers.
    PushSubscriptionList of proto::ListPushSubscriptionsResponse {
        push_subscriptions: Vec<PushSubscription>,
    }

    /// What happened to one event for one person on one channel (N-5).
    Delivery of proto::Delivery {
        /// The event.
        event_id: String,
        /// Of what.
        event_type: Option<NotificationType>,
        /// About what.
        subject_kind: Option<NotificationSubject>,
        /// About which.
        subject_id: Option<String>,
        /// Who was to be told; of kind CODE_USER: a code.
        person: Option<Actor>,
        /// How.
        channel: Option<NotificationChannel>,
        /// Place in the person's order, from 1.
        place: i32,
        /// Where it stands.
        state: Option<DeliveryState>,
        /// How often it was tried.
        attempts: i32,
        /// Why the last attempt failed.
        reason: Option<String>,
        /// What the other side answered: a code.
        answer: Option<String>,
        /// When it was queued.
        create_time: Option<Time>,
        /// When something happened to it last.
        update_time: Option<Time>,
        /// When it is tried next.
        next_time: Option<Time>,
    }

    /// A page of deliveries, latest first.
    DeliveryPage of proto::ListDeliveriesResponse {
        deliveries: Vec<Delivery>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// Who hears of the tickets of the flows that name it (N-4).
    NotificationGroup of proto::Group {
        /// UUID; kept where the caller gives one.
        id: Option<String>,
        /// 1 to 200 characters.
        name: String,
        /// At most 500 in all three lists together, each once.
        employee_ids: Vec<String>,
        /// Everybody in these.
        department_ids: Vec<String>,
        /// Everybody in these.
        team_ids: Vec<String>,
        /// When it was made.
        create_time: Option<Time>,
        /// When it changed last.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A page of groups, by name.
    NotificationGroupPage of proto::ListGroupsResponse {
        groups: Vec<NotificationGroup>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// An address that is told of what happens at a code's device (N-6).
    CodeAddress of proto::CodeAddress {
        /// UUID.
        id: Option<String>,
        /// With most of it left out.
        masked: String,
        /// Its owner has opened the link in the first e-mail.
        confirmed: bool,
        /// When it was entered.
        create_time: Option<Time>,
    }

    /// The addresses of a code.
    CodeAddressList of proto::ListAddressesResponse {
        addresses: Vec<CodeAddress>,
    }

    /// Where a link of an e-mail leads.
    OpenedLink of proto::OpenLinkResponse {
        /// The text of the code that lets its users in.
        code_token: String,
        /// The ticket that the e-mail was about, where it was about one.
        ticket_id: Option<String>,
        /// About what it was. Not set: it asked to confirm an address.
        subject_kind: Option<NotificationSubject>,
        /// About which.
        subject_id: Option<String>,
        /// An address was confirmed by it.
        confirmed: bool,
        /// When the link ends.
        expire_time: Option<Time>,
    }

    /// What one is not told of by e-mail any more.
    Unsubscribed of proto::UnsubscribeResponse {
        /// Not set: nothing at all.
        event_type: Option<NotificationType>,
    }
}

/// Which entries become read or unread.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MarkedNotifications {
    /// 1 to 200.
    pub entry_ids: Vec<String>,
    /// True: unread again.
    #[serde(default)]
    pub unread: bool,
}

/// Up to where all becomes read.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReadUpToPosition {
    /// What came later stays unread. 0 or not given: all.
    pub up_to_position: i64,
}

/// An address to be told.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAddress {
    /// At most 254 characters.
    pub email: String,
}

/// The token of a link in an e-mail.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkToken {
    /// As it stands in the link.
    pub token: String,
}
