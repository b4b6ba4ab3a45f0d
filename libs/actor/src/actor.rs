//! One aggregate in memory: takes what waits, decides, commits, answers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use callboard_kernel::{Aggregate, CommandId, ErrorKind, Refusal, Version};
use futures::FutureExt as _;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::decide::{Decided, Verdict, decide_all};
use crate::mailbox::Taken;
use crate::metric_names as metric;
use crate::recent::Recent;
use crate::registry::{Envelope, Inner, Shared, count};
use crate::{Answer, AskError, CommitError, Lane, Loaded, Outcome, Receipt, Store, StoreError, Unit};

type Mail<A> = Vec<Box<Envelope<A>>>;

/// A batch is decided once more after a conflict, then it is the callers' turn.
const MOST_CONFLICTS: u32 = 2;

/// Receipts are looked up again so often when a commit says that there are some. They cannot vanish meanwhile, except
/// by retention.
const MOST_REPLAYS: u32 = 3;

pub(crate) struct Actor<'a, A: Aggregate, S> {
    id: Uuid,
    shared: Arc<Shared<A>>,
    inner: &'a Inner<A, S>,
    /// What is committed, as far as known; `None`: read it first.
    resident: Option<Loaded<A::State>>,
    recent: Recent,
}

impl<'a, A: Aggregate, S: Store<A>> Actor<'a, A, S> {
    pub(crate) fn new(id: Uuid, shared: Arc<Shared<A>>, inner: &'a Inner<A, S>) -> Self {
        Self { id, shared, inner, resident: None, recent: Recent::default() }
    }

    /// Works until there was nothing to do for long, or until the registry says so.
    pub(crate) async fn run(mut self) {
        loop {
            match self.shared.mailbox.take(self.inner.options.batch.max(1)) {
                Taken::Some(mail) => {
                    if self.shared.forget.swap(false, Ordering::AcqRel) {
                        self.resident = None;
                    }
                    if AssertUnwindSafe(self.process(mail)).catch_unwind().await.is_err() {
                        metrics::counter!(metric::PANICS, "kind" => A::KIND).increment(1);
                        tracing::error!(kind = A::KIND, id = %self.id, "an actor panicked; its state is read again");
                        self.resident = None;
                    }
                    self.shared.mailbox.done();
                }
                Taken::Nothing => {
                    let idled =
                        timeout(self.inner.options.idle, self.shared.mailbox.changed()).await.is_err();
                    if idled && self.inner.retire(self.id, &self.shared, true) {
                        return;
                    }
                }
                Taken::Drained => {
                    if self.inner.retire(self.id, &self.shared, false) {
                        return;
                    }
                }
                Taken::Closed => return,
            }
        }
    }

    /// Carries out what was taken. Of commands with the same id the first goes first and the others get its receipt;
    /// commands that could not be written together are written one by one.
    async fn process(&mut self, mail: Mail<A>) {
        let mut rounds = VecDeque::from([mail]);
        while let Some(mail) = rounds.pop_front() {
            let mut seen = HashSet::with_capacity(mail.len());
            let (now, later): (Mail<A>, Mail<A>) =
                mail.into_iter().partition(|envelope| seen.insert(envelope.ask.command_id));
            let singly = self.round(now).await;
            if !later.is_empty() {
                rounds.push_front(later);
            }
            for envelope in singly.into_iter().rev() {
                rounds.push_front(vec![envelope]);
            }
        }
    }

