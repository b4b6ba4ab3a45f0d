//! Devices that come to other departments, are sold or removed while a ticket on them is open.

use std::sync::Arc;

use callboard_kernel::{CustomerUser, Isolation, Language, Principal, Role, Subject};
use uuid::Uuid;

use super::world::{BOSS, World, code_user, department, employee, organisation, person, plan, ticket};
use crate::dispatch::{Candidate, DispatchCommand, DispatchRejection, OfferStatus, Standing};
use crate::{Device, Sight, Ticket, TicketStatus};

/// A device of this department; the tickets of these tests opened at its version 1, in department 1.
fn device(version: i64, number: u128) -> Option<Arc<Device>> {
    let departments = vec![department(number)];
    Some(Arc::new(Device { version, customer: None, departments, removed: false }))
}

fn of(number: u128, departments: &[u128]) -> Principal {
    let mut person = person(number, Role::Member);
    if let Subject::Employee(employee) = &mut person.subject {
        employee.departments = departments.iter().map(|number| department(*number)).collect();
    }
    person
}

fn customer_user(customer: u128) -> Principal {
    let user = CustomerUser { id: Uuid::from_u128(5).into(), customer: Uuid::from_u128(customer).into() };
    Principal { organisation: organisation(), subject: Subject::CustomerUser(user), language: Language::En }
}

#[test]
fn f_8_who_may_not_see_the_device_where_it_is_now_loses_both() {
    let standing = Standing::Present { departments: vec![department(1)], isolation: Isolation::Strict };
    let mut world = World::opened(plan(&[1]));
    let mut review = |device| {
        let standing = standing.clone();
        world.system(DispatchCommand::Review { employee: employee(1), standing, device })
    };
    assert_eq!(review(None), [], "as the ticket says, while nothing else is known");
    assert_eq!(review(device(1, 1)), []);
    assert_eq!(review(device(0, 2)), [], "what the ticket says is the newer");
    assert_eq!(review(device(2, 2)).len(), 2);
    assert_eq!(world.offer_status(1), OfferStatus::Cancelled);
}

#[test]
fn f_5_an_offer_of_a_ticket_that_is_seen_no_more_is_not_answered() {
    let mut world = World::opened(plan(&[1]));
    let (isolation, offer) = (Isolation::Strict, world.offer(1));
    let accept = |device| DispatchCommand::Accept { sight: Sight { isolation, device }, offer };
    let me = of(1, &[1]);
    assert_eq!(world.ask(&me, accept(device(2, 2))), Err(DispatchRejection::NoTicket));
    assert!(world.ask(&me, accept(device(2, 1))).is_ok());
}

#[test]
fn f_6_who_may_be_asked_is_judged_by_the_device_as_it_is_now() {
    let mut world = World::opened(plan(&[1]));
    let candidate = |number| Candidate { id: employee(7), departments: vec![department(number)] };
    let mut assign = |number| {
        let sight = Sight { isolation: Isolation::Strict, device: device(2, 2) };
        let command = DispatchCommand::Assign { sight, candidate: candidate(number) };
        world.ask(&person(BOSS, Role::Moderator), command)
    };
    assert_eq!(assign(1), Err(DispatchRejection::EmployeeMayNotSee));
    assert!(assign(2).is_ok());
}

#[test]
fn customers_see_what_opened_on_their_devices_and_nobody_elses() {
    let (old, new) = (0xC1_u128, 0xC2_u128);
    let sees = |opened: Option<u128>, owner: Option<Option<u128>>, removed, who: &Principal| {
        let customer = opened.map(|id| Uuid::from_u128(id).into());
        let device = owner.map(|owner| {
            let customer = owner.map(|id| Uuid::from_u128(id).into());
            Arc::new(Device { version: 2, customer, departments: vec![], removed })
        });
        let ticket = Ticket { customer, ..ticket(1, TicketStatus::Open) };
        ticket.visible_to(who, &Sight { isolation: Isolation::Off, device })
    };
    let (before, after) = (customer_user(old), customer_user(new));
    // Not told of the device: as the ticket says.
    assert!(sees(Some(old), None, false, &before) && !sees(None, None, false, &after));
    assert!(sees(Some(old), Some(Some(old)), false, &before));
    // Sold: the former owner's no more, and not the new one's.
    assert!(!sees(Some(old), Some(Some(new)), false, &before));
    assert!(!sees(Some(old), Some(Some(new)), false, &after));
    // Nobody's when it opened: the new owner's.
    assert!(sees(None, Some(Some(new)), false, &after));
    assert!(!sees(Some(old), Some(Some(old)), true, &before), "removed");
    assert!(sees(Some(old), Some(Some(new)), false, &code_user(0xDE)), "whoever scans it");
}
