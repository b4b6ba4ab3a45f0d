//! What the table's calls are about: things made for them, and who calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_e2e_tests::call::CallSocket;
use callboard_e2e_tests::{Client, Platform, World};
use callboard_kernel::{Clock, IdGenerator, RandomIds, SystemClock};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::play::{accept, asked, becomes, id, offer_of, open, set_status};

/// The letters of the roles, in the order of the table's columns.
pub const ROLES: &str = "AMINCOKST-";

/// One pixel, as a PNG.
const PICTURE: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0,
    1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 13, b'I', b'D', b'A', b'T', 0x78, 0xda, 0x63, 0x64,
    0x60, 0xf8, 0x5f, 0x0f, 0, 2, 0x87, 1, 0x80, 0xeb, 0x47, 0xba, 0x92, 0, 0, 0, 0, b'I', b'E', b'N', b'D',
    0xae, 0x42, 0x60, 0x82,
];

/// A made thing.
#[derive(Debug, Clone, Default)]
pub struct Thing {
    /// `$id`.
    pub id: String,
    /// `$ticket`: of an offer, of a video session. Of a task its first step; of a feed its token; of a session's file the
    /// session.
    pub ticket: String,
}

/// One organisation in which everything is called, and a second of strangers.
pub struct Fixture {
    pub world: World,
    callers: Vec<Client>,
    ordered: String,
    ordered_group: String,
    feeds: AtomicUsize,
    gateway: String,
    /// People in calls.
    calls: TaskTracker,
}

impl Fixture {
    /// Makes both organisations.
    pub async fn make(platform: &Platform) -> Self {
        let world = World::make(platform, "authorisation.test").await;
        let strangers = World::make(platform, "strangers.test").await;
        let callers = vec![
            world.person("ada").await,
            world.person("max").await,
            world.person("nora").await,
            world.person("sofia").await,
            world.visitor().await,
            world.oven_visitor().await,
            world.customer_user().await,
            strangers.person("nora").await,
            strangers.person("ada").await,
            world.nobody(),
        ];
        let mut fixture = Self {
            world,
            callers,
            ordered: String::new(),
            ordered_group: RandomIds.next().to_string(),
            feeds: AtomicUsize::new(0),
            gateway: platform.gateway_url(),
            calls: TaskTracker::new(),
        };
        fixture.ordered = fixture.template().await;
        let path = format!("/v1/templates/{}/groups/{}", fixture.ordered, fixture.ordered_group);
        let group = json!({"name": "One", "employeeIds": [fixture.world.demo.employee("otto")]});
        fixture.by('A').put(&path, group).await.ok();
        fixture
    }

    /// The caller of a role.
    pub fn by(&self, role: char) -> &Client {
        &self.callers[ROLES.find(role).expect("a role of the table")]
    }

    /// A text of the table with its `$words` filled in.
    pub fn fill(&self, text: &str, thing: &Thing) -> String {
        let demo = &self.world.demo;
        let new = RandomIds.next().to_string();
        // Longer words first: some begin with others.
        let words: [(&str, &str); 15] = [
            ("$coffee_code", &demo.coffee_code),
            ("$ordered_group", &self.ordered_group),
            ("$ordered", &self.ordered),
            ("$coffee", &demo.coffee),
            ("$machine", &demo.coffee_machine),
            ("$krause", &demo.customer),
            ("$ticket", &thing.ticket),
            ("$oven", &demo.oven),
            ("$otto", demo.employee("otto")),
            ("$nora", demo.employee("nora")),
            ("$sofia", demo.employee("sofia")),
            ("$max", demo.employee("max")),
            ("$new", &new),
            ("$id", &thing.id),
            ("$domain", &demo.domain),
        ];
        words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }

    async fn create(&self, path: &str, body: Value) -> String {
        id(&self.by('A').post(path, body).await.ok())
    }

    /// A template that every context knows.
    async fn template(&self) -> String {
        let template = self.create("/v1/templates", json!({"name": {"en": "Thing"}})).await;
        for part in ["groups", "flows", "ratingSwitches", "taskDefinitions", "sessionFlow"] {
            let path = format!("/v1/templates/{template}/{part}");
            eventually(&format!("{part} of a new template"), PATIENCE, || async {
                let answer = self.by('A').get(&path).await;
                if answer.status.is_success() { Ok(()) } else { Err(answer.body.to_string()) }
            })
            .await;
        }
        template
    }

