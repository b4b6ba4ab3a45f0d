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

#[cfg(test)]
mod tests;

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
    /// Place in the person's order, from 1; 0: used whatever the person chose (S-3).
    pub place: u32,
    /// Where it stands.
    pub state: State,
    /// How often it was claimed.
    pub attempts: u32,
    /// Not before.
    pub due: Timestamp,
}

words! {
    /// What came of an attempt.
    Outcome as "outcome" {
        /// Taken.
        Delivered = "DELIVERED",
        /// Not taken, and trying again does not help: no window, no subscription, no address, refused for good.
        Refused = "REFUSED",
        /// Not taken now.
        NotNow = "NOT_NOW",
        /// Of several people who share it some have it, and the others' part was not taken now.
        Partly = "PARTLY",
        /// The person may not see it any more (N-3).
        Withheld = "WITHHELD",
        /// Nobody knows.
        Unknown = "UNKNOWN",
    }
}

/// What the outcomes of parts are together: a code's addresses and browsers belong to different people, whose one delivery
/// it is. While a part was not taken, that part alone is tried again: whoever has it is not told again (N-5).
pub fn together(parts: impl IntoIterator<Item = Outcome>) -> Outcome {
    let (mut taken, mut not_now, mut unknown) = (false, false, false);
    for part in parts {
        match part {
            Outcome::Delivered => taken = true,
            Outcome::NotNow => not_now = true,
            Outcome::Partly => (taken, not_now) = (true, true),
            Outcome::Unknown => unknown = true,
            Outcome::Refused => {}
            Outcome::Withheld => return Outcome::Withheld,
        }
    }
    match (taken, not_now) {
        (true, true) => Outcome::Partly,
        (true, false) => Outcome::Delivered,
        (false, true) => Outcome::NotNow,
        (false, false) if unknown => Outcome::Unknown,
        (false, false) => Outcome::Refused,
    }
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
    let chosen = channels.iter().copied().filter(|channel| Some(*channel) != at_once).zip(1..);
    at_once
        .map(|channel| (channel, 0))
        .into_iter()
        .chain(chosen)
        .map(|(channel, place)| {
            let waits = strategy == Strategy::FirstSuccessful && place > 1;
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
    let is_apart = delivery.place == 0;
    delivery.state = match outcome {
        Outcome::Delivered => State::Delivered,
        Outcome::Refused => State::Failed,
        Outcome::Withheld => State::Withheld,
        Outcome::Unknown => State::Unknown,
        // While there is another channel to turn to, nobody waits for this one (N-2), unless it is used whatever the
        // others do (S-3).
        Outcome::NotNow if strategy == Strategy::FirstSuccessful && !is_last && !is_apart => State::Failed,
        Outcome::NotNow => match pause(delivery.attempts, spread) {
            Some(pause) => {
                delivery.due = now + pause;
                State::Due
            }
            None => State::Failed,
        },
        // Somebody has it, so nobody turns to another channel; the rest is waited for.
        Outcome::Partly => match pause(delivery.attempts, spread) {
            Some(pause) => {
                delivery.due = now + pause;
                State::Due
            }
            None => State::Delivered,
        },
    };
    match delivery.state {
        State::Delivered => turn_waiting(deliveries, State::Skipped),
        State::Withheld => turn_waiting(deliveries, State::Withheld),
        State::Failed | State::Unknown if !is_apart => {
            let next = deliveries
                .iter_mut()
                .filter(|other| other.state == State::Waiting)
                .min_by_key(|other| other.place);
            if let Some(next) = next {
                next.state = State::Due;
                next.due = now;
            }
        }
        State::Failed
        | State::Unknown
        | State::Waiting
        | State::Due
        | State::Claimed
        | State::HandedOver
        | State::Skipped => {}
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
