use std::collections::BTreeMap;

use callboard_directory_domain::{
    Action, Command, Customer, CustomerKind, Department, Device, Email, Employee, Entity, Event, Facts,
    MetaTeam, MetaTeamId, Name, Organisation, Record, Reference, Refused, State, TeamId, Template,
};
use callboard_kernel::{Isolation, Principal, Role};
use uuid::Uuid;

use crate::world::{ask, at, code_user, customer_user, department, employee, stranger, system};

fn id() -> Uuid {
    Uuid::from_u128(0xabc)
}

fn on(isolation: Isolation) -> Facts {
    Facts { isolation, ..Facts::default() }
}

fn put<E: Entity>(
    state: &mut State<E>,
    principal: &Principal,
    action: Action<E>,
    facts: Facts,
) -> Result<Vec<Event<E>>, Refused> {
    ask::<Record<E>>(state, principal, at(0), &Command { id: id(), action, facts })
}

fn made<E: Entity>(value: E) -> State<E> {
    let mut state = State::default();
    put(&mut state, &system(), Action::Create(value), Facts::default()).expect("to be made");
    state
}

fn anna() -> Employee {
    Employee {
        name: Name::parse("Anna").unwrap(),
        email: Email::parse("anna@example.org").unwrap(),
        role: Role::Administrator,
        ..Employee::default()
    }
}

fn edit<E>(value: E, field: &'static str) -> Action<E> {
    Action::Update { value, fields: vec![field] }
}

#[test]
fn d_1_a_record_is_made_edited_and_removed_with_before_and_after() {
    let admin = employee(Role::Administrator, &[]);
    let mut state = State::default();
    let north = Department { name: Name::parse("North").unwrap() };
    let south = Department { name: Name::parse("South").unwrap() };
    assert!(
        matches!(put(&mut state, &admin, Action::Create(north.clone()), Facts::default()), Ok(events) if events.len() == 1)
    );
    let events = put(&mut state, &admin, edit(south.clone(), "name"), Facts::default()).unwrap();
    assert_eq!(events, [Event::Changed { before: north, after: south.clone(), at: at(0) }]);
    assert_eq!(
        put(&mut state, &admin, edit(south.clone(), "name"), Facts::default()),
        Ok(vec![]),
        "nothing changed"
    );
    let events = put(&mut state, &admin, Action::Delete, Facts::default()).unwrap();
    assert_eq!(
        events,
        [Event::Removed { before: south.clone(), tombstone: Department::default(), at: at(0) }]
    );
    let again = put(&mut state, &admin, edit(south.clone(), "name"), Facts::default());
    assert_eq!(again, Err(Refused::NotFound("department")));
    assert_eq!(put(&mut state, &admin, Action::Create(south), Facts::default()), Err(Refused::IdTaken));
}

#[test]
fn only_the_fields_of_the_mask_count() {
    let mut state = made(anna());
    let other = Employee { name: Name::parse("Bea").unwrap(), role: Role::Member, ..Employee::default() };
    put(&mut state, &system(), edit(other, "name"), Facts::default()).unwrap();
    let kept = &state.kept().unwrap().value;
    assert_eq!(
        (kept.name.as_str(), kept.role, kept.email.as_str()),
        ("Bea", Role::Administrator, "anna@example.org")
    );
}

#[test]
fn permission_table_employees_roles_departments_are_for_administrators() {
    let (moderator, member) = (employee(Role::Moderator, &[]), employee(Role::Member, &[]));
    for who in [&moderator, &member, &code_user(id()), &customer_user(id())] {
        assert!(matches!(
            put(&mut made(anna()), who, Action::Delete, Facts::default()),
            Err(Refused::Denied(_))
        ));
        let department =
            put(&mut State::default(), who, Action::Create(Department::default()), Facts::default());
        assert!(matches!(department, Err(Refused::Denied(_))));
    }
    assert!(put(&mut made(Template::default()), &moderator, Action::Delete, Facts::default()).is_ok());
    let denied = put(&mut made(Template::default()), &member, Action::Delete, Facts::default());
    assert!(matches!(denied, Err(Refused::Denied(_))));
}

#[test]
fn a_stranger_of_another_organisation_finds_nothing() {
    let found = put(&mut made(anna()), &stranger(), Action::Delete, Facts::default());
    assert_eq!(found, Err(Refused::NotFound("employee")));
}

