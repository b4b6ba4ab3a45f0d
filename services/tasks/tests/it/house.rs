//! A running tasks service, the contexts it listens to, and people who call it.

use std::sync::Arc;

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_kernel::{Principal, RandomIds, Role, Timestamp};
use callboard_proto::directory::v1 as directory;
use callboard_proto::tasks::v1 as tasks;
use callboard_proto::tasks::v1::calendar_service_client::CalendarServiceClient;
use callboard_proto::tasks::v1::task_service_client::TaskServiceClient;
use callboard_proto::tickets::v1 as tickets;
use callboard_service::error::Report;
use callboard_stage::{Organisation, Stage, done, id, request_id};
use callboard_testkit::{ManualClock, PATIENCE, eventually};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

pub struct House {
    pub stage: Stage,
    pub people: Organisation,
    pub clock: ManualClock,
    /// Its tokens are of the house's time, as the service judges them by that.
    issuer: Issuer,
    pub template: Uuid,
    pub device: Uuid,
    pub customer: Uuid,
    pub worker: Uuid,
}

pub type Told<T> = Result<T, Report>;

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

pub fn proto_time(text: &str) -> Option<prost_types::Timestamp> {
    Some(callboard_service::convert::to_proto_time(time(text)))
}

impl House {
    /// It is 1 January 2026; the device stands in Berlin and belongs to a customer.
    pub async fn new() -> Self {
        let clock = ManualClock::at(time("2026-01-01T00:00:00Z"));
        let settings = IssuerSettings { issuer: "https://id.tasks".into(), audience: "callboard".into() };
        let key = SigningKey::generate().expect("a signing key");
        let issuer = Issuer::new(settings, key, Arc::new(clock.clone()), Arc::new(RandomIds));
        let issuers = serde_json::json!([{
            "issuer": "https://id.tasks", "audience": "callboard", "jwks": issuer.jwks().to_string(),
        }]);
        let stage = Stage::of(callboard_tasks::definition(), &["directory", "tickets"])
            .with("auth.issuers", issuers)
            .with("tasks.attachments.folder", concat!(env!("CARGO_TARGET_TMPDIR"), "/attachments"))
            .at(clock.clone())
            .start()
            .await;
        let people = Organisation::new();
        let (template, device, customer, worker) = (id(), id(), id(), id());
        let house = Self { stage, people, clock, issuer, template, device, customer, worker };
        house.stage.publish(people.id, template, 1, &people.template_changed(template)).await;
        let facts = people.employee_facts(worker, &[], &[]);
        let created = directory::EmployeeCreated { employee: Some(facts) };
        house.stage.publish(people.id, worker, 1, &created).await;
        house.put_device(device, 1, &[], "Europe/Berlin").await;
        house
    }

    pub async fn put_device(&self, device: Uuid, version: i64, departments: &[Uuid], zone: &str) {
        self.device_is(device, version, Some(self.customer), departments, zone).await;
    }

    /// The directory tells of a device; returns when it is known.
    pub async fn device_is(
        &self,
        device: Uuid,
        version: i64,
        customer: Option<Uuid>,
        departments: &[Uuid],
        zone: &str,
    ) {
        let facts = directory::DeviceFacts {
            time_zone: zone.into(),
            ..self.people.device_facts(device, self.template, customer, departments)
        };
        let changed = directory::DeviceChanged { device: Some(facts), previous: None };
        self.stage.publish(self.people.id, device, version, &changed).await;
        self.kept("known_device", device, version).await;
    }

    /// Waits until a read copy has a version.
    pub async fn kept(&self, table: &str, id: Uuid, version: i64) {
        let sql = format!("select version from tasks.{table} where id = $1");
        eventually("a read copy", PATIENCE, || async {
            let found: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                .bind(id)
                .fetch_optional(self.stage.pool())
                .await
                .expect("a query");
            if found.is_some_and(|found| found >= version) { Ok(()) } else { Err(found) }
        })
        .await;
    }

    pub fn boss(&self) -> Principal {
        self.people.employee(Uuid::from_u128(0xB055), Role::Moderator, &[])
    }

    pub fn member(&self) -> Principal {
        self.people.employee(self.worker, Role::Member, &[])
    }

    pub fn visitor(&self) -> Principal {
        self.people.code_user(self.device)
    }

    /// A request of this person, at the house's time.
    pub fn signed<T>(&self, who: &Principal, message: T) -> Request<T> {
        let token = self.issuer.issue(who, 0, TimeDelta::minutes(30)).expect("a token").token;
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", token.expose_secret());
        request.metadata_mut().insert("authorization", bearer.parse().expect("a header"));
        request
    }

