//! From an encoded event to JSON, and to the circle of those it may concern.

use callboard_bus::Event;
use callboard_kernel::Actor;
use callboard_proto::{tasks::v1 as tasks, tickets::v1 as tickets, video::v1 as video};
use callboard_service::facts::facts;
use prost::Message as _;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::facts::TicketFacts;
use super::model::LiveEvent;
use crate::model::{self, ActorKind, Time};

/// Whom an event may concern; who of them may see it is judged when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Circle {
    /// All who may see the ticket.
    Ticket(Uuid),
    /// Employees who may see the ticket.
    TicketEmployees(Uuid),
    /// Became internal: as [`Circle::Ticket`], and outsiders who saw it are told that it is gone (T-13).
    Hidden(Uuid, TicketFacts),
    /// Deleted: those who could see it at last.
    Deleted(TicketFacts),
    /// All who may see a task, an event of a device, a session: by what the event says of it, and by its owner as it is
    /// now.
    Owned(Thing, TicketFacts),
    /// It became internal: as [`Circle::Owned`], and outsiders who saw it are told that it is gone (T-13).
    HiddenOwned(Thing, TicketFacts),
    /// Who may see a ticket of the support desk: agents, and who requested care coordination (S-2).
    Desk {
        /// Which.
        ticket: Uuid,
        /// Who requested it, where somebody is known here.
        requester: Option<Uuid>,
    },
    /// Employees who may see a thing with these departments.
    Employees(Vec<String>),
    /// All employees.
    Staff,
    /// Moderators and administrators.
    Moderators,
    /// Administrators.
    Administrators,
    /// Nobody.
    Nobody,
}

/// Something that its service is asked for, to know who may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A task.
    Task(Uuid),
    /// What falls due on a device.
    DeviceEvent(Uuid),
    /// A video session.
    Session(Uuid),
    /// A ticket of the support desk.
    SupportTicket(Uuid),
}

/// An event, ready to be sent.
#[derive(Debug, Clone)]
pub struct Projected {
    /// Whom it may concern.
    pub circle: Circle,
    /// For employees.
    pub full: LiveEvent,
    /// Names that outsiders do not get are left out.
    pub outside: LiveEvent,
}

/// What only employees are told of a ticket.
const EMPLOYEES_ONLY: [&str; 9] = [
    "involvedEmployeeIds",
    "previousInvolvedEmployeeIds",
    "assignedEmployeeIds",
    "assigneeIds",
    "addedIds",
    "removedIds",
    "departmentIds",
    "groupId",
    "notificationGroupId",
];

/// Projects an event; `None` for one of an unknown type, or one that cannot be decoded.
pub fn project(event: &Event) -> Option<Projected> {
    let data = facts(&event.kind, event.payload.clone())?;
    let circle = circle(event, &data);
    let ticket_id = match &circle {
        Circle::Ticket(id) | Circle::TicketEmployees(id) | Circle::Hidden(id, _) => Some(id.to_string()),
        Circle::Deleted(_) if event.context == "tickets" => data["ticketId"].as_str().map(str::to_owned),
        // The linked one.
        Circle::Owned(Thing::Session(_), _) | Circle::HiddenOwned(Thing::Session(_), _) => {
            data["ticketId"].as_str().map(str::to_owned)
        }
        Circle::Owned(..) | Circle::HiddenOwned(..) | Circle::Deleted(_) => {
            data["task"]["ticketId"].as_str().map(str::to_owned)
        }
        Circle::Desk { .. }
        | Circle::Employees(_)
        | Circle::Staff
        | Circle::Moderators
        | Circle::Administrators
        | Circle::Nobody => None,
    };
    let full = LiveEvent {
        id: event.id.to_string(),
        name: name(event),
        kind: event.kind.clone(),
        time: Time(event.time),
        ticket_id,
        actor: actor(event.actor),
        caused_by: event.causation.map(|id| id.to_string()),
        correlation_id: event.correlation.map(|id| id.to_string()),
        data,
    };
    let mut outside = full.clone();
    conceal(&mut outside.data);
    if event.context == "tasks" {
        // It may be an internal one.
        outside.ticket_id = None;
        if let Some(task) = outside.data["task"].as_object_mut() {
            task.remove("ticketId");
        }
    }
    if event.context == "video" {
        outside.ticket_id = None;
        without_tickets(&mut outside.data);
    }
    // All that is left to say: it is gone.
    let hidden = match &circle {
        Circle::Hidden(..) => Some(("ticket.hidden", Value::Object(Map::new()))),
        Circle::HiddenOwned(Thing::Task(id), _) => {
            Some(("task.hidden", serde_json::json!({"task": {"taskId": id.to_string()}})))
        }
        Circle::HiddenOwned(Thing::Session(id), _) => {
            Some(("video.session_hidden", serde_json::json!({"session": {"sessionId": id.to_string()}})))
        }
        _ => None,
    };
    if let Some((name, data)) = hidden {
        name.clone_into(&mut outside.name);
        outside.data = data;
        outside.actor = model::Actor::default();
    }
    Some(Projected { circle, full, outside })
}

