//! What becomes of deliveries.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy as _, any, prop_assert, prop_oneof, proptest};

use super::*;

const ALL: [Channel; 3] = [Channel::Browser, Channel::Push, Channel::Email];

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn states(deliveries: &[Delivery]) -> Vec<State> {
    deliveries.iter().map(|delivery| delivery.state).collect()
}

fn attempt(deliveries: &mut [Delivery], channel: Channel, outcome: Outcome, strategy: Strategy) {
    let at = deliveries.iter().position(|delivery| delivery.channel == channel).unwrap();
    let when = deliveries[at].due;
    assert!(claim(&mut deliveries[at], when), "{deliveries:?}");
    let number = deliveries[at].attempts;
    assert!(hand_over(&mut deliveries[at], number));
    settle(deliveries, channel, number, outcome, strategy, when, 0);
}

#[test]
fn n_2_all_is_all_at_once() {
    let planned = plan(&ALL, Strategy::All, None, now());
    assert_eq!(states(&planned), [State::Due; 3]);
}

#[test]
fn n_2_what_leads_nowhere_is_given_up_as_if_it_had_been_tried() {
    for strategy in [Strategy::All, Strategy::FirstSuccessful] {
        for nowhere in 0..8_u8 {
            let leads_nowhere = |channel: Channel| {
                ALL.iter().position(|one| *one == channel).is_some_and(|at| nowhere >> at & 1 == 1)
            };
            let mut known = plan(&ALL, strategy, None, now());
            let reason = |channel| leads_nowhere(channel).then_some("NOWHERE");
            let given_up = give_up(&mut known, reason, strategy, now());
            let failed = known.iter().filter(|one| one.state == State::Failed);
            let failed: Vec<_> = failed.map(|one| (one.channel, "NOWHERE")).collect();
            assert_eq!(given_up, failed);
            let mut tried = plan(&ALL, strategy, None, now());
            for channel in ALL.into_iter().filter(|channel| leads_nowhere(*channel)) {
                if tried.iter().any(|one| one.channel == channel && one.state == State::Due) {
                    attempt(&mut tried, channel, Outcome::Refused, strategy);
                }
            }
            assert_eq!(known, tried, "{nowhere:03b}");
            assert!(known.iter().all(|one| one.state != State::Due || !leads_nowhere(one.channel)));
        }
    }
    let mut first = plan(&ALL, Strategy::FirstSuccessful, None, now());
    let reason = |channel| (channel == Channel::Push).then_some(NO_SUBSCRIPTION);
    give_up(&mut first, reason, Strategy::FirstSuccessful, now());
    assert_eq!(states(&first), [State::Due, State::Waiting, State::Waiting], "it may not be needed at all");
}

#[test]
fn n_2_first_successful_goes_on_until_one_has_delivered_and_no_further() {
    let strategy = Strategy::FirstSuccessful;
    let mut deliveries = plan(&ALL, strategy, None, now());
    assert_eq!(states(&deliveries), [State::Due, State::Waiting, State::Waiting]);
    attempt(&mut deliveries, Channel::Browser, Outcome::Refused, strategy);
    assert_eq!(states(&deliveries), [State::Failed, State::Due, State::Waiting]);
    attempt(&mut deliveries, Channel::Push, Outcome::Delivered, strategy);
    assert_eq!(states(&deliveries), [State::Failed, State::Delivered, State::Skipped]);
}

#[test]
fn n_2_who_can_be_told_otherwise_does_not_wait_and_the_last_channel_is_tried_again() {
    let strategy = Strategy::FirstSuccessful;
    let mut deliveries = plan(&[Channel::Push, Channel::Email], strategy, None, now());
    attempt(&mut deliveries, Channel::Push, Outcome::NotNow, strategy);
    assert_eq!(states(&deliveries), [State::Failed, State::Due]);
    attempt(&mut deliveries, Channel::Email, Outcome::NotNow, strategy);
    assert_eq!(states(&deliveries), [State::Failed, State::Due]);
    assert_eq!(deliveries[1].due, now() + TimeDelta::seconds(5));
}

