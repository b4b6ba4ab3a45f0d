//! Whether ratings are asked for, per template.

use callboard_kernel::{Aggregate, DecisionContext, ErrorKind, Rejection, Timestamp};

/// The switches of one template; off until somebody switches them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// Whether tickets are rated.
    pub tickets: bool,
    /// Whether video sessions are rated.
    pub video_sessions: bool,
}

/// A change of switches. Kept, because the switch at the moment of DONE counts, and news of a DONE may come
/// after a later change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// From when on.
    pub at: Timestamp,
    /// What holds from then on.
    pub switches: Switches,
}

/// One template's switches. Its id is the template's.
#[derive(Debug)]
pub struct SwitchSet;

/// What a [`SwitchSet`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SwitchSetState {
    /// Now.
    pub switches: Switches,
    /// How many changes there were; numbers the next one.
    pub changes: u32,
}

/// What can be asked of a [`SwitchSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchSetCommand {
    /// Sets both switches. Moderators and administrators.
    Set(Switches),
}

/// What can happen to a [`SwitchSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchSetEvent {
    /// The switches changed.
    Changed {
        /// Which change it is: 1, 2, 3 …
        number: u32,
        /// What and when.
        change: Change,
        /// Before.
        previous: Switches,
    },
}

/// How a [`SwitchSet`] says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SwitchSetRejection {
    /// Neither moderator nor administrator.
    #[error("switching ratings is for moderators and administrators")]
    Denied,
}

impl Rejection for SwitchSetRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied => ErrorKind::PermissionDenied,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Denied => "PERMISSION_DENIED",
        }
    }
}

impl Aggregate for SwitchSet {
    const KIND: &'static str = "switch_set";
    type State = SwitchSetState;
    type Command = SwitchSetCommand;
    type Event = SwitchSetEvent;
    type Rejection = SwitchSetRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let SwitchSetCommand::Set(switches) = *command;
        if !context.principal.is_moderator() {
            return Err(SwitchSetRejection::Denied);
        }
        if switches == state.switches {
            return Ok(Vec::new());
        }
        Ok(vec![SwitchSetEvent::Changed {
            number: state.changes + 1,
            change: Change { at: context.now, switches },
            previous: state.switches,
        }])
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        let SwitchSetEvent::Changed { number, change, .. } = event;
        state.switches = change.switches;
        state.changes = *number;
    }
}

#[cfg(test)]
mod tests {
    use callboard_kernel::{Cause, CommandId, Employee, Language, Principal, RandomIds, Role, Subject};
    use uuid::Uuid;

    use super::*;

    fn ask(
        state: &SwitchSetState,
        role: Role,
        switches: Switches,
    ) -> Result<Vec<SwitchSetEvent>, SwitchSetRejection> {
        let subject =
            Subject::Employee(Employee { id: Uuid::from_u128(1).into(), role, departments: Vec::new() });
        let principal = Principal { organisation: Uuid::nil().into(), subject, language: Language::En };
        let context = DecisionContext {
            now: Timestamp::from_timestamp(1_800_000_000, 0).expect("a moment"),
            principal: &principal,
            cause: &Cause::default(),
            command_id: CommandId(Uuid::nil()),
            ids: &RandomIds,
        };
        SwitchSet::decide(state, &SwitchSetCommand::Set(switches), &context)
    }

    #[test]
    fn r_2_switches_are_off_until_a_moderator_switches_them_on_separately() {
        let mut state = SwitchSetState::default();
        assert_eq!(state.switches, Switches { tickets: false, video_sessions: false });
        let on = Switches { tickets: true, video_sessions: false };
        assert_eq!(ask(&state, Role::Member, on), Err(SwitchSetRejection::Denied));
        let events = ask(&state, Role::Moderator, on).expect("switched");
        SwitchSet::evolve(&mut state, &events[0]);
        assert_eq!(state.switches, on);
        assert_eq!(ask(&state, Role::Administrator, on), Ok(vec![]));
    }
}
