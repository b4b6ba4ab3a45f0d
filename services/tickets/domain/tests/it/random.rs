//! Random commands by everybody: whatever comes, the invariants hold.

use callboard_kernel::Principal;
use callboard_tickets_domain::{
    AnswerValue, Command, Edit, Fact, Priority, State, Status, Visibility, is_visible,
};
use proptest::prelude::*;

use crate::support::*;

fn anybody() -> impl Strategy<Value = Principal> {
    prop_oneof![
        Just(code_user()),
        Just(code_user_at(device(), 22)),
        Just(customer_user()),
        (100_u128..104).prop_map(member),
        Just(moderator()),
        Just(administrator()),
        Just(system()),
        Just(stranger()),
    ]
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![Just(Visibility::Public), Just(Visibility::Internal)]
}

fn anything() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => any::<bool>().prop_map(|open| Command::Create(Box::new(by_flow(all_answers(), open.then_some(7))))),
        1 => any::<bool>().prop_map(|red| Command::Answer {
            step: "colour".into(),
            value: Some(AnswerValue::Choice(if red { "red" } else { "blue" }.into())),
        }),
        1 => Just(Command::Answer { step: "what".into(), value: None }),
        2 => proptest::option::of(visibility())
            .prop_map(|visibility| Command::Submit { number: 9, visibility, place: Some(place()) }),
        2 => visibility().prop_map(|to| Command::Edit(Edit { visibility: Some(to), ..Edit::default() })),
        1 => Just(Command::Edit(Edit { priority: Some(Priority::High), ..Edit::default() })),
        6 => proptest::sample::select(Status::ALL).prop_map(Command::SetStatus),
        2 => Just(Command::Reopen),
        1 => Just(Command::Cancel),
        2 => proptest::option::of(visibility()).prop_map(update),
        6 => (100_u128..104).prop_map(|n| Command::Involve(person(n))),
        4 => (100_u128..104).prop_map(|n| Command::Uninvolve(person(n))),
        3 => (0..3_i32, 1..=5_i32).prop_map(|(done_round, score)| Command::Rate { done_round, score }),
        2 => (0..3_i32).prop_map(|done_round| Command::Waive { done_round }),
        1 => Just(Command::Delete),
        1 => (0..80_i64).prop_map(|touched| Command::DiscardDraft { untouched_since: at(touched) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_comes_the_invariants_hold(commands in proptest::collection::vec((anybody(), anything()), 1..80)) {
        let mut world = World::default();
        for (principal, command) in commands {
            // Reactions are the system's; people's commands are tried by everybody.
            let principal = match command {
                Command::Involve(_) | Command::Uninvolve(_) | Command::Rate { .. } | Command::Waive { .. }
                | Command::DiscardDraft { .. } => system(),
                _ => principal,
            };
            let before = world.state.clone();
            let result = world.ask(&principal, command.clone());
            let (Ok(facts), Some(old)) = (&result, before.live()) else {
                // A "no" changes nothing; what is gone stays gone.
                if result.is_err() {
                    prop_assert_eq!(&world.state, &before);
                }
                if before == State::Gone {
                    prop_assert!(result.is_err());
                }
                continue;
            };
            // T-2: only a draft that nobody touched since goes by itself.
            if let Command::DiscardDraft { untouched_since } = command {
                prop_assert!(facts.is_empty() || old.status == Status::Draft && old.update_time <= untouched_since);
            }
            // Nobody changes what they do not see.
            prop_assert!(facts.is_empty() || is_visible(&principal, old));
            let Some(new) = world.state.live() else { continue };
            // T-7.
            prop_assert!(old.status == Status::Draft || new.status != Status::Draft);
            if old.status == Status::Draft {
                prop_assert!(matches!(new.status, Status::Draft | Status::Open));
            }
            // T-14: numbered exactly from opening on, and for good.
            prop_assert_eq!(new.number.is_some(), new.status != Status::Draft);
            prop_assert!(old.number.is_none() || old.number == new.number);
            prop_assert_eq!(new.timeline - old.timeline, facts.iter().filter(|fact| fact.change().is_some()).count() as i64);
            // Involved: each once.
            let mut involved = new.involved.clone();
            involved.sort();
            involved.dedup();
            prop_assert_eq!(involved.len(), new.involved.len());
            // T-5, T-6, T-8: the only ways a status moves by itself.
            if principal == system() && old.status != new.status {
                let by_itself = (old.status, new.status);
                match command {
                    Command::Involve(_) => prop_assert_eq!(by_itself, (Status::Open, Status::Assigned)),
                    Command::Uninvolve(_) => {
                        prop_assert_eq!(by_itself, (Status::Assigned, Status::Open));
                        prop_assert!(new.involved.is_empty());
                    }
                    Command::Rate { done_round, .. } | Command::Waive { done_round } => {
                        prop_assert_eq!(by_itself, (Status::Done, Status::Closed));
                        prop_assert_eq!(done_round, old.done_round);
                    }
                    _ => {}
                }
            }
            // DONE is counted.
            let became_done = facts.iter().any(|fact| matches!(fact, Fact::StatusChanged { to: Status::Done, .. }));
            prop_assert_eq!(new.done_round - old.done_round, i32::from(became_done));
            // T-9, T-3: from outside nothing is written on a locked ticket, and nothing internal.
            if principal.is_outsider() {
                prop_assert!(!old.status.is_locked() || facts.is_empty());
                prop_assert_eq!(new.visibility, Visibility::Public);
                prop_assert!(!facts.iter().any(|fact| matches!(fact, Fact::UpdatePosted(update) if update.visibility == Visibility::Internal)));
            }
        }
    }
}
