//! The rules.

use callboard_kernel::{Isolation, Role};
use chrono::TimeDelta;

use super::world::{BOSS, World, code_user, department, employee, group, organisation, person, plan, ticket};
use crate::dispatch::{
    AssignmentSource, Candidate, DispatchCommand, DispatchEvent, DispatchRejection, OfferStatus, Plan,
    Standing,
};
use crate::group::MAX_WORKERS;
use crate::{Expansion, LeftOut, LeftOutReason, Sight, TicketStatus};
use callboard_kernel::Principal;

fn unserved(events: &[DispatchEvent]) -> Option<bool> {
    events.iter().find_map(|event| match event {
        DispatchEvent::Unserved { nobody_eligible } => Some(*nobody_eligible),
        _ => None,
    })
}

#[test]
fn f_2_everyone_eligible_gets_an_offer_at_once() {
    let world = World::opened(plan(&[1, 2, 3]));
    assert_eq!(world.state.open_offers().count(), 3);
    assert_eq!(world.state.rounds[0].eligible.len(), 3);
    assert_eq!(world.state.rounds[0].group, Some(group(1)));
}

#[test]
fn f_2_the_same_news_twice_makes_one_round() {
    let mut world = World::opened(plan(&[1]));
    let again = DispatchCommand::Observe {
        ticket: ticket(1, TicketStatus::Open).into(),
        plan: Some(plan(&[1, 2])),
        gone: Vec::new(),
    };
    assert_eq!(world.system(again), []);
    assert_eq!(world.state.rounds.len(), 1);
}

#[test]
fn f_3_opening_the_details_marks_the_own_offer_seen_once() {
    let mut world = World::opened(plan(&[1, 2]));
    let see = DispatchCommand::MarkSeen { sight: Sight::default() };
    world.ask(&person(1, Role::Member), see.clone()).expect("seen");
    assert_eq!((world.offer_status(1), world.offer_status(2)), (OfferStatus::Seen, OfferStatus::Unseen));
    assert_eq!(world.ask(&person(1, Role::Member), see.clone()), Ok(vec![]));
    // Without an own offer nothing happens.
    assert_eq!(world.ask(&person(7, Role::Member), see), Ok(vec![]));
}

#[test]
fn f_5_accepting_and_declining_are_the_employees_own() {
    let mut world = World::opened(plan(&[1, 2]));
    let offer = world.offer(1);
    for command in [
        DispatchCommand::Accept { sight: Sight::default(), offer },
        DispatchCommand::Decline { sight: Sight::default(), offer, reason: None },
    ] {
        for who in [person(2, Role::Member), person(BOSS, Role::Administrator)] {
            let refused = world.ask(&who, command.clone());
            assert!(matches!(refused, Err(DispatchRejection::Denied(_))), "{refused:?}");
        }
    }
}

#[test]
fn f_5_a_decline_keeps_its_reason_and_is_final_for_that_person() {
    let mut world = World::opened(plan(&[1, 2]));
    world.decline(1).expect("declined");
    assert_eq!(world.state.offers[&employee(1)].decline_reason.as_deref(), Some("On leave"));
    assert_eq!(world.decline(1), Ok(vec![]));
    assert_eq!(world.accept(1), Err(DispatchRejection::OfferNotOpen(OfferStatus::Declined)));
    let offer = world.offer(2);
    for reason in ["x".repeat(501), "nul\0".to_owned()] {
        let wrong = DispatchCommand::Decline { sight: Sight::default(), offer, reason: Some(reason) };
        assert_eq!(world.ask(&person(2, Role::Member), wrong), Err(DispatchRejection::InvalidReason));
    }
    let reason = Some("On leave,\nback on Monday".to_owned());
    let lines = DispatchCommand::Decline { sight: Sight::default(), offer, reason };
    world.ask(&person(2, Role::Member), lines).expect("declined");
}