#[test]
fn at_least_one_administrator_remains() {
    let admin = employee(Role::Administrator, &[]);
    let last = Facts { no_other_administrator: true, ..Facts::default() };
    let member = Employee { role: Role::Member, ..anna() };
    assert_eq!(put(&mut made(anna()), &admin, Action::Delete, last), Err(Refused::LastAdministrator));
    let demoted = put(&mut made(anna()), &admin, edit(member.clone(), "role"), last);
    assert_eq!(demoted, Err(Refused::LastAdministrator));
    assert!(put(&mut made(anna()), &admin, edit(member.clone(), "role"), Facts::default()).is_ok());
    assert!(put(&mut made(member), &admin, Action::Delete, last).is_ok());
}

#[test]
fn other_rights_raise_the_epoch_and_a_new_name_does_not() {
    let mut state = made(anna());
    let epoch = |state: &State<Employee>| state.kept().unwrap().value.auth_epoch;
    put(&mut state, &system(), edit(Employee { role: Role::Moderator, ..anna() }, "role"), Facts::default())
        .unwrap();
    assert_eq!(epoch(&state), 1);
    let moved = Employee { departments: vec![department(1)], ..anna() };
    put(&mut state, &system(), edit(moved, "department_ids"), Facts::default()).unwrap();
    assert_eq!(epoch(&state), 2);
    let renamed = Employee { name: Name::parse("Bea").unwrap(), ..anna() };
    put(&mut state, &system(), edit(renamed, "name"), Facts::default()).unwrap();
    assert_eq!(epoch(&state), 2);
    let events = put(&mut state, &system(), Action::Delete, Facts::default()).unwrap();
    let Event::Removed { tombstone, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(tombstone, &Employee { auth_epoch: 3, ..Employee::default() }, "no personal data stays");
}

#[test]
fn isolation_one_hands_out_only_ones_own_departments() {
    let confined = employee(Role::Administrator, &[1, 2]);
    let free = employee(Role::Administrator, &[]);
    let with = |departments: &[u128]| Employee {
        departments: departments.iter().map(|number| department(*number)).collect(),
        ..anna()
    };
    // (mode, who, before, after, allowed)
    type Case<'a> = (Isolation, &'a Principal, &'a [u128], &'a [u128], bool);
    let table: [Case<'_>; 10] = [
        (Isolation::Off, &confined, &[1], &[9], true),
        (Isolation::Basic, &confined, &[1], &[2], true),
        (Isolation::Basic, &confined, &[1], &[1, 9], false),
        (Isolation::Strict, &confined, &[1], &[9], false),
        (Isolation::Strict, &confined, &[1, 9], &[2, 9], true),
        (Isolation::Strict, &confined, &[1, 9], &[1], false),
        (Isolation::Strict, &confined, &[1], &[], false),
        (Isolation::Strict, &confined, &[], &[], true),
        (Isolation::Strict, &free, &[1], &[9], true),
        (Isolation::Strict, &free, &[1], &[], true),
    ];
    for (mode, who, before, after, allowed) in table {
        let result = put(&mut made(with(before)), who, edit(with(after), "department_ids"), on(mode));
        assert_eq!(result.is_ok(), allowed, "{mode:?} {before:?} → {after:?}");
        if !allowed {
            assert_eq!(result, Err(Refused::ForeignDepartment));
        }
    }
    for (departments, allowed) in [(&[1][..], true), (&[9], false), (&[], false)] {
        let result =
            put(&mut State::default(), &confined, Action::Create(with(departments)), on(Isolation::Basic));
        assert_eq!(result.is_ok(), allowed, "create {departments:?}");
    }
}

#[test]
fn isolation_decides_who_may_edit_a_device() {
    let device = Device { departments: vec![department(9)], ..Device::default() };
    let moderator = employee(Role::Moderator, &[1]);
    let refused = put(&mut made(device.clone()), &moderator, Action::Delete, on(Isolation::Basic));
    assert_eq!(refused, Err(Refused::NotFound("device")));
    assert!(put(&mut made(device), &moderator, Action::Delete, on(Isolation::Off)).is_ok());
}

