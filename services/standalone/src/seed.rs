//! A demo organisation: people of every role, teams, a customer, templates with creation flows, devices, codes.
//!
//! Made through the gateway like any platform team would, each call under a key of its own: a start that was cut off is
//! simply repeated.

use callboard_kernel::derive_uuid;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rest::{Client, RestError};

/// Somebody to be employed.
struct Person {
    /// First part of the e-mail address.
    email: &'static str,
    name: &'static str,
    role: &'static str,
    language: &'static str,
    team: Option<&'static str>,
    department: &'static str,
}

/// Who is in the demo organisation, besides its first administrator.
const EMPLOYEES: [Person; 5] = [
    person("max", "Max Brenner", "MODERATOR", "de", None, "Field service"),
    person("nora", "Nora Voss", "MEMBER", "en", Some("North"), "Field service"),
    person("nick", "Nick Adler", "MEMBER", "de", Some("North"), "Field service"),
    person("sofia", "Sofia Lenz", "MEMBER", "en", Some("South"), "Field service"),
    person("otto", "Otto Hahn", "MEMBER", "de", None, "Office"),
];

const fn person(
    email: &'static str,
    name: &'static str,
    role: &'static str,
    language: &'static str,
    team: Option<&'static str>,
    department: &'static str,
) -> Person {
    Person { email, name, role, language, team, department }
}

/// What was made: ids by what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demo {
    /// The part of e-mail addresses behind the `@`.
    pub domain: String,
    /// Employee ids by e-mail name: `max`, `nora`, `nick`, `sofia`, `otto`.
    pub employees: Vec<(String, String)>,
    /// Department ids by name.
    pub departments: Vec<(String, String)>,
    /// Local team ids by name.
    pub teams: Vec<(String, String)>,
    /// The meta team of all technicians.
    pub technicians: String,
    /// The corporate customer.
    pub customer: String,
    /// The template with ratings: coffee machines.
    pub coffee: String,
    /// Its flow "repair".
    pub repair_flow: String,
    /// The template without ratings: ovens.
    pub oven: String,
    /// Its flow "fault".
    pub fault_flow: String,
    /// The coffee machine of the corporate customer.
    pub coffee_machine: String,
    /// An oven without a customer.
    pub oven_device: String,
    /// Code of the coffee machine, as in its URL.
    pub coffee_code: String,
    /// Its id.
    pub coffee_code_id: String,
    /// Code of the oven, as in its URL; asks for [`OVEN_PIN`].
    pub oven_code: String,
    /// The definition "yearly maintenance" of coffee machines.
    pub maintenance: String,
    /// When it falls due on the coffee machine.
    pub maintenance_event: String,
}

/// The PIN of the oven's code.
pub const OVEN_PIN: &str = "271828";

impl Demo {
    /// The e-mail address of an employee by its first part.
    pub fn email(&self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }

    /// The customer user's e-mail address.
    pub fn customer_email(&self) -> String {
        format!("kim@krause.{}", self.domain)
    }

    /// The id of an employee by e-mail name; empty when there is none.
    pub fn employee(&self, name: &str) -> &str {
        find(&self.employees, name)
    }

    /// The id of a department by name.
    pub fn department(&self, name: &str) -> &str {
        find(&self.departments, name)
    }

    /// The id of a team by name.
    pub fn team(&self, name: &str) -> &str {
        find(&self.teams, name)
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, id)| id)
}

struct Seeder<'a> {
    client: &'a Client,
    namespace: Uuid,
}