#[test]
fn n_3_what_is_withheld_is_withheld_on_every_channel_that_is_left() {
    let strategy = Strategy::FirstSuccessful;
    let mut deliveries = plan(&ALL, strategy, None, now());
    attempt(&mut deliveries, Channel::Browser, Outcome::Withheld, strategy);
    assert_eq!(states(&deliveries), [State::Withheld; 3]);
}

#[test]
fn s_3_at_once_means_whatever_else_was_chosen() {
    let planned =
        plan(&[Channel::Browser, Channel::Email], Strategy::FirstSuccessful, Some(Channel::Email), now());
    let wanted = [(Channel::Email, State::Due), (Channel::Browser, State::Due)];
    assert!(planned.iter().map(|delivery| (delivery.channel, delivery.state)).eq(wanted), "{planned:?}");
    assert_eq!(plan(&[], Strategy::All, Some(Channel::Email), now()).len(), 1);
}

#[test]
fn s_3_what_is_at_once_is_tried_again_whatever_else_there_is_to_turn_to() {
    let strategy = Strategy::FirstSuccessful;
    let mut deliveries = plan(&[Channel::Browser, Channel::Push], strategy, Some(Channel::Email), now());
    assert_eq!(states(&deliveries), [State::Due, State::Due, State::Waiting]);
    attempt(&mut deliveries, Channel::Email, Outcome::NotNow, strategy);
    assert_eq!(states(&deliveries), [State::Due, State::Due, State::Waiting]);
    // The others stand in their own order.
    attempt(&mut deliveries, Channel::Email, Outcome::Refused, strategy);
    assert_eq!(states(&deliveries), [State::Failed, State::Due, State::Waiting]);
    attempt(&mut deliveries, Channel::Browser, Outcome::Refused, strategy);
    assert_eq!(states(&deliveries), [State::Failed, State::Failed, State::Due]);
}

#[test]
fn n_5_failures_are_waited_for_longer_and_longer_and_end() {
    let mut last = TimeDelta::zero();
    for failures in 1..MAX_ATTEMPTS {
        let next = pause(failures, 0).unwrap();
        assert!(next > last, "{failures}");
        let late = pause(failures, 999).unwrap();
        assert!(late >= next && late <= next + next / 10, "{failures}");
        last = next;
    }
    assert_eq!(pause(MAX_ATTEMPTS, 0), None);
    let mut deliveries = plan(&[Channel::Email], Strategy::All, None, now());
    for _ in 0..MAX_ATTEMPTS {
        attempt(&mut deliveries, Channel::Email, Outcome::NotNow, Strategy::All);
    }
    assert_eq!(states(&deliveries), [State::Failed]);
    assert_eq!(deliveries[0].attempts, MAX_ATTEMPTS);
}

#[test]
fn n_5_what_some_who_share_it_have_is_tried_again_for_the_others_and_ends_as_delivered() {
    use Outcome::{Delivered, NotNow, Partly, Refused, Unknown, Withheld};
    for (parts, sum) in [
        (&[][..], Refused),
        (&[Delivered, Refused, Unknown], Delivered),
        (&[Delivered, NotNow, Refused], Partly),
        (&[Partly, Refused], Partly),
        (&[NotNow, Unknown], NotNow),
        (&[Unknown, Refused], Unknown),
        (&[Delivered, Withheld], Withheld),
    ] {
        assert_eq!(together(parts.iter().copied()), sum, "{parts:?}");
    }
    let strategy = Strategy::FirstSuccessful;
    let mut deliveries = plan(&[Channel::Push, Channel::Email], strategy, None, now());
    for _ in 1..MAX_ATTEMPTS {
        attempt(&mut deliveries, Channel::Push, Partly, strategy);
        assert_eq!(states(&deliveries), [State::Due, State::Waiting]);
    }
    attempt(&mut deliveries, Channel::Push, Partly, strategy);
    assert_eq!(states(&deliveries), [State::Delivered, State::Skipped]);
}

/// What can happen to a world of two workers and one event.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// The event comes (again).
    Comes,
    /// A worker claims what is due on a channel.
    Claims(usize, usize),
    /// A worker goes on: marks, sends to those two who share it, settles with these outcomes; or dies at this point.
    Goes(usize, [Outcome; 2], Death),
    /// What was held for too long is taken away.
    Sweeps,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Death {
    None,
    BeforeTheMark,
    AfterTheMark,
    AfterSending,
}