#[test]
fn isolation_devices_are_seen_by_their_own_outsiders() {
    let (customer, other) = (Uuid::from_u128(500), Uuid::from_u128(501));
    let device = Device { customer: Some(customer.into()), ..Device::default() };
    let sees = |who: &Principal| device.visible(id(), who, Isolation::Strict);
    assert!(sees(&code_user(id())) && !sees(&code_user(other)));
    assert!(sees(&customer_user(customer)) && !sees(&customer_user(other)));
}

#[test]
fn an_administrator_inside_departments_cannot_open_the_walls() {
    let strict = Organisation { isolation: Isolation::Strict, ..Organisation::default() };
    let off = Organisation::default();
    let confined = employee(Role::Administrator, &[1]);
    let refused =
        put(&mut made(strict.clone()), &confined, edit(off.clone(), "isolation"), on(Isolation::Strict));
    assert_eq!(refused, Err(Refused::ForeignDepartment));
    let free = employee(Role::Administrator, &[]);
    assert!(put(&mut made(strict), &free, edit(off, "isolation"), on(Isolation::Strict)).is_ok());
}

#[test]
fn organisations_are_made_and_ended_by_the_operator() {
    let admin = employee(Role::Administrator, &[]);
    let created =
        put(&mut State::default(), &admin, Action::Create(Organisation::default()), Facts::default());
    assert!(matches!(created, Err(Refused::Denied(_))));
    let removed = put(&mut made(Organisation::default()), &admin, Action::Delete, Facts::default());
    assert!(matches!(removed, Err(Refused::Denied(_))));
}

#[test]
fn what_something_needs_cannot_be_removed() {
    let used = Facts { used_by: Some("devices"), ..Facts::default() };
    let in_use = Err(Refused::InUse { by: "devices" });
    assert_eq!(
        put(&mut made(Template::default()), &system(), Action::Delete, used),
        in_use.clone().map(|()| vec![])
    );
    assert_eq!(
        put(&mut made(Customer::default()), &system(), Action::Delete, used),
        in_use.clone().map(|()| vec![])
    );
    assert_eq!(
        put(&mut made(Department::default()), &system(), Action::Delete, used),
        in_use.map(|()| vec![])
    );
}

#[test]
fn a_customer_with_logins_stays_corporate() {
    let corporate = Customer { kind: CustomerKind::Corporate, ..Customer::default() };
    let users = Facts { has_users: true, ..Facts::default() };
    let refused = put(&mut made(corporate.clone()), &system(), edit(Customer::default(), "kind"), users);
    assert_eq!(refused, Err(Refused::InUse { by: "customer users" }));
    assert!(
        put(&mut made(corporate), &system(), edit(Customer::default(), "kind"), Facts::default()).is_ok()
    );
}

#[test]
fn a_removed_team_is_dropped_wherever_it_is_named() {
    let (gone, stays) = (TeamId(Uuid::from_u128(1)), TeamId(Uuid::from_u128(2)));
    let reference = Reference::Team(gone);
    let mut person = made(Employee { teams: vec![gone, stays], ..anna() });
    put(&mut person, &system(), Action::Forget(reference.clone()), Facts::default()).unwrap();
    assert_eq!(person.kept().unwrap().value.teams, [stays]);
    let mut meta = made(MetaTeam { teams: vec![gone, stays], ..MetaTeam::default() });
    put(&mut meta, &system(), Action::Forget(reference.clone()), Facts::default()).unwrap();
    assert_eq!(meta.kept().unwrap().value.teams, [stays]);
    let metas = [MetaTeamId(Uuid::from_u128(3)), MetaTeamId(Uuid::from_u128(4))];
    let serving = BTreeMap::from([(metas[0], gone), (metas[1], stays)]);
    let mut customer = made(Customer { serving, ..Customer::default() });
    put(&mut customer, &system(), Action::Forget(reference.clone()), Facts::default()).unwrap();
    assert_eq!(customer.kept().unwrap().value.serving, BTreeMap::from([(metas[1], stays)]));
    let shrunk = Reference::ServingTeams(metas[1], vec![gone]);
    put(&mut customer, &system(), Action::Forget(shrunk), Facts::default()).unwrap();
    assert!(customer.kept().unwrap().value.serving.is_empty());
    let asked =
        put(&mut person, &employee(Role::Administrator, &[]), Action::Forget(reference), Facts::default());
    assert!(matches!(asked, Err(Refused::Denied(_))));
}
