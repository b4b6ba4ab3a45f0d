//! One browser's exchange of signals: says what it says to the other side, hears what that says, and how the call stands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_kernel::{
    Actor, Cause, CodeUser, CommandId, CustomerUser, Employee, ErrorKind, Language, Principal, Refusal, Role,
    Subject, derive_uuid,
};
use callboard_proto::video::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::reaction::give;
use callboard_video_domain::session::{Act, SessionCommand, SessionContent};
use callboard_video_domain::{Side, StreamId};
use futures::StreamExt;
use proto::signal_request::Signal as Said;
use proto::signal_response::Signal as Told;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::hub::{Inner, SaidStream};
use super::whisper::Whisper;
use crate::token::{Speaker, refused};

/// How often it is said that the exchange stands: thrice before it is thought to be gone.
const BEAT: Duration = Duration::from_secs(10);
/// How often it is checked that the token still counts.
const CHECK: Duration = Duration::from_secs(1);
/// How long a browser may take to hear something.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a browser may say within [`WINDOW`]: more is no negotiation.
const MOST: u32 = 400;
const WINDOW: Duration = Duration::from_secs(10);

const MAX_SDP: usize = 64 * 1024;
const MAX_CANDIDATE: usize = 2 * 1024;
const MAX_WORD: usize = 256;

/// What an exchange hears.
#[derive(Debug)]
pub enum Heard {
    /// From the other side.
    Signal(Box<proto::SignalResponse>),
    /// Something was committed.
    Look,
}

/// One exchange.
pub struct Exchange {
    calls: Arc<Inner>,
    speaker: Speaker,
    side: Side,
    stream: StreamId,
    heard: mpsc::Receiver<Heard>,
    tells: mpsc::Sender<Result<proto::SignalResponse, Refusal>>,
    told: Option<proto::SignalState>,
    window: (Instant, u32),
    /// Something could not be kept: with the next beat that can it is looked whether this was missed.
    is_behind: bool,
}

/// Whether it goes on.
type Goes = Result<(), ()>;

impl Exchange {
    pub fn new(
        calls: Arc<Inner>,
        speaker: Speaker,
        side: Side,
        stream: StreamId,
        heard: mpsc::Receiver<Heard>,
        tells: mpsc::Sender<Result<proto::SignalResponse, Refusal>>,
    ) -> Self {
        let window = (Instant::now(), 0);
        Self { calls, speaker, side, stream, heard, tells, told: None, window, is_behind: false }
    }

    /// Says that somebody is there.
    ///
    /// # Errors
    /// When it cannot be kept now: to be tried again.
    pub async fn appear(&self) -> Result<(), Refusal> {
        self.appear_as("appear").await
    }

    async fn appear_as(&self, what: &str) -> Result<(), Refusal> {
        let calls = &self.calls;
        calls.streams.seen(self.speaker.session, self.stream).await.map_err(refusal)?;
        let (connection, stream) = (self.speaker.connection, self.stream);
        let command = SessionCommand::Appear { connection, stream, timing: calls.reads.timing };
        self.give(command, what).await
    }

    async fn give(&self, command: SessionCommand, what: &str) -> Result<(), Refusal> {
        let id: CommandId = derive_uuid(self.stream.uuid(), &[what.as_bytes()]).into();
        let principal = Principal::system(self.speaker.organisation);
        let target = self.speaker.session.uuid();
        let given = give(&self.calls.sessions, target, command, id, principal, Cause::default()).await;
        given.map(drop).map_err(|error| {
            tracing::warn!(?error, what, "who is in a call could not be kept");
            Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", "try again")
        })
    }

    /// Runs until either side, the call or this process ends it.
    pub async fn run(mut self, said: SaidStream) {
        self.talk(said).await;
        let (session, stream) = (self.speaker.session, self.stream);
        self.calls.leave(session, stream);
        metrics::gauge!("callboard_video_exchanges").decrement(1.0);
        if let Err(error) = self.calls.streams.gone(stream).await {
            tracing::debug!(%error, "an exchange is left to be swept");
        }
        let connection = self.speaker.connection;
        let command = SessionCommand::Vanish { connection, stream, timing: self.calls.reads.timing };
        // Where it cannot be kept, it is found out when the call is looked at (V-4).
        let _ = self.give(command, "vanish").await;
    }

