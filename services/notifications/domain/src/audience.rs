//! Who is told (N-4), and whether that still holds when it is sent (N-3).

use std::collections::{BTreeMap, BTreeSet};

use callboard_kernel::{
    Actor, CodeId, CustomerId, CustomerUserId, DepartmentId, EmployeeId, Isolation, Role,
};

use crate::{Because, EventType, Origin, Person};

#[cfg(test)]
mod tests;

/// An employee, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colleague {
    /// Who.
    pub id: EmployeeId,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
}

/// What is known of the ticket or task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// Outsiders may not see it (T-13).
    pub internal: bool,
    /// Whose users hear of it.
    pub company: Option<CustomerId>,
    /// The device's departments.
    pub departments: Vec<DepartmentId>,
    /// Departments do not divide it: the support desk and webhooks have none.
    pub undivided: bool,
    /// Who works on it.
    pub involved: BTreeSet<EmployeeId>,
    /// Who declined it, and was neither offered it nor assigned again since (F-5).
    pub declined: BTreeSet<EmployeeId>,
}

/// A device as the directory told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's version these facts are of.
    pub version: i64,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
    /// It was removed.
    pub removed: bool,
}

impl Subject {
    /// The same, judged by its device as it is now, unless what the subject itself told of the device, which is of this
    /// `version` of it, is newer: the two come on ways of their own.
    ///
    /// Customer users hear of what is on their own company's devices, except of what opened while the device was another
    /// company's: a device may be sold, its former owner's reports are not. Tickets and conversations are judged the same
    /// way.
    #[must_use]
    pub fn placed(mut self, version: i64, device: Option<Device>) -> Self {
        let Some(device) = device.filter(|device| device.version >= version) else { return self };
        let then = self.company;
        let now = device.customer.filter(|_| !device.removed);
        self.company = now.filter(|now| then.is_none_or(|then| then == *now));
        self.departments = device.departments;
        self
    }
}

/// Those who might be told, as they were looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circle {
    /// Whom it is about.
    pub named: Vec<Colleague>,
    /// Who works on it; others than in [`Subject::involved`] are left out.
    pub involved: Vec<Colleague>,
    /// Members of the notification group.
    pub group: Vec<Colleague>,
    /// Responsible for the template's video sessions.
    pub responsible: Vec<Colleague>,
    /// Support agents of the field.
    pub agents: Vec<Colleague>,
    /// Moderators and administrators.
    pub stewards: Vec<Colleague>,
    /// Administrators.
    pub administrators: Vec<Colleague>,
    /// Of the company that owns the device; those who switched notifications off are not among them.
    pub company: Vec<CustomerUserId>,
    /// Codes on the device that let visitors in.
    pub codes: Vec<CodeId>,
    /// Who asked for it at the support desk.
    pub requester: Option<Actor>,
}

/// Who is to be looked up for a type of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Those involved.
    pub involved: bool,
    /// The notification group.
    pub group: bool,
    /// Customer users and codes.
    pub outsiders: bool,
    /// Support agents.
    pub agents: bool,
    /// Moderators, where no employee else hears of it: nobody is assigned, responsible, or of a notification group.
    pub stewards: bool,
    /// Those who may confirm a video session (V-2).
    pub responsible: bool,
    /// Administrators alone.
    pub administrators: bool,
}

