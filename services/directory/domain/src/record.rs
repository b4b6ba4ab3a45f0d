//! One mechanism for all simple records.

use std::marker::PhantomData;

use callboard_kernel::{Aggregate, DecisionContext, OrganisationId, Principal, Subject, Timestamp};
use uuid::Uuid;

use crate::entity::check_handing_out;
use crate::{Entity, Facts, Reference, Refused};

/// The aggregate of any simple record: made, edited, removed.
#[derive(Debug)]
pub struct Record<E>(PhantomData<E>);

/// A record that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<E> {
    /// Its own id.
    pub id: Uuid,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// What it says.
    pub value: E,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a record knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum State<E> {
    /// Not made yet.
    #[default]
    Absent,
    /// There.
    Kept(Kept<E>),
    /// Removed: a tombstone without personal data.
    Removed(Kept<E>),
}

impl<E> State<E> {
    /// The record, if it is there.
    pub const fn kept(&self) -> Option<&Kept<E>> {
        match self {
            Self::Kept(kept) => Some(kept),
            Self::Absent | Self::Removed(_) => None,
        }
    }
}

/// What is asked, with what was looked up for it.
#[derive(Debug, Clone)]
pub struct Command<E> {
    /// Of which record.
    pub id: Uuid,
    /// What.
    pub action: Action<E>,
    /// What was looked up.
    pub facts: Facts,
}

/// What can be asked of a record.
#[derive(Debug, Clone)]
pub enum Action<E> {
    /// Makes it.
    Create(E),
    /// Edits the named fields.
    Update {
        /// The new values; fields that are not named do not count.
        value: E,
        /// Names of fields, of [`Entity::FIELDS`].
        fields: Vec<&'static str>,
    },
    /// Removes it.
    Delete,
    /// Drops a reference to something that was removed. Asked by the system only.
    Forget(Reference),
}

/// What happens to a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<E> {
    /// It was made.
    Created(Kept<E>),
    /// It was edited.
    Changed {
        /// As it was.
        before: E,
        /// As it is.
        after: E,
        /// When.
        at: Timestamp,
    },
    /// It was removed.
    Removed {
        /// As it was.
        before: E,
        /// What stays.
        tombstone: E,
        /// When.
        at: Timestamp,
    },
}

impl<E: Entity> Record<E> {
    fn kept<'a>(state: &'a State<E>, principal: &Principal, facts: &Facts) -> Result<&'a Kept<E>, Refused> {
        state
            .kept()
            .filter(|kept| kept.organisation == principal.organisation)
            .filter(|kept| {
                kept.value.visible(kept.id, principal, facts.isolation)
                    || matches!(principal.subject, Subject::System)
            })
            .ok_or(Refused::NotFound(E::NOUN))
    }

    /// Whether the caller may create, edit and remove records of this kind at all (permission table).
    ///
    /// # Errors
    /// [`Refused::Denied`].
    pub fn authorise(principal: &Principal) -> Result<(), Refused> {
        if matches!(principal.subject, Subject::System) || principal.has_role(E::WRITERS) {
            return Ok(());
        }
        Err(Refused::Denied(match E::WRITERS {
            callboard_kernel::Role::Administrator => "for administrators",
            callboard_kernel::Role::Moderator => "for moderators and administrators",
            callboard_kernel::Role::Member => "for employees",
        }))
    }

    fn check(
        command: &Command<E>,
        before: Option<&E>,
        after: Option<&E>,
        principal: &Principal,
    ) -> Result<(), Refused> {
        if let Some(departments) = after.and_then(E::departments) {
            let none_sees_all = E::KIND == crate::Employee::KIND;
            let old = before.and_then(E::departments);
            check_handing_out(old, departments, none_sees_all, principal, command.facts.isolation)?;
        }
        E::check(command.id, before, after, principal, &command.facts)
    }
}

impl<E: Entity> Aggregate for Record<E> {
    const KIND: &'static str = E::KIND;
    type State = State<E>;
    type Command = Command<E>;
    type Event = Event<E>;
    type Rejection = Refused;

    fn decide(
        state: &State<E>,
        command: &Command<E>,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Event<E>>, Refused> {
        let principal = context.principal;
        Self::authorise(principal)?;
        let at = context.now;
        match &command.action {
            Action::Create(value) => {
                if !matches!(state, State::Absent) {
                    return Err(Refused::IdTaken);
                }
                Self::check(command, None, Some(value), principal)?;
                Ok(vec![Event::Created(Kept {
                    id: command.id,
                    organisation: principal.organisation,
                    value: value.clone(),
                    created_at: at,
                    updated_at: at,
                })])
            }
            Action::Update { value, fields } => {
                let before = &Self::kept(state, principal, &command.facts)?.value;
                let mut after = before.clone();
                for field in fields {
                    after.take(field, value);
                }
                Self::check(command, Some(before), Some(&after), principal)?;
                Ok(changed(before, after, at))
            }
            Action::Delete => {
                let before = &Self::kept(state, principal, &command.facts)?.value;
                Self::check(command, Some(before), None, principal)?;
                Ok(vec![Event::Removed { before: before.clone(), tombstone: before.tombstone(), at }])
            }
            Action::Forget(reference) => {
                if !matches!(principal.subject, Subject::System) {
                    return Err(Refused::Denied("for Callboard itself"));
                }
                let before = &Self::kept(state, principal, &command.facts)?.value;
                let mut after = before.clone();
                after.forget(reference);
                Ok(changed(before, after, at))
            }
        }
    }

    fn evolve(state: &mut State<E>, event: &Event<E>) {
        *state = match (std::mem::take(state), event) {
            (_, Event::Created(kept)) => State::Kept(kept.clone()),
            (State::Kept(kept), Event::Changed { after, at, .. }) => {
                State::Kept(Kept { value: after.clone(), updated_at: *at, ..kept })
            }
            (State::Kept(kept), Event::Removed { tombstone, at, .. }) => {
                State::Removed(Kept { value: tombstone.clone(), updated_at: *at, ..kept })
            }
            (state, Event::Changed { .. } | Event::Removed { .. }) => state,
        };
    }
}

fn changed<E: Entity>(before: &E, mut after: E, at: Timestamp) -> Vec<Event<E>> {
    if *before == after {
        return Vec::new();
    }
    E::settle(before, &mut after);
    vec![Event::Changed { before: before.clone(), after, at }]
}
