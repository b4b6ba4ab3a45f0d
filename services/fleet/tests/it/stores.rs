//! What is written is what is read.

use std::sync::Arc;

use callboard_actor::{Step, StepMeta};
use callboard_fleet::store::DispatchMapping;
use callboard_fleet_domain::dispatch::{Candidate, DispatchCommand, DispatchState, Plan};
use callboard_fleet_domain::{
    Dispatch, Expansion, LeftOut, LeftOutReason, Sight, Ticket, TicketStatus, Visibility,
};
use callboard_journal::{JournalOptions, MemJournal, RowChange};
use callboard_kernel::{
    Aggregate, Cause, Clock, CommandId, DecisionContext, Employee, EmployeeId, Language, Principal, Role,
    SystemClock, Version,
};
use callboard_stage::{comes_back, fresh_journal, id};
use callboard_testkit::SeededIds;
use chrono::TimeDelta;
use uuid::Uuid;

fn employee(number: u128) -> EmployeeId {
    Uuid::from_u128(number).into()
}

fn person(number: u128, role: Role) -> Principal {
    let subject =
        callboard_kernel::Subject::Employee(Employee { id: employee(number), role, departments: vec![] });
    Principal { organisation: Uuid::from_u128(1).into(), subject, language: Language::En }
}

fn ticket(status: TicketStatus, version: i64) -> Arc<Ticket> {
    Arc::new(Ticket {
        version,
        template: id().into(),
        device: id().into(),
        device_version: 3,
        customer: Some(id().into()),
        group: None,
        notification_group: Some(id()),
        status,
        visibility: Visibility::Internal,
        departments: vec![id().into()],
    })
}

/// A life with everything in it that is stored.
fn commands() -> Vec<(Principal, DispatchCommand)> {
    let system = Principal::system(Uuid::from_u128(1).into());
    let expansion = Expansion {
        eligible: (1..=300).map(employee).collect(),
        left_out: vec![LeftOut { employee: employee(999), reason: LeftOutReason::NotVisible }],
    };
    let plan = Plan {
        group: Some(id().into()),
        expansion,
        required_workers: 3,
        offer_lifetime: Some(TimeDelta::hours(1)),
        escalate_after: Some(TimeDelta::minutes(1)),
    };
    let candidate = |number| Candidate { id: employee(number), departments: vec![] };
    let sight = Sight::default();
    let boss = person(500, Role::Moderator);
    let observe = |status, version, plan| DispatchCommand::Observe {
        ticket: ticket(status, version),
        plan,
        gone: vec![],
    };
    vec![
        (system.clone(), observe(TicketStatus::Open, 1, Some(plan.clone()))),
        (person(7, Role::Member), DispatchCommand::MarkSeen { sight: sight.clone() }),
        (boss.clone(), DispatchCommand::Assign { sight: sight.clone(), candidate: candidate(8) }),
        (boss.clone(), DispatchCommand::Request { sight: sight.clone(), candidate: candidate(400) }),
        (boss.clone(), DispatchCommand::Cancel { sight: sight.clone(), employee: employee(9) }),
        (boss, DispatchCommand::Request { sight: sight.clone(), candidate: candidate(9) }),
        (system.clone(), observe(TicketStatus::Cancelled, 2, None)),
        (system.clone(), observe(TicketStatus::Open, 3, Some(plan))),
        (system, DispatchCommand::Delete),
    ]
}

fn in_order(mut state: DispatchState) -> DispatchState {
    state.replaced.sort_by_key(|offer| offer.id);
    state
}

#[tokio::test]
async fn a_dispatch_comes_back_from_memory() {
    let journal = MemJournal::new(JournalOptions::new("fleet"));
    assert!(comes_back(&journal.store(DispatchMapping), commands(), in_order).await.deleted);
}

#[tokio::test]
async fn a_dispatch_comes_back_from_postgres() {
    let (journal, _database) = fresh_journal(callboard_fleet::definition()).await;
    assert!(comes_back(&journal.store(DispatchMapping), commands(), in_order).await.deleted);
}

#[test]
fn an_accept_writes_three_rows_among_a_thousand_offers() {
    let ids = SeededIds::new(2);
    let mut state = DispatchState::default();
    let mut run = |principal: &Principal, command: &dyn Fn(&DispatchState) -> DispatchCommand| {
        let cause = Cause::default();
        let command_id = CommandId(id());
        let now = SystemClock.now();
        let context = DecisionContext { now, principal, cause: &cause, command_id, ids: &ids };
        let events = Dispatch::decide(&state, &command(&state), &context).expect("decided");
        let before = state.clone();
        events.iter().for_each(|event| Dispatch::evolve(&mut state, event));
        let meta = StepMeta {
            aggregate_id: Uuid::from_u128(5),
            version: Version(1),
            command_id,
            principal: Arc::new(principal.clone()),
            cause: Arc::new(cause),
            at: now,
        };
        let step = Step { before: &before, after: &state, events: &events, meta: &meta };
        callboard_journal::Mapping::record(&DispatchMapping, &step).expect("a record")
    };
    let system = Principal::system(Uuid::from_u128(1).into());
    let expansion = Expansion { eligible: (1..=1000).map(employee).collect(), left_out: vec![] };
    let opened = run(&system, &|_| DispatchCommand::Observe {
        ticket: ticket(TicketStatus::Open, 1),
        plan: Some(Plan { expansion: expansion.clone(), ..Plan::default() }),
        gone: vec![],
    });
    assert_eq!(opened.rows.len(), 1 + 1 + 1000);
    assert_eq!(opened.events.len(), 4, "250 offers each");
    assert!(opened.events.iter().all(|event| event.payload.len() < 64 * 1024));
    let accepted = run(&person(77, Role::Member), &|state| DispatchCommand::Accept {
        sight: Sight::default(),
        offer: state.offers[&employee(77)].id,
    });
    assert_eq!(accepted.rows.len(), 3);
    assert!(accepted.rows.iter().all(|row| matches!(row, RowChange::Put(..))));
    assert_eq!(accepted.events.len(), 1);
}
