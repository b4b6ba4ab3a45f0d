//! People and a clock for the tests.

use callboard_kernel::{
    Aggregate, Cause, CodeUser, CommandId, CustomerUser, DecisionContext, DepartmentId, Employee, Language,
    OrganisationId, Principal, RandomIds, Role, Subject, Timestamp,
};
use uuid::Uuid;

pub const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_763_000_000 + seconds, 0).expect("a time")
}

pub fn department(number: u128) -> DepartmentId {
    DepartmentId(Uuid::from_u128(0xde_0000 + number))
}

pub fn of(organisation: OrganisationId, subject: Subject) -> Principal {
    Principal { organisation, subject, language: Language::En }
}

pub fn employee(role: Role, departments: &[u128]) -> Principal {
    let departments = departments.iter().map(|number| department(*number)).collect();
    of(ORGANISATION, Subject::Employee(Employee { id: Uuid::from_u128(77).into(), role, departments }))
}

pub fn code_user(device: Uuid) -> Principal {
    let user = CodeUser {
        session: Uuid::from_u128(88).into(),
        code: Uuid::from_u128(89).into(),
        device: device.into(),
    };
    of(ORGANISATION, Subject::CodeUser(user))
}

pub fn customer_user(customer: Uuid) -> Principal {
    of(
        ORGANISATION,
        Subject::CustomerUser(CustomerUser { id: Uuid::from_u128(90).into(), customer: customer.into() }),
    )
}

pub fn system() -> Principal {
    Principal::system(ORGANISATION)
}

pub fn stranger() -> Principal {
    let subject = employee(Role::Administrator, &[]).subject;
    of(OrganisationId(Uuid::from_u128(2)), subject)
}

/// Decides and, if it is a yes, makes it so.
pub fn ask<A: Aggregate>(
    state: &mut A::State,
    principal: &Principal,
    now: Timestamp,
    command: &A::Command,
) -> Result<Vec<A::Event>, A::Rejection> {
    let cause = Cause::default();
    let command_id = CommandId(Uuid::from_u128(5));
    let context = DecisionContext { now, principal, cause: &cause, command_id, ids: &RandomIds };
    let events = A::decide(state, command, &context)?;
    for event in &events {
        A::evolve(state, event);
    }
    Ok(events)
}