#[test]
fn f_6_a_request_comes_at_any_time_whatever_the_person_answered_before() {
    let mut world = World::opened(plan(&[1, 2]));
    world.decline(1).expect("declined");
    let first = world.offer(1);
    world.request(1).expect("asked again");
    assert_eq!(world.offer_status(1), OfferStatus::Unseen);
    assert_ne!(world.offer(1), first);
    // The old one stays on record and cannot be answered.
    assert_eq!(world.state.offer(first).map(|offer| offer.status), Some(OfferStatus::Declined));
    // Asking twice is one offer.
    assert_eq!(world.request(1), Ok(vec![]));
    world.accept(1).expect("accepted");
    assert_eq!(world.request(1), Err(DispatchRejection::AlreadyInvolved));
    world.cancel(1).expect("cancelled");
    world.request(1).expect("asked a third time");
}

#[test]
fn f_6_assigning_takes_the_open_offer_back_and_has_one_source() {
    let mut world = World::opened(plan(&[1, 2]));
    world.assign(1).expect("assigned");
    assert_eq!(world.offer_status(1), OfferStatus::Cancelled);
    assert_eq!(world.state.assignments[&employee(1)].source, AssignmentSource::Assigned);
    assert_eq!(world.assign(1), Ok(vec![]));
    world.decline(2).expect("declined");
    world.assign(2).expect("whatever was answered before");
}

#[test]
fn f_6_requesting_assigning_and_cancelling_are_for_moderators() {
    let mut world = World::opened(plan(&[1]));
    let candidate = Candidate { id: employee(2), departments: Vec::new() };
    for command in [
        DispatchCommand::Request { sight: Sight::default(), candidate: candidate.clone() },
        DispatchCommand::Assign { sight: Sight::default(), candidate },
        DispatchCommand::Cancel { sight: Sight::default(), employee: employee(1) },
    ] {
        for who in [person(1, Role::Member), code_user(0xDE)] {
            let refused = world.ask(&who, command.clone());
            assert!(matches!(refused, Err(DispatchRejection::Denied(_))), "{refused:?}");
        }
        // A code user of another device cannot see the ticket.
        assert_eq!(world.ask(&code_user(0xDF), command), Err(DispatchRejection::NoTicket));
    }
}

#[test]
fn f_6_nobody_is_asked_who_may_not_see_the_ticket() {
    let mut world = World::opened(plan(&[1]));
    let candidate = Candidate { id: employee(2), departments: vec![department(2)] };
    let refused = world.ask(
        &person(BOSS, Role::Moderator),
        DispatchCommand::Assign { sight: Isolation::Strict.into(), candidate },
    );
    assert_eq!(refused, Err(DispatchRejection::EmployeeMayNotSee));
}

#[test]
fn f_7_without_a_limit_everyone_may_accept() {
    let mut world = World::opened(plan(&[1, 2, 3]));
    for number in 1..=3 {
        world.accept(number).expect("accepted");
    }
    assert_eq!(world.state.assignments.len(), 3);
}

#[test]
fn f_7_unlimited_ends_where_events_would_be_too_large() {
    let people: Vec<u128> = (100..100 + u128::from(MAX_WORKERS) + 2).collect();
    let mut world = World::opened(plan(&people));
    let (last, others) = people.split_last().expect("people");
    for number in &others[..MAX_WORKERS as usize] {
        world.accept(*number).expect("accepted");
    }
    assert_eq!(world.offer_status(*last), OfferStatus::Rescinded);
    assert_eq!(world.accept(*last), Err(DispatchRejection::Filled));
    assert_eq!(world.assign(1), Err(DispatchRejection::Filled));
}

#[test]
fn f_7_a_limit_of_two_gives_two_and_rescinds_the_rest() {
    let mut world = World::opened(Plan { required_workers: 2, ..plan(&[1, 2, 3, 4]) });
    world.accept(1).expect("first");
    world.accept(4).expect("second");
    assert_eq!(world.offer_status(2), OfferStatus::Rescinded);
    assert_eq!(world.accept(2), Err(DispatchRejection::Filled));
    assert_eq!(world.assign(3), Err(DispatchRejection::Filled));
    assert_eq!(world.request(5), Err(DispatchRejection::Filled));
    // Accepting twice is the same answer, filled or not.
    assert_eq!(world.accept(1), Ok(vec![]));
    assert_eq!(world.state.assignments.len(), 2);
}

