//! What the tests of this crate share.

use callboard_kernel::{
    Aggregate, Cause, CodeUser, CommandId, CustomerUser, DecisionContext, Employee, Language, Principal,
    RandomIds, Role, Subject, Timestamp,
};
use uuid::Uuid;

pub fn id<I: From<Uuid>>(number: u128) -> I {
    Uuid::from_u128(number).into()
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

pub fn person(subject: Subject) -> Principal {
    Principal { organisation: id(0), subject, language: Language::En }
}

pub fn employee(number: u128, role: Role) -> Principal {
    person(Subject::Employee(Employee { id: id(number), role, departments: Vec::new() }))
}

pub fn system() -> Principal {
    Principal::system(id(0))
}

pub fn code_user(device: u128) -> Principal {
    person(Subject::CodeUser(CodeUser { session: id(901), code: id(902), device: id(device) }))
}

pub fn customer_user(customer: u128) -> Principal {
    person(Subject::CustomerUser(CustomerUser { id: id(903), customer: id(customer) }))
}

/// Asks, and lets happen what is decided.
pub fn ask<A: Aggregate>(
    state: &mut A::State,
    who: &Principal,
    now: &str,
    command: A::Command,
) -> Result<Vec<A::Event>, A::Rejection> {
    let context = DecisionContext {
        now: time(now),
        principal: who,
        cause: &Cause::default(),
        command_id: CommandId(Uuid::nil()),
        ids: &RandomIds,
    };
    let events = A::decide(state, &command, &context)?;
    for event in &events {
        A::evolve(state, event);
    }
    Ok(events)
}
