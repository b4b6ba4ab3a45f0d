//! What becomes of one event for one person, channel by channel (N-2, N-5).
//!
//! A delivery is *claimed* by one worker for a while, which finds out what to say to whom; then it is marked as *handed
//! over*, and only then something leaves the house. So a worker that dies before the mark has told nobody, and the
//! delivery is tried again; one that dies behind it may have told somebody, and the delivery is never tried again: at
//! most once, however often events come and processes die (N-5).

use callboard_kernel::Timestamp;
use chrono::TimeDelta;

use crate::words::words;
use crate::{Channel, Strategy};

/// How long each failure is waited for; behind the last it is given up, after a day and a half.
const PAUSES: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::seconds(30),
    TimeDelta::minutes(2),
    TimeDelta::minutes(10),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(6),
    TimeDelta::hours(12),
    TimeDelta::hours(16),
];

/// Attempts at most.
pub const MAX_ATTEMPTS: u32 = PAUSES.len() as u32 + 1;

/// How long to wait after this many failures in a row; `None`: give up. `spread` is any number that differs between
/// deliveries: those that failed together do not come back together (up to a tenth later).
pub fn pause(failures: u32, spread: u32) -> Option<TimeDelta> {
    spaced(&PAUSES, failures, spread)
}

/// As [`pause`], by this list of pauses.
pub fn spaced(pauses: &[TimeDelta], failures: u32, spread: u32) -> Option<TimeDelta> {
    let pause = *pauses.get(usize::try_from(failures).ok()?.checked_sub(1)?)?;
    let tenth = pause.num_milliseconds() / 10;
    Some(pause + TimeDelta::milliseconds(tenth * i64::from(spread % 1000) / 1000))
}

words! {
    /// Where a delivery stands.
    State as "delivery state" {
        /// Tried when what stands before it does not deliver.
        Waiting = "WAITING",
        /// Tried when its time has come.
        Due = "DUE",
        /// In the hands of a worker, for a while. Nothing has left the house.
        Claimed = "CLAIMED",
        /// It is leaving the house.
        HandedOver = "HANDED_OVER",
        /// It arrived.
        Delivered = "DELIVERED",
        /// Given up.
        Failed = "FAILED",
        /// Not needed.
        Skipped = "SKIPPED",
        /// The person may not see it any more (N-3).
        Withheld = "WITHHELD",
        /// Cut off while it was leaving the house: it may have arrived.
        Unknown = "UNKNOWN",
    }
}

impl State {
    /// True when nothing happens to it any more.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Waiting | Self::Due | Self::Claimed | Self::HandedOver => false,
            Self::Delivered | Self::Failed | Self::Skipped | Self::Withheld | Self::Unknown => true,
        }
    }
}

/// One channel's part of what one person is told of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    /// Place in the person's order, from 1.
    pub place: u32,
    /// Where it stands.
    pub state: State,
    /// How often it was claimed.
    pub attempts: u32,
    /// Not before.
    pub due: Timestamp,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Taken.
    Delivered,
    /// Not taken, and trying again does not help: no window, no subscription, no address, refused for good.
    Refused,
    /// Not taken now.
    NotNow,
    /// The person may not see it any more (N-3).
    Withheld,
    /// Nobody knows.
    Unknown,
}

/// What is to be done for a person, in the order of the channels.
///
/// `at_once`: a channel that is used whatever the person chose, and waits for none (S-3).
pub fn plan(
    channels: &[Channel],
    strategy: Strategy,
    at_once: Option<Channel>,
    now: Timestamp,
) -> Vec<Delivery> {
    let ordered =
        at_once.into_iter().chain(channels.iter().copied().filter(|channel| Some(*channel) != at_once));
    let mut is_first = true;
    ordered
        .zip(1..)
        .map(|(channel, place)| {
            let waits = strategy == Strategy::FirstSuccessful && Some(channel) != at_once && !is_first;
            is_first &= Some(channel) == at_once;
            let state = if waits { State::Waiting } else { State::Due };
            Delivery { channel, place, state, attempts: 0, due: now }
        })
        .collect()
}