#[test]
fn f_8_an_employee_who_leaves_loses_offer_and_assignment() {
    let mut world = World::opened(plan(&[1, 2]));
    world.accept(1).expect("accepted");
    for number in [1, 2] {
        world.system(DispatchCommand::Review {
            employee: employee(number),
            standing: Standing::Left,
            device: None,
        });
    }
    assert!(world.state.assignments.is_empty());
    assert_eq!(world.state.open_offers().count(), 0);
}

#[test]
fn f_8_an_employee_who_may_no_longer_see_the_ticket_loses_both() {
    let mut world = World::opened(plan(&[1]));
    let present = |number, isolation| Standing::Present { departments: vec![department(number)], isolation };
    let mut review =
        |standing| world.system(DispatchCommand::Review { employee: employee(1), standing, device: None });
    assert_eq!(review(present(1, Isolation::Strict)), []);
    assert_eq!(review(present(2, Isolation::Off)), []);
    assert_eq!(review(present(2, Isolation::Basic)).len(), 2);
    assert_eq!(world.offer_status(1), OfferStatus::Cancelled);
}

#[test]
fn f_8_the_record_of_an_ended_ticket_stays_and_is_checked_when_it_opens_again() {
    let mut world = World::opened(plan(&[1]));
    world.accept(1).expect("accepted");
    world.status(TicketStatus::Closed, None);
    world.system(DispatchCommand::Review { employee: employee(1), standing: Standing::Left, device: None });
    assert_eq!(world.state.assigned(), [employee(1)]);
    world.system(DispatchCommand::Observe {
        ticket: ticket(9, TicketStatus::InProgress).into(),
        plan: None,
        gone: vec![employee(1)],
    });
    assert!(world.state.assignments.is_empty());
}

#[test]
fn f_9_offers_end_after_their_lifetime_once() {
    let mut world = World::opened(Plan { offer_lifetime: Some(TimeDelta::seconds(60)), ..plan(&[1, 2]) });
    world.wait(60);
    // Even before the timer fires.
    assert_eq!(world.accept(1), Err(DispatchRejection::OfferNotOpen(OfferStatus::Expired)));
    let events = world.system(DispatchCommand::Expire { round: 1 });
    assert_eq!((world.offer_status(1), world.offer_status(2)), (OfferStatus::Expired, OfferStatus::Expired));
    assert_eq!(unserved(&events), Some(false));
    assert_eq!(world.system(DispatchCommand::Expire { round: 1 }), []);
}

#[test]
fn f_9_escalation_asks_the_next_group_once() {
    let mut world = World::opened(Plan { escalate_after: Some(TimeDelta::seconds(60)), ..plan(&[1]) });
    let next = Plan { group: Some(group(2)), ..plan(&[2, 1]) };
    let escalate = DispatchCommand::Escalate { round: 1, plan: Some(next) };
    let events = world.system(escalate.clone());
    assert_eq!(events[0], DispatchEvent::Escalated { from: group(1), to: group(2) });
    assert_eq!((world.offer_status(1), world.offer_status(2)), (OfferStatus::Unseen, OfferStatus::Unseen));
    assert_eq!(
        world.state.rounds[1].left_out,
        [LeftOut { employee: employee(1), reason: LeftOutReason::Offered }]
    );
    assert_eq!(world.system(escalate), []);
}

#[test]
fn f_9_an_acceptance_ends_the_wait_for_escalation() {
    let mut world = World::opened(Plan { escalate_after: Some(TimeDelta::seconds(60)), ..plan(&[1]) });
    world.accept(1).expect("accepted");
    let next = Plan { group: Some(group(2)), ..plan(&[2]) };
    assert_eq!(world.system(DispatchCommand::Escalate { round: 1, plan: Some(next) }), []);
}

#[test]
fn f_9_a_ticket_taken_up_by_hand_is_not_escalated() {
    for status in [TicketStatus::InProgress, TicketStatus::Done] {
        let mut world = World::opened(Plan { escalate_after: Some(TimeDelta::seconds(60)), ..plan(&[1]) });
        world.status(status, None);
        let next = Plan { group: Some(group(2)), ..plan(&[2]) };
        assert_eq!(world.system(DispatchCommand::Escalate { round: 1, plan: Some(next) }), []);
    }
}

