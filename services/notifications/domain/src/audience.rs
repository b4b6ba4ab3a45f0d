//! Who is told (N-4), and whether that still holds when it is sent (N-3).

use std::collections::{BTreeMap, BTreeSet};

use callboard_kernel::{Actor, CodeId, CustomerId, CustomerUserId, DepartmentId, EmployeeId, Isolation};

use crate::{Because, EventType, Origin, Person};

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
    /// Moderators, where nobody is assigned, and nobody responsible.
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
            Self::Unserved | Self::Escalated => Wanted { group: true, ..nobody },
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
    match because {
        // The desk is not divided by departments.
        Because::Agent | Because::Requester | Because::Administrator => true,
        Because::Named
        | Because::Involved
        | Because::Group
        | Because::Responsible
        | Because::Steward
        | Because::Company
        | Because::Code => isolation.admits(&colleague.departments, &subject.departments),
    }
}

/// Whether somebody from outside hears of it, as things are now (T-13).
pub const fn outsider_hears(because: Because, subject: &Subject) -> bool {
    matches!(because, Because::Requester) || !subject.internal
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
    let mut found: BTreeMap<Person, Because> = BTreeMap::new();
    let mut employees = |colleagues: &[Colleague], because: Because| {
        for colleague in colleagues {
            if employee_hears(colleague, because, isolation, subject) {
                found.entry(Person::Employee(colleague.id)).or_insert(because);
            }
        }
    };
    employees(&circle.named, Because::Named);
    if wanted.involved {
        employees(&circle.involved, Because::Involved);
    }
    if wanted.group {
        employees(&circle.group, Because::Group);
    }
    if wanted.responsible {
        employees(&circle.responsible, Because::Responsible);
    }
    if wanted.administrators {
        employees(&circle.administrators, Because::Administrator);
    }
    if wanted.agents {
        employees(&circle.agents, Because::Agent);
    }
    if wanted.stewards && subject.involved.is_empty() && circle.responsible.is_empty() {
        employees(&circle.stewards, Because::Steward);
    }
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn colleague(number: u128) -> Colleague {
        Colleague { id: Uuid::from_u128(number).into(), departments: Vec::new() }
    }

    fn told(
        event_type: EventType,
        public: bool,
        subject: &Subject,
        circle: &Circle,
    ) -> Vec<(Person, Because)> {
        audience(event_type, Actor::System, public, Isolation::Strict, subject, circle)
            .into_iter()
            .map(|listener| (listener.person, listener.because))
            .collect()
    }

    fn employee(number: u128) -> Person {
        Person::Employee(Uuid::from_u128(number).into())
    }

    fn circle() -> Circle {
        Circle {
            involved: vec![colleague(1), colleague(2)],
            group: vec![colleague(2), colleague(3)],
            company: vec![Uuid::from_u128(8).into()],
            codes: vec![Uuid::from_u128(9).into()],
            ..Circle::default()
        }
    }

    #[test]
    fn n_4_of_a_ticket_hear_the_involved_the_notification_group_the_company_and_the_code_each_once() {
        let subject = Subject { involved: [colleague(1).id, colleague(2).id].into(), ..Subject::default() };
        let outsiders = [
            (Person::CustomerUser(Uuid::from_u128(8).into()), Because::Company),
            (Person::Code(Uuid::from_u128(9).into()), Because::Code),
        ];
        let employees = [
            (employee(1), Because::Involved),
            (employee(2), Because::Involved),
            (employee(3), Because::Group),
        ];
        assert_eq!(
            told(EventType::Message, true, &subject, &circle()),
            [&employees[..], &outsiders].concat()
        );
        // An internal update is none of the outsiders' business.
        assert_eq!(told(EventType::TicketUpdate, false, &subject, &circle()), employees);
    }

    #[test]
    fn n_4_who_is_not_involved_any_more_hears_no_more_but_a_notification_group_does_regardless() {
        let subject = Subject { involved: [colleague(1).id].into(), ..Subject::default() };
        let circle = Circle { company: Vec::new(), codes: Vec::new(), ..circle() };
        assert_eq!(
            told(EventType::TicketStatus, true, &subject, &circle),
            [(employee(1), Because::Involved), (employee(2), Because::Group), (employee(3), Because::Group)]
        );
    }

    #[test]
    fn f_5_a_decline_stops_everything_on_this_ticket_until_one_is_involved_again() {
        let mut subject = Subject { declined: [colleague(3).id].into(), ..Subject::default() };
        let circle = Circle { group: vec![colleague(3)], named: vec![colleague(3)], ..Circle::default() };
        for event_type in EventType::ALL {
            assert_eq!(told(*event_type, true, &subject, &circle), [], "{event_type:?}");
        }
        subject.involved.insert(colleague(3).id);
        assert_eq!(told(EventType::Assigned, true, &subject, &circle), [(employee(3), Because::Named)]);
    }

    #[test]
    fn t_13_of_what_is_internal_outsiders_hear_nothing() {
        let subject = Subject { internal: true, ..Subject::default() };
        for event_type in EventType::ALL {
            let circle = Circle { involved: Vec::new(), group: Vec::new(), ..circle() };
            assert_eq!(told(*event_type, true, &subject, &circle), [], "{event_type:?}");
        }
    }

    #[test]
    fn isolation_decides_who_of_a_group_hears() {
        let department: DepartmentId = Uuid::from_u128(50).into();
        let other: DepartmentId = Uuid::from_u128(51).into();
        let subject = Subject { departments: vec![department], ..Subject::default() };
        let inside = Colleague { departments: vec![department], ..colleague(1) };
        let outside = Colleague { departments: vec![other], ..colleague(2) };
        let circle = Circle { group: vec![inside, outside], ..Circle::default() };
        assert_eq!(told(EventType::Unserved, true, &subject, &circle), [(employee(1), Because::Group)]);
    }

    #[test]
    fn v_2_a_request_is_heard_by_those_responsible_and_by_who_steers_where_nobody_is() {
        let circle =
            Circle { responsible: vec![colleague(1)], stewards: vec![colleague(5)], ..Circle::default() };
        let subject = Subject::default();
        assert_eq!(
            told(EventType::VideoRequested, true, &subject, &circle),
            [(employee(1), Because::Responsible)]
        );
        let nobody = Circle { responsible: Vec::new(), ..circle };
        assert_eq!(
            told(EventType::VideoRequested, true, &subject, &nobody),
            [(employee(5), Because::Steward)]
        );
    }

    #[test]
    fn a_subject_is_judged_by_its_device_as_it_is_now_unless_it_knows_better_itself() {
        let company = |number: u128| CustomerId::from(Uuid::from_u128(number));
        let department = |number: u128| DepartmentId::from(Uuid::from_u128(number));
        let device = |version, owner: Option<u128>, removed| Device {
            version,
            customer: owner.map(company),
            departments: vec![department(51)],
            removed,
        };
        let then = |owner: Option<u128>| Subject {
            company: owner.map(company),
            departments: vec![department(50)],
            ..Subject::default()
        };
        // (owner when it opened, told at version, device now) to whose users hear, and by which department.
        for (opened, version, now, owner, place) in [
            (Some(1), 3, None, Some(1), 50),
            (Some(1), 3, Some(device(2, Some(2), false)), Some(1), 50),
            (Some(1), 3, Some(device(3, Some(1), false)), Some(1), 51),
            (Some(1), 0, Some(device(4, Some(2), false)), None, 51),
            (Some(1), 3, Some(device(4, None, false)), None, 51),
            (Some(1), 3, Some(device(4, Some(1), true)), None, 51),
            (None, 3, Some(device(4, Some(2), false)), Some(2), 51),
        ] {
            let judged = then(opened).placed(version, now.clone());
            let found = (judged.company, judged.departments);
            assert_eq!(found, (owner.map(company), vec![department(place)]), "{opened:?} {version} {now:?}");
        }
    }

    #[test]
    fn n_2_origin_is_seen_from_the_person() {
        let actor = Actor::Employee(colleague(1).id);
        let subject = Subject { involved: [colleague(1).id].into(), ..Subject::default() };
        let listeners = audience(EventType::Message, actor, true, Isolation::Off, &subject, &circle());
        for listener in listeners {
            let expected = if listener.person == employee(1) { Origin::Me } else { Origin::Others };
            assert_eq!(listener.origin, expected, "{listener:?}");
        }
        let code = Person::Code(Uuid::from_u128(9).into());
        assert!(code.is(Actor::CodeUser(Uuid::from_u128(77).into())), "any visit is of the code");
    }

    #[test]
    fn s_5_agents_hear_and_the_requester_of_what_staff_wrote() {
        let circle = Circle {
            agents: vec![colleague(4)],
            requester: Some(Actor::CustomerUser(Uuid::from_u128(8).into())),
            ..Circle::default()
        };
        let subject = Subject { internal: true, ..Subject::default() };
        assert_eq!(
            told(EventType::SupportComment, true, &subject, &circle),
            [
                (employee(4), Because::Agent),
                (Person::CustomerUser(Uuid::from_u128(8).into()), Because::Requester)
            ]
        );
    }

    #[test]
    fn a_due_task_that_nobody_is_assigned_to_is_heard_by_who_steers() {
        let circle =
            Circle { stewards: vec![colleague(5)], involved: vec![colleague(1)], ..Circle::default() };
        assert_eq!(
            told(EventType::TaskDue, true, &Subject::default(), &circle),
            [(employee(5), Because::Steward)]
        );
        let assigned = Subject { involved: [colleague(1).id].into(), ..Subject::default() };
        assert_eq!(told(EventType::TaskDue, true, &assigned, &circle), [(employee(1), Because::Involved)]);
    }
}
