//! Random lives of a ticket among few people, and what must hold after every step of them.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::world::{World, employee, plan};
use crate::TicketStatus;
use crate::dispatch::{AssignmentSource, DispatchCommand, OfferStatus, Plan, Standing};

#[derive(Debug, Clone)]
enum Step {
    Request(u128),
    Assign(u128),
    Cancel(u128),
    Accept(u128),
    Decline(u128),
    Leave(u128),
    Expire(u32),
    Escalate(u32),
    Status(TicketStatus, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 1..6_u128;
    prop_oneof![
        2 => who.clone().prop_map(Step::Request),
        1 => who.clone().prop_map(Step::Assign),
        2 => who.clone().prop_map(Step::Cancel),
        5 => who.clone().prop_map(Step::Accept),
        2 => who.clone().prop_map(Step::Decline),
        1 => who.prop_map(Step::Leave),
        1 => (1..4_u32).prop_map(Step::Expire),
        1 => (1..4_u32).prop_map(Step::Escalate),
        2 => (0..TicketStatus::ALL.len(), any::<bool>())
            .prop_map(|(at, plan)| Step::Status(TicketStatus::ALL[at], plan)),
    ]
}

fn take(world: &mut World, step: &Step, terms: &Plan) {
    // A refusal is a fine outcome: the state stays as it is.
    let has_offer = |world: &World, who: u128| world.state.offers.contains_key(&employee(who));
    let _ = match *step {
        Step::Request(who) => world.request(who),
        Step::Assign(who) => world.assign(who),
        Step::Cancel(who) => world.cancel(who),
        Step::Accept(who) if has_offer(world, who) => world.accept(who),
        Step::Decline(who) if has_offer(world, who) => world.decline(who),
        Step::Accept(_) | Step::Decline(_) => Ok(Vec::new()),
        Step::Leave(who) => Ok(world.system(DispatchCommand::Review {
            employee: employee(who),
            standing: Standing::Left,
            device: None,
        })),
        Step::Expire(round) => Ok(world.system(DispatchCommand::Expire { round })),
        Step::Escalate(round) => {
            Ok(world.system(DispatchCommand::Escalate { round, plan: Some(terms.clone()) }))
        }
        Step::Status(status, with_plan) => Ok(world.status(status, with_plan.then(|| terms.clone()))),
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn f_7_holds_through_any_interleaving(
        limit in prop_oneof![Just(0_u32), 1..4_u32],
        escalates in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let terms = Plan {
            required_workers: limit,
            offer_lifetime: Some(chrono::TimeDelta::days(1)),
            escalate_after: escalates.then(|| chrono::TimeDelta::hours(1)),
            ..plan(&[1, 2, 3, 4])
        };
        let mut world = World::opened(terms.clone());
        for step in &steps {
            let rounds = world.state.rounds.len();
            take(&mut world, step, &terms);
            let state = &world.state;
            // At most N assignments (F-7).
            prop_assert!(limit == 0 || state.assignments.len() <= limit as usize);
            // Filled: nobody holds an offer that cannot be accepted.
            prop_assert!(!state.is_filled() || state.open_offers().next().is_none());
            // An ended ticket has no open offers.
            let ended = state.ticket.as_ref().expect("known").status.is_ended();
            prop_assert!(!ended || state.open_offers().next().is_none());
            for assignment in state.assignments.values() {
                let offer = state.offers.get(&assignment.employee);
                let accepted = offer.is_some_and(|offer| offer.status == OfferStatus::Accepted);
                // Exactly one source, and the offer agrees with it; nobody involved holds an open offer.
                prop_assert_eq!(assignment.source == AssignmentSource::Accepted, accepted);
                prop_assert!(!offer.is_some_and(|offer| offer.status.is_open()));
            }
            for offer in state.offers.values() {
                let assigned = state.assignments.contains_key(&offer.employee);
                prop_assert!(offer.status != OfferStatus::Accepted || assigned);
            }
            // One live offer per employee: what was replaced is over.
            prop_assert!(state.replaced.iter().all(|offer| !offer.status.is_open()));
            // Rounds are numbered without gaps.
            for (at, round) in state.rounds.iter().enumerate() {
                prop_assert_eq!(round.number as usize, at + 1);
            }
            prop_assert!(state.rounds.len() <= rounds + 1);
        }
    }
}