#[test]
fn f_10_a_round_says_who_was_left_out_and_why() {
    let left_out = LeftOut { employee: employee(7), reason: LeftOutReason::NotVisible };
    let expansion = Expansion { eligible: vec![employee(1)], left_out: vec![left_out] };
    let world = World::opened(Plan { expansion, ..plan(&[]) });
    assert_eq!(world.state.rounds[0].left_out, [left_out]);
}

#[test]
fn f_10_a_full_ticket_is_a_reason_of_its_own() {
    let mut world = World::opened(Plan { required_workers: 1, ..plan(&[1, 2]) });
    world.accept(1).expect("accepted");
    // Opened again with somebody involved: the group is asked, and nobody of it is wanted.
    world.status(TicketStatus::Closed, None);
    world.status(TicketStatus::Open, Some(Plan { required_workers: 1, ..plan(&[1, 2, 3]) }));
    let reasons: Vec<_> =
        world.state.rounds[1].left_out.iter().map(|left| (left.employee, left.reason)).collect();
    assert_eq!(
        reasons,
        [
            (employee(1), LeftOutReason::Involved),
            (employee(2), LeftOutReason::Filled),
            (employee(3), LeftOutReason::Filled),
        ]
    );
}

#[test]
fn f_11_all_declined_tells_the_notification_group() {
    let mut world = World::opened(plan(&[1, 2]));
    assert_eq!(unserved(&world.decline(1).expect("declined")), None);
    assert_eq!(unserved(&world.decline(2).expect("declined")), Some(false));
}

#[test]
fn f_11_what_is_done_needs_nobody() {
    let mut world = World::opened(Plan { offer_lifetime: Some(TimeDelta::seconds(60)), ..plan(&[1]) });
    world.status(TicketStatus::Done, None);
    assert_eq!(unserved(&world.system(DispatchCommand::Expire { round: 1 })), None);
    assert_eq!(world.offer_status(1), OfferStatus::Expired);
}

#[test]
fn f_11_nobody_eligible_tells_the_notification_group() {
    let mut world = World::new();
    let events = world.status(TicketStatus::Open, Some(plan(&[])));
    assert_eq!(unserved(&events), Some(true));
}

#[test]
fn t_9_opening_again_asks_those_who_have_no_offer() {
    let mut world = World::opened(plan(&[1, 2, 3]));
    world.decline(1).expect("declined");
    world.status(TicketStatus::Cancelled, None);
    assert_eq!(world.offer_status(2), OfferStatus::Cancelled);
    world.status(TicketStatus::Open, Some(plan(&[1, 2, 3, 4])));
    let asked: Vec<_> = world.state.open_offers().map(|offer| offer.employee).collect();
    assert_eq!(asked, [employee(2), employee(3), employee(4)]);
    assert_eq!(
        world.state.rounds[1].left_out,
        [LeftOut { employee: employee(1), reason: LeftOutReason::Declined }]
    );
}

#[test]
fn t_9_an_ended_ticket_has_no_open_offers_and_gets_none() {
    let mut world = World::opened(plan(&[1, 2]));
    world.status(TicketStatus::Closed, None);
    assert_eq!(world.state.open_offers().count(), 0);
    assert_eq!(world.request(3), Err(DispatchRejection::TicketEnded));
    assert_eq!(world.assign(3), Err(DispatchRejection::TicketEnded));
    assert_eq!(world.accept(1), Err(DispatchRejection::OfferNotOpen(OfferStatus::Cancelled)));
}

#[test]
fn t_11_nothing_is_left_of_a_deleted_ticket() {
    let mut world = World::opened(plan(&[1]));
    let offer = world.offer(1);
    world.system(DispatchCommand::Delete);
    assert!(world.state.offers.is_empty() && world.state.rounds.is_empty() && world.state.ticket.is_none());
    let accept = DispatchCommand::Accept { sight: Sight::default(), offer };
    assert_eq!(world.ask(&person(1, Role::Member), accept), Err(DispatchRejection::NoTicket));
    // Late news of it change nothing.
    assert_eq!(world.status(TicketStatus::Open, Some(plan(&[1]))), []);
    let review = DispatchCommand::Review { employee: employee(1), standing: Standing::Left, device: None };
    assert_eq!(world.ask(&Principal::system(organisation()), review), Ok(vec![]));
}
