//! Running notifications, the contexts they hear, a mail server, and people.

use std::collections::BTreeMap;

use callboard_backing::{CaughtMail, MailCatcher};
use callboard_kernel::{Principal, Role, Subject};
use callboard_notifications::definition;
use callboard_proto::common::v1 as common;
use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::messenger::v1 as messenger;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::address_service_client::AddressServiceClient;
use callboard_proto::notifications::v1::group_service_client::GroupServiceClient;
use callboard_proto::notifications::v1::notification_service_client::NotificationServiceClient;
use callboard_proto::notifications::v1::webhook_service_client::WebhookServiceClient;
use callboard_proto::tickets::v1 as tickets;
use callboard_service::convert::to_proto_actor;
use callboard_service::error::Report;
use callboard_stage::{Organisation, Stage, StageBuilder, done, id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;
use uuid::Uuid;

use super::directory::Directory;

/// Serves for as long as the test's runtime; answers where.
pub async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A ticket as others tell of it.
#[derive(Clone)]
pub struct Told {
    pub facts: tickets::TicketFacts,
    pub version: i64,
}

impl Told {
    pub fn id(&self) -> &str {
        &self.facts.ticket_id
    }
    pub fn key(&self) -> Uuid {
        self.facts.ticket_id.parse().expect("an id")
    }
    pub fn device(&self) -> Uuid {
        self.facts.device_id.parse().expect("an id")
    }
    pub fn customer(&self) -> Uuid {
        self.facts.customer_id.parse().expect("an id")
    }
}

pub struct House {
    pub stage: Stage,
    pub people: Organisation,
    pub directory: Directory,
    pub mail: MailCatcher,
}

pub const ALL: [&str; 8] =
    ["directory", "tickets", "fleet", "messenger", "ratings", "tasks", "support", "video"];

pub fn uuid(who: &Principal) -> Uuid {
    match &who.subject {
        Subject::Employee(employee) => employee.id.uuid(),
        Subject::CustomerUser(user) => user.id.uuid(),
        Subject::CodeUser(user) => user.code.uuid(),
        Subject::System => panic!("a person"),
    }
}

impl House {
    pub async fn new() -> Self {
        Self::with(|stage| stage).await
    }

    pub async fn with(set: impl FnOnce(StageBuilder) -> StageBuilder) -> Self {
        let directory = Directory::default();
        let mail = MailCatcher::start(([127, 0, 0, 1], 0).into()).await.expect("a mail server");
        let stage = Stage::of(definition(), &ALL)
            .with("notifications.directory.url", directory.serve().await)
            .with("notifications.email.url", mail.url())
            .with("notifications.email.starttls", "none")
            .with("notifications.push.allow_private", true)
            .with("notifications.webhooks.allow_private", true)
            .with("notifications.webhooks.allow_http", true)
            .with("notifications.public_url", "https://callboard.example")
            .with("notifications.ticket_url", "{public_url}/tickets/{ticket}")
            .with("notifications.support_ticket_url", "{public_url}/desk/{ticket}");
        Self { stage: set(stage).start().await, people: Organisation::new(), directory, mail }
    }

    pub fn client(&self) -> NotificationServiceClient<Channel> {
        NotificationServiceClient::new(self.stage.channel())
    }

    pub fn groups(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.stage.channel())
    }

    pub fn webhooks(&self) -> WebhookServiceClient<Channel> {
        WebhookServiceClient::new(self.stage.channel())
    }

    pub fn addresses(&self) -> AddressServiceClient<Channel> {
        AddressServiceClient::new(self.stage.channel())
    }

    async fn publish<M: callboard_proto::Event>(&self, key: Uuid, version: i64, message: &M) -> Uuid {
        self.stage.publish(self.people.id, key, version, message).await
    }

    /// Waits until a read copy is there.
    pub async fn until_known(&self, table: &str, id: Uuid) {
        let sql = format!("select exists (select from {table} where id = $1)");
        eventually(table, PATIENCE, || async {
            let known: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                .bind(id)
                .fetch_one(self.stage.pool())
                .await
                .map_err(|error| error.to_string())?;
            if known { Ok(()) } else { Err("unknown".to_owned()) }
        })
        .await;
    }

    /// An employee who is known, with an address.
    pub async fn known(&self, who: Principal, language: &str, name: &str) -> Principal {
        self.known_in(who, language, name, &[], &[]).await
    }

    pub async fn known_in(
        &self,
        who: Principal,
        language: &str,
        name: &str,
        departments: &[Uuid],
        support: &[directory::SupportRole],
    ) -> Principal {
        let employee = who.employee().expect("an employee");
        let key = employee.id.uuid();
        let mut facts = self.people.employee_facts(key, departments, &[]);
        facts.language = language.into();
        facts.role = match employee.role {
            Role::Member => common::Role::Member,
            Role::Moderator => common::Role::Moderator,
            Role::Administrator => common::Role::Administrator,
        }
        .into();
        facts.support_roles = support.iter().map(|role| (*role).into()).collect();
        self.has_address(&who, name);
        self.publish(key, 1, &directory::EmployeeCreated { employee: Some(facts) }).await;
        self.until_known("known_employee", key).await;
        who
    }

    pub fn has_address(&self, who: &Principal, name: &str) {
        let email = format!("{}@people.example", name.to_lowercase());
        self.directory.people.lock().insert(uuid(who).to_string(), (name.to_owned(), email));
    }

    /// A customer user who is known, with an address.
    pub async fn known_customer(&self, customer: Uuid, name: &str) -> Principal {
        let who = self.people.customer_user(customer);
        self.has_address(&who, name);
        let message = directory::CustomerUserChanged {
            customer_user_id: uuid(&who).to_string(),
            organisation_id: self.people.id.to_string(),
            customer_id: customer.to_string(),
            language: "en".into(),
        };
        self.publish(uuid(&who), 1, &message).await;
        self.until_known("known_customer_user", uuid(&who)).await;
        who
    }

    /// A visitor whose code is known to be on this device.
    pub async fn visitor(&self, device: Uuid) -> Principal {
        let who = self.people.code_user(device);
        self.pair(uuid(&who), 1, Some(device)).await;
        self.until_known("known_code", uuid(&who)).await;
        self.directory.codes.lock().insert(uuid(&who).to_string(), format!("text-of-{}", uuid(&who)));
        who
    }

    pub async fn pair(&self, code: Uuid, version: i64, device: Option<Uuid>) {
        let facts = directory::CodeFacts {
            code_id: code.to_string(),
            organisation_id: self.people.id.to_string(),
            device_id: device.map(|id| id.to_string()).unwrap_or_default(),
            active: true,
        };
        let message = directory::CodeChanged { code: Some(facts), previous: None };
        self.publish(code, version, &message).await;
    }

    /// A new public ticket of a company, which these work on.
    pub async fn ticket(&self, involved: &[&Principal]) -> Told {
        let mut facts = self.people.ticket_facts(id());
        facts.customer_id = id().to_string();
        facts.number = 7;
        facts.involved_employee_ids = involved.iter().map(|who| uuid(who).to_string()).collect();
        let told = Told { facts, version: 1 };
        self.open(&told).await;
        told
    }

    pub async fn open(&self, told: &Told) {
        let message = tickets::TicketOpened { ticket: Some(told.facts.clone()) };
        self.publish(told.key(), 1, &message).await;
        self.until_known("known_subject", told.key()).await;
    }

    /// The ticket changes by `change`, and it is known.
    pub async fn turn(&self, told: &mut Told, change: impl FnOnce(&mut tickets::TicketFacts)) {
        told.version += 1;
        change(&mut told.facts);
        let message =
            tickets::TicketVisibilityChanged { ticket: Some(told.facts.clone()), ..Default::default() };
        self.publish(told.key(), told.version, &message).await;
        self.until_version(told.key(), told.version).await;
    }

    /// Waits until a subject is known as it was in this version.
    pub async fn until_version(&self, subject: Uuid, wanted: i64) {
        eventually("it is known as it is", PATIENCE, || async {
            let version: Option<i64> = sqlx::query_scalar("select version from known_subject where id = $1")
                .bind(subject)
                .fetch_optional(self.stage.pool())
                .await
                .map_err(|error| error.to_string())?;
            if version == Some(wanted) { Ok(()) } else { Err(format!("{version:?}")) }
        })
        .await;
    }

    /// Somebody writes; answers the event and the message.
    pub async fn say(&self, told: &Told, author: &Principal) -> (Uuid, Uuid) {
        let message_id = id();
        let message = messenger::MessageSent {
            conversation: Some(messenger::ConversationFacts {
                conversation_id: told.id().into(),
                ticket_id: told.id().into(),
                organisation_id: self.people.id.to_string(),
                device_id: told.facts.device_id.clone(),
                customer_id: told.facts.customer_id.clone(),
                involved_employee_ids: told.facts.involved_employee_ids.clone(),
                ..Default::default()
            }),
            message: Some(messenger::MessageFacts {
                message_id: message_id.to_string(),
                author: Some(to_proto_actor(author.actor())),
                ..Default::default()
            }),
        };
        (self.publish(told.key(), 1, &message).await, message_id)
    }

    /// They are offered the ticket; answers the event.
    pub async fn offer(&self, told: &Told, version: i64, whom: &[&Principal]) -> Uuid {
        let offers = whom.iter().map(|who| fleet::OfferFacts {
            offer_id: id().to_string(),
            ticket_id: told.id().into(),
            employee_id: uuid(who).to_string(),
            ..Default::default()
        });
        let message = fleet::OffersMade {
            ticket_id: told.id().into(),
            organisation_id: self.people.id.to_string(),
            offers: offers.collect(),
            ..Default::default()
        };
        self.publish(told.key(), version, &message).await
    }

    pub async fn declines(&self, told: &Told, version: i64, who: &Principal) {
        let offer = fleet::OfferFacts {
            ticket_id: told.id().into(),
            employee_id: uuid(who).to_string(),
            ..Default::default()
        };
        let message = fleet::OfferDeclined { offer: Some(offer), ..Default::default() };
        self.publish(told.key(), version, &message).await;
    }

    /// Their offer is taken back; answers the event.
    pub async fn withdraws(&self, told: &Told, version: i64, who: &Principal) -> Uuid {
        let offer = fleet::OfferFacts {
            ticket_id: told.id().into(),
            employee_id: uuid(who).to_string(),
            ..Default::default()
        };
        let message = fleet::OfferCancelled { offer: Some(offer), ..Default::default() };
        self.publish(told.key(), version, &message).await
    }

    /// A moderator assigns them; answers the event.
    pub async fn assigns(&self, told: &Told, version: i64, who: &Principal) -> Uuid {
        let message = fleet::EmployeeAssigned {
            ticket_id: told.id().into(),
            organisation_id: self.people.id.to_string(),
            employee_id: uuid(who).to_string(),
            by: Some(to_proto_actor(self.people.moderator().actor())),
            ..Default::default()
        };
        self.publish(told.key(), version, &message).await
    }

    /// Their assignment is taken back; answers the event.
    pub async fn unassigns(&self, told: &Told, version: i64, who: &Principal) -> Uuid {
        let message = fleet::AssignmentCancelled {
            ticket_id: told.id().into(),
            organisation_id: self.people.id.to_string(),
            employee_id: uuid(who).to_string(),
            by: Some(to_proto_actor(self.people.moderator().actor())),
            ..Default::default()
        };
        self.publish(told.key(), version, &message).await
    }

    /// Waits until this many are `declined`, `offered`, `not offered`, `assigned` or `not assigned`.
    pub async fn until_called(&self, holds: &str, count: i64) {
        let sql = format!("select count(*) from known_decline where {holds}");
        eventually(holds, PATIENCE, || async {
            let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                .fetch_one(self.stage.pool())
                .await
                .map_err(|error| error.to_string())?;
            if found == count { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }

    /// Waits until an e-mail was tried that the server did not take then.
    pub async fn put_off(&self, event: Uuid, who: &Principal) {
        let key = uuid(who).to_string();
        eventually("it was tried once", PATIENCE, || async {
            let log = self.log(event).await;
            let tried = log.iter().any(|one| {
                let theirs = one.person.as_ref().is_some_and(|person| person.id == key);
                theirs && one.channel() == proto::Channel::Email && one.reason == "NOT_NOW"
            });
            if tried { Ok(()) } else { Err(log) }
        })
        .await;
    }

    pub async fn entries(&self, who: &Principal) -> Vec<proto::Entry> {
        self.try_entries(who).await.expect("a drawer")
    }

    pub async fn try_entries(&self, who: &Principal) -> Result<Vec<proto::Entry>, Report> {
        let request = signed(who, proto::ListEntriesRequest::default());
        Ok(done(self.client().list_entries(request).await)?.entries)
    }

    /// The entry of a type, once it is there and as wished.
    pub async fn entry(
        &self,
        who: &Principal,
        event_type: proto::EventType,
        holds: impl Fn(&proto::Entry) -> bool,
    ) -> proto::Entry {
        eventually("the entry", PATIENCE, || async {
            let found = self.entries(who).await;
            let one = found.iter().find(|entry| entry.event_type() == event_type && holds(entry));
            one.cloned().ok_or(found)
        })
        .await
    }

    pub async fn unread(&self, who: &Principal) -> i32 {
        let request = signed(who, proto::GetUnreadCountRequest {});
        done(self.client().get_unread_count(request).await).expect("a count").unread
    }

    /// What became of an event for its listeners.
    pub async fn log(&self, event: Uuid) -> Vec<proto::Delivery> {
        let request = proto::ListDeliveriesRequest {
            event_id: event.to_string(),
            everybody: true,
            ..Default::default()
        };
        let boss = self.people.administrator();
        done(self.client().list_deliveries(signed(&boss, request)).await).expect("a log").deliveries
    }

    /// State and reason by channel of one person, once none is waiting any more.
    pub async fn settled(
        &self,
        event: Uuid,
        who: &Principal,
    ) -> BTreeMap<proto::Channel, (proto::DeliveryState, String)> {
        let key = uuid(who).to_string();
        eventually("all is settled", PATIENCE, || async {
            let log = self.log(event).await;
            let mine: Vec<_> = log
                .into_iter()
                .filter(|one| one.person.as_ref().is_some_and(|person| person.id == key))
                .collect();
            let open = |one: &proto::Delivery| {
                matches!(one.state(), proto::DeliveryState::Due | proto::DeliveryState::Waiting)
            };
            if mine.is_empty() || mine.iter().any(open) {
                return Err(format!("{mine:?}"));
            }
            Ok(mine.into_iter().map(|one| (one.channel(), (one.state(), one.reason))).collect())
        })
        .await
    }

    /// Waits until it is decided who is told of an event.
    pub async fn decided(&self, event: Uuid) {
        eventually("it is decided who is told", PATIENCE, || async {
            let told: i64 = sqlx::query_scalar("select count(*) from telling where event_id = $1")
                .bind(event)
                .fetch_one(self.stage.pool())
                .await
                .map_err(|error| error.to_string())?;
            if told > 0 { Ok(()) } else { Err("nobody yet".to_owned()) }
        })
        .await;
    }

    /// The e-mails to an address, once there are this many.
    pub async fn mails(&self, to: &str, count: usize) -> Vec<CaughtMail> {
        eventually("e-mails", PATIENCE, || async {
            let found: Vec<CaughtMail> =
                self.mail.mails().into_iter().filter(|mail| mail.to.iter().any(|one| one == to)).collect();
            if found.len() == count { Ok(found) } else { Err(format!("{} to {to}", found.len())) }
        })
        .await
    }
}
