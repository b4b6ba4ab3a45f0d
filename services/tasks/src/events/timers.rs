//! What happens when a due time comes (K-3).

use callboard_bus::HandleError;
use callboard_journal::DueTimer;
use callboard_kernel::{Aggregate as _, Cause, Principal};
use callboard_service::reaction::give;
use callboard_tasks_domain::device_event::DeviceEventCommand;
use callboard_tasks_domain::task::TaskCommand;
use callboard_tasks_domain::{DeviceEvent, Task};

use crate::Actors;

/// The name of the one timer that a device event and a task has.
pub const DUE: &str = "due";

/// Fires the timers.
#[derive(Debug, Clone)]
pub struct TimerHandler {
    /// Device events and tasks.
    pub actors: Actors,
}

impl TimerHandler {
    /// Gives the command that a timer stands for. Its id is made of the timer and its due time, so that two replicas
    /// that wake at once give one command.
    ///
    /// # Errors
    /// "Not now", or a timer that makes no sense.
    pub async fn fire(&self, timer: DueTimer) -> Result<(), HandleError> {
        let (id, due) = (timer.command_id(), timer.due_at);
        let principal = Principal::system(timer.organisation);
        let target = timer.aggregate_id;
        let cause = Cause::default();
        if timer.name != DUE {
            return Err(HandleError::Poison(format!("timer {} is not known", timer.name)));
        }
        if timer.kind == DeviceEvent::KIND {
            let command = DeviceEventCommand::Fall { due };
            give(&self.actors.device_events, target, command, id, principal, cause).await.map(|_| ())
        } else if timer.kind == Task::KIND {
            let command = TaskCommand::FallDue { due };
            give(&self.actors.tasks, target, command, id, principal, cause).await.map(|_| ())
        } else {
            Err(HandleError::Poison(format!("a timer of {} is not known", timer.kind)))
        }
    }
}
