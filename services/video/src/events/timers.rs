//! It is time to look who is still in a call (V-4).

use callboard_bus::HandleError;
use callboard_journal::DueTimer;
use callboard_kernel::{Aggregate as _, Cause, Principal};
use callboard_service::reaction::give;
use callboard_video_domain::session::{Call, SessionCommand, SessionContent};
use callboard_video_domain::{Session, SessionId, StreamId};

use crate::api::Reads;
use crate::provider::Providers;
use crate::store::Room;
use crate::{Sessions, not_now};

/// The name of the one timer that a session with a running call has.
pub const CALL: &str = "call";

/// Fires the timers.
#[derive(Debug, Clone)]
pub struct TimerHandler {
    /// Sessions.
    pub sessions: Sessions,
    /// Sessions and switches.
    pub reads: Reads,
    /// Who know who is there.
    pub providers: Providers,
}

impl TimerHandler {
    /// Gives the command that a timer stands for. Its id is made of the timer and its due time, so that two replicas
    /// that wake at once give one command.
    ///
    /// # Errors
    /// "Not now", or a timer that makes no sense.
    pub async fn fire(&self, timer: DueTimer) -> Result<(), HandleError> {
        if timer.name != CALL || timer.kind != Session::KIND {
            return Err(HandleError::Poison(format!("timer {} of {} is not known", timer.name, timer.kind)));
        }
        let session: SessionId = timer.aggregate_id.into();
        let content = self.reads.queries.content(timer.organisation, session).await.map_err(not_now)?;
        let Some(content) = content else { return Ok(()) };
        let template = content.place.template;
        let around = self.reads.around_system(timer.organisation, template).await.map_err(not_now)?;
        let alive = match &content.call {
            Some(call) => self.alive(&timer, &content, call).await?,
            None => Vec::new(),
        };
        let (id, due) = (timer.command_id(), timer.due_at);
        let command = SessionCommand::Watch { due, alive, around };
        let principal = Principal::system(timer.organisation);
        give(&self.sessions, session.uuid(), command, id, principal, Cause::default()).await.map(|_| ())
    }

    /// The streams that stand, by what carries the call. Where the settings name that no more, nobody can be there.
    async fn alive(
        &self,
        timer: &DueTimer,
        content: &SessionContent,
        call: &Call,
    ) -> Result<Vec<StreamId>, HandleError> {
        let Some(provider) = self.providers.get(call.provider) else { return Ok(Vec::new()) };
        let (organisation, session) = (timer.organisation, timer.aggregate_id.into());
        provider.alive(Room { organisation, session, number: call.number }, content).await
    }
}