impl EventType {
    /// Who hears of it besides whom it is about (N-4). Members of the groups that are offered a ticket hear of the offer
    /// alone, and of the ticket while they are involved; notification groups of all of the ticket.
    pub const fn heard_by(self) -> Wanted {
        let nobody = Wanted {
            involved: false,
            group: false,
            outsiders: false,
            agents: false,
            stewards: false,
            responsible: false,
            administrators: false,
        };
        match self {
            Self::TicketOpened => Wanted { group: true, outsiders: true, ..nobody },
            Self::TicketStatus
            | Self::TicketChanged
            | Self::TicketUpdate
            | Self::TicketRated
            | Self::Message => Wanted { involved: true, group: true, outsiders: true, ..nobody },
            Self::Offer
            | Self::OfferWithdrawn
            | Self::Assigned
            | Self::Unassigned
            | Self::TaskAssigned
            | Self::SupportAssigned => nobody,
            // F-11: where there is no group to tell, who steers finds somebody.
            Self::Unserved | Self::Escalated => Wanted { group: true, stewards: true, ..nobody },
            Self::RatingRequested => Wanted { outsiders: true, ..nobody },
            // A task that nobody is assigned to must not fall due unheard: who steers hears of it then.
            Self::TaskDue => Wanted { involved: true, outsiders: true, stewards: true, ..nobody },
            Self::TaskCreated | Self::TaskStatus => Wanted { involved: true, outsiders: true, ..nobody },
            Self::SupportOpened | Self::SupportComment | Self::SupportDecided => {
                Wanted { agents: true, ..nobody }
            }
            // Confirming is for those who are responsible, else for who steers (V-2).
            Self::VideoRequested => Wanted { responsible: true, stewards: true, outsiders: true, ..nobody },
            // A request that was withdrawn is no longer theirs.
            Self::VideoCancelled => Wanted { responsible: true, involved: true, outsiders: true, ..nobody },
            Self::VideoConfirmed | Self::VideoCall | Self::VideoEnded => {
                Wanted { involved: true, outsiders: true, ..nobody }
            }
            Self::VideoRated => Wanted { involved: true, ..nobody },
            Self::WebhookDisabled => Wanted { administrators: true, ..nobody },
        }
    }
}

/// Somebody who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Who.
    pub person: Person,
    /// Why.
    pub because: Because,
    /// Seen from there.
    pub origin: Origin,
}

/// Whether an employee hears of it for this reason, as things are now (N-3).
pub fn employee_hears(
    colleague: &Colleague,
    because: Because,
    isolation: Isolation,
    subject: &Subject,
) -> bool {
    let involved = subject.involved.contains(&colleague.id);
    // F-5: a decline stops everything on this ticket for that person, until asked or assigned again.
    if subject.declined.contains(&colleague.id) && !involved {
        return false;
    }
    if because == Because::Involved && !involved {
        return false;
    }
    subject.undivided || isolation.admits(&colleague.departments, &subject.departments)
}

/// What an employee is in the organisation when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub role: Role,
    /// Works at the support desk.
    pub is_agent: bool,
    /// One of the notification group, or of those responsible, whichever the reason is; other reasons do not look at it.
    pub is_listed: bool,
}

/// Whether an employee still is what they hear of it as (N-3): the group may have been left and the role lost while a
/// mail server was away. Involvement and what names somebody are judged by [`employee_hears`] and [`still_holds`].
pub fn still_is(because: Because, standing: Standing) -> bool {
    match because {
        Because::Group | Because::Responsible => standing.is_listed,
        Because::Agent => standing.is_agent,
        Because::Steward => matches!(standing.role, Role::Moderator | Role::Administrator),
        Because::Administrator => standing.role == Role::Administrator,
        Because::Named | Because::Involved | Because::Requester | Because::Company | Because::Code => true,
    }
}

/// Where somebody stands with a ticket, as fleet told last; `None`: it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Call {
    /// They have an open offer.
    pub offered: Option<bool>,
    /// They are assigned.
    pub assigned: Option<bool>,
}