impl Seeder<'_> {
    fn key(&self, what: &str) -> Uuid {
        derive_uuid(self.namespace, &[b"seed", what.as_bytes()])
    }

    /// Creates a resource; the answer.
    async fn create(&self, path: &str, what: &str, body: Value) -> Result<Value, RestError> {
        self.client.send(Method::POST, path, Some(body), Some(self.key(&format!("{path} {what}")))).await
    }

    /// Creates a resource; its id.
    async fn id(&self, path: &str, what: &str, body: Value) -> Result<String, RestError> {
        Ok(text(&self.create(path, what, body).await?["id"]))
    }

    /// Puts a part of a template, as soon as its context knows the template.
    async fn put(&self, path: &str, body: Value) -> Result<Value, RestError> {
        self.client.send_when_known(Method::PUT, path, Some(body), Some(self.key(path))).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Fills an organisation. `admin` is a client with its administrator's token, `namespace` its id, `domain` the part
/// behind the `@` of its people.
///
/// # Errors
/// The first call that failed; calling again goes on where it stopped.
pub async fn seed(admin: &Client, namespace: Uuid, domain: &str) -> Result<Demo, RestError> {
    let seeder = Seeder { client: admin, namespace };
    let mut departments = Vec::new();
    for name in ["Field service", "Office"] {
        departments.push((name.to_owned(), seeder.id("/v1/departments", name, json!({"name": name})).await?));
    }
    let mut teams = Vec::new();
    for name in ["North", "South"] {
        teams.push((name.to_owned(), seeder.id("/v1/teams", name, json!({"name": name})).await?));
    }
    let team_ids: Vec<&str> = teams.iter().map(|(_, id)| id.as_str()).collect();
    let technicians = seeder
        .id("/v1/metaTeams", "technicians", json!({"name": "Service technicians", "teamIds": team_ids}))
        .await?;
    let mut employees = Vec::new();
    for Person { email, name, role, language, team, department } in EMPLOYEES {
        let body = json!({
            "name": name,
            "email": format!("{email}@{domain}"),
            "role": role,
            "language": language,
            "departmentIds": [find(&departments, department)],
            "teamIds": team.map(|team| vec![find(&teams, team)]).unwrap_or_default(),
            // Who works at the support desk.
            "supportRoles": if email == "max" { vec!["CARE", "ACCESS", "SALES"] } else { Vec::new() },
        });
        employees.push((email.to_owned(), seeder.id("/v1/employees", email, body).await?));
    }
    let serving = json!({&technicians: find(&teams, "North")});
    let customer = seeder
        .id(
            "/v1/customers",
            "krause",
            json!({"name": "Krause Bakeries", "kind": "CORPORATE", "servingTeamIds": serving}),
        )
        .await?;
    let kim = json!({
        "name": "Kim Krause", "email": format!("kim@krause.{domain}"), "language": "de", "customerId": customer,
    });
    seeder.create("/v1/customerUsers", "kim", kim).await?;

    let coffee = seeder
        .id("/v1/templates", "coffee", json!({"name": {"en": "Coffee machine", "de": "Kaffeemaschine"}}))
        .await?;
    let oven =
        seeder.id("/v1/templates", "oven", json!({"name": {"en": "Deck oven", "de": "Etagenofen"}})).await?;
    let repair_flow = seeder.key("flow repair").to_string();
    let fault_flow = seeder.key("flow fault").to_string();
    let device = |name: &str, serial: &str, template: &str, customer: Option<&str>| {
        json!({
            "name": name, "serialNumber": serial, "templateId": template, "customerId": customer,
            "departmentIds": [find(&departments, "Field service")],
        })
    };
    let coffee_machine = seeder
        .id(
            "/v1/devices",
            "coffee",
            device("Coffee machine, Harbour Street", "KM-1001", &coffee, Some(&customer)),
        )
        .await?;
    let oven_device = seeder.id("/v1/devices", "oven", device("Oven 7", "EO-7", &oven, None)).await?;
    let code = seeder.create("/v1/codes", "coffee", json!({"deviceId": coffee_machine})).await?;
    let oven_code =
        seeder.create("/v1/codes", "oven", json!({"deviceId": oven_device, "pin": OVEN_PIN})).await?;

    // Groups before flows: a flow names a group of the same template (F-1).
    let technicians_group = seeder.key("group technicians").to_string();
    let everybody_group = seeder.key("group everybody").to_string();
    seeder
        .put(
            &format!("/v1/templates/{coffee}/groups/{technicians_group}"),
            json!({"name": "Technicians nearby", "metaTeamIds": [technicians]}),
        )
        .await?;
    seeder
        .put(
            &format!("/v1/templates/{coffee}/groups/{everybody_group}"),
            json!({"name": "All of field service", "departmentIds": [find(&departments, "Field service")]}),
        )
        .await?;
    seeder
        .put(
            &format!("/v1/templates/{oven}/groups/{}", seeder.key("group ovens")),
            json!({"name": "Oven people", "teamIds": [find(&teams, "South")]}),
        )
        .await?;
    seeder
        .put(&format!("/v1/templates/{coffee}/flows/{repair_flow}"), repair_flow_body(&technicians_group))
        .await?;
    seeder.put(&format!("/v1/templates/{oven}/flows/{fault_flow}"), fault_flow_body()).await?;
    seeder
        .put(
            &format!("/v1/templates/{coffee}/ratingSwitches"),
            json!({"tickets": true, "videoSessions": true}),
        )
        .await?;
    let responsible = json!([find(&employees, "nora")]);
    seeder.put(&format!("/v1/templates/{coffee}/sessionFlow"), session_flow_body(&responsible)).await?;
    let (maintenance, maintenance_event) = maintenance(&seeder, &coffee, &coffee_machine).await?;
    Ok(Demo {
        domain: domain.to_owned(),
        employees,
        departments,
        teams,
        technicians,
        customer,
        coffee,
        repair_flow,
        oven,
        fault_flow,
        coffee_machine,
        oven_device,
        coffee_code: text(&code["token"]),
        coffee_code_id: text(&code["id"]),
        oven_code: text(&oven_code["token"]),
        maintenance,
        maintenance_event,
    })
}

/// What is done every year on the coffee machine, from next spring on in its own time zone; the definition, the event.
async fn maintenance(
    seeder: &Seeder<'_>,
    template: &str,
    device: &str,
) -> Result<(String, String), RestError> {
    let definition = seeder.key("definition maintenance").to_string();
    let steps =
        ["Descale", "Replace the filter", "Check the pressure: 9 bar"].map(|text| json!({"text": text}));
    let body = json!({"title": "Yearly maintenance", "steps": steps});
    seeder.put(&format!("/v1/templates/{template}/taskDefinitions/{definition}"), body).await?;
    let event = seeder.key("event maintenance").to_string();
    let body = json!({
        "deviceId": device, "definitionId": definition, "start": "2027-03-01T08:00:00", "rule": "FREQ=YEARLY",
        "visibility": "EXTERNAL", "createsTask": true,
    });
    seeder.put(&format!("/v1/deviceEvents/{event}"), body).await?;
    Ok((definition, event))
}

fn repair_flow_body(group: &str) -> Value {
    json!({
        "label": {"en": "Repair", "de": "Reparatur"},
        "titleStep": "what",
        "groupId": group,
        "active": true,
        "steps": [
            {
                "key": "what", "kind": "TEXT", "required": true,
                "label": {"en": "What is wrong?", "de": "Was ist los?"},
                "help": {"en": "In a few words.", "de": "In wenigen Worten."},
            },
            {
                "key": "part", "kind": "SINGLE_CHOICE", "required": true,
                "label": {"en": "Which part?", "de": "Welches Teil?"},
                "choices": [
                    {"key": "grinder", "label": {"en": "Grinder", "de": "Mahlwerk"}},
                    {"key": "pump", "label": {"en": "Pump", "de": "Pumpe"}},
                    {"key": "unknown", "label": {"en": "I do not know", "de": "Weiß ich nicht"}},
                ],
            },
            {
                "key": "running", "kind": "YES_NO", "required": false,
                "label": {"en": "Does it still run?", "de": "Läuft sie noch?"},
            },
            {
                "key": "contact", "kind": "CONTACT", "required": false,
                "label": {"en": "How do we reach you?", "de": "Wie erreichen wir Sie?"},
            },
        ],
    })
}

/// What is asked of who wants to show something instead of describing it, and who is asked (V-1, V-2).
fn session_flow_body(responsible: &Value) -> Value {
    json!({
        "requestsAllowed": true, "requesterName": "OPTIONAL", "reason": "OPTIONAL",
        "reasons": [
            {"en": "Something leaks", "de": "Etwas ist undicht"},
            {"en": "Show me how", "de": "Zeigen Sie mir, wie es geht"},
        ],
        "asksConsent": true, "responsibleEmployeeIds": responsible,
    })
}

fn fault_flow_body() -> Value {
    json!({
        "label": {"en": "Fault", "de": "Störung"},
        "active": true,
        "steps": [
            {
                "key": "error", "kind": "TEXT", "required": true,
                "label": {"en": "Error on the display", "de": "Fehler in der Anzeige"},
            },
            {
                "key": "temperature", "kind": "NUMBER", "required": false,
                "label": {"en": "Temperature in °C", "de": "Temperatur in °C"},
            },
            {
                "key": "since", "kind": "DATE", "required": false,
                "label": {"en": "Since when?", "de": "Seit wann?"},
            },
        ],
    })
}
