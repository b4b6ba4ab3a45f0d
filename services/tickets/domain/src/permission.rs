//! The permission table of domain.md, as far as it speaks of tickets.

use callboard_kernel::{Employee, Principal, Subject};

use crate::{Rejection, Status, Ticket, Visibility};

/// What somebody wants to do with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See the ticket at all.
    See,
    /// See internal updates and the timeline.
    SeeInternal,
    /// Post a public update.
    PostPublicUpdate,
    /// Post an internal update.
    PostInternalUpdate,
    /// Set a status by hand (T-7).
    ChangeStatus,
    /// Make it internal or public (T-13).
    ChangeVisibility,
    /// Set the priority.
    ChangePriority,
    /// Edit title and description. The table is silent; it goes with status, visibility and priority.
    EditText,
    /// Cancel it (T-10).
    Cancel,
    /// Reopen it (T-9).
    Reopen,
    /// Answer, edit and submit a draft. The table is silent; a draft is its author's (T-2).
    FillDraft,
    /// Delete it for good, or a draft (T-11).
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::See,
        Self::SeeInternal,
        Self::PostPublicUpdate,
        Self::PostInternalUpdate,
        Self::ChangeStatus,
        Self::ChangeVisibility,
        Self::ChangePriority,
        Self::EditText,
        Self::Cancel,
        Self::Reopen,
        Self::FillDraft,
        Self::Delete,
    ];
}

/// Whether somebody sees a ticket, as far as ticket and caller tell. Department isolation and the company that owns a
/// device now are judged before, from the read copies.
///
/// A customer user sees the public tickets on the own company's devices, except those that opened while the device
/// belonged to another company: a device may be sold, its former owner's reports are not.
pub fn is_visible(principal: &Principal, ticket: &Ticket) -> bool {
    if principal.organisation != ticket.organisation {
        return false;
    }
    let sees_draft = ticket.status != Status::Draft || ticket.creator == principal.actor();
    match &principal.subject {
        Subject::Employee(_) => sees_draft || principal.is_moderator(),
        Subject::CodeUser(user) => {
            sees_draft && ticket.visibility == Visibility::Public && ticket.device == user.device
        }
        Subject::CustomerUser(user) => {
            sees_draft
                && ticket.visibility == Visibility::Public
                && ticket.place.customer.is_none_or(|customer| customer == user.customer)
        }
        Subject::System => true,
    }
}

/// Whether somebody may do something with a ticket now: the permission table.
///
/// # Errors
/// [`Rejection::NotFound`] when the caller may not even see it, [`Rejection::Denied`] when the table says no,
/// [`Rejection::Locked`] or [`Rejection::NotOpen`] when it says no to people from outside in this status,
/// [`Rejection::IsDraft`] and [`Rejection::NotDraft`] when the action is not one for its status at all.
pub fn can(principal: &Principal, action: Action, ticket: &Ticket) -> Result<(), Rejection> {
    if !is_visible(principal, ticket) {
        return Err(Rejection::NotFound);
    }
    let is_draft = ticket.status == Status::Draft;
    match (action, is_draft) {
        (Action::See, _) => return Ok(()),
        (Action::SeeInternal | Action::Delete, _) | (Action::FillDraft, true) => {}
        (Action::FillDraft, false) => return Err(Rejection::NotDraft),
        (
            Action::PostPublicUpdate
            | Action::PostInternalUpdate
            | Action::ChangeStatus
            | Action::ChangeVisibility
            | Action::ChangePriority
            | Action::EditText
            | Action::Cancel
            | Action::Reopen,
            true,
        ) => return Err(Rejection::IsDraft),
        (_, false) => {}
    }
    match &principal.subject {
        Subject::System => Ok(()),
        Subject::Employee(employee) => employee_can(principal, employee, action, ticket),
        Subject::CodeUser(_) | Subject::CustomerUser(_) => outsider_can(principal, action, ticket),
    }
}