fn happening() -> impl proptest::strategy::Strategy<Value = Happening> {
    let outcome = || {
        prop_oneof![
            Just(Outcome::Delivered),
            Just(Outcome::Refused),
            Just(Outcome::NotNow),
            Just(Outcome::Unknown)
        ]
    };
    let death = prop_oneof![
        3 => Just(Death::None),
        1 => Just(Death::BeforeTheMark),
        1 => Just(Death::AfterTheMark),
        1 => Just(Death::AfterSending)
    ];
    prop_oneof![
        1 => Just(Happening::Comes),
        4 => (0..2_usize, 0..3_usize).prop_map(|(worker, channel)| Happening::Claims(worker, channel)),
        4 => (0..2_usize, [outcome(), outcome()], death)
            .prop_map(|(worker, outcomes, death)| Happening::Goes(worker, outcomes, death)),
        1 => Just(Happening::Sweeps),
    ]
}

proptest! {
    /// N-5: at most one delivery per event, person and channel, under any order of redelivery, crashes, takeovers; also to
    /// each of those who share it.
    #[test]
    fn n_5_at_most_one_delivery_per_event_person_and_channel(
        all in any::<bool>(),
        happenings in proptest::collection::vec(happening(), 1..120),
    ) {
        let strategy = if all { Strategy::All } else { Strategy::FirstSuccessful };
        let mut rows: Vec<Delivery> = Vec::new();
        let mut holds: [Option<(Channel, u32)>; 2] = [None; 2];
        let mut arrived = [[0_u32; 2]; 3];
        // What is known of each who shares it, written with what becomes of it.
        let mut parts: [BTreeMap<usize, Outcome>; 3] = Default::default();
        let mut clock = now();
        for happening in happenings {
            clock += TimeDelta::days(1);
            match happening {
                // The key of the rows keeps them single.
                Happening::Comes if rows.is_empty() => rows = plan(&ALL, strategy, None, clock),
                Happening::Comes => {}
                Happening::Claims(worker, channel) => {
                    let row = rows.iter_mut().find(|row| row.channel == ALL[channel]);
                    if let Some(row) = row && holds[worker].is_none() && claim(row, clock) {
                        holds[worker] = Some((row.channel, row.attempts));
                    }
                }
                Happening::Goes(worker, outcomes, death) => {
                    let Some((channel, attempt)) = holds[worker].take() else { continue };
                    if death == Death::BeforeTheMark {
                        continue;
                    }
                    let at = rows.iter().position(|row| row.channel == channel).unwrap();
                    if !hand_over(&mut rows[at], attempt) || death == Death::AfterTheMark {
                        continue;
                    }
                    // Here it leaves the house; nobody knows whether what ended without a word arrived.
                    let mut answers = Vec::new();
                    for (who, outcome) in outcomes.into_iter().enumerate() {
                        if !parts[at].contains_key(&who) {
                            answers.push((who, outcome));
                            arrived[at][who] +=
                                u32::from(matches!(outcome, Outcome::Delivered | Outcome::Unknown));
                        }
                    }
                    if death == Death::None {
                        let known = parts[at].values().copied();
                        let all = together(known.chain(answers.iter().map(|(_, outcome)| *outcome)));
                        settle(&mut rows, channel, attempt, all, strategy, clock, 0);
                        parts[at].extend(answers.into_iter().filter(|(_, one)| *one != Outcome::NotNow));
                    }
                }
                Happening::Sweeps => {
                    for at in 0..rows.len() {
                        let (channel, attempt) = (rows[at].channel, rows[at].attempts);
                        if let Some(outcome) = abandoned(rows[at].state) {
                            let all = together(parts[at].values().copied().chain([outcome]));
                            settle(&mut rows, channel, attempt, all, strategy, clock, 0);
                        }
                    }
                }
            }
            prop_assert!(arrived.iter().flatten().all(|count| *count <= 1), "{:?}", arrived);
            for (at, row) in rows.iter().enumerate() {
                prop_assert!(row.state != State::Delivered || arrived[at].contains(&1));
                prop_assert!(row.attempts <= MAX_ATTEMPTS);
            }
        }
    }
}