    /// A ticket of the support desk, known to be seen by its agent: a purchase, care coordination that the customer
    /// user asked for, or the approval of a domain.
    async fn support_ticket(&self, name: &str, unique: &str) -> String {
        let concern = json!({"person": {"name": "Pia"}, "account": {"id": unique, "name": "Acme"}});
        let event = match name {
            "care" => {
                let me = self.by('K').get("/v1/me").await.ok();
                let requester = json!({"kind": "CUSTOMER_USER", "id": me["customerUser"]["id"]});
                json!({"serviceRequested": {
                    "concern": concern, "kind": "CARE_COORDINATION", "title": "Who comes?", "requester": requester,
                }})
            }
            "approval" => json!({"domainSubmitted": {"concern": concern, "domain": format!("{unique}.com")}}),
            _ => json!({"purchaseMade": {"concern": concern, "product": "Lamp", "quantity": 1}}),
        };
        let id = self.create("/v1/partnerEvents", event).await;
        eventually("the agent is known", PATIENCE, || async {
            let answer = self.by('M').get(&format!("/v1/supportTickets/{id}")).await;
            if answer.status.is_success() { Ok(()) } else { Err(answer.body.to_string()) }
        })
        .await;
        id
    }

    /// Makes a thing by its name in the table.
    pub async fn thing(&self, name: &str) -> Thing {
        let (admin, nora, visitor) = (self.by('A'), self.by('I'), self.by('C'));
        let demo = &self.world.demo;
        let unique = RandomIds.next().to_string();
        let id = match name {
            "-" => String::new(),
            "organisation" => self.world.organisation.clone(),
            "machine" => demo.coffee_machine.clone(),
            "coffee" => demo.coffee.clone(),
            "visitor_draft" | "member_draft" => {
                let author = if name == "member_draft" { nora } else { visitor };
                let draft = json!({"deviceId": demo.coffee_machine, "flowId": demo.repair_flow, "answers": [
                    {"step": "what", "text": "No coffee"}, {"step": "part", "choice": "pump"},
                ]});
                id(&author.post("/v1/tickets", draft).await.ok())
            }
            "internal" => {
                let new = json!({"deviceId": demo.coffee_machine, "title": "Audit", "open": true});
                id(&nora.post("/v1/tickets", new).await.ok())
            }
            "update_file" | "internal_file" | "pending_file" => return self.file(name).await,
            "open" | "offer" | "assigned" | "closed" | "done" | "rated" => return self.ticket(name).await,
            "conversation" | "locked" | "hidden" => return self.conversation(name).await,
            "message_file" | "withdrawn_file" | "pending_message_file" => {
                return self.message_file(name).await;
            }
            "definition" | "definition_file" | "task_file" | "pending_step_file" => {
                return self.definition(name).await;
            }
            "device_event" | "external_event" => {
                let visibility = if name == "external_event" { "EXTERNAL" } else { "INTERNAL" };
                let event = json!({
                    "deviceId": demo.coffee_machine, "title": "Look", "start": "2100-01-01T08:00:00",
                    "visibility": visibility,
                });
                id(&admin.put(&format!("/v1/deviceEvents/{unique}"), event).await.ok())
            }
            "task" | "external_task" | "closed_task" => return self.task(name).await,
            "feed" | "anybodys_feed" => return self.feed(name).await,
            "flow" => {
                let path = format!("/v1/templates/{}/flows/{unique}", demo.coffee);
                id(&admin.put(&path, json!({"label": {"en": "Descale"}, "active": true})).await.ok())
            }
            "group" => {
                let path = format!("/v1/templates/{}/groups/{unique}", demo.coffee);
                id(&admin
                    .put(&path, json!({"name": "Some", "employeeIds": [demo.employee("otto")]}))
                    .await
                    .ok())
            }
            "template" => self.template().await,
            "support_ticket" | "care" | "approval" => self.support_ticket(name, &unique).await,
            "employee" => {
                let email = format!("{unique}@{}", demo.domain);
                let new = json!({"name": "Eve", "email": email, "role": "MEMBER", "language": "en"});
                self.create("/v1/employees", new).await
            }
            "department" => self.create("/v1/departments", json!({"name": unique})).await,
            "team" => self.create("/v1/teams", json!({"name": unique})).await,
            "meta_team" => self.create("/v1/metaTeams", json!({"name": unique})).await,
            "customer" => self.create("/v1/customers", json!({"name": unique, "kind": "CORPORATE"})).await,
            "customer_user" => {
                let email = format!("{unique}@company.test");
                let new =
                    json!({"name": "Kit", "email": email, "language": "en", "customerId": demo.customer});
                self.create("/v1/customerUsers", new).await
            }
            "device" => self.create("/v1/devices", json!({"name": "Urn", "templateId": demo.coffee})).await,
            "told_code" => {
                // Known to notifications, which hear of it a moment later.
                let code = self.create("/v1/codes", json!({"deviceId": demo.coffee_machine})).await;
                let path = format!("/v1/codes/{code}:clearNotifications");
                eventually("the code is known", PATIENCE, || async {
                    let answer = admin.post(&path, json!({})).await;
                    if answer.status.is_success() { Ok(()) } else { Err(answer.body.to_string()) }
                })
                .await;
                code
            }
            "video_file" | "pending_video_file" => return self.video_file(name).await,
            name if name.starts_with("video_") => return self.video(name).await,
            "webhook" => self.create("/v1/webhooks", json!({"url": "https://hooks.example.com/x"})).await,
            "notification_group" => self.create("/v1/notificationGroups", json!({"name": unique})).await,
            "code" => self.create("/v1/codes", json!({"deviceId": demo.coffee_machine})).await,
            "session" => {
                let scan = self.by('-').post("/v1/codes:scan", json!({"code": demo.coffee_code})).await.ok();
                scan["tokens"]["refreshToken"].as_str().expect("a refresh token").to_owned()
            }
            other => panic!("the table names an unknown thing: {other}"),
        };
        Thing { id, ticket: String::new() }
    }

