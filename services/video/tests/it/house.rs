//! A running video sessions service, the contexts it listens to, and people who call each other.

use std::fmt::Debug;

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::tickets::v1 as tickets;
use callboard_proto::video::v1 as video;
use callboard_proto::video::v1::video_service_client::VideoServiceClient;
use callboard_service::error::Report;
use callboard_stage::{Organisation, Stage, done, id, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tonic::transport::Channel;
use uuid::Uuid;

pub struct House {
    pub stage: Stage,
    pub people: Organisation,
    pub template: Uuid,
    pub device: Uuid,
    pub customer: Uuid,
}

pub type Told<T> = Result<T, Report>;

pub fn uuid(text: &str) -> Uuid {
    text.parse().expect("an id")
}

impl House {
    pub async fn new() -> Self {
        Self::with(|stage| stage).await
    }

    pub async fn with(
        set: impl FnOnce(callboard_stage::StageBuilder) -> callboard_stage::StageBuilder,
    ) -> Self {
        let heard = &["directory", "tickets", "fleet", "ratings"];
        let stage = Stage::of(callboard_video::definition(), heard)
            .with("video.attachments.folder", concat!(env!("CARGO_TARGET_TMPDIR"), "/attachments"));
        let stage = set(stage).start().await;
        let people = Organisation::new();
        let house = Self { stage, people, template: id(), device: id(), customer: id() };
        house.stage.publish(people.id, house.template, 1, &people.template_changed(house.template)).await;
        house.put_device(1, &[]).await;
        house.kept("known_template", "id", house.template, 1).await;
        house
    }

    pub async fn put_device(&self, version: i64, departments: &[Uuid]) {
        self.device_is(version, Some(self.customer), departments).await;
    }

    /// The directory tells of the device; returns when it is known.
    pub async fn device_is(&self, version: i64, customer: Option<Uuid>, departments: &[Uuid]) {
        let facts = self.people.device_facts(self.device, self.template, customer, departments);
        let changed = directory::DeviceChanged { device: Some(facts), previous: None };
        self.stage.publish(self.people.id, self.device, version, &changed).await;
        self.kept("known_device", "id", self.device, version).await;
    }

    /// Waits until a read copy has a version.
    pub async fn kept(&self, table: &str, key: &str, id: Uuid, version: i64) {
        let sql = format!("select max(version) from video.{table} where {key} = $1");
        eventually("a read copy", PATIENCE, || async {
            let found: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                .bind(id)
                .fetch_one(self.stage.pool())
                .await
                .expect("a query");
            if found.is_some_and(|found| found >= version) { Ok(()) } else { Err(found) }
        })
        .await;
    }

    // What other contexts tell

    /// A ticket of the device, known to video.
    pub async fn ticket(&self, visibility: tickets::Visibility) -> tickets::TicketFacts {
        let facts = tickets::TicketFacts {
            device_id: self.device.to_string(),
            customer_id: self.customer.to_string(),
            visibility: visibility.into(),
            ..self.people.ticket_facts(self.template)
        };
        let key = uuid(&facts.ticket_id);
        let opened = tickets::TicketOpened { ticket: Some(facts.clone()) };
        self.stage.publish(self.people.id, key, 1, &opened).await;
        self.kept("known_ticket", "id", key, 1).await;
        facts
    }

    /// A ticket of another device of the organisation, both known to video.
    pub async fn ticket_of_another_device(&self) -> String {
        let facts = self.people.ticket_facts(self.template);
        let device = uuid(&facts.device_id);
        let known = self.people.device_facts(device, self.template, None, &[]);
        let changed = directory::DeviceChanged { device: Some(known), previous: None };
        self.stage.publish(self.people.id, device, 1, &changed).await;
        self.kept("known_device", "id", device, 1).await;
        let key = uuid(&facts.ticket_id);
        let opened = tickets::TicketOpened { ticket: Some(facts.clone()) };
        self.stage.publish(self.people.id, key, 1, &opened).await;
        self.kept("known_ticket", "id", key, 1).await;
        facts.ticket_id
    }

    /// Fleet tells who is assigned.
    pub async fn assign(&self, ticket: &str, version: i64, employees: &[Uuid]) {
        let message = fleet::EmployeeAssigned {
            ticket_id: ticket.into(),
            organisation_id: self.people.id.to_string(),
            assigned_employee_ids: employees.iter().map(ToString::to_string).collect(),
            ..fleet::EmployeeAssigned::default()
        };
        self.stage.publish(self.people.id, uuid(ticket), version, &message).await;
        self.kept("known_offer", "ticket_id", uuid(ticket), version).await;
    }

    /// Ratings tell whether sessions of the template are rated.
    pub async fn rate_sessions(&self, version: i64, on: bool) {
        let switches = ratings::Switches {
            template_id: self.template.to_string(),
            video_sessions: on,
            ..ratings::Switches::default()
        };
        let changed = ratings::SwitchesChanged {
            organisation_id: self.people.id.to_string(),
            switches: Some(switches),
            previous: None,
        };
        self.stage.publish(self.people.id, self.template, version, &changed).await;
        self.kept("known_switch", "template_id", self.template, version).await;
    }

    // People

    pub fn boss(&self) -> Principal {
        self.people.employee(Uuid::from_u128(0xB055), Role::Moderator, &[])
    }

    pub fn guest(&self) -> Principal {
        self.people.code_user(self.device)
    }

    // Calls

    pub fn service(&self) -> VideoServiceClient<Channel> {
        VideoServiceClient::new(self.stage.channel())
    }

    pub async fn put_flow(&self, who: &Principal, flow: video::SessionFlow) -> Told<video::SessionFlow> {
        let flow = video::SessionFlow { template_id: self.template.to_string(), ..flow };
        let request = video::PutSessionFlowRequest { request_id: request_id(), session_flow: Some(flow) };
        let answer = done(self.service().put_session_flow(signed(who, request)).await)?;
        Ok(answer.session_flow.expect("a flow"))
    }

    pub async fn allow_requests(&self) {
        let flow = video::SessionFlow {
            requests_allowed: true,
            requester_name: video::FlowField::Optional.into(),
            reason: video::FlowField::Required.into(),
            asks_consent: true,
            ..video::SessionFlow::default()
        };
        self.put_flow(&self.boss(), flow).await.expect("set");
    }

    pub fn wish(&self) -> video::RequestSessionRequest {
        video::RequestSessionRequest {
            request_id: request_id(),
            device_id: self.device.to_string(),
            requester_name: "Ada".into(),
            reason: "It hisses".into(),
            ..video::RequestSessionRequest::default()
        }
    }

    pub async fn request(&self, who: &Principal, wish: video::RequestSessionRequest) -> Told<video::Session> {
        Ok(done(self.service().request_session(signed(who, wish)).await)?.session.expect("a session"))
    }

    pub fn plan(&self) -> video::CreateSessionRequest {
        video::CreateSessionRequest {
            request_id: request_id(),
            device_id: self.device.to_string(),
            ..video::CreateSessionRequest::default()
        }
    }

    pub async fn create(&self, who: &Principal, plan: video::CreateSessionRequest) -> Told<video::Session> {
        Ok(done(self.service().create_session(signed(who, plan)).await)?.session.expect("a session"))
    }

    pub async fn get(&self, who: &Principal, session: &str) -> Told<video::Session> {
        let request = video::GetSessionRequest { session_id: session.into() };
        Ok(done(self.service().get_session(signed(who, request)).await)?.session.expect("a session"))
    }

    pub async fn list(&self, who: &Principal, filter: video::SessionFilter) -> Told<Vec<video::Session>> {
        let request =
            video::ListSessionsRequest { filter: Some(filter), ..video::ListSessionsRequest::default() };
        Ok(done(self.service().list_sessions(signed(who, request)).await)?.sessions)
    }

    pub async fn join(&self, who: &Principal, session: &str) -> Told<video::JoinSessionResponse> {
        let request = video::JoinSessionRequest {
            request_id: request_id(),
            session_id: session.into(),
            ..video::JoinSessionRequest::default()
        };
        done(self.service().join_session(signed(who, request)).await)
    }

    pub async fn end(&self, who: &Principal, session: &str) -> Told<video::Session> {
        let request = video::EndCallRequest { request_id: request_id(), session_id: session.into() };
        Ok(done(self.service().end_call(signed(who, request)).await)?.session.expect("a session"))
    }

    pub async fn hide(&self, who: &Principal, session: &str) -> Told<video::Session> {
        let request = video::SetSessionVisibilityRequest {
            request_id: request_id(),
            session_id: session.into(),
            visibility: video::Visibility::Internal.into(),
            ..video::SetSessionVisibilityRequest::default()
        };
        let answer = done(self.service().set_session_visibility(signed(who, request)).await)?;
        Ok(answer.session.expect("a session"))
    }

    /// Waits until a session is as wanted.
    pub async fn until<T: Debug>(
        &self,
        what: &str,
        session: &str,
        holds: impl Fn(&video::Session) -> Option<T>,
    ) -> T {
        let boss = self.boss();
        eventually(what, PATIENCE, || async {
            let found = self.get(&boss, session).await.expect("a session");
            holds(&found).ok_or(found)
        })
        .await
    }

    pub async fn until_status(&self, session: &str, status: video::SessionStatus) {
        self.until("a status", session, |found| (found.status() == status).then_some(())).await;
    }
}

/// A verb without arguments.
macro_rules! verbs {
    ($($name:ident: $request:ident, $rpc:ident;)+) => {
        impl House {
            $(pub async fn $name(&self, who: &Principal, session: &str) -> Told<video::Session> {
                let request = video::$request {
                    request_id: request_id(),
                    session_id: session.into(),
                    ..video::$request::default()
                };
                Ok(done(self.service().$rpc(signed(who, request)).await)?.session.expect("a session"))
            })+
        }
    };
}

verbs! {
    confirm: ConfirmSessionRequest, confirm_session;
    withdraw: WithdrawSessionRequest, withdraw_session;
    cancel: CancelSessionRequest, cancel_session;
    reopen: ReopenSessionRequest, reopen_session;
}
