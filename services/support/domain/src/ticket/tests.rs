//! The rules of the support desk.

use callboard_kernel::{
    Actor, Aggregate, Cause, CommandId, CustomerUser, DecisionContext, Employee, EmployeeId, EventId,
    Language, Principal, RandomIds, Role, Subject, Timestamp,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    Decided, MAX_REQUESTS, Matter, Standing, Ticket, TicketCommand, TicketEvent, TicketRejection, TicketState,
};
use crate::{Decision, Kind, Priority, Status};

const AGENT: Standing = Standing { is_agent: true };
const OTHER: Standing = Standing { is_agent: false };

fn employee(number: u128) -> EmployeeId {
    Uuid::from_u128(number).into()
}

fn person(number: u128) -> Principal {
    let subject =
        Subject::Employee(Employee { id: employee(number), role: Role::Member, departments: Vec::new() });
    Principal { organisation: Uuid::nil().into(), subject, language: Language::En }
}

fn requester() -> Principal {
    let user = CustomerUser { id: Uuid::from_u128(77).into(), customer: Uuid::from_u128(78).into() };
    Principal {
        organisation: Uuid::nil().into(),
        subject: Subject::CustomerUser(user),
        language: Language::En,
    }
}

fn event(number: usize) -> EventId {
    EventId(Uuid::from_u128(number as u128))
}

fn matter(kind: Kind) -> Box<Matter> {
    Box::new(Matter {
        kind,
        title: "Help".into(),
        text: String::new(),
        person_id: "p-1".into(),
        person_name: "Pia".into(),
        person_email: "pia@partner.example".into(),
        account_id: "a-1".into(),
        account_name: "Partner".into(),
        plan: "gold".into(),
        domain: (kind == Kind::DomainApproval).then(|| "partner.example".to_owned()),
        requester: Some(requester().actor()),
    })
}

struct Desk(TicketState);

impl Desk {
    fn with(kind: Kind) -> Self {
        let mut desk = Self(TicketState::default());
        desk.system(&TicketCommand::Receive { event: event(1), matter: matter(kind), listed: false })
            .expect("opened");
        desk
    }

    fn ask(&mut self, who: &Principal, command: &TicketCommand) -> Result<Vec<TicketEvent>, TicketRejection> {
        let context = DecisionContext {
            now: Timestamp::from_timestamp(1_800_000_000, 0).expect("a moment"),
            principal: who,
            cause: &Cause::default(),
            command_id: CommandId(Uuid::nil()),
            ids: &RandomIds,
        };
        let mut events = Ticket::decide(&self.0, command, &context)?;
        events.iter().for_each(|event| Ticket::evolve(&mut self.0, event));
        let touched = matches!(events.pop(), None | Some(TicketEvent::Touched(_)));
        assert!(touched, "the time of the change comes last");
        Ok(events)
    }

    fn system(&mut self, command: &TicketCommand) -> Result<Vec<TicketEvent>, TicketRejection> {
        self.ask(&Principal::system(Uuid::nil().into()), command)
    }

    fn status(&mut self, status: Status) -> Result<Vec<TicketEvent>, TicketRejection> {
        self.ask(&person(1), &TicketCommand::SetStatus(AGENT, status))
    }
}

fn again(number: usize, listed: bool) -> TicketCommand {
    TicketCommand::Receive { event: event(number), matter: matter(Kind::DomainApproval), listed }
}

#[test]
fn s_1_types_that_need_an_action_are_solved_and_those_that_inform_are_closed() {
    for &kind in Kind::ALL.iter().filter(|&&kind| kind != Kind::DomainApproval) {
        let mut desk = Desk::with(kind);
        assert_eq!(desk.0.status, Status::New);
        assert_eq!(desk.status(Status::Solved).is_ok(), kind.needs_action(), "{kind:?}");
        // SOLVED → CLOSED is allowed, NEW → CLOSED only where there is nothing to do.
        assert!(desk.status(Status::Closed).is_ok(), "{kind:?}");
        let mut fresh = Desk::with(kind);
        assert_eq!(fresh.status(Status::Closed).is_ok(), !kind.needs_action(), "{kind:?}");
    }
}

#[test]
fn s_1_the_same_event_again_changes_nothing() {
    let mut desk = Desk::with(Kind::DomainApproval);
    assert_eq!(desk.system(&again(1, false)), Ok(vec![]));
    assert_eq!(desk.0.requests.len(), 1);
}