/// Why nothing was sent: no window is open.
pub const NO_WINDOW: &str = "NO_WINDOW";
/// Why nothing was sent: no browser takes pushes.
pub const NO_SUBSCRIPTION: &str = "NO_SUBSCRIPTION";
/// Why nothing was sent: no mail server is configured.
pub const NO_EMAIL: &str = "NO_EMAIL";
/// Why nothing was sent: nobody has told where to.
pub const NO_ADDRESS: &str = "NO_ADDRESS";

/// Gives up what is due on channels that lead nowhere now, as if it had been tried, and turns to the next: nothing has to
/// wait in a queue to find that out. Answers which, with the reasons that `leads_nowhere` has.
pub fn give_up(
    deliveries: &mut [Delivery],
    leads_nowhere: impl Fn(Channel) -> Option<&'static str>,
    strategy: Strategy,
    now: Timestamp,
) -> Vec<(Channel, &'static str)> {
    let mut given_up = Vec::new();
    while let Some((at, reason)) = deliveries.iter().enumerate().find_map(|(at, delivery)| {
        let reason = leads_nowhere(delivery.channel).filter(|_| delivery.state == State::Due);
        reason.map(|reason| (at, reason))
    }) {
        deliveries[at].due = now;
        claim(&mut deliveries[at], now);
        let (channel, attempt) = (deliveries[at].channel, deliveries[at].attempts);
        settle(deliveries, channel, attempt, Outcome::Refused, strategy, now, 0);
        given_up.push((channel, reason));
    }
    given_up
}

/// Takes a due delivery into one worker's hands.
///
/// Answers false, and changes nothing, where it is not due.
pub fn claim(delivery: &mut Delivery, now: Timestamp) -> bool {
    if delivery.state != State::Due || delivery.due > now {
        return false;
    }
    delivery.state = State::Claimed;
    delivery.attempts += 1;
    true
}

/// The last mark before something leaves the house. False: somebody else has it, let go.
pub fn hand_over(delivery: &mut Delivery, attempt: u32) -> bool {
    if delivery.state != State::Claimed || delivery.attempts != attempt {
        return false;
    }
    delivery.state = State::HandedOver;
    true
}

/// What follows from an attempt at the delivery on this channel; the others of the same event and person stand beside it.
/// Changes nothing where the attempt is not the present one.
pub fn settle(
    deliveries: &mut [Delivery],
    channel: Channel,
    attempt: u32,
    outcome: Outcome,
    strategy: Strategy,
    now: Timestamp,
    spread: u32,
) {
    let Some(at) = deliveries.iter().position(|delivery| delivery.channel == channel) else { return };
    let is_last = deliveries.iter().all(|other| other.state != State::Waiting);
    let delivery = &mut deliveries[at];
    if delivery.attempts != attempt || !matches!(delivery.state, State::Claimed | State::HandedOver) {
        return;
    }
    delivery.state = match outcome {
        Outcome::Delivered => State::Delivered,
        Outcome::Refused => State::Failed,
        Outcome::Withheld => State::Withheld,
        Outcome::Unknown => State::Unknown,
        // While there is another channel to turn to, nobody waits for this one (N-2).
        Outcome::NotNow if strategy == Strategy::FirstSuccessful && !is_last => State::Failed,
        Outcome::NotNow => match pause(delivery.attempts, spread) {
            Some(pause) => {
                delivery.due = now + pause;
                State::Due
            }
            None => State::Failed,
        },
    };
    match delivery.state {
        State::Delivered => turn_waiting(deliveries, State::Skipped),
        State::Withheld => turn_waiting(deliveries, State::Withheld),
        State::Failed | State::Unknown => {
            let next = deliveries
                .iter_mut()
                .filter(|other| other.state == State::Waiting)
                .min_by_key(|other| other.place);
            if let Some(next) = next {
                next.state = State::Due;
                next.due = now;
            }
        }
        State::Waiting | State::Due | State::Claimed | State::HandedOver | State::Skipped => {}
    }
}

