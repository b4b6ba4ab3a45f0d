//! Who is told.

use uuid::Uuid;

use super::*;

fn colleague(number: u128) -> Colleague {
    Colleague { id: Uuid::from_u128(number).into(), departments: Vec::new() }
}

fn told(event_type: EventType, public: bool, subject: &Subject, circle: &Circle) -> Vec<(Person, Because)> {
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
fn n_3_who_left_the_group_or_lost_the_role_is_no_longer_what_they_heard_as() {
    let standing = Standing { role: Role::Administrator, is_agent: true, is_listed: true };
    let [moderator, member] = [Role::Moderator, Role::Member].map(|role| Standing { role, ..standing });
    let unlisted = Standing { is_listed: false, ..standing };
    for because in [Because::Group, Because::Responsible] {
        assert!(still_is(because, member) && !still_is(because, unlisted), "{because:?}");
    }
    assert!(!still_is(Because::Agent, Standing { is_agent: false, ..standing }));
    assert!(still_is(Because::Steward, standing) && still_is(Because::Steward, moderator));
    assert!(!still_is(Because::Steward, member));
    assert!(still_is(Because::Administrator, standing) && !still_is(Because::Administrator, moderator));
    let nobody = Standing { role: Role::Member, is_agent: false, is_listed: false };
    for because in [Because::Named, Because::Involved, Because::Requester] {
        assert!(still_is(because, nobody), "judged elsewhere: {because:?}");
    }
}

#[test]
fn n_4_of_a_ticket_hear_the_involved_the_notification_group_the_company_and_the_code_each_once() {
    let subject = Subject { involved: [colleague(1).id, colleague(2).id].into(), ..Subject::default() };
    let outsiders = [
        (Person::CustomerUser(Uuid::from_u128(8).into()), Because::Company),
        (Person::Code(Uuid::from_u128(9).into()), Because::Code),
    ];
    let employees =
        [(employee(1), Because::Involved), (employee(2), Because::Involved), (employee(3), Because::Group)];
    assert_eq!(told(EventType::Message, true, &subject, &circle()), [&employees[..], &outsiders].concat());
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
    assert_eq!(told(EventType::VideoRequested, true, &subject, &nobody), [(employee(5), Because::Steward)]);
}

#[test]
fn v_2_who_is_called_to_a_linked_ticket_hears_of_a_request_beside_those_responsible_or_who_steers() {
    let circle = Circle {
        named: vec![colleague(1), colleague(2)],
        responsible: vec![colleague(1)],
        stewards: vec![colleague(5)],
        ..Circle::default()
    };
    let subject = Subject::default();
    assert_eq!(
        told(EventType::VideoRequested, true, &subject, &circle),
        // Who is responsible remains so when the offer ends.
        [(employee(1), Because::Responsible), (employee(2), Because::Named)]
    );
    let nobody = Circle { responsible: Vec::new(), ..circle };
    assert_eq!(
        told(EventType::VideoRequested, true, &subject, &nobody),
        [(employee(1), Because::Named), (employee(2), Because::Named), (employee(5), Because::Steward)]
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
    let subject = Subject { internal: true, undivided: true, ..Subject::default() };
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
    let circle = Circle { stewards: vec![colleague(5)], involved: vec![colleague(1)], ..Circle::default() };
    assert_eq!(
        told(EventType::TaskDue, true, &Subject::default(), &circle),
        [(employee(5), Because::Steward)]
    );
    let assigned = Subject { involved: [colleague(1).id].into(), ..Subject::default() };
    assert_eq!(told(EventType::TaskDue, true, &assigned, &circle), [(employee(1), Because::Involved)]);
}

#[test]
fn n_3_what_is_said_of_somebody_holds_while_it_is_so() {
    let id = colleague(1).id;
    let call = |offered, assigned| Call { offered, assigned };
    let nobody = Subject::default();
    for (event_type, call, holds) in [
        (EventType::Offer, call(Some(true), None), true),
        // Rows of older releases do not say.
        (EventType::Offer, Call::default(), true),
        (EventType::Offer, call(Some(false), None), false),
        (EventType::OfferWithdrawn, call(Some(false), None), true),
        (EventType::OfferWithdrawn, call(Some(true), None), false),
        (EventType::Assigned, call(Some(false), Some(true)), true),
        (EventType::Assigned, call(Some(true), Some(false)), false),
        (EventType::Unassigned, call(None, Some(false)), true),
        (EventType::Unassigned, call(None, Some(true)), false),
    ] {
        assert_eq!(still_holds(event_type, id, &nobody, call), holds, "{event_type:?} {call:?}");
    }
    let theirs = Subject { involved: [id].into(), ..Subject::default() };
    for event_type in [EventType::TaskAssigned, EventType::SupportAssigned, EventType::SupportComment] {
        assert!(still_holds(event_type, id, &theirs, Call::default()), "{event_type:?}");
        assert!(!still_holds(event_type, id, &nobody, Call::default()), "{event_type:?}");
    }
}

#[test]
fn f_11_of_a_ticket_that_nobody_takes_hears_the_notification_group_and_where_nobody_of_it_does_who_steers() {
    let department: DepartmentId = Uuid::from_u128(50).into();
    let subject = Subject { departments: vec![department], ..Subject::default() };
    let far = Colleague { departments: vec![Uuid::from_u128(51).into()], ..colleague(2) };
    let stewards = vec![colleague(5)];
    let group = Circle { group: vec![colleague(1)], stewards: stewards.clone(), ..Circle::default() };
    let nobody = Circle { stewards: stewards.clone(), ..Circle::default() };
    let elsewhere = Circle { group: vec![far], stewards, ..Circle::default() };
    for event_type in [EventType::Unserved, EventType::Escalated] {
        assert_eq!(told(event_type, true, &subject, &group), [(employee(1), Because::Group)]);
        for circle in [&nobody, &elsewhere] {
            assert_eq!(told(event_type, true, &subject, circle), [(employee(5), Because::Steward)]);
        }
    }
}

#[test]
fn s_3_the_desk_is_not_divided_by_departments() {
    let department: DepartmentId = Uuid::from_u128(50).into();
    let placed = |number| Colleague { departments: vec![department], ..colleague(number) };
    let subject = Subject { undivided: true, ..Subject::default() };
    let circle = Circle { agents: vec![placed(1)], named: vec![placed(2)], ..Circle::default() };
    assert_eq!(
        told(EventType::SupportComment, true, &subject, &circle),
        [(employee(1), Because::Agent), (employee(2), Because::Named)]
    );
    assert_eq!(told(EventType::SupportAssigned, true, &subject, &circle), [(employee(2), Because::Named)]);
    // What is divided and has no departments is nobody's who has some (strict isolation).
    assert_eq!(told(EventType::Assigned, true, &Subject::default(), &circle), []);
}