    pub fn client(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.stage.channel())
    }

    pub fn calendar(&self) -> CalendarServiceClient<Channel> {
        CalendarServiceClient::new(self.stage.channel())
    }

    pub async fn define(&self, title: &str, steps: &[&str]) -> tasks::Definition {
        let steps = steps
            .iter()
            .map(|text| tasks::DefinitionStep { text: (*text).into(), ..tasks::DefinitionStep::default() })
            .collect();
        let definition = tasks::Definition {
            id: id().to_string(),
            template_id: self.template.to_string(),
            title: title.into(),
            steps,
            ..tasks::Definition::default()
        };
        self.put_definition(definition).await.expect("defined")
    }

    pub async fn put_definition(&self, definition: tasks::Definition) -> Told<tasks::Definition> {
        self.kept("known_template", self.template, 1).await;
        let request = tasks::PutDefinitionRequest { request_id: request_id(), definition: Some(definition) };
        let answer = done(self.client().put_definition(self.signed(&self.boss(), request)).await)?;
        Ok(answer.definition.expect("a definition"))
    }

    /// What is planned on the device, from 5 January 2026, 08:00 on.
    pub fn plan(&self, definition: &tasks::Definition, rule: &str) -> tasks::DeviceEvent {
        tasks::DeviceEvent {
            id: id().to_string(),
            device_id: self.device.to_string(),
            definition_id: definition.id.clone(),
            start: "2026-01-05T08:00:00".into(),
            rule: rule.into(),
            creates_task: true,
            ..tasks::DeviceEvent::default()
        }
    }

    pub async fn put_event(&self, who: &Principal, event: tasks::DeviceEvent) -> Told<tasks::DeviceEvent> {
        let request = tasks::PutDeviceEventRequest { request_id: request_id(), device_event: Some(event) };
        let answer = done(self.client().put_device_event(self.signed(who, request)).await)?;
        Ok(answer.device_event.expect("a device event"))
    }

    pub async fn get_event(&self, who: &Principal, event: &str) -> Told<tasks::DeviceEvent> {
        let request = tasks::GetDeviceEventRequest { device_event_id: event.into() };
        let answer = done(self.client().get_device_event(self.signed(who, request)).await)?;
        Ok(answer.device_event.expect("a device event"))
    }

    pub fn new_task(&self, title: &str) -> tasks::CreateTaskRequest {
        tasks::CreateTaskRequest {
            request_id: request_id(),
            device_id: self.device.to_string(),
            title: title.into(),
            ..tasks::CreateTaskRequest::default()
        }
    }

    pub async fn create(&self, who: &Principal, request: tasks::CreateTaskRequest) -> Told<tasks::Task> {
        Ok(done(self.client().create_task(self.signed(who, request)).await)?.task.expect("a task"))
    }

    pub async fn get(&self, who: &Principal, task: &str) -> Told<tasks::Task> {
        let request = tasks::GetTaskRequest { task_id: task.into() };
        Ok(done(self.client().get_task(self.signed(who, request)).await)?.task.expect("a task"))
    }

    pub async fn tick(&self, who: &Principal, task: &str, step: &str, done_: bool) -> Told<tasks::Task> {
        let request = tasks::TickStepRequest {
            request_id: request_id(),
            task_id: task.into(),
            step_id: step.into(),
            done: done_,
        };
        Ok(done(self.client().tick_step(self.signed(who, request)).await)?.task.expect("a task"))
    }

    pub async fn close(&self, who: &Principal, task: &str) -> Told<tasks::Task> {
        let request = tasks::CloseTaskRequest {
            request_id: request_id(),
            task_id: task.into(),
            ..tasks::CloseTaskRequest::default()
        };
        Ok(done(self.client().close_task(self.signed(who, request)).await)?.task.expect("a task"))
    }

    pub async fn reopen(&self, who: &Principal, task: &str) -> Told<tasks::Task> {
        let request = tasks::ReopenTaskRequest {
            request_id: request_id(),
            task_id: task.into(),
            ..tasks::ReopenTaskRequest::default()
        };
        Ok(done(self.client().reopen_task(self.signed(who, request)).await)?.task.expect("a task"))
    }

    pub async fn list(&self, who: &Principal, filter: tasks::TaskFilter) -> Told<Vec<tasks::Task>> {
        let request = tasks::ListTasksRequest { filter: Some(filter), ..tasks::ListTasksRequest::default() };
        Ok(done(self.client().list_tasks(self.signed(who, request)).await)?.tasks)
    }

    /// The tasks of a device event, once there are so many.
    pub async fn tasks_of(&self, event: &str, count: usize) -> Vec<tasks::Task> {
        let boss = self.boss();
        eventually("tasks that fell due", PATIENCE, || async {
            let filter = tasks::TaskFilter { device_event_id: event.into(), ..tasks::TaskFilter::default() };
            let found = self.list(&boss, filter).await.expect("a list");
            if found.len() >= count { Ok(found) } else { Err(found.len()) }
        })
        .await
    }

    /// A ticket of the device, known to tasks.
    pub async fn ticket(&self, visibility: tickets::Visibility) -> tickets::TicketFacts {
        let facts = tickets::TicketFacts {
            device_id: self.device.to_string(),
            customer_id: self.customer.to_string(),
            visibility: visibility.into(),
            ..self.people.ticket_facts(self.template)
        };
        let key: Uuid = facts.ticket_id.parse().expect("an id");
        let opened = tickets::TicketOpened { ticket: Some(facts.clone()) };
        self.stage.publish(self.people.id, key, 1, &opened).await;
        self.kept("known_ticket", key, 1).await;
        facts
    }
}