/// The desk's tickets are another kind than those of devices, and must not be taken for them.
fn name(event: &Event) -> String {
    match (event.context.as_str(), event.name.strip_prefix("ticket.")) {
        ("support", Some(what)) => format!("support_ticket.{what}"),
        _ => event.name.clone(),
    }
}

fn actor(actor: Actor) -> model::Actor {
    let kind = match actor {
        Actor::Employee(_) => ActorKind::Employee,
        Actor::CodeUser(_) => ActorKind::CodeUser,
        Actor::CustomerUser(_) => ActorKind::CustomerUser,
        Actor::System => ActorKind::System,
    };
    model::Actor { kind: Some(kind), id: actor.id().map(|id| id.to_string()) }
}

fn id(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

fn circle(event: &Event, data: &Value) -> Circle {
    let on_ticket = |value: &Value, circle: fn(Uuid) -> Circle| id(value).map_or(Circle::Nobody, circle);
    match (event.context.as_str(), event.name.as_str()) {
        ("tickets", "ticket.deleted") => match ticket_facts(event) {
            Some((_, facts)) => Circle::Deleted(facts),
            None => Circle::Nobody,
        },
        ("tickets", "ticket.visibility_changed") => match ticket_facts(event) {
            Some((ticket, facts)) if !facts.public => Circle::Hidden(ticket, facts),
            Some((ticket, _)) => Circle::Ticket(ticket),
            None => Circle::Nobody,
        },
        ("tickets", "ticket.update_posted") if data["updateVisibility"] != "PUBLIC" => {
            on_ticket(&data["ticket"]["ticketId"], Circle::TicketEmployees)
        }
        ("tickets", "ticket.involved_changed") => {
            on_ticket(&data["ticket"]["ticketId"], Circle::TicketEmployees)
        }
        ("tickets", _) => on_ticket(&data["ticket"]["ticketId"], Circle::Ticket),
        ("fleet", "groups.changed") | ("ratings", "switches.changed") => Circle::Moderators,
        ("fleet", _) => {
            let nested =
                if data["offer"].is_object() { &data["offer"]["ticketId"] } else { &data["ticketId"] };
            on_ticket(nested, Circle::TicketEmployees)
        }
        ("ratings", name) if data["rating"]["subjectKind"] == "TICKET" => {
            let subject = &data["rating"]["subjectId"];
            let outsiders_care = name != "rating.waived";
            on_ticket(subject, if outsiders_care { Circle::Ticket } else { Circle::TicketEmployees })
        }
        ("ratings", name) if data["rating"]["subjectKind"] == "VIDEO_SESSION" => {
            let said = &data["rating"];
            // Whether it is public now, its owner says.
            let facts = TicketFacts { public: name != "rating.waived", ..thing_facts(said, "") };
            id(&said["subjectId"]).map_or(Circle::Nobody, |id| Circle::Owned(Thing::Session(id), facts))
        }
        ("messenger", "conversation.deleted") => Circle::Nobody,
        // Who has read what, and who is involved, is for employees; outsiders see it where it concerns them.
        ("messenger", "conversation.read" | "conversation.changed") => {
            on_ticket(&data["conversation"]["ticketId"], Circle::TicketEmployees)
        }
        ("messenger", _) => on_ticket(&data["conversation"]["ticketId"], Circle::Ticket),
        ("support", _) => {
            let said = &data["ticket"];
            let requester = id(&said["requester"]["id"]);
            id(&said["ticketId"]).map_or(Circle::Nobody, |ticket| Circle::Desk { ticket, requester })
        }
        ("tasks", name) => of_tasks(name, data),
        ("video", name) => of_video(name, data),
        ("ratings", _) | ("directory", "principal.tokens_revoked") => Circle::Nobody,
        ("directory", name) if name.starts_with("code.") => Circle::Administrators,
        ("directory", name) if name.starts_with("customer_user.") => Circle::Moderators,
        ("directory", name) if name.starts_with("device.") => {
            let departments = data["device"]["departmentIds"].as_array().into_iter().flatten();
            Circle::Employees(departments.filter_map(Value::as_str).map(str::to_owned).collect())
        }
        // Nothing of these is isolated: ids, and names of templates.
        ("directory", _) => Circle::Staff,
        (_, _) => Circle::Nobody,
    }
}

/// What an event says of a thing that is visible like a ticket. `outside`: the word for "those outside see it too".
fn thing_facts(said: &Value, outside: &str) -> TicketFacts {
    let departments = said["departmentIds"].as_array().into_iter().flatten();
    TicketFacts {
        organisation: id(&said["organisationId"]),
        device: id(&said["deviceId"]),
        customer: id(&said["customerId"]),
        public: said["visibility"] == outside,
        departments: departments.filter_map(|id| id.as_str()?.parse().ok()).collect(),
    }
}

/// What the video context tells: of sessions, and of session flows, which all employees may see.
fn of_video(name: &str, data: &Value) -> Circle {
    if name.starts_with("session_flow.") {
        return Circle::Staff;
    }
    let said = &data["session"];
    let Some(session) = id(&said["sessionId"]).map(Thing::Session) else { return Circle::Nobody };
    let facts = thing_facts(said, "PUBLIC");
    match name {
        "video.session_visibility_changed" if !facts.public => Circle::HiddenOwned(session, facts),
        _ => Circle::Owned(session, facts),
    }
}

/// Which tickets a session is linked with is for those who may see them: outside, that is asked for.
fn without_tickets(data: &mut Value) {
    let Some(fields) = data.as_object_mut() else { return };
    fields.remove("ticketId");
    if let Some(session) = fields.get_mut("session").and_then(Value::as_object_mut) {
        session.retain(|name, _| !["ticketIds", "conversationTicketId"].contains(&name.as_str()));
    }
}

/// What the tasks context tells: of tasks, of what falls due, and of definitions, which all employees may see.
fn of_tasks(name: &str, data: &Value) -> Circle {
    if name.starts_with("definition.") {
        return Circle::Staff;
    }
    // A reminder says of itself what other events say of their task; so does what is told of a device event.
    let said = if data["task"].is_object() { &data["task"] } else { data };
    let facts = thing_facts(said, "EXTERNAL");
    let event = || id(&said["deviceEventId"]).map(Thing::DeviceEvent);
    let task = || id(&said["taskId"]).map(Thing::Task);
    // The task of a due time may not be there yet; the event that falls due is.
    let thing = if data["task"].is_object() { task() } else { event().or_else(task) };
    let Some(thing) = thing else { return Circle::Nobody };
    match name {
        "task.deleted" | "device_event.removed" => Circle::Deleted(facts),
        "task.visibility_changed" if !facts.public => Circle::HiddenOwned(thing, facts),
        _ => Circle::Owned(thing, facts),
    }
}

/// The ticket's facts, which every event of tickets carries: in field 1, but for a deletion.
pub fn ticket_facts(event: &Event) -> Option<(Uuid, TicketFacts)> {
    if event.context != "tickets" {
        return None;
    }
    let facts = match event.name.as_str() {
        "ticket.deleted" => tickets::TicketDeleted::decode(event.payload.clone()).ok()?.ticket?,
        // Other messages have it in the same place; what else they say is skipped.
        _ => tickets::TicketOpened::decode(event.payload.clone()).ok()?.ticket?,
    };
    Some((facts.ticket_id.parse().ok()?, TicketFacts::from(&facts)))
}

/// A task or a session whose visibility was changed, and whether it is internal now.
pub fn turned(event: &Event) -> Option<(Uuid, bool)> {
    match (event.context.as_str(), event.name.as_str()) {
        ("tasks", "task.visibility_changed") => {
            let task = tasks::TaskVisibilityChanged::decode(event.payload.clone()).ok()?.task?;
            Some((task.task_id.parse().ok()?, task.visibility() != tasks::Visibility::External))
        }
        ("video", "video.session_visibility_changed") => {
            let session = video::SessionVisibilityChanged::decode(event.payload.clone()).ok()?.session?;
            Some((session.session_id.parse().ok()?, session.visibility() != video::Visibility::Public))
        }
        _ => None,
    }
}

fn conceal(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !EMPLOYEES_ONLY.contains(&name.as_str()));
            fields.values_mut().for_each(conceal);
        }
        Value::Array(items) => items.iter_mut().for_each(conceal),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
