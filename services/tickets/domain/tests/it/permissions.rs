//! The permission table of domain.md, cell by cell.

use callboard_kernel::Principal;
use callboard_tickets_domain::{Action, Command, Edit, Rejection, Status, Visibility, can, moves};

use crate::support::*;

/// How a cell reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Yes,
    Denied,
    Hidden,
    /// Allowed to this person, but not in this status.
    NotNow,
}
use Cell::{Denied, Hidden, NotNow, Yes};

fn cell(principal: &Principal, action: Action, world: &World) -> Cell {
    match can(principal, action, world.ticket()) {
        Ok(()) => Yes,
        Err(Rejection::Denied(_)) => Denied,
        Err(Rejection::NotFound) => Hidden,
        Err(Rejection::Locked | Rejection::NotOpen) => NotNow,
        Err(other) => panic!("{action:?}: {other:?}"),
    }
}

/// Code user, customer user, member not involved, member involved, moderator, administrator.
fn people() -> [Principal; 6] {
    [code_user(), customer_user(), member(101), member(100), moderator(), administrator()]
}

#[track_caller]
fn row(world: &World, action: Action, expected: [Cell; 6]) {
    let found = people().map(|principal| cell(&principal, action, world));
    assert_eq!(found, expected, "{action:?} at {}", world.status());
}

const EMPLOYEES_WHO_WORK_ON_IT: [Cell; 6] = [Denied, Denied, Denied, Yes, Yes, Yes];

#[test]
fn table_of_a_public_ticket() {
    for status in Status::ALL.iter().copied().filter(|status| *status != Status::Draft) {
        let world = World::at(status, &[100]);
        let writing = if status.is_locked() { NotNow } else { Yes };
        let cancelling = if status == Status::Open { Yes } else { NotNow };
        row(&world, Action::See, [Yes; 6]);
        row(&world, Action::SeeInternal, [Denied, Denied, Yes, Yes, Yes, Yes]);
        row(&world, Action::PostPublicUpdate, [writing, writing, Denied, Yes, Yes, Yes]);
        row(&world, Action::PostInternalUpdate, EMPLOYEES_WHO_WORK_ON_IT);
        row(&world, Action::ChangeStatus, EMPLOYEES_WHO_WORK_ON_IT);
        row(&world, Action::ChangeVisibility, EMPLOYEES_WHO_WORK_ON_IT);
        row(&world, Action::ChangePriority, EMPLOYEES_WHO_WORK_ON_IT);
        row(&world, Action::EditText, EMPLOYEES_WHO_WORK_ON_IT);
        row(&world, Action::Cancel, [cancelling, cancelling, Denied, Yes, Yes, Yes]);
        row(&world, Action::Reopen, EMPLOYEES_WHO_WORK_ON_IT);
        row(&world, Action::Delete, [Denied, Denied, Denied, Denied, Yes, Yes]);
    }
}

#[test]
fn table_of_an_internal_ticket() {
    let mut world = World::at(Status::InProgress, &[100]);
    let internal = Edit { visibility: Some(Visibility::Internal), ..Edit::default() };
    world.must(&moderator(), Command::Edit(internal));
    row(&world, Action::See, [Hidden, Hidden, Yes, Yes, Yes, Yes]);
    for action in Action::ALL.iter().copied().filter(|action| *action != Action::FillDraft) {
        let found = people().map(|principal| cell(&principal, action, &world));
        assert_eq!(found[..2], [Hidden, Hidden], "{action:?}");
    }
}

#[test]
fn table_of_drafts() {
    // (author, who sees it, who fills it in, who deletes it), people as above
    let table = [
        (code_user(), [true, false, false, false, true, true], [true, false, false, false, false, false]),
        (customer_user(), [false, true, false, false, true, true], [false, true, false, false, false, false]),
        (member(100), [false, false, false, true, true, true], [false, false, false, true, false, false]),
    ];
    for (author, seen, filled) in table {
        let world = World::draft(&author);
        for (index, principal) in people().iter().enumerate() {
            let may = |action| can(principal, action, world.ticket()).is_ok();
            assert_eq!(may(Action::See), seen[index], "{principal:?}");
            assert_eq!(may(Action::FillDraft), filled[index], "{principal:?}");
            assert_eq!(may(Action::Delete), seen[index], "own, or any: {principal:?}");
        }
    }
}

#[test]
fn outsiders_see_the_own_device_and_company_only() {
    let world = World::open();
    assert_eq!(cell(&code_user_at(id(3).into(), 20), Action::See, &world), Hidden);
    assert_eq!(cell(&customer_user_of(6), Action::See, &world), Hidden);
    assert_eq!(cell(&stranger(), Action::See, &world), Hidden);
}

#[test]
fn moves_are_what_the_commands_then_allow() {
    let worlds = Status::ALL.iter().map(|status| match status {
        Status::Draft => World::draft(&member(100)),
        status => World::at(*status, &[100]),
    });
    for world in worlds {
        for principal in people().into_iter().chain([stranger()]) {
            let told = moves(&principal, world.ticket());
            let done = |command: Command| {
                decide(&world.state, &command, &principal, at(9)).is_ok_and(|events| !events.is_empty())
            };
            for status in Status::ALL {
                let allowed = done(Command::SetStatus(*status));
                assert_eq!(told.statuses.contains(status), allowed, "{status} {principal:?}");
            }
            let visibility = match world.ticket().visibility {
                Visibility::Public => Visibility::Internal,
                Visibility::Internal => Visibility::Public,
            };
            let edit = |edit| done(Command::Edit(edit));
            assert_eq!(told.may_reopen, done(Command::Reopen));
            assert_eq!(told.may_cancel, done(Command::Cancel));
            assert_eq!(told.may_delete, done(Command::Delete));
            assert_eq!(told.may_edit, edit(Edit { description: Some("new".into()), ..Edit::default() }));
            assert_eq!(
                told.may_change_visibility,
                edit(Edit { visibility: Some(visibility), ..Edit::default() })
            );
            assert_eq!(told.may_post_public_update, done(update(Some(Visibility::Public))));
            assert_eq!(told.may_post_internal_update, done(update(Some(Visibility::Internal))));
        }
    }
}