    async fn talk(&mut self, mut said: SaidStream) {
        let stop = self.calls.stop.clone();
        let tells = self.tells.clone();
        let mut beat = interval(BEAT);
        let mut check = interval(CHECK);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut goes = self.look().await;
        while goes.is_ok() {
            goes = tokio::select! {
                () = stop.cancelled() => self.end(proto::SignalEnding::GoingAway).await,
                () = tells.closed() => Err(()),
                next = said.next() => match next.flatten() {
                    Some(next) => self.say(next).await,
                    None => Err(()),
                },
                heard = self.heard.recv() => match heard {
                    Some(Heard::Signal(signal)) => self.tell(Ok(*signal)).await,
                    Some(Heard::Look) => self.look().await,
                    // Too slow.
                    None => self.end(proto::SignalEnding::GoingAway).await,
                },
                _ = beat.tick() => self.beat().await,
                _ = check.tick() => self.check().await,
            };
        }
    }

    /// Says that it stands.
    async fn beat(&mut self) -> Goes {
        match self.calls.streams.seen(self.speaker.session, self.stream).await {
            Ok(()) if std::mem::take(&mut self.is_behind) => self.look().await,
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "an exchange could not be said to stand");
                self.is_behind = true;
                Ok(())
            }
        }
    }

    async fn tell(&self, item: Result<proto::SignalResponse, Refusal>) -> Goes {
        self.tells.send_timeout(item, PATIENCE).await.map_err(drop)
    }

    async fn told(&self, signal: Told) -> Goes {
        self.tell(Ok(proto::SignalResponse { signal: Some(signal) })).await
    }

    async fn end(&self, ending: proto::SignalEnding) -> Goes {
        let _ = self.told(Told::Ended(proto::SignalEnded { ending: ending.into() })).await;
        Err(())
    }

    async fn refuse(&self, refusal: Refusal) -> Goes {
        let _ = self.tell(Err(refusal)).await;
        Err(())
    }

    /// Whether the person's sessions go on (D-3).
    async fn check(&self) -> Goes {
        if self.speaker.counts(self.calls.clock.now(), &self.calls.revocations) {
            Ok(())
        } else {
            self.refuse(refused()).await
        }
    }

    async fn content(&self) -> Result<Option<SessionContent>, Refusal> {
        let (organisation, session) = (self.speaker.organisation, self.speaker.session);
        self.calls.reads.queries.content(organisation, session).await.map_err(refusal)
    }

    /// How the call stands.
    async fn look(&mut self) -> Goes {
        let content = match self.content().await {
            Ok(content) => content,
            Err(refusal) => return self.refuse(refusal).await,
        };
        let Some(content) = content else { return self.end(proto::SignalEnding::CallEnded).await };
        let Some(call) = &content.call else { return self.end(proto::SignalEnding::CallEnded).await };
        let own = call.party(self.side);
        // A later exchange of the same connection is the same browser: this one was left behind.
        let is_own = own.is_some_and(|own| {
            own.connection == self.speaker.connection && own.stream.is_none_or(|stream| stream == self.stream)
        });
        if !is_own {
            return self.end(proto::SignalEnding::Replaced).await;
        }
        // Taken for gone while nobody could write down that it stands: of each time that this was found, once more.
        if own.is_some_and(|own| own.stream.is_none()) {
            let what = format!("appear {}", call.watch_at.timestamp_micros());
            self.is_behind |= self.appear_as(&what).await.is_err();
        }
        let peer = call.party(self.side.other());
        let state = proto::SignalState {
            peer_present: call.is_present(self.side.other()),
            peer_connection_id: peer.map(|peer| peer.connection.to_string()).unwrap_or_default(),
            own_consent: content.consents(self.side),
            peer_consent: content.consents(self.side.other()),
            recording: content.recording,
        };
        if self.told.as_ref() == Some(&state) {
            return Ok(());
        }
        self.told = Some(state.clone());
        self.told(Told::State(state)).await
    }

    /// What the browser says.
    async fn say(&mut self, said: proto::SignalRequest) -> Goes {
        let now = Instant::now();
        if now - self.window.0 > WINDOW {
            self.window = (now, 0);
        }
        self.window.1 += 1;
        if self.window.1 > MOST {
            let message = "too many signals";
            let refusal = Refusal::new(ErrorKind::ResourceExhausted, "TOO_MANY_SIGNALS", message);
            return self.refuse(refusal).await;
        }
        match said.signal {
            Some(Said::Description(description)) => {
                let is_known = ["offer", "answer", "pranswer", "rollback"].contains(&&*description.r#type);
                let is_too_long = description.sdp.len() > MAX_SDP || description.answers.len() > MAX_WORD;
                if !is_known || is_too_long {
                    let rule =
                        "an offer or an answer of at most 64 KiB, and at most 256 bytes of what it answers";
                    return self.refuse(Refusal::field("description", rule)).await;
                }
                self.pass_on(Told::Description(description));
                Ok(())
            }
            Some(Said::Candidate(candidate)) => {
                let words = [&candidate.sdp_mid, &candidate.username_fragment];
                if candidate.candidate.len() > MAX_CANDIDATE || words.iter().any(|word| word.len() > MAX_WORD)
                {
                    return self.refuse(Refusal::field("candidate", "at most 2 KiB")).await;
                }
                self.pass_on(Told::Candidate(candidate));
                Ok(())
            }
            Some(Said::Screenshot(screenshot)) => {
                self.pass_on(Told::Screenshot(screenshot));
                Ok(())
            }
            Some(Said::Consent(consent)) => self.act(Act::Consent(consent.given)).await,
            Some(Said::Recording(recording)) => self.act(Act::Record(recording.running)).await,
            Some(Said::HangUp(_)) => self.act(Act::End).await,
            Some(Said::Hello(_)) | None => {
                self.refuse(Refusal::field("signal", "is not known, or was said before")).await
            }
        }
    }

    fn pass_on(&self, signal: Told) {
        self.calls.tell(Whisper {
            organisation: self.speaker.organisation,
            session: self.speaker.session,
            to: self.side.other(),
            signal: proto::SignalResponse { signal: Some(signal) },
        });
    }

    /// Does what the browser's person asks; what comes of it is heard with the next look.
    async fn act(&self, act: Act) -> Goes {
        match self.done(act).await {
            Ok(()) => Ok(()),
            Err(refusal) => {
                let reason = refusal.reason.to_owned();
                self.told(Told::Refused(proto::SignalRefused { reason })).await
            }
        }
    }

    async fn done(&self, act: Act) -> Result<(), Refusal> {
        let calls = &self.calls;
        let gone = || Refusal::new(ErrorKind::FailedPrecondition, "NO_CALL", "the call is over");
        let content = self.content().await?.ok_or_else(gone)?;
        let principal = self.person(&content).ok_or_else(gone)?;
        let template = content.place.template;
        let around = calls.reads.around_system(self.speaker.organisation, template).await.map_err(refusal)?;
        let id = calls.ids.next().into();
        let mutation = Mutation::once(Arc::new(principal), id, Instant::now() + PATIENCE);
        let command = SessionCommand::Act { act, around };
        let answer = |_: &_, _: &[_], _| proto::Session::default();
        mutation.ask(&calls.sessions, self.speaker.session.uuid(), command, answer).await.map(drop)
    }

    /// Who is in the call by this connection: as much of them as a decision about a person in the call asks for, which is
    /// who they are and not which role they have.
    fn person(&self, content: &SessionContent) -> Option<Principal> {
        let party = content.call.as_ref()?.party(self.side)?;
        if party.connection != self.speaker.connection {
            return None;
        }
        let subject = match party.who {
            Actor::Employee(id) => {
                Subject::Employee(Employee { id, role: Role::Member, departments: Vec::new() })
            }
            Actor::CodeUser(session) => Subject::CodeUser(CodeUser {
                session,
                code: uuid::Uuid::nil().into(),
                device: content.device,
            }),
            Actor::CustomerUser(id) => {
                let customer = content.place.customer.unwrap_or_else(|| uuid::Uuid::nil().into());
                Subject::CustomerUser(CustomerUser { id, customer })
            }
            Actor::System => return None,
        };
        Some(Principal { organisation: self.speaker.organisation, subject, language: Language::En })
    }
}
