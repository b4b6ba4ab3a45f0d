//! A dispatch with people around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callboard_kernel::{
    Cause, CodeUser, CommandId, DecisionContext, DepartmentId, Employee, EmployeeId, IdGenerator, Language,
    OrganisationId, Principal, Role, Subject, Timestamp,
};
use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

use crate::dispatch::{
    Candidate, Dispatch, DispatchCommand, DispatchEvent, DispatchRejection, DispatchState, OfferStatus, Plan,
};
use crate::{Expansion, GroupId, OfferId, Sight, Ticket, TicketStatus, Visibility};
use callboard_kernel::Aggregate as _;

#[derive(Debug, Default)]
pub struct Counting(AtomicU64);

impl IdGenerator for Counting {
    fn next(&self) -> Uuid {
        Uuid::from_u128(0xF000 + u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

pub fn employee(number: u128) -> EmployeeId {
    Uuid::from_u128(number).into()
}

pub fn group(number: u128) -> GroupId {
    Uuid::from_u128(0xA00 + number).into()
}

pub fn department(number: u128) -> DepartmentId {
    Uuid::from_u128(0xD00 + number).into()
}

pub fn organisation() -> OrganisationId {
    Uuid::from_u128(0x0).into()
}

pub fn person(number: u128, role: Role) -> Principal {
    let subject = Subject::Employee(Employee { id: employee(number), role, departments: Vec::new() });
    Principal { organisation: organisation(), subject, language: Language::En }
}

pub fn code_user(device: u128) -> Principal {
    let subject = Subject::CodeUser(CodeUser {
        session: Uuid::from_u128(1).into(),
        code: Uuid::from_u128(2).into(),
        device: Uuid::from_u128(device).into(),
    });
    Principal { organisation: organisation(), subject, language: Language::De }
}

pub const BOSS: u128 = 99;

pub fn ticket(version: i64, status: TicketStatus) -> Ticket {
    Ticket {
        version,
        template: Uuid::from_u128(0xE0).into(),
        device: Uuid::from_u128(0xDE).into(),
        customer: None,
        group: None,
        notification_group: None,
        status,
        visibility: Visibility::Public,
        device_version: 1,
        departments: vec![department(1)],
    }
}

pub fn plan(employees: &[u128]) -> Plan {
    Plan {
        group: Some(group(1)),
        expansion: Expansion {
            eligible: employees.iter().map(|number| employee(*number)).collect(),
            left_out: Vec::new(),
        },
        ..Plan::default()
    }
}

pub struct World {
    pub state: DispatchState,
    pub now: Timestamp,
    ids: Counting,
    version: i64,
}

type Happened = Result<Vec<DispatchEvent>, DispatchRejection>;

impl World {
    pub fn new() -> Self {
        Self {
            state: DispatchState::default(),
            now: DateTime::from_timestamp(1_800_000_000, 0).expect("a moment"),
            ids: Counting::default(),
            version: 0,
        }
    }

    /// A ticket that opened with this plan.
    pub fn opened(plan: Plan) -> Self {
        let mut world = Self::new();
        world.status(TicketStatus::Open, Some(plan));
        world
    }

    pub fn ask(&mut self, principal: &Principal, command: DispatchCommand) -> Happened {
        let context = DecisionContext {
            now: self.now,
            principal,
            cause: &Cause::default(),
            command_id: CommandId(Uuid::nil()),
            ids: &self.ids,
        };
        let events = Dispatch::decide(&self.state, &command, &context)?;
        for event in &events {
            Dispatch::evolve(&mut self.state, event);
        }
        Ok(events)
    }

    pub fn system(&mut self, command: DispatchCommand) -> Vec<DispatchEvent> {
        self.ask(&Principal::system(organisation()), command).expect("the system is never refused")
    }

    pub fn status(&mut self, status: TicketStatus, plan: Option<Plan>) -> Vec<DispatchEvent> {
        self.version += 1;
        let ticket = Arc::new(ticket(self.version, status));
        self.system(DispatchCommand::Observe { ticket, plan, gone: Vec::new() })
    }

    pub fn offer(&self, number: u128) -> OfferId {
        self.state.offers[&employee(number)].id
    }

    pub fn offer_status(&self, number: u128) -> OfferStatus {
        self.state.offers[&employee(number)].status
    }

    pub fn accept(&mut self, number: u128) -> Happened {
        let offer = self.offer(number);
        self.ask(&person(number, Role::Member), DispatchCommand::Accept { sight: Sight::default(), offer })
    }

    pub fn decline(&mut self, number: u128) -> Happened {
        let offer = self.offer(number);
        let command =
            DispatchCommand::Decline { sight: Sight::default(), offer, reason: Some("On leave".to_owned()) };
        self.ask(&person(number, Role::Member), command)
    }

    pub fn request(&mut self, number: u128) -> Happened {
        let candidate = Candidate { id: employee(number), departments: Vec::new() };
        let command = DispatchCommand::Request { sight: Sight::default(), candidate };
        self.ask(&person(BOSS, Role::Moderator), command)
    }

    pub fn assign(&mut self, number: u128) -> Happened {
        let candidate = Candidate { id: employee(number), departments: Vec::new() };
        let command = DispatchCommand::Assign { sight: Sight::default(), candidate };
        self.ask(&person(BOSS, Role::Moderator), command)
    }

    pub fn cancel(&mut self, number: u128) -> Happened {
        let command = DispatchCommand::Cancel { sight: Sight::default(), employee: employee(number) };
        self.ask(&person(BOSS, Role::Moderator), command)
    }

    pub fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }
}