/// Whether what is said of this very employee still holds when it is sent (N-3): an offer may be taken back, filled or run
/// out while a mail server is away, and an assignment be taken back. `call`: of the ticket it is about.
pub fn still_holds(event_type: EventType, id: EmployeeId, subject: &Subject, call: Call) -> bool {
    match event_type {
        EventType::Offer => call.offered != Some(false),
        EventType::OfferWithdrawn => call.offered != Some(true),
        EventType::Assigned => call.assigned != Some(false),
        EventType::Unassigned => call.assigned != Some(true),
        EventType::TaskAssigned | EventType::SupportAssigned | EventType::SupportComment => {
            subject.involved.contains(&id)
        }
        EventType::TicketOpened
        | EventType::TicketStatus
        | EventType::TicketChanged
        | EventType::TicketUpdate
        | EventType::TicketRated
        | EventType::Message
        | EventType::Unserved
        | EventType::Escalated
        | EventType::RatingRequested
        | EventType::TaskCreated
        | EventType::TaskDue
        | EventType::TaskStatus
        | EventType::SupportOpened
        | EventType::SupportDecided
        | EventType::VideoRequested
        | EventType::VideoConfirmed
        | EventType::VideoCancelled
        | EventType::VideoCall
        | EventType::VideoEnded
        | EventType::VideoRated
        | EventType::WebhookDisabled => true,
    }
}

/// Whether somebody from outside hears of it, as things are now (T-13).
pub const fn outsider_hears(because: Because, subject: &Subject) -> bool {
    matches!(because, Because::Requester) || !subject.internal
}

/// The employees who answer for it, and why.
fn answering(
    event_type: EventType,
    isolation: Isolation,
    subject: &Subject,
    circle: &Circle,
) -> BTreeMap<Person, Because> {
    let wanted = event_type.heard_by();
    let mut found = BTreeMap::new();
    for (is_wanted, colleagues, because) in [
        (wanted.involved, &circle.involved, Because::Involved),
        (wanted.group, &circle.group, Because::Group),
        (wanted.responsible, &circle.responsible, Because::Responsible),
        (wanted.administrators, &circle.administrators, Because::Administrator),
        (wanted.agents, &circle.agents, Because::Agent),
    ] {
        if is_wanted {
            hear(&mut found, colleagues, because, isolation, subject);
        }
    }
    found
}

fn hear(
    found: &mut BTreeMap<Person, Because>,
    colleagues: &[Colleague],
    because: Because,
    isolation: Isolation,
    subject: &Subject,
) {
    for colleague in colleagues {
        if employee_hears(colleague, because, isolation, subject) {
            found.entry(Person::Employee(colleague.id)).or_insert(because);
        }
    }
}

/// Whether it falls to who steers, because nobody of those who were looked up answers for it.
pub fn falls_to_stewards(
    event_type: EventType,
    isolation: Isolation,
    subject: &Subject,
    circle: &Circle,
) -> bool {
    event_type.heard_by().stewards && answering(event_type, isolation, subject, circle).is_empty()
}

/// Everybody who is told, each once.
///
/// `public`: false for what outsiders never see, such as an internal update.
pub fn audience(
    event_type: EventType,
    actor: Actor,
    public: bool,
    isolation: Isolation,
    subject: &Subject,
    circle: &Circle,
) -> Vec<Listener> {
    let wanted = event_type.heard_by();
    let mut found = answering(event_type, isolation, subject, circle);
    if wanted.stewards && found.is_empty() {
        hear(&mut found, &circle.stewards, Because::Steward, isolation, subject);
    }
    // Last, because it ends first: an offer that is taken back takes nothing from who hears of it anyhow (N-3).
    hear(&mut found, &circle.named, Because::Named, isolation, subject);
    if wanted.outsiders && public {
        let users = circle.company.iter().map(|id| (Person::CustomerUser(*id), Because::Company));
        let codes = circle.codes.iter().map(|id| (Person::Code(*id), Because::Code));
        for (person, because) in users.chain(codes) {
            if outsider_hears(because, subject) {
                found.entry(person).or_insert(because);
            }
        }
    }
    match circle.requester {
        Some(Actor::Employee(id)) => {
            found.entry(Person::Employee(id)).or_insert(Because::Requester);
        }
        Some(Actor::CustomerUser(id)) => {
            found.entry(Person::CustomerUser(id)).or_insert(Because::Requester);
        }
        Some(Actor::CodeUser(_) | Actor::System) | None => {}
    }
    found
        .into_iter()
        .map(|(person, because)| {
            let origin = if person.is(actor) { Origin::Me } else { Origin::Others };
            Listener { person, because, origin }
        })
        .collect()
}