#[test]
fn s_2_nobody_is_assigned_at_first_and_notes_are_for_staff_only() {
    let mut desk = Desk::with(Kind::CareCoordination);
    assert_eq!(desk.0.assignee, None);
    let note = |standing| TicketCommand::AddNote(standing, "between us".into());
    assert_eq!(desk.ask(&requester(), &note(OTHER)), Err(TicketRejection::Denied));
    assert_eq!(desk.ask(&person(9), &note(OTHER)), Err(TicketRejection::NoTicket));
    assert!(desk.ask(&person(1), &note(AGENT)).is_ok());
    assert_eq!((desk.0.notes, desk.0.comments), (1, 0));
}

#[test]
fn s_2_the_requester_comments_on_care_coordination_only_and_until_it_is_closed() {
    let comment = TicketCommand::AddComment(OTHER, "Any news?".into());
    for &kind in Kind::ALL {
        let mut desk = Desk::with(kind);
        let expected = kind == Kind::CareCoordination;
        assert_eq!(desk.ask(&requester(), &comment).is_ok(), expected, "{kind:?}");
        assert_eq!(desk.0.assignee, None, "a requester is never assigned");
        assert!(desk.ask(&person(1), &TicketCommand::AddComment(AGENT, "Yes".into())).is_ok());
    }
    let mut desk = Desk::with(Kind::CareCoordination);
    assert_eq!(desk.ask(&person(5), &comment), Err(TicketRejection::NoTicket), "somebody else");
    desk.status(Status::Solved).expect("solved");
    assert!(desk.ask(&requester(), &comment).is_ok());
    desk.status(Status::Closed).expect("closed");
    assert_eq!(desk.ask(&requester(), &comment), Err(TicketRejection::Closed));
}

#[test]
fn s_3_whoever_changes_an_unassigned_ticket_becomes_its_assignee() {
    let changes = [
        TicketCommand::SetStatus(AGENT, Status::Open),
        TicketCommand::SetPriority(AGENT, Priority::High),
        TicketCommand::Decide(AGENT, Decision::Cleared),
        TicketCommand::AddNote(AGENT, "looked".into()),
        TicketCommand::AddComment(AGENT, "hello".into()),
    ];
    for change in changes {
        let mut desk = Desk::with(Kind::DomainApproval);
        let events = desk.ask(&person(1), &change).expect("changed");
        assert_eq!(desk.0.assignee, Some(employee(1)), "{change:?}");
        let by = Actor::Employee(employee(1));
        assert!(events.contains(&TicketEvent::Assigned { from: None, to: Some(employee(1)), by }));
        desk.ask(&person(2), &TicketCommand::AddNote(AGENT, "me too".into())).expect("noted");
        assert_eq!(desk.0.assignee, Some(employee(1)), "the first stays");
    }
    let mut desk = Desk::with(Kind::Purchase);
    desk.ask(&person(1), &TicketCommand::SetPriority(AGENT, Priority::Normal)).expect("nothing to do");
    assert_eq!(desk.0.assignee, None, "nothing was changed");
}

#[test]
fn s_3_an_explicit_assignment_wins() {
    let assign = |to: Option<u128>, is_agent| TicketCommand::Assign {
        standing: AGENT,
        to: to.map(employee),
        is_agent,
    };
    let mut desk = Desk::with(Kind::Purchase);
    desk.ask(&person(1), &assign(Some(2), true)).expect("assigned");
    assert_eq!(desk.0.assignee, Some(employee(2)), "not whoever assigned");
    desk.ask(&person(1), &assign(Some(3), true)).expect("assigned");
    assert_eq!(desk.0.assignee, Some(employee(3)));
    assert_eq!(desk.ask(&person(1), &assign(Some(4), false)), Err(TicketRejection::NotAnAgent));
    desk.ask(&person(1), &assign(None, false)).expect("to nobody");
    assert_eq!(desk.0.assignee, None);
    assert_eq!(desk.ask(&person(1), &assign(None, false)), Ok(vec![]));
}

#[test]
fn s_3_who_is_no_agent_any_more_is_assigned_to_nothing() {
    let mut desk = Desk::with(Kind::Purchase);
    desk.status(Status::Open).expect("opened");
    assert_eq!(desk.system(&TicketCommand::Leave(employee(2))), Ok(vec![]));
    desk.system(&TicketCommand::Leave(employee(1))).expect("left");
    assert_eq!(desk.0.assignee, None);
}