    /// A conversation in which nora has said something, as its name says, known to the messenger.
    async fn conversation(&self, name: &str) -> Thing {
        let nora = self.by('I');
        let thing = self.ticket("assigned").await;
        let path = format!("/v1/conversations/{}", thing.ticket);
        let becomes = |what: &'static str, field: &'static str, value: Value| {
            let path = &path;
            async move {
                eventually(what, PATIENCE, || async {
                    let answer = nora.get(path).await;
                    if answer.body[field] == value { Ok(()) } else { Err(answer.body.to_string()) }
                })
                .await;
            }
        };
        becomes("she may write", "mayWrite", true.into()).await;
        nora.post(&format!("{path}:send"), json!({"text": "On my way"})).await.ok();
        if name == "locked" {
            set_status(nora, &thing.ticket, "CLOSED").await;
            becomes("it is locked", "lock", "OUTSIDERS".into()).await;
        }
        if name == "hidden" {
            let ticket = format!("/v1/tickets/{}", thing.ticket);
            nora.patch(&ticket, json!({"visibility": "INTERNAL"})).await.ok();
            becomes("it is hidden", "internal", true.into()).await;
        }
        thing
    }

    /// A file of nora's on an assigned public ticket: of a public update, of an internal one, or of none yet.
    async fn file(&self, name: &str) -> Thing {
        let nora = self.by('I');
        let Thing { ticket, .. } = self.ticket("assigned").await;
        let path = format!("/v1/tickets/{ticket}");
        let file = id(&nora.upload(&format!("{path}/attachments?name=note.txt"), b"4 bar").await.ok());
        let visibility = if name == "internal_file" { "INTERNAL" } else { "PUBLIC" };
        if name != "pending_file" {
            let update = json!({"visibility": visibility, "attachmentIds": [file]});
            nora.post(&format!("{path}/updates"), update).await.ok();
        }
        Thing { id: file, ticket }
    }

    /// A file of nora's message in a public conversation; or of one she took back; or of none yet.
    async fn message_file(&self, name: &str) -> Thing {
        let nora = self.by('I');
        let Thing { ticket, .. } = self.conversation("conversation").await;
        let path = format!("/v1/conversations/{ticket}");
        let file = id(&nora.upload(&format!("{path}/attachments?name=note.txt"), b"4 bar").await.ok());
        if name != "pending_message_file" {
            let sent = nora.post(&format!("{path}:send"), json!({"attachmentIds": [file]})).await.ok();
            if name == "withdrawn_file" {
                let message = format!("{path}/messages/{}", sent["sequence"]);
                nora.post(&format!("{message}:withdraw"), json!({})).await.ok();
            }
        }
        Thing { id: file, ticket }
    }

    /// A definition of coffee machines; or a file of its step; or one that an external task shows too; or one of none yet.
    async fn definition(&self, name: &str) -> Thing {
        let admin = self.by('A');
        let coffee = &self.world.demo.coffee;
        let definition = RandomIds.next().to_string();
        let path = format!("/v1/templates/{coffee}/taskDefinitions/{definition}");
        let mut step = json!({"text": "Look"});
        let mut thing = definition.clone();
        if name != "definition" {
            thing = id(&admin.upload("/v1/attachments/tasks?name=plan.txt", b"4 bar").await.ok());
            if name != "pending_step_file" {
                step["attachmentIds"] = json!([thing]);
            }
        }
        admin.put(&path, json!({"title": "Look", "steps": [step]})).await.ok();
        if name == "task_file" {
            let device = &self.world.demo.coffee_machine;
            let task = json!({"deviceId": device, "definitionId": definition, "visibility": "EXTERNAL"});
            admin.post("/v1/tasks", task).await.ok();
        }
        Thing { id: thing, ticket: String::new() }
    }