fn turn_waiting(deliveries: &mut [Delivery], to: State) {
    for delivery in deliveries.iter_mut().filter(|delivery| delivery.state == State::Waiting) {
        delivery.state = to;
    }
}

/// What a worker that was never heard of again leaves behind.
pub const fn abandoned(state: State) -> Option<Outcome> {
    match state {
        State::Claimed => Some(Outcome::NotNow),
        State::HandedOver => Some(Outcome::Unknown),
        State::Waiting
        | State::Due
        | State::Delivered
        | State::Failed
        | State::Skipped
        | State::Withheld
        | State::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            states(&first),
            [State::Due, State::Waiting, State::Waiting],
            "it may not be needed at all"
        );
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

    /// What can happen to a world of two workers and one event.
    #[derive(Debug, Clone, Copy)]
    enum Happening {
        /// The event comes (again).
        Comes,
        /// A worker claims what is due on a channel.
        Claims(usize, usize),
        /// A worker goes on: marks, sends, settles with this outcome; or dies at this point.
        Goes(usize, Outcome, Death),
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
        let outcome = prop_oneof![
            Just(Outcome::Delivered),
            Just(Outcome::Refused),
            Just(Outcome::NotNow),
            Just(Outcome::Unknown)
        ];
        let death = prop_oneof![
            3 => Just(Death::None),
            1 => Just(Death::BeforeTheMark),
            1 => Just(Death::AfterTheMark),
            1 => Just(Death::AfterSending)
        ];
        prop_oneof![
            1 => Just(Happening::Comes),
            4 => (0..2_usize, 0..3_usize).prop_map(|(worker, channel)| Happening::Claims(worker, channel)),
            4 => (0..2_usize, outcome, death)
                .prop_map(|(worker, outcome, death)| Happening::Goes(worker, outcome, death)),
            1 => Just(Happening::Sweeps),
        ]
    }

    proptest! {
        /// N-5: at most one delivery per event, person and channel, under any order of redelivery, crashes, takeovers.
        #[test]
        fn n_5_at_most_one_delivery_per_event_person_and_channel(
            all in any::<bool>(),
            happenings in proptest::collection::vec(happening(), 1..120),
        ) {
            let strategy = if all { Strategy::All } else { Strategy::FirstSuccessful };
            let mut rows: Vec<Delivery> = Vec::new();
            let mut holds: [Option<(Channel, u32)>; 2] = [None; 2];
            let mut arrived = [0_u32; 3];
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
                    Happening::Goes(worker, outcome, death) => {
                        let Some((channel, attempt)) = holds[worker].take() else { continue };
                        if death == Death::BeforeTheMark {
                            continue;
                        }
                        let at = rows.iter().position(|row| row.channel == channel).unwrap();
                        if !hand_over(&mut rows[at], attempt) || death == Death::AfterTheMark {
                            continue;
                        }
                        // Here it leaves the house; nobody knows whether what ended without a word arrived.
                        if matches!(outcome, Outcome::Delivered | Outcome::Unknown) {
                            arrived[at] += 1;
                        }
                        if death == Death::None {
                            settle(&mut rows, channel, attempt, outcome, strategy, clock, 0);
                        }
                    }
                    Happening::Sweeps => {
                        for at in 0..rows.len() {
                            let (channel, attempt) = (rows[at].channel, rows[at].attempts);
                            if let Some(outcome) = abandoned(rows[at].state) {
                                settle(&mut rows, channel, attempt, outcome, strategy, clock, 0);
                            }
                        }
                    }
                }
                prop_assert!(arrived.iter().all(|count| *count <= 1), "{:?}", arrived);
                for (at, row) in rows.iter().enumerate() {
                    prop_assert!(row.state != State::Delivered || arrived[at] == 1);
                    prop_assert!(row.attempts <= MAX_ATTEMPTS);
                }
            }
        }
    }
}