#[test]
fn s_4_a_decision_is_recorded_with_who_made_it_and_solves_the_ticket() {
    let mut desk = Desk::with(Kind::DomainApproval);
    assert_eq!(desk.status(Status::Solved), Err(TicketRejection::Undecided));
    desk.ask(&person(4), &TicketCommand::Decide(AGENT, Decision::Declined)).expect("decided");
    let Decided { decision, by, .. } = desk.0.decided.expect("a decision");
    assert_eq!((decision, by), (Decision::Declined, Actor::Employee(employee(4))));
    assert_eq!(desk.0.status, Status::Solved);
    desk.ask(&person(5), &TicketCommand::Decide(AGENT, Decision::Approved)).expect("decided otherwise");
    assert_eq!(desk.0.decided.expect("a decision").by, Actor::Employee(employee(5)));
    let mut other = Desk::with(Kind::Purchase);
    let decide = TicketCommand::Decide(AGENT, Decision::Approved);
    assert_eq!(other.ask(&person(4), &decide), Err(TicketRejection::NoDomain));
    assert!(Decision::Approved.lets_register() && Decision::Cleared.lets_register());
    assert!(!Decision::Declined.lets_register());
}

#[test]
fn s_4_a_domain_on_the_list_is_approved_by_itself() {
    let mut desk = Desk(TicketState::default());
    desk.system(&again(1, true)).expect("approved");
    let decided = desk.0.decided.expect("a decision");
    assert_eq!((decided.decision, decided.by), (Decision::Approved, Actor::System));
    assert_eq!((desk.0.status, desk.0.assignee), (Status::Solved, None));
}

#[test]
fn s_4_a_domain_asked_for_twice_while_pending_is_settled_once() {
    let mut desk = Desk::with(Kind::DomainApproval);
    assert_eq!(desk.system(&again(2, false)), Ok(vec![TicketEvent::RequestedAgain { event: event(2) }]));
    desk.ask(&person(4), &TicketCommand::Decide(AGENT, Decision::Approved)).expect("decided");
    assert_eq!(desk.0.requests, [event(1), event(2)]);
    // Who comes in the moment after hears what was decided; declined, a new ticket is needed.
    let late = desk.system(&again(3, false)).expect("settled");
    assert!(matches!(late[..], [TicketEvent::RequestedAgain { .. }, TicketEvent::Decided { .. }]));
    desk.ask(&person(4), &TicketCommand::Decide(AGENT, Decision::Declined)).expect("decided");
    assert_eq!(desk.system(&again(4, false)), Err(TicketRejection::AlreadyDecided));
    let mut crowd = Desk::with(Kind::DomainApproval);
    for number in 2..=MAX_REQUESTS {
        crowd.system(&again(number, false)).expect("joined");
    }
    assert_eq!(crowd.system(&again(MAX_REQUESTS + 1, false)), Err(TicketRejection::TooManyRequests));
}

#[test]
fn texts_have_limits() {
    let mut desk = Desk::with(Kind::Purchase);
    for text in [String::new(), "x".repeat(10_001), "a\u{7}b".to_owned()] {
        let outcome = desk.ask(&person(1), &TicketCommand::AddNote(AGENT, text));
        assert!(matches!(outcome, Err(TicketRejection::Invalid(_))), "{outcome:?}");
    }
    assert!(matter(Kind::Purchase).violations().is_empty());
    let wrong = Matter { account_id: String::new(), person_name: "x".repeat(201), ..*matter(Kind::Purchase) };
    let fields: Vec<_> = wrong.violations().into_iter().map(|violation| violation.field).collect();
    assert_eq!(fields, ["concern.person.name", "concern.account.id"]);
}

proptest! {
    /// Whatever is tried in whatever order: nothing returns to NEW, types that inform are never SOLVED, what needs an
    /// action is CLOSED only from SOLVED, and no domain is SOLVED undecided.
    #[test]
    fn s_1_the_status_machine_keeps_its_rules(kind in 0..Kind::ALL.len(), steps in prop::collection::vec((0..5usize, 0..4usize), 1..40)) {
        let kind = Kind::ALL[kind];
        let mut desk = Desk::with(kind);
        let mut left_new = false;
        for (status, what) in steps {
            let before = desk.0.status;
            let to = Status::ALL[status];
            let outcome = match what {
                0 => desk.ask(&person(1), &TicketCommand::Decide(AGENT, Decision::ALL[status % 3])),
                _ => desk.status(to),
            };
            let after = desk.0.status;
            left_new |= after != Status::New;
            prop_assert!(!left_new || after != Status::New);
            prop_assert!(kind.needs_action() || after != Status::Solved);
            if after == Status::Closed && before != Status::Closed {
                prop_assert!(!kind.needs_action() || before == Status::Solved);
            }
            if kind == Kind::DomainApproval && after == Status::Solved {
                prop_assert!(desk.0.decided.is_some());
            }
            if what != 0 && outcome.is_ok() {
                prop_assert_eq!(after, to);
            } else if outcome.is_err() {
                prop_assert_eq!(after, before);
            }
        }
    }
}
