//! Deciding a batch in sequence on a scratch copy. No I/O.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use callboard_kernel::{Aggregate, DecisionContext, OrganisationId, Refusal, Rejection as _, Version};
use uuid::Uuid;

use crate::metric_names as metric;
use crate::registry::{Envelope, Inner};
use crate::{Answer, Ask, AskError, Lane, Loaded, Outcome, Receipt, Step, StepMeta, Store};

/// What a batch of commands comes to, if it can be committed.
pub(crate) struct Decided<S, R> {
    /// State after the last applied command; `None`: none applied.
    pub(crate) state: Option<S>,
    /// Version after it.
    pub(crate) version: Version,
    /// Whose aggregate it is, or who asked where there is none.
    pub(crate) organisation: Option<OrganisationId>,
    /// What applied commands write.
    pub(crate) records: Vec<R>,
    /// What is kept of commands, in order.
    pub(crate) receipts: Vec<Receipt>,
    /// One per command, in order.
    pub(crate) verdicts: Vec<Verdict>,
}

/// What one command comes to.
pub(crate) enum Verdict {
    /// Answered with the receipt of this index, once that is committed.
    Kept(usize),
    /// A "no" or a "nothing to do" of which nothing is kept. It may be the repeat of a command that succeeded.
    Unkept(Result<Answer, AskError>),
    /// A failure, whatever was done before.
    Failed(AskError),
}

enum One<A: Aggregate, R> {
    Applied { state: A::State, record: R, answer: Bytes },
    Nothing(Bytes),
    No(Refusal),
    Unwritable(String),
}

/// Decides the commands in order, each on the state that the one before it left.
///
/// A panic costs the command that caused it and nothing else, since its scratch copy goes with it.
pub(crate) fn decide_all<A: Aggregate, S: Store<A>>(
    inner: &Inner<A, S>,
    id: Uuid,
    base: &Loaded<A::State>,
    mail: &[Box<Envelope<A>>],
) -> Decided<A::State, S::Record> {
    let mut decided = Decided {
        state: None,
        version: base.version,
        organisation: base.organisation,
        records: Vec::new(),
        receipts: Vec::new(),
        verdicts: Vec::with_capacity(mail.len()),
    };
    for envelope in mail {
        let verdict = decided.next(inner, id, &base.state, &envelope.ask);
        decided.verdicts.push(verdict);
    }
    decided
}

impl<T, R> Decided<T, R> {
    fn next<A, S>(&mut self, inner: &Inner<A, S>, id: Uuid, base: &T, ask: &Ask<A>) -> Verdict
    where
        A: Aggregate<State = T>,
        S: Store<A, Record = R>,
    {
        if self.organisation.is_some_and(|organisation| organisation != ask.principal.organisation) {
            return Verdict::Failed(AskError::NotFound);
        }
        if ask.expected.is_some_and(|expected| expected != self.version) {
            return Verdict::Unkept(Err(AskError::EtagMismatch { current: self.version }));
        }
        let meta = StepMeta {
            aggregate_id: id,
            version: self.version.next(),
            command_id: ask.command_id,
            principal: ask.principal.clone(),
            cause: ask.cause.clone(),
            at: inner.clock.now(),
        };
        let before = self.state.as_ref().unwrap_or(base);
        let one = catch_unwind(AssertUnwindSafe(|| decide_one(inner, before, ask, &meta)));
        match one {
            Ok(One::Applied { state, record, answer }) => {
                self.state = Some(state);
                self.version = meta.version;
                self.organisation = Some(ask.principal.organisation);
                self.records.push(record);
                self.keep(id, ask, Outcome::Applied, answer)
            }
            Ok(One::Nothing(answer)) => match ask.lane {
                Lane::Event => self.keep(id, ask, Outcome::Nothing, answer),
                Lane::User => Verdict::Unkept(Ok(Answer {
                    version: self.version,
                    outcome: Outcome::Nothing,
                    bytes: answer,
                    replayed: false,
                })),
            },
            Ok(One::No(refusal)) => match ask.lane {
                Lane::Event => self.keep(id, ask, Outcome::Rejected(refusal.reason.to_owned()), Bytes::new()),
                Lane::User => Verdict::Unkept(Err(AskError::Refused(refusal))),
            },
            Ok(One::Unwritable(problem)) => {
                tracing::error!(kind = A::KIND, %id, problem, "a step cannot be written");
                Verdict::Failed(AskError::Internal(problem))
            }
            Err(_) => {
                metrics::counter!(metric::PANICS, "kind" => A::KIND).increment(1);
                tracing::error!(kind = A::KIND, %id, command = %ask.command_id, "a decision panicked");
                Verdict::Failed(AskError::Internal("the decision panicked".to_owned()))
            }
        }
    }

    fn keep<A: Aggregate>(&mut self, id: Uuid, ask: &Ask<A>, outcome: Outcome, answer: Bytes) -> Verdict {
        self.receipts.push(Receipt {
            command_id: ask.command_id,
            aggregate_id: id,
            fingerprint: ask.fingerprint,
            version: self.version,
            outcome,
            answer,
        });
        Verdict::Kept(self.receipts.len() - 1)
    }
}

fn decide_one<A: Aggregate, S: Store<A>>(
    inner: &Inner<A, S>,
    before: &A::State,
    ask: &Ask<A>,
    meta: &StepMeta,
) -> One<A, S::Record> {
    let context = DecisionContext {
        now: meta.at,
        principal: &meta.principal,
        cause: &meta.cause,
        command_id: meta.command_id,
        ids: &*inner.ids,
    };
    let events = match A::decide(before, &ask.command, &context) {
        Ok(events) => events,
        Err(rejection) => {
            tracing::debug!(kind = A::KIND, reason = rejection.reason(), "refused");
            return One::No(Refusal::from(&rejection));
        }
    };
    if events.is_empty() {
        let version = Version(meta.version.0 - 1);
        return One::Nothing((ask.answer)(before, &events, version));
    }
    let mut state = before.clone();
    for event in &events {
        A::evolve(&mut state, event);
    }
    match inner.store.record(&Step { before, after: &state, events: &events, meta }) {
        Ok(record) => {
            let answer = (ask.answer)(&state, &events, meta.version);
            One::Applied { state, record, answer }
        }
        Err(problem) => One::Unwritable(problem),
    }
}
