//! What follows from one attempt to deliver an event to an endpoint: at least once, over three days.

use callboard_kernel::Timestamp;
use chrono::TimeDelta;

use crate::delivery::spaced;
use crate::words::words;

/// How long each failure is waited for; behind the last it is given up, after a little more than three days (the sample
/// schedule of Standard Webhooks).
const PAUSES: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];

/// The longest an endpoint may ask to be left alone (`Retry-After`).
pub const MOST_ASKED: TimeDelta = TimeDelta::hours(24);

/// So many attempts in a row must have failed, besides the time, before an endpoint is switched off: one that is hardly
/// ever called is not judged by two of them.
pub const MIN_FAILURES: u32 = 10;

words! {
    /// Where a delivery stands.
    HookState as "webhook delivery state" {
        /// Tried when its time has come.
        Due = "DUE",
        /// In the hands of a worker, for a while.
        Claimed = "CLAIMED",
        /// The endpoint has it.
        Delivered = "DELIVERED",
        /// Given up.
        Failed = "FAILED",
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookOutcome {
    /// Taken: 2xx.
    Taken,
    /// The endpoint is gone for good: 410.
    Gone,
    /// Anything else, 3xx among it. `after`: how long the endpoint asked to be left alone.
    NotNow {
        /// `Retry-After`.
        after: Option<TimeDelta>,
    },
}

/// What an answer's status means; the word says why it is a failure, and is empty where it is none.
pub const fn verdict(status: u16, after: Option<TimeDelta>) -> (HookOutcome, &'static str) {
    let later = HookOutcome::NotNow { after };
    match status {
        200..=299 => (HookOutcome::Taken, ""),
        410 => (HookOutcome::Gone, "GONE"),
        // Where it points to may be in our own house, and whoever gave the address can give the right one.
        300..=399 => (later, "REDIRECTED"),
        429 => (later, "TOO_MANY_REQUESTS"),
        400..=499 => (later, "REFUSED"),
        _ => (later, "SERVER_ERROR"),
    }
}

/// A delivery after an attempt: its state, and when it is tried next. `failures`: those of this round, this one
/// included if it is one. `spread`: any number that differs between deliveries.
pub fn settled(
    outcome: HookOutcome,
    failures: u32,
    spread: u32,
    now: Timestamp,
) -> (HookState, Option<Timestamp>) {
    match outcome {
        HookOutcome::Taken => (HookState::Delivered, None),
        HookOutcome::Gone => (HookState::Failed, None),
        HookOutcome::NotNow { after } => match spaced(&PAUSES, failures, spread) {
            Some(pause) => {
                let asked = after.unwrap_or_default().min(MOST_ASKED);
                (HookState::Due, Some(now + pause.max(asked)))
            }
            None => (HookState::Failed, None),
        },
    }
}

/// Whether an endpoint that has failed so often in a row, since then, is switched off.
pub fn has_failed_for_too_long(failures: u32, since: Timestamp, patience: TimeDelta, now: Timestamp) -> bool {
    failures >= MIN_FAILURES && now - since >= patience
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: HookOutcome = HookOutcome::NotNow { after: None };

    #[test]
    fn failures_are_waited_for_over_three_days_with_jitter_and_then_given_up() {
        let start = Timestamp::UNIX_EPOCH;
        let (mut early, mut late) = (start, start);
        let mut attempts = 1;
        for failures in 1_u32.. {
            let (HookState::Due, Some(next)) = settled(LATER, failures, 0, early) else { break };
            let (_, spread) = settled(LATER, failures, 999, late);
            let pause = next - early;
            assert!(
                spread.is_some_and(|spread| spread - late > pause && spread - late <= pause + pause / 10)
            );
            (early, late) = (next, spread.unwrap_or(late));
            attempts += 1;
        }
        assert_eq!(attempts, 10);
        assert!(
            early - start >= TimeDelta::days(3) && late - start <= TimeDelta::hours(84),
            "{early} {late}"
        );
        assert_eq!(settled(LATER, 10, 0, start), (HookState::Failed, None));
    }

    #[test]
    fn retry_after_is_honoured_within_bounds_and_never_shortens() {
        let now = Timestamp::UNIX_EPOCH;
        let next = |after: TimeDelta| settled(HookOutcome::NotNow { after: Some(after) }, 1, 0, now).1;
        assert_eq!(next(TimeDelta::seconds(1)), Some(now + TimeDelta::seconds(5)));
        assert_eq!(next(TimeDelta::minutes(7)), Some(now + TimeDelta::minutes(7)));
        assert_eq!(next(TimeDelta::days(400)), Some(now + MOST_ASKED));
    }

    #[test]
    fn only_2xx_is_success_and_410_is_for_good() {
        for status in 100..=599_u16 {
            let (outcome, reason) = verdict(status, None);
            let wanted = match status {
                200..=299 => HookOutcome::Taken,
                410 => HookOutcome::Gone,
                _ => LATER,
            };
            assert_eq!((outcome, reason.is_empty()), (wanted, outcome == HookOutcome::Taken), "{status}");
        }
        assert_eq!(settled(HookOutcome::Gone, 1, 0, Timestamp::UNIX_EPOCH), (HookState::Failed, None));
        assert_eq!(settled(HookOutcome::Taken, 0, 0, Timestamp::UNIX_EPOCH), (HookState::Delivered, None));
    }

    #[test]
    fn an_endpoint_is_judged_by_time_and_number_of_failures() {
        let (since, patience) = (Timestamp::UNIX_EPOCH, TimeDelta::days(5));
        let judge =
            |failures, later: TimeDelta| has_failed_for_too_long(failures, since, patience, since + later);
        assert!(judge(10, TimeDelta::days(5)));
        assert!(!judge(9, TimeDelta::days(50)));
        assert!(!judge(1_000, TimeDelta::days(4)));
    }
}
