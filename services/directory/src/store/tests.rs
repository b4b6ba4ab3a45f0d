//! States survive their rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_actor::{Step, StepMeta};
use callboard_directory_domain::code::{self, Code};
use callboard_directory_domain::session::{self, Ending, Holder, Session};
use callboard_directory_domain::{
    Customer, CustomerKind, CustomerUser, Department, Device, Email, Employee, Event, Kept, MetaTeam,
    MetaTeamId, Name, Names, Organisation, Record, State, SupportRole, Team, TeamId, Template,
};
use callboard_journal::{Mapping, RowChange, Rows};
use callboard_kernel::{Aggregate, Isolation, Language, OrganisationId, Principal, Role, Timestamp, Version};
use uuid::Uuid;

use super::{CodeMapping, RecordMapping, SessionMapping, Stored};

const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_763_000_000 + seconds, 123_000).unwrap()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Writes the state that the events lead to, and reads it back.
fn survives<M: Mapping>(mapping: &M, events: &[<M::Aggregate as Aggregate>::Event])
where
    <M::Aggregate as Aggregate>::State: PartialEq,
{
    let before = Default::default();
    let mut after = Default::default();
    for event in events {
        M::Aggregate::evolve(&mut after, event);
    }
    let meta = StepMeta {
        aggregate_id: id(7),
        version: Version(1),
        command_id: id(9).into(),
        principal: Arc::new(Principal::system(ORGANISATION)),
        cause: Arc::default(),
        at: at(0),
    };
    let written = mapping.record(&Step { before: &before, after: &after, events, meta: &meta }).unwrap();
    let [RowChange::Put(table, row)] = written.rows.as_slice() else { panic!("{:?}", written.rows) };
    assert_eq!(row.len(), table.columns.len());
    let rows = Rows { root: Some(row.clone()), organisation: Some(ORGANISATION), ..Rows::default() };
    assert_eq!(mapping.load(&rows).unwrap(), after);
}

fn record<E: Stored>(value: E) {
    let made = Kept { id: id(7), organisation: ORGANISATION, value, created_at: at(0), updated_at: at(1) };
    let removed = Event::Removed { before: made.value.clone(), tombstone: made.value.tombstone(), at: at(2) };
    let mapping = RecordMapping::<E>::default();
    survives(&mapping, &[Event::Created(made.clone())]);
    survives(&mapping, &[Event::Created(made), removed]);
    let absent: <Record<E> as Aggregate>::State = State::Absent;
    assert_eq!(mapping.load(&Rows::default()).unwrap(), absent);
}

#[test]
fn records_survive_their_rows() {
    record(Organisation {
        name: name("N"),
        isolation: Isolation::Strict,
        language: Language::De,
        time_zone: "Europe/Berlin".into(),
    });
    record(Employee {
        name: name("Änne"),
        email: Email::parse("a@example.org").unwrap(),
        role: Role::Moderator,
        language: Language::De,
        departments: vec![id(1).into(), id(2).into()],
        teams: vec![TeamId(id(3))],
        auth_epoch: 5,
        support_roles: vec![SupportRole::Care],
    });
    record(Department { name: name("D") });
    record(Team { name: name("T") });
    record(MetaTeam { name: name("M"), teams: vec![TeamId(id(3)), TeamId(id(4))] });
    let serving = BTreeMap::from([(MetaTeamId(id(5)), TeamId(id(3)))]);
    record(Customer { name: name("C"), kind: CustomerKind::Corporate, serving });
    record(CustomerUser {
        customer: id(6).into(),
        name: name("U"),
        email: Email::parse("u@example.org").unwrap(),
        language: Language::En,
        auth_epoch: 1,
    });
    record(Device {
        template: id(8).into(),
        name: name("Lift"),
        serial_number: "SN".into(),
        customer: Some(id(6).into()),
        departments: vec![id(1).into()],
        time_zone: "America/New_York".into(),
    });
    record(Template { name: Names([(Language::En, name("Lift")), (Language::De, name("Aufzug"))].into()) });
}

#[test]
fn a_template_is_found_by_each_of_its_names() {
    let template =
        Template { name: Names([(Language::De, name("Aufzug")), (Language::En, name("Lift"))].into()) };
    assert_eq!(template.names(), "Lift\nAufzug");
}

#[test]
fn codes_survive_their_rows() {
    let made = code::Kept {
        organisation: ORGANISATION,
        token: "t".repeat(22),
        device: Some(id(1).into()),
        active: true,
        pin: Some("hash".into()),
        wrong_pins: 0,
        locked_until: None,
        session_epoch: 1,
        created_at: at(0),
        updated_at: at(0),
    };
    let created = code::Event::Created(made);
    let locked = code::Event::PinFailed { wrong_pins: 5, locked_until: Some(at(900)) };
    survives(&CodeMapping, std::slice::from_ref(&created));
    survives(&CodeMapping, &[created.clone(), locked]);
    survives(&CodeMapping, &[created.clone(), code::Event::Removed { at: at(1) }]);
    let absent: <Code as Aggregate>::State = code::State::Absent;
    assert_eq!(CodeMapping.load(&Rows::default()).unwrap(), absent);
}

#[test]
fn sessions_survive_their_rows() {
    for holder in [
        Holder::CodeUser { code: id(1).into(), device: id(2).into(), epoch: 3 },
        Holder::Employee(id(4).into()),
        Holder::CustomerUser(id(5).into()),
    ] {
        let opened = session::Event::Opened(session::Kept {
            organisation: ORGANISATION,
            holder,
            language: Language::De,
            family: [1; 32],
            secret: [2; 32],
            expires_at: at(100),
            ended: None,
            created_at: at(0),
            updated_at: at(0),
        });
        survives(&SessionMapping, std::slice::from_ref(&opened));
        for ending in [Ending::LoggedOut, Ending::Reused] {
            survives(&SessionMapping, &[opened.clone(), session::Event::Ended { ending, at: at(1) }]);
        }
    }
    let absent: <Session as Aggregate>::State = None;
    assert_eq!(SessionMapping.load(&Rows::default()).unwrap(), absent);
}
