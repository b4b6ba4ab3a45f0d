//! Notifications: drawer, preferences, browsers, deliveries, groups, addresses (N-1 to N-6).

use axum::response::Response;
use callboard_proto::notifications::v1 as proto;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, Shown, show, show_created, show_inner};
use crate::call::{Call, Guest, Id};
use crate::extract::{Json, Query};
use crate::live::drawer;
use crate::model::mirror::Mirror;
use crate::model::notifications::{
    CodeAddress, CodeAddressList, DeliveryPage, DeliveryState, LinkToken, MarkedNotifications, NewAddress,
    Notification, NotificationChannel, NotificationGroup, NotificationGroupPage, NotificationPage,
    NotificationPreferences, NotificationType, OpenedLink, PushKey, PushSubscription, PushSubscriptionList,
    ReadUpToPosition, UnreadNotifications, Unsubscribed,
};
use crate::openapi::{Resource, Route};
use crate::problem::Problem;

/// Which notifications.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Only unread ones.
    unread_only: bool,
    /// Types; repeat it for several.
    #[param(inline)]
    event_type: Vec<NotificationType>,
    /// Only those about this.
    subject_id: String,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which deliveries.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedDeliveries {
    /// Of this event.
    event_id: String,
    /// About this.
    subject_id: String,
    /// Of all people. Administrators.
    everybody: bool,
    /// States; repeat it for several.
    #[param(inline)]
    state: Vec<DeliveryState>,
    /// Channels; repeat it for several.
    #[param(inline)]
    channel: Vec<NotificationChannel>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedPage {
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<NotificationPage> {
    let message = proto::ListEntriesRequest {
        unread_only: asked.unread_only,
        event_types: NotificationType::numbers(asked.event_type),
        subject_id: asked.subject_id,
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, notifications.list_entries(message)))
}

async fn unread(call: Call) -> Answer<UnreadNotifications> {
    show(ask!(call, notifications.get_unread_count(proto::GetUnreadCountRequest {})))
}

fn count(unread: i32) -> Answer<UnreadNotifications> {
    Ok(Shown::new(UnreadNotifications { unread, position: 0 }))
}

async fn mark(call: Call, Json(marked): Json<MarkedNotifications>) -> Answer<UnreadNotifications> {
    let message = proto::MarkEntriesRequest {
        request_id: call.request_uuid(),
        entry_ids: marked.entry_ids,
        unread: marked.unread,
    };
    count(ask!(call, notifications.mark_entries(message)).unread)
}

async fn mark_all(call: Call, Json(read): Json<ReadUpToPosition>) -> Answer<UnreadNotifications> {
    let message =
        proto::MarkAllReadRequest { request_id: call.request_uuid(), up_to_position: read.up_to_position };
    count(ask!(call, notifications.mark_all_read(message)).unread)
}

async fn clear(call: Call) -> Gone {
    let message = proto::ClearEntriesRequest { request_id: call.request_uuid() };
    ask!(call, notifications.clear_entries(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_code(call: Call, Id(code_id): Id) -> Gone {
    let message = proto::ClearCodeEntriesRequest { request_id: call.request_uuid(), code_id };
    ask!(call, notifications.clear_code_entries(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn live(call: Call) -> Result<Response, Problem> {
    drawer::open(call).await
}

async fn preferences(call: Call) -> Answer<NotificationPreferences> {
    show_inner(ask!(call, notifications.get_preferences(proto::GetPreferencesRequest {})).preferences)
}

async fn set_preferences(
    call: Call,
    Json(chosen): Json<NotificationPreferences>,
) -> Answer<NotificationPreferences> {
    let mut chosen: proto::Preferences = chosen.back();
    chosen.etag = call.etag(Some(std::mem::take(&mut chosen.etag)));
    let message =
        proto::UpdatePreferencesRequest { request_id: call.request_uuid(), preferences: Some(chosen) };
    show_inner(ask!(call, notifications.update_preferences(message)).preferences)
}

async fn push_key(call: Call) -> Answer<PushKey> {
    show(ask!(call, notifications.get_push_key(proto::GetPushKeyRequest {})))
}

async fn subscribe(call: Call, Json(new): Json<PushSubscription>) -> Answer<PushSubscription> {
    let message = proto::CreatePushSubscriptionRequest {
        request_id: call.request_uuid(),
        push_subscription: Some(new.back()),
    };
    let made = ask!(call, notifications.create_push_subscription(message)).push_subscription;
    show_created(made, "/v1/notifications/pushSubscriptions")
}

async fn browsers(call: Call) -> Answer<PushSubscriptionList> {
    show(ask!(call, notifications.list_push_subscriptions(proto::ListPushSubscriptionsRequest {})))
}

async fn forget_browser(call: Call, Id(push_subscription_id): Id) -> Gone {
    let message =
        proto::DeletePushSubscriptionRequest { request_id: call.request_uuid(), push_subscription_id };
    ask!(call, notifications.delete_push_subscription(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn deliveries(call: Call, Query(asked): Query<AskedDeliveries>) -> Answer<DeliveryPage> {
    let message = proto::ListDeliveriesRequest {
        event_id: asked.event_id,
        subject_id: asked.subject_id,
        everybody: asked.everybody,
        states: DeliveryState::numbers(asked.state),
        channels: NotificationChannel::numbers(asked.channel),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, notifications.list_deliveries(message)))
}

async fn groups(call: Call, Query(asked): Query<AskedPage>) -> Answer<NotificationGroupPage> {
    let message = proto::ListGroupsRequest { page_size: asked.page_size, page_token: asked.page_token };
    show(ask!(call, notification_groups.list_groups(message)))
}

async fn group(call: Call, Id(group_id): Id) -> Answer<NotificationGroup> {
    show_inner(ask!(call, notification_groups.get_group(proto::GetGroupRequest { group_id })).group)
}

async fn create_group(call: Call, Json(new): Json<NotificationGroup>) -> Answer<NotificationGroup> {
    let message = proto::CreateGroupRequest { request_id: call.request_uuid(), group: Some(new.back()) };
    show_created(ask!(call, notification_groups.create_group(message)).group, "/v1/notificationGroups")
}

async fn update_group(
    call: Call,
    Id(id): Id,
    Json(group): Json<NotificationGroup>,
) -> Answer<NotificationGroup> {
    let mut group: proto::Group = group.back();
    group.etag = call.etag(Some(std::mem::take(&mut group.etag)));
    let message = proto::UpdateGroupRequest {
        request_id: call.request_uuid(),
        group: Some(proto::Group { id, ..group }),
    };
    show_inner(ask!(call, notification_groups.update_group(message)).group)
}

async fn delete_group(call: Call, Id(group_id): Id) -> Gone {
    let message =
        proto::DeleteGroupRequest { request_id: call.request_uuid(), group_id, etag: call.etag(None) };
    ask!(call, notification_groups.delete_group(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn add_address(call: Call, Json(new): Json<NewAddress>) -> Answer<CodeAddress> {
    let message = proto::AddAddressRequest { request_id: call.request_uuid(), email: new.email };
    show_created(ask!(call, addresses.add_address(message)).address, "/v1/notifications/addresses")
}

async fn addresses(call: Call) -> Answer<CodeAddressList> {
    show(ask!(call, addresses.list_addresses(proto::ListAddressesRequest {})))
}

async fn remove_address(call: Call, Id(address_id): Id) -> Gone {
    let message = proto::RemoveAddressRequest { request_id: call.request_uuid(), address_id };
    ask!(call, addresses.remove_address(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn open_link(guest: Guest, Json(link): Json<LinkToken>) -> Answer<OpenedLink> {
    show(ask!(guest, addresses.open_link(proto::OpenLinkRequest { token: link.token })))
}

async fn unsubscribe(guest: Guest, Json(link): Json<LinkToken>) -> Answer<Unsubscribed> {
    show(ask!(guest, addresses.unsubscribe(proto::UnsubscribeRequest { token: link.token })))
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "notifications",
        about: "What one is told, and how.",
        routes: vec![
            Route::get("/v1/notifications", list)
                .rpc(rpc!("notifications.v1.NotificationService", "ListEntries"))
                .query::<Asked>()
                .answers::<NotificationPage>()
                .about("The caller's drawer, latest first; visitors share that of their code (N-1)."),
            Route::get("/v1/notifications/unread", unread)
                .rpc(rpc!("notifications.v1.NotificationService", "GetUnreadCount"))
                .answers::<UnreadNotifications>()
                .about("How many are unread."),
            Route::post("/v1/notifications:mark", mark)
                .rpc(rpc!("notifications.v1.NotificationService", "MarkEntries"))
                .body::<MarkedNotifications>()
                .answers::<UnreadNotifications>()
                .about("Marks entries as read or unread."),
            Route::post("/v1/notifications:markAllRead", mark_all)
                .rpc(rpc!("notifications.v1.NotificationService", "MarkAllRead"))
                .body::<ReadUpToPosition>()
                .answers::<UnreadNotifications>()
                .about("Marks all as read, up to a position."),
            Route::post("/v1/notifications:clear", clear)
                .rpc(rpc!("notifications.v1.NotificationService", "ClearEntries"))
                .answers_nothing()
                .about("Empties the caller's own drawer. Employees and customer users."),
            Route::post("/v1/codes/{id}:clearNotifications", clear_code)
                .rpc(rpc!("notifications.v1.NotificationService", "ClearCodeEntries"))
                .answers_nothing()
                .about("Hides what there was from the users of a code, and from nobody else (D-4). Administrators."),
            Route::get("/v1/notifications/live", live)
                .rpc(rpc!("notifications.v1.NotificationService", "WatchEntries"))
                .named("watchNotifications")
                .answers_as::<Notification>("200", "text/event-stream")
                .about(
                    "Server-sent events: `unread` first and when it changes, `notification` for each entry that is \
                     new or has changed, `told` for what is delivered here and now (N-2), and `end` with the reason.",
                ),
            Route::get("/v1/notifications/preferences", preferences)
                .rpc(rpc!("notifications.v1.NotificationService", "GetPreferences"))
                .answers::<NotificationPreferences>()
                .about("How the caller is told (N-2). Employees and customer users."),
            Route::put("/v1/notifications/preferences", set_preferences)
                .rpc(rpc!("notifications.v1.NotificationService", "UpdatePreferences"))
                .body::<NotificationPreferences>()
                .answers::<NotificationPreferences>()
                .conditional()
                .about("Replaces all rules of one's own. Employees and customer users."),
            Route::get("/v1/notifications/pushKey", push_key)
                .rpc(rpc!("notifications.v1.NotificationService", "GetPushKey"))
                .answers::<PushKey>()
                .about("What a browser subscribes to pushes with (RFC 8292)."),
            Route::get("/v1/notifications/pushSubscriptions", browsers)
                .rpc(rpc!("notifications.v1.NotificationService", "ListPushSubscriptions"))
                .answers::<PushSubscriptionList>()
                .about("The caller's browsers."),
            Route::post("/v1/notifications/pushSubscriptions", subscribe)
                .rpc(rpc!("notifications.v1.NotificationService", "CreatePushSubscription"))
                .body::<PushSubscription>()
                .creates::<PushSubscription>()
                .about("Adds a browser that takes pushes; at most 20."),
            Route::delete("/v1/notifications/pushSubscriptions/{id}", forget_browser)
                .rpc(rpc!("notifications.v1.NotificationService", "DeletePushSubscription"))
                .about("Removes a browser."),
            Route::get("/v1/notifications/deliveries", deliveries)
                .rpc(rpc!("notifications.v1.NotificationService", "ListDeliveries"))
                .query::<AskedDeliveries>()
                .answers::<DeliveryPage>()
                .about("What became of deliveries (N-5): one's own; of everybody for administrators."),
            Route::get("/v1/notificationGroups", groups)
                .rpc(rpc!("notifications.v1.GroupService", "ListGroups"))
                .named("listNotificationGroups")
                .query::<AskedPage>()
                .answers::<NotificationGroupPage>()
                .about("Notification groups, by name (N-4). Employees."),
            Route::post("/v1/notificationGroups", create_group)
                .rpc(rpc!("notifications.v1.GroupService", "CreateGroup"))
                .named("createNotificationGroup")
                .body::<NotificationGroup>()
                .creates::<NotificationGroup>()
                .about("Makes a notification group. Moderators and administrators."),
            Route::get("/v1/notificationGroups/{id}", group)
                .rpc(rpc!("notifications.v1.GroupService", "GetGroup"))
                .named("getNotificationGroup")
                .answers::<NotificationGroup>()
                .about("A notification group. Employees."),
            Route::put("/v1/notificationGroups/{id}", update_group)
                .rpc(rpc!("notifications.v1.GroupService", "UpdateGroup"))
                .named("updateNotificationGroup")
                .body::<NotificationGroup>()
                .answers::<NotificationGroup>()
                .conditional()
                .about("Replaces name and members. Moderators and administrators."),
            Route::delete("/v1/notificationGroups/{id}", delete_group)
                .rpc(rpc!("notifications.v1.GroupService", "DeleteGroup"))
                .named("deleteNotificationGroup")
                .conditional()
                .about("Removes a notification group. Moderators and administrators."),
            Route::get("/v1/notifications/addresses", addresses)
                .rpc(rpc!("notifications.v1.AddressService", "ListAddresses"))
                .answers::<CodeAddressList>()
                .about("The addresses of the caller's code. Code users."),
            Route::post("/v1/notifications/addresses", add_address)
                .rpc(rpc!("notifications.v1.AddressService", "AddAddress"))
                .body::<NewAddress>()
                .creates::<CodeAddress>()
                .about("Tells an address of what happens at the device, once it has confirmed (N-6). Code users."),
            Route::delete("/v1/notifications/addresses/{id}", remove_address)
                .rpc(rpc!("notifications.v1.AddressService", "RemoveAddress"))
                .about("Removes an address. Code users."),
            Route::post("/v1/links:open", open_link)
                .rpc(rpc!("notifications.v1.AddressService", "OpenLink"))
                .open()
                .body::<LinkToken>()
                .answers::<OpenedLink>()
                .about("What a link of an e-mail leads to; it confirms an address where it is a confirmation (N-6)."),
            Route::post("/v1/links:unsubscribe", unsubscribe)
                .rpc(rpc!("notifications.v1.AddressService", "Unsubscribe"))
                .open()
                .body::<LinkToken>()
                .answers::<Unsubscribed>()
                .about("Ends e-mails by the link in them."),
        ],
    }
}
