//! What the table's calls are about: things made for them, and who calls.

use callboard_e2e_tests::{Client, Platform, World};
use callboard_kernel::{IdGenerator, RandomIds};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::play::{accept, asked, becomes, id, offer_of, open, set_status};

/// The letters of the roles, in the order of the table's columns.
pub const ROLES: &str = "AMINCOKST-";

/// A made thing.
#[derive(Debug, Clone, Default)]
pub struct Thing {
    /// `$id`.
    pub id: String,
    /// `$ticket`: of an offer.
    pub ticket: String,
}

/// One organisation in which everything is called, and a second of strangers.
pub struct Fixture {
    pub world: World,
    callers: Vec<Client>,
    ordered: String,
    ordered_group: String,
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
        let mut fixture =
            Self { world, callers, ordered: String::new(), ordered_group: RandomIds.next().to_string() };
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
        let words: [(&str, &str); 13] = [
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
        for part in ["groups", "flows", "ratingSwitches"] {
            let path = format!("/v1/templates/{template}/{part}");
            eventually(&format!("{part} of a new template"), PATIENCE, || async {
                let answer = self.by('A').get(&path).await;
                if answer.status.is_success() { Ok(()) } else { Err(answer.body.to_string()) }
            })
            .await;
        }
        template
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
            "open" | "offer" | "assigned" | "closed" | "done" | "rated" => return self.ticket(name).await,
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
            "code" => self.create("/v1/codes", json!({"deviceId": demo.coffee_machine})).await,
            "session" => {
                let scan = self.by('-').post("/v1/codes:scan", json!({"code": demo.coffee_code})).await.ok();
                scan["tokens"]["refreshToken"].as_str().expect("a refresh token").to_owned()
            }
            other => panic!("the table names an unknown thing: {other}"),
        };
        Thing { id, ticket: String::new() }
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
