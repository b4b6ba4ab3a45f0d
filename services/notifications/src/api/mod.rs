//! What can be called.

mod addresses;
mod drawer;
mod groups;
mod preferences;
mod push;
mod watch;
mod webhooks;

use std::sync::Arc;

use callboard_auth::Verifier;
use callboard_kernel::{Clock, IdGenerator, Principal, Refusal, Subject};
use callboard_notifications_domain::Person;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::address_service_server::AddressService;
use callboard_proto::notifications::v1::group_service_server::GroupService;
use callboard_proto::notifications::v1::notification_service_server::NotificationService;
use callboard_proto::notifications::v1::webhook_service_server::WebhookService;
use callboard_service::database::refusal;
use callboard_service::error::IntoStatus;
use chrono::TimeDelta;
use futures::stream::BoxStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::contacts::Contacts;
use crate::courier::{Bounds, Courier, PushKey};
use crate::links::Links;
use crate::render::Texts;
use crate::store::drawer::Reader;
use crate::window::Windows;
use crate::{GroupActors, PreferencesActors, Tables, WebhookActors};

/// Serves `NotificationService`.
#[derive(Debug, Clone)]
pub struct NotificationApi {
    /// The actors of preferences.
    pub preferences: PreferencesActors,
    /// The tables.
    pub tables: Tables,
    /// Windows that are open.
    pub windows: Windows,
    /// What people read.
    pub texts: Arc<Texts>,
    /// What browsers subscribe with.
    pub push_key: Arc<PushKey>,
    /// Also push services of our own house: for tests.
    pub allow_private_pushes: bool,
    /// Judges the tokens of those who watch, for as long as they do.
    pub verifier: Arc<Verifier>,
    /// When streams end.
    pub stop: CancellationToken,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// Serves `GroupService`.
#[derive(Debug, Clone)]
pub struct GroupApi {
    /// The actors.
    pub groups: GroupActors,
    /// The tables.
    pub tables: Tables,
    /// For page tokens.
    pub clock: Arc<dyn Clock>,
}

/// Serves `AddressService`.
#[derive(Debug, Clone)]
pub struct AddressApi {
    /// The actors of preferences.
    pub preferences: PreferencesActors,
    /// The tables.
    pub tables: Tables,
    /// Asks for codes.
    pub contacts: Contacts,
    /// Links in e-mails.
    pub links: Links,
    /// Sends the first e-mail.
    pub courier: Courier,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

/// Serves `WebhookService`.
#[derive(Debug, Clone)]
pub struct WebhookApi {
    /// The actors.
    pub webhooks: WebhookActors,
    /// The tables.
    pub tables: Tables,
    /// Where calls may go.
    pub bounds: Bounds,
    /// How long secrets go on signing after a rotation.
    pub old_secret_kept: TimeDelta,
    /// Wakes the courier.
    pub wake: Arc<Notify>,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

/// Whose drawer it is; the system has none.
fn person(principal: &Principal) -> Result<Person, Refusal> {
    Person::of(principal).ok_or_else(|| Refusal::denied("a drawer is of people"))
}

impl NotificationApi {
    async fn reader(&self, principal: &Principal) -> Result<Reader, Refusal> {
        reader(&self.tables, principal).await
    }
}

async fn reader(tables: &Tables, principal: &Principal) -> Result<Reader, Refusal> {
    let departments = principal.employee().map(|employee| employee.departments.clone());
    let customer = match &principal.subject {
        Subject::CustomerUser(user) => Some(user.customer),
        Subject::Employee(_) | Subject::CodeUser(_) | Subject::System => None,
    };
    Ok(Reader {
        organisation: principal.organisation,
        person: person(principal)?,
        isolation: tables.copies.isolation(principal.organisation).await.map_err(refusal)?,
        departments: departments.unwrap_or_default(),
        customer,
    })
}

fn status(refusal: Refusal) -> Status {
    refusal.into_status(crate::NAME)
}

macro_rules! serve {
    ($service:ident for $api:ident { $($extra:item)* } $($method:ident($request:ident) -> $response:ident;)+) => {
        #[tonic::async_trait]
        impl $service for $api {
            $($extra)*
            $(
                async fn $method(
                    &self,
                    request: Request<proto::$request>,
                ) -> Result<Response<proto::$response>, Status> {
                    $api::$method(self, &request).await.map(Response::new).map_err(status)
                }
            )+
        }
    };
}

serve! {
    NotificationService for NotificationApi {
        type WatchEntriesStream = BoxStream<'static, Result<proto::WatchEntriesResponse, Status>>;

        async fn watch_entries(
            &self,
            request: Request<proto::WatchEntriesRequest>,
        ) -> Result<Response<Self::WatchEntriesStream>, Status> {
            self.watch(&request).await.map(Response::new).map_err(status)
        }
    }
    list_entries(ListEntriesRequest) -> ListEntriesResponse;
    get_unread_count(GetUnreadCountRequest) -> GetUnreadCountResponse;
    mark_entries(MarkEntriesRequest) -> MarkEntriesResponse;
    mark_all_read(MarkAllReadRequest) -> MarkAllReadResponse;
    clear_entries(ClearEntriesRequest) -> ClearEntriesResponse;
    clear_code_entries(ClearCodeEntriesRequest) -> ClearCodeEntriesResponse;
    get_preferences(GetPreferencesRequest) -> GetPreferencesResponse;
    update_preferences(UpdatePreferencesRequest) -> UpdatePreferencesResponse;
    get_push_key(GetPushKeyRequest) -> GetPushKeyResponse;
    create_push_subscription(CreatePushSubscriptionRequest) -> CreatePushSubscriptionResponse;
    list_push_subscriptions(ListPushSubscriptionsRequest) -> ListPushSubscriptionsResponse;
    delete_push_subscription(DeletePushSubscriptionRequest) -> DeletePushSubscriptionResponse;
    list_deliveries(ListDeliveriesRequest) -> ListDeliveriesResponse;
}

serve! {
    GroupService for GroupApi {}
    create_group(CreateGroupRequest) -> CreateGroupResponse;
    get_group(GetGroupRequest) -> GetGroupResponse;
    list_groups(ListGroupsRequest) -> ListGroupsResponse;
    update_group(UpdateGroupRequest) -> UpdateGroupResponse;
    delete_group(DeleteGroupRequest) -> DeleteGroupResponse;
}

serve! {
    AddressService for AddressApi {}
    add_address(AddAddressRequest) -> AddAddressResponse;
    list_addresses(ListAddressesRequest) -> ListAddressesResponse;
    remove_address(RemoveAddressRequest) -> RemoveAddressResponse;
    open_link(OpenLinkRequest) -> OpenLinkResponse;
    unsubscribe(UnsubscribeRequest) -> UnsubscribeResponse;
}

serve! {
    WebhookService for WebhookApi {}
    create_webhook(CreateWebhookRequest) -> CreateWebhookResponse;
    get_webhook(GetWebhookRequest) -> GetWebhookResponse;
    list_webhooks(ListWebhooksRequest) -> ListWebhooksResponse;
    update_webhook(UpdateWebhookRequest) -> UpdateWebhookResponse;
    delete_webhook(DeleteWebhookRequest) -> DeleteWebhookResponse;
    rotate_webhook_secret(RotateWebhookSecretRequest) -> RotateWebhookSecretResponse;
    test_webhook(TestWebhookRequest) -> TestWebhookResponse;
    list_webhook_deliveries(ListWebhookDeliveriesRequest) -> ListWebhookDeliveriesResponse;
    list_webhook_attempts(ListWebhookAttemptsRequest) -> ListWebhookAttemptsResponse;
    redeliver_webhook_events(RedeliverWebhookEventsRequest) -> RedeliverWebhookEventsResponse;
}
