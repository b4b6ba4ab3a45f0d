//! What a kind of record says about itself.

use std::fmt::Debug;

use callboard_kernel::{DepartmentId, Isolation, Principal, Role};
use uuid::Uuid;

use crate::{MetaTeamId, Refused, TeamId};

/// What a decision needs to know of other records. Looked up just before; the database guards the same rules against
/// whoever was faster in between (see `migrations`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// The organisation's isolation.
    pub isolation: Isolation,
    /// What forbids removal, in the plural: `devices`.
    pub used_by: Option<&'static str>,
    /// True when no *other* employee is an administrator.
    pub no_other_administrator: bool,
    /// True when a customer has logins.
    pub has_users: bool,
}

/// Something that was removed, and that records may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A local team.
    Team(TeamId),
    /// A set of local teams.
    MetaTeam(MetaTeamId),
    /// A meta team no longer has other teams than these.
    ServingTeams(MetaTeamId, Vec<TeamId>),
}

/// A kind of simple record. `Default` is the tombstone of one that was removed: it keeps no personal data.
pub trait Entity: Clone + Default + PartialEq + Debug + Send + Sync + 'static {
    /// Stable name, lower case: `meta_team`.
    const KIND: &'static str;
    /// For people: `meta team`.
    const NOUN: &'static str;
    /// Fields that an update mask may name.
    const FIELDS: &'static [&'static str];
    /// The least role that may create, edit and remove.
    const WRITERS: Role;

    /// Takes one field of [`Self::FIELDS`] over from another value.
    fn take(&mut self, field: &str, from: &Self);

    /// Departments, for kinds that have them.
    fn departments(&self) -> Option<&[DepartmentId]> {
        None
    }

    /// Whether the caller may see this one. Roles are checked elsewhere.
    fn visible(&self, _id: Uuid, _principal: &Principal, _isolation: Isolation) -> bool {
        true
    }

    /// Rules of the kind. Before `None`: it is being created; after `None`: removed.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn check(
        _id: Uuid,
        _before: Option<&Self>,
        _after: Option<&Self>,
        _principal: &Principal,
        _facts: &Facts,
    ) -> Result<(), Refused> {
        Ok(())
    }

    /// Raises what has to rise with a change.
    fn settle(_before: &Self, _after: &mut Self) {}

    /// What is kept of it when it is removed.
    fn tombstone(&self) -> Self {
        Self::default()
    }

    /// Drops a reference to something that was removed.
    fn forget(&mut self, _reference: &Reference) {}
}

/// With isolation on, one hands out only one's own departments: whoever has departments may add and take away those
/// only, and may not leave a person without any, since that person would see everything.
///
/// # Errors
/// [`Refused::ForeignDepartment`].
pub(crate) fn check_handing_out(
    before: Option<&[DepartmentId]>,
    after: &[DepartmentId],
    none_sees_all: bool,
    principal: &Principal,
    isolation: Isolation,
) -> Result<(), Refused> {
    let own = principal.employee().map_or(&[][..], |employee| &employee.departments);
    if isolation == Isolation::Off || own.is_empty() {
        return Ok(());
    }
    let old = before.unwrap_or_default();
    let differs =
        |a: &[DepartmentId], b: &[DepartmentId]| a.iter().any(|id| !b.contains(id) && !own.contains(id));
    let changed = before.is_none() || old.len() != after.len() || old.iter().any(|id| !after.contains(id));
    if changed && (differs(after, old) || differs(old, after) || (none_sees_all && after.is_empty())) {
        return Err(Refused::ForeignDepartment);
    }
    Ok(())
}
