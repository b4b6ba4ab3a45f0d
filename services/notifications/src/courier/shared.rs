//! What several destinations' answers are together (N-5).

use callboard_notifications_domain::delivery::{Outcome, together};
use uuid::Uuid;

use super::push::Taken;
use super::report;
use crate::store::deliveries::{Parts, Report};

/// What came of it at one destination, and whose part that is where it is one of several people's.
pub(super) type Answer = (Option<Uuid>, Report);

impl Report {
    /// The same, beside what was known of the parts before.
    pub(super) fn beside(mut self, known: &Parts) -> Self {
        self.outcome = together(known.values().copied().chain([self.outcome]));
        self.parts.extend(known.iter().map(|(part, outcome)| (*part, *outcome)));
        self
    }
}

/// What answers to several people are together. What is not tried again is remembered part by part; what is written down
/// is what the rest waits for, else what went well.
pub(super) fn shared(answers: Vec<Answer>) -> Report {
    let outcome = together(answers.iter().map(|(_, report)| report.outcome));
    let decisive = if outcome == Outcome::Partly { Outcome::NotNow } else { outcome };
    let one = answers.iter().find(|(_, report)| report.outcome == decisive);
    let (reason, answer) = one.map_or(("", String::new()), |(_, one)| (one.reason, one.answer.clone()));
    let parts = answers
        .iter()
        .filter(|(_, report)| report.outcome != Outcome::NotNow)
        .filter_map(|(part, report)| Some(((*part)?, report.outcome)))
        .collect();
    Report { outcome, reason, answer, parts }
}

/// What a push service's answer means.
pub(super) fn told(answer: Taken) -> Report {
    let code = |code: u16| if code == 0 { String::new() } else { code.to_string() };
    match answer {
        Taken::Yes(status) => Report { answer: code(status), ..report(Outcome::Delivered, "") },
        Taken::Gone(status) => Report { answer: code(status), ..report(Outcome::Refused, "GONE") },
        Taken::Refused(status) => Report { answer: code(status), ..report(Outcome::Refused, "REFUSED") },
        Taken::NotNow(status) => Report { answer: code(status), ..report(Outcome::NotNow, "NOT_NOW") },
        Taken::Unreachable => report(Outcome::NotNow, "UNREACHABLE"),
        Taken::Unknown => report(Outcome::Unknown, "TIMEOUT"),
    }
}

/// What several browsers' answers of one person are together: one that has it is enough.
pub(super) fn sum(answers: Vec<Answer>) -> Report {
    let mut sum = report(Outcome::Refused, "GONE");
    let rank = |outcome: Outcome| match outcome {
        Outcome::Refused | Outcome::Withheld => 0,
        Outcome::NotNow => 1,
        Outcome::Unknown => 2,
        Outcome::Delivered | Outcome::Partly => 3,
    };
    for (_, one) in answers {
        if sum.answer.is_empty() && rank(one.outcome) == 0 || rank(one.outcome) > rank(sum.outcome) {
            sum = one;
        }
    }
    sum
}