fn employee_can(
    principal: &Principal,
    employee: &Employee,
    action: Action,
    ticket: &Ticket,
) -> Result<(), Rejection> {
    let is_own_draft = ticket.status == Status::Draft && ticket.creator == principal.actor();
    match action {
        Action::See | Action::SeeInternal => Ok(()),
        Action::FillDraft if is_own_draft => Ok(()),
        Action::FillDraft => Err(Rejection::Denied("a draft is filled in by its author")),
        Action::Delete if is_own_draft || principal.is_moderator() => Ok(()),
        Action::Delete => Err(Rejection::Denied("deleting needs a moderator or administrator")),
        Action::PostPublicUpdate
        | Action::PostInternalUpdate
        | Action::ChangeStatus
        | Action::ChangeVisibility
        | Action::ChangePriority
        | Action::EditText
        | Action::Cancel
        | Action::Reopen => {
            if principal.is_moderator() || ticket.involved.contains(&employee.id) {
                Ok(())
            } else {
                Err(Rejection::Denied("only involved employees, moderators and administrators"))
            }
        }
    }
}

fn outsider_can(principal: &Principal, action: Action, ticket: &Ticket) -> Result<(), Rejection> {
    match action {
        Action::See => Ok(()),
        // Visible drafts are the own ones.
        Action::FillDraft => Ok(()),
        Action::Delete if ticket.status == Status::Draft => Ok(()),
        Action::PostPublicUpdate if ticket.status.is_locked() => Err(Rejection::Locked),
        Action::PostPublicUpdate => Ok(()),
        Action::Cancel if !principal.calls_own(ticket.creator) => {
            Err(Rejection::Denied("only the own ticket"))
        }
        Action::Cancel if ticket.status != Status::Open => Err(Rejection::NotOpen),
        Action::Cancel => Ok(()),
        Action::SeeInternal
        | Action::PostInternalUpdate
        | Action::ChangeStatus
        | Action::ChangeVisibility
        | Action::ChangePriority
        | Action::EditText
        | Action::Reopen
        | Action::Delete => {
            debug_assert!(principal.is_outsider(), "employees have their own table");
            Err(Rejection::Denied("only employees"))
        }
    }
}

/// What the caller may do now: what the buttons of a screen are made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moves {
    /// Statuses the caller may set by hand, without the present one.
    pub statuses: Vec<Status>,
    /// T-9.
    pub may_reopen: bool,
    /// T-10.
    pub may_cancel: bool,
    /// T-11.
    pub may_delete: bool,
    /// Title, description and priority; on the own draft: everything, and submitting it.
    pub may_edit: bool,
    /// T-13.
    pub may_change_visibility: bool,
    /// T-12.
    pub may_post_public_update: bool,
    /// T-12.
    pub may_post_internal_update: bool,
}

/// What the caller may do with a ticket now. Nothing, where the caller may not see it.
pub fn moves(principal: &Principal, ticket: &Ticket) -> Moves {
    let may = |action| can(principal, action, ticket).is_ok();
    let may_cancel = may(Action::Cancel) && ticket.status != Status::Cancelled;
    let statuses = Status::ALL
        .iter()
        .copied()
        .filter(|status| match status {
            Status::Draft => false,
            Status::Cancelled => may_cancel,
            Status::Open | Status::Assigned | Status::InProgress | Status::Done | Status::Closed => {
                may(Action::ChangeStatus) && *status != ticket.status
            }
        })
        .collect();
    let fills_draft = may(Action::FillDraft);
    Moves {
        statuses,
        may_reopen: may(Action::Reopen) && ticket.status.is_locked(),
        may_cancel,
        may_delete: may(Action::Delete),
        may_edit: may(Action::EditText) || fills_draft,
        may_change_visibility: may(Action::ChangeVisibility) || (fills_draft && !principal.is_outsider()),
        may_post_public_update: may(Action::PostPublicUpdate),
        may_post_internal_update: may(Action::PostInternalUpdate),
    }
}

/// Whether somebody may edit a template's creation flows: moderators and administrators.
pub fn may_edit_flows(principal: &Principal) -> bool {
    principal.is_moderator()
}