    /// Carries out commands with different ids as one unit. Gives back those to be tried one by one.
    async fn round(&mut self, mut mail: Mail<A>) -> Mail<A> {
        let mut known: HashMap<CommandId, Receipt> = HashMap::new();
        // True once the state was read, or found to be the latest, during this round.
        let mut fresh = false;
        let (mut conflicts, mut replays) = (0, 0);
        loop {
            mail = self.answer_known(skip_dead(mail), &known);
            if mail.is_empty() {
                return mail;
            }
            // A command that can only create is decided on nothing; the commit tells if there is something.
            let creates = self.resident.is_none() && conflicts == 0 && mail.iter().all(|one| one.ask.creates);
            if self.resident.is_none() && !creates {
                match self.load().await {
                    Ok(loaded) => self.resident = Some(loaded),
                    Err(error) => return answer_all(mail, &error),
                }
                fresh = true;
                mail = skip_dead(mail);
            }
            let nothing;
            let base = match &self.resident {
                Some(resident) => resident,
                None => {
                    nothing =
                        Loaded { state: A::State::default(), version: Version::NONE, organisation: None };
                    &nothing
                }
            };
            let began = Instant::now();
            let decided = decide_all(self.inner, self.id, base, &mail);
            metrics::histogram!(metric::BATCH_SIZE, "kind" => A::KIND).record(count(mail.len()));
            metrics::histogram!(metric::DECIDE_SECONDS, "kind" => A::KIND)
                .record(began.elapsed().as_secs_f64());

            // A "no" may be the repeat of a command that succeeded, or decided on a state long changed elsewhere.
            // Receipts first: if the version is still the same after that, nobody carried it out in between.
            let doubtful = decided.unkept(&mail);
            if !doubtful.is_empty() {
                match self.inner.store.receipts(&doubtful).await {
                    Ok(found) if found.is_empty() => {}
                    Ok(found) => {
                        known.extend(found.into_iter().map(|receipt| (receipt.command_id, receipt)));
                        continue;
                    }
                    Err(error) => return answer_all(mail, &store_failed::<A>(self.id, &error)),
                }
                if !fresh && !creates {
                    match self.inner.store.version(self.id).await {
                        Ok(version) if version == base.version => fresh = true,
                        Ok(_) => {
                            self.resident = None;
                            continue;
                        }
                        Err(error) => return answer_all(mail, &store_failed::<A>(self.id, &error)),
                    }
                }
            }
            if decided.receipts.is_empty() {
                decided.answer(mail);
                return Vec::new();
            }

            let Decided { state, version, organisation, records, receipts, verdicts } = decided;
            let unit = Unit {
                aggregate_id: self.id,
                // Steps make it known; receipts alone of nothing belong to who asked.
                organisation: organisation.unwrap_or(mail[0].ask.principal.organisation),
                expected: base.version,
                version,
                records,
                receipts: receipts.clone(),
            };
            let erases = unit.records.iter().any(|record| self.inner.store.erases(record));
            let began = Instant::now();
            let outcome = self.inner.store.commit(unit).await;
            metrics::histogram!(metric::COMMIT_SECONDS, "kind" => A::KIND)
                .record(began.elapsed().as_secs_f64());
            match outcome {
                Ok(()) => {
                    if let Some(state) = state {
                        self.resident = Some(Loaded { state, version, organisation });
                    }
                    answer(mail, verdicts, &receipts);
                    if erases {
                        self.recent = Recent::default();
                    } else {
                        receipts.into_iter().for_each(|receipt| self.recent.put(receipt));
                    }
                    return Vec::new();
                }
                Err(CommitError::Conflict) => {
                    metrics::counter!(metric::CONFLICTS, "kind" => A::KIND).increment(1);
                    self.resident = None;
                    conflicts += 1;
                    if conflicts >= MOST_CONFLICTS {
                        return answer_all(mail, &AskError::Conflict);
                    }
                }
                Err(CommitError::Replayed(ids)) => {
                    replays += 1;
                    match self.inner.store.receipts(&ids).await {
                        Ok(found) if !found.is_empty() && replays <= MOST_REPLAYS => {
                            known.extend(found.into_iter().map(|receipt| (receipt.command_id, receipt)));
                        }
                        Ok(_) => {
                            self.resident = None;
                            return answer_all(mail, &AskError::Conflict);
                        }
                        Err(error) => return answer_all(mail, &store_failed::<A>(self.id, &error)),
                    }
                }
                Err(CommitError::Refused(_)) if mail.len() > 1 => return mail,
                Err(CommitError::Refused(problem)) => {
                    tracing::error!(kind = A::KIND, id = %self.id, problem, "a command cannot be committed");
                    return answer_all(mail, &AskError::Internal(problem));
                }
                Err(CommitError::Unknown(problem)) => {
                    tracing::warn!(kind = A::KIND, id = %self.id, problem, "a commit of unknown outcome");
                    self.resident = None;
                    let ids: Vec<CommandId> = receipts.iter().map(|receipt| receipt.command_id).collect();
                    // What is kept is the answer, whoever wrote it: this unit, or an earlier try in another process,
                    // on which this one may have decided otherwise.
                    if let Ok(found) = self.inner.store.receipts(&ids).await {
                        known.extend(found.into_iter().map(|receipt| (receipt.command_id, receipt)));
                    }
                    let unknown = self.answer_known(mail, &known);
                    answer_all(unknown, &AskError::Unavailable(problem));
                    return Vec::new();
                }
            }
        }
    }