    /// A task on the machine, due in a week, that nora is assigned to.
    async fn task(&self, name: &str) -> Thing {
        let admin = self.by('A');
        let demo = &self.world.demo;
        let due = (SystemClock.now() + Duration::from_secs(7 * 24 * 60 * 60)).to_rfc3339();
        let task = json!({
            "deviceId": demo.coffee_machine, "title": "Look", "steps": ["Open"], "dueTime": due,
            "visibility": if name == "task" { "INTERNAL" } else { "EXTERNAL" },
            "assigneeIds": [demo.employee("nora")],
        });
        // Tasks may hear of her a moment later than the directory does.
        let task = eventually("a task of nora's", PATIENCE, || async {
            let made = admin.post("/v1/tasks", task.clone()).await;
            if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
        })
        .await;
        if name == "closed_task" {
            admin.post(&format!("/v1/tasks/{}:close", id(&task)), json!({})).await.ok();
        }
        Thing { id: id(&task), ticket: id(&task["steps"][0]) }
    }

    /// A feed of nora's; or of this or that employee, since a person has ten at most.
    async fn feed(&self, name: &str) -> Thing {
        let owner = match name {
            "feed" => 'I',
            _ => ['A', 'M', 'N'][self.feeds.fetch_add(1, Ordering::Relaxed) % 3],
        };
        let made = self.by(owner).post("/v1/calendar/feeds", json!({"name": "Mine"})).await.ok();
        let token = made["token"].as_str().expect("a token").to_owned();
        Thing { id: id(&made["feed"]), ticket: token }
    }

    /// A public video session of the visitor's that has come as far as its name says.
    async fn video(&self, name: &str) -> Thing {
        let (nora, visitor) = (self.by('I'), self.by('C'));
        let mut wish = json!({"deviceId": self.world.demo.coffee_machine, "requesterName": "Vera"});
        let mut ticket = String::new();
        if name == "video_linked" {
            ticket = open(visitor, &self.world).await;
            wish["ticketId"] = json!(ticket);
        }
        // Video may hear of the ticket a moment later.
        let made = eventually("a video session", PATIENCE, || async {
            let made = visitor.post("/v1/videoSessions:request", wish.clone()).await;
            if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
        })
        .await;
        let path = format!("/v1/videoSessions/{}", id(&made));
        let verb = async |verb: &str| nora.post(&format!("{path}:{verb}"), json!({})).await;
        if name != "video_requested" {
            verb("confirm").await.ok();
        }
        match name {
            "video_requested" | "video_confirmed" | "video_linked" => {}
            "video_cancelled" => drop(verb("cancel").await.ok()),
            "video_internal" => {
                let internal = json!({"visibility": "INTERNAL"});
                nora.post(&format!("{path}:setVisibility"), internal).await.ok();
            }
            "video_running" | "video_done" => {
                let joined = verb("join").await.ok();
                let token = joined["credentials"]["callToken"].as_str().expect("a token");
                let socket = CallSocket::open(&self.gateway, &id(&made), token).await;
                self.calls.spawn(socket.stay());
            }
            other => panic!("the table names an unknown session: {other}"),
        }
        if name == "video_done" {
            verb("end").await.ok();
            eventually("the visitor to be asked", PATIENCE, || async {
                let rating = visitor.get(&format!("{path}/rating")).await;
                if rating.body["state"] == "REQUESTED" { Ok(()) } else { Err(rating.body) }
            })
            .await;
        }
        Thing { id: id(&made), ticket }
    }

    /// A picture that nora took in a call; or one that is not the session's yet.
    async fn video_file(&self, name: &str) -> Thing {
        let nora = self.by('I');
        let session = self.video("video_running").await.id;
        let path = format!("/v1/videoSessions/{session}");
        let file = id(&nora.upload(&format!("{path}/attachments?name=leak.png"), PICTURE).await.ok());
        if name == "video_file" {
            let kept = json!({"kind": "SCREENSHOT", "attachmentId": file});
            nora.post(&format!("{path}:addFile"), kept).await.ok();
        }
        Thing { id: file, ticket: session }
    }

    /// A public ticket of the visitor's that has come as far as its name says, known to every context.
    async fn ticket(&self, name: &str) -> Thing {
        let (nora, visitor) = (self.by('I'), self.by('C'));
        let ticket = open(visitor, &self.world).await;
        let offer = offer_of(nora, &ticket).await;
        if name == "offer" {
            return Thing { id: offer, ticket };
        }
        if name != "open" {
            accept(nora, &ticket).await;
            match name {
                "closed" => set_status(nora, &ticket, "CLOSED").await,
                "done" | "rated" => {
                    set_status(nora, &ticket, "DONE").await;
                    asked(visitor, &ticket).await;
                }
                _ => {}
            }
        }
        if name == "rated" {
            let path = format!("/v1/tickets/{ticket}/rating:submit");
            visitor.post(&path, json!({"score": 5})).await.ok();
            becomes(nora, &ticket, "CLOSED").await;
        }
        Thing { id: ticket.clone(), ticket }
    }
}