    async fn load(&self) -> Result<Loaded<A::State>, AskError> {
        let _turn = self.inner.loads.acquire().await.map_err(|_| AskError::Stopping)?;
        let began = Instant::now();
        let loaded = self.inner.store.load(self.id).await;
        metrics::histogram!(metric::LOAD_SECONDS, "kind" => A::KIND).record(began.elapsed().as_secs_f64());
        loaded.map_err(|error| store_failed::<A>(self.id, &error))
    }

    /// Answers commands that are known to have been carried out and gives back the others.
    fn answer_known(&self, mail: Mail<A>, known: &HashMap<CommandId, Receipt>) -> Mail<A> {
        let mut others = Vec::with_capacity(mail.len());
        for envelope in mail {
            let id = envelope.ask.command_id;
            match known.get(&id).or_else(|| self.recent.get(id)) {
                Some(receipt) => {
                    metrics::counter!(metric::REPLAYED, "kind" => A::KIND).increment(1);
                    if envelope.ask.lane == Lane::Event {
                        metrics::counter!(metric::INBOX_DUPLICATES, "kind" => A::KIND).increment(1);
                    }
                    let answer = self.repeat(&envelope, receipt);
                    envelope.answer(answer);
                }
                None => others.push(envelope),
            }
        }
        others
    }

    fn repeat(&self, envelope: &Envelope<A>, receipt: &Receipt) -> Result<Answer, AskError> {
        if receipt.aggregate_id != self.id || receipt.fingerprint != envelope.ask.fingerprint {
            return Err(AskError::RequestIdReused);
        }
        match (&receipt.outcome, envelope.ask.lane) {
            // A reaction's "no", asked again by hand.
            (Outcome::Rejected(reason), Lane::User) => {
                let refusal = Refusal::new(ErrorKind::FailedPrecondition, "REJECTED_BEFORE", reason);
                Err(AskError::Refused(refusal))
            }
            (Outcome::Erased, Lane::User) => Err(AskError::NotFound),
            (Outcome::Applied | Outcome::Nothing, _)
            | (Outcome::Rejected(_) | Outcome::Erased, Lane::Event) => Ok(Answer::of(receipt, true)),
        }
    }
}

impl<A: Aggregate> Envelope<A> {
    fn answer(self, outcome: Result<Answer, AskError>) {
        // Nobody may wait any more.
        let _ = self.reply.send(outcome);
    }
}

impl<T, R> Decided<T, R> {
    /// Commands of which nothing is kept.
    fn unkept<A: Aggregate>(&self, mail: &Mail<A>) -> Vec<CommandId> {
        let pairs = mail.iter().zip(&self.verdicts);
        pairs
            .filter(|(_, verdict)| matches!(verdict, Verdict::Unkept(_)))
            .map(|(envelope, _)| envelope.ask.command_id)
            .collect()
    }

    fn answer<A: Aggregate>(self, mail: Mail<A>) {
        answer(mail, self.verdicts, &self.receipts);
    }
}

fn answer<A: Aggregate>(mail: Mail<A>, verdicts: Vec<Verdict>, receipts: &[Receipt]) {
    for (envelope, verdict) in mail.into_iter().zip(verdicts) {
        envelope.answer(match verdict {
            Verdict::Kept(index) => Ok(Answer::of(&receipts[index], false)),
            Verdict::Unkept(outcome) => outcome,
            Verdict::Failed(error) => Err(error),
        });
    }
}

fn answer_all<A: Aggregate>(mail: Mail<A>, error: &AskError) -> Mail<A> {
    for envelope in mail {
        envelope.answer(Err(error.clone()));
    }
    Vec::new()
}

/// Lets go of commands for which nobody waits any more.
fn skip_dead<A: Aggregate>(mail: Mail<A>) -> Mail<A> {
    let now = Instant::now().into_std();
    let mut alive = Vec::with_capacity(mail.len());
    for envelope in mail {
        if envelope.reply.is_closed() {
            metrics::counter!(metric::SKIPPED, "kind" => A::KIND, "why" => "abandoned").increment(1);
        } else if now >= envelope.ask.deadline {
            metrics::counter!(metric::SKIPPED, "kind" => A::KIND, "why" => "expired").increment(1);
            envelope.answer(Err(AskError::DeadlineExceeded));
        } else {
            alive.push(envelope);
        }
    }
    alive
}

fn store_failed<A: Aggregate>(id: Uuid, error: &StoreError) -> AskError {
    match error {
        StoreError::Unavailable(problem) => AskError::Unavailable(problem.clone()),
        StoreError::Corrupt(problem) => {
            tracing::error!(kind = A::KIND, %id, problem, "an aggregate cannot be read");
            AskError::Internal(problem.clone())
        }
    }
}
