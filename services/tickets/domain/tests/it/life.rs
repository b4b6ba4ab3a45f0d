//! T-5 to T-14: what happens to an open ticket.

use callboard_tickets_domain::{
    Command, Edit, Fact, Priority, Rejection, State, Status, Visibility, is_visible, moves,
};

use crate::support::*;

fn involve(n: u128) -> Command {
    Command::Involve(person(n))
}

fn uninvolve(n: u128) -> Command {
    Command::Uninvolve(person(n))
}

fn edit(edit: Edit) -> Command {
    Command::Edit(edit)
}

fn visibility(visibility: Visibility) -> Command {
    edit(Edit { visibility: Some(visibility), ..Edit::default() })
}

#[test]
fn t_5_the_first_acceptance_assigns_and_only_the_first() {
    let mut world = World::open();
    let facts = world.must(&system(), involve(100));
    assert_eq!(
        facts,
        [Fact::Involved(person(100)), Fact::StatusChanged { from: Status::Open, to: Status::Assigned }]
    );
    assert_eq!(world.must(&system(), involve(101)), [Fact::Involved(person(101))]);
    assert_eq!(world.must(&system(), involve(101)), [], "twice is once");
    assert_eq!((world.status(), world.ticket().involved.len()), (Status::Assigned, 2));
}

#[test]
fn t_5_other_statuses_stay_when_somebody_joins() {
    for status in [Status::InProgress, Status::Done, Status::Closed, Status::Cancelled] {
        let mut world = World::at(status, &[]);
        assert_eq!(world.must(&system(), involve(100)), [Fact::Involved(person(100))]);
        assert_eq!(world.status(), status);
    }
}

#[test]
fn t_6_cancelling_the_last_assignment_opens_again() {
    let mut world = World::at(Status::Assigned, &[100, 101]);
    assert_eq!(world.must(&system(), uninvolve(100)), [Fact::Uninvolved(person(100))]);
    assert_eq!(world.status(), Status::Assigned, "somebody is left");
    world.must(&system(), uninvolve(101));
    assert_eq!(world.status(), Status::Open);
    assert_eq!(world.must(&system(), uninvolve(101)), []);
}

#[test]
fn t_6_in_progress_stays_in_progress() {
    for status in [Status::InProgress, Status::Done, Status::Closed] {
        let mut world = World::at(status, &[100]);
        world.must(&system(), uninvolve(100));
        assert_eq!((world.status(), world.ticket().involved.len()), (status, 0));
    }
}

#[test]
fn t_7_any_status_by_hand() {
    for from in Status::ALL.iter().copied().filter(|status| *status != Status::Draft) {
        for to in Status::ALL.iter().copied().filter(|status| *status != Status::Draft) {
            let mut world = World::at(from, &[100]);
            world.must(&member(100), Command::SetStatus(to));
            assert_eq!(world.status(), to);
        }
    }
}

#[test]
fn t_7_nothing_goes_back_to_draft() {
    for from in Status::ALL.iter().copied().filter(|status| *status != Status::Draft) {
        let mut world = World::at(from, &[]);
        let back = world.ask(&moderator(), Command::SetStatus(Status::Draft));
        assert_eq!(back, Err(Rejection::NoWayBack));
    }
}

#[test]
fn t_7_a_draft_only_opens_or_is_deleted() {
    let author = moderator();
    let mut world = World::draft(&author);
    for to in Status::ALL {
        assert_eq!(world.ask(&author, Command::SetStatus(*to)), Err(Rejection::IsDraft));
    }
    for command in [Command::Cancel, Command::Reopen, update(None)] {
        assert_eq!(world.ask(&author, command), Err(Rejection::IsDraft));
    }
    // Events that come to a draft (they should not) change nothing.
    for command in [involve(100), Command::Rate { done_round: 0, score: 5 }, Command::Waive { done_round: 0 }]
    {
        assert_eq!(world.must(&system(), command), []);
    }
    world.must(&author, Command::Delete);
    assert_eq!(world.state, State::Gone);
}

#[test]
fn t_8_done_closes_when_the_rating_arrives_or_is_waived() {
    let mut world = World::at(Status::Done, &[100]);
    assert_eq!(world.ticket().done_round, 1);
    world.must(&system(), Command::Rate { done_round: 1, score: 4 });
    assert_eq!((world.status(), world.ticket().rating), (Status::Closed, Some(4)));

    let mut world = World::at(Status::Done, &[100]);
    world.must(&system(), Command::Waive { done_round: 1 });
    assert_eq!((world.status(), world.ticket().rating), (Status::Closed, None));
}

#[test]
fn t_8_a_late_rating_of_an_earlier_done_does_not_close() {
    let mut world = World::at(Status::Done, &[100]);
    world.must(&member(100), Command::SetStatus(Status::InProgress));
    world.must(&member(100), Command::SetStatus(Status::Done));
    assert_eq!(world.ticket().done_round, 2);
    world.must(&system(), Command::Rate { done_round: 1, score: 2 });
    assert_eq!(
        (world.status(), world.ticket().rating),
        (Status::Done, Some(2)),
        "shown (R-4), but not closed"
    );
    world.must(&system(), Command::Waive { done_round: 1 });
    assert_eq!(world.status(), Status::Done);
    world.must(&system(), Command::Rate { done_round: 2, score: 5 });
    assert_eq!(
        (world.status(), world.ticket().rating),
        (Status::Closed, Some(5)),
        "the new one replaces the old"
    );
    assert_eq!(
        world.must(&system(), Command::Rate { done_round: 1, score: 1 }),
        [],
        "and the old one never the new"
    );
}

#[test]
fn t_8_extension_a_time_limit_closes_unrated() {
    let mut world = World::at(Status::Done, &[]);
    assert_eq!(world.must(&system(), Command::CloseUnrated { done_round: 0 }), []);
    world.must(&system(), Command::CloseUnrated { done_round: 1 });
    assert_eq!((world.status(), world.ticket().rating), (Status::Closed, None));
}

#[test]
fn t_8_a_rating_that_crosses_the_closing_by_hand_is_kept_and_changes_no_status() {
    let mut world = World::at(Status::Done, &[]);
    world.must(&moderator(), Command::SetStatus(Status::Cancelled));
    world.must(&system(), Command::Rate { done_round: 1, score: 3 });
    assert_eq!((world.status(), world.ticket().rating), (Status::Cancelled, Some(3)));
}

#[test]
fn t_9_closed_and_cancelled_lock_people_from_outside_out() {
    for status in [Status::Closed, Status::Cancelled] {
        for outsider in [code_user(), customer_user()] {
            let mut world = World::at(status, &[100]);
            let public = Some(Visibility::Public);
            assert_eq!(world.ask(&outsider, update(public)), Err(Rejection::Locked));
            assert!(is_visible(&outsider, world.ticket()), "all stays readable");
            world.must(&member(100), update(public));
            world.must(&member(100), Command::Reopen);
            world.must(&outsider, update(public));
        }
    }
}

#[test]
fn t_9_reopens_to_in_progress_if_anyone_is_involved_else_open() {
    for status in [Status::Closed, Status::Cancelled] {
        let mut world = World::at(status, &[100]);
        world.must(&member(100), Command::Reopen);
        assert_eq!(world.status(), Status::InProgress);

        let mut world = World::at(status, &[]);
        world.must(&moderator(), Command::Reopen);
        assert_eq!(world.status(), Status::Open);
    }
}

#[test]
fn t_9_only_closed_and_cancelled_are_reopened() {
    for status in [Status::Open, Status::Assigned, Status::InProgress, Status::Done] {
        let mut world = World::at(status, &[100]);
        assert_eq!(world.ask(&moderator(), Command::Reopen), Err(Rejection::NotClosed));
    }
}

#[test]
fn t_10_from_outside_the_own_ticket_is_cancelled_while_open() {
    for outsider in [code_user(), code_user_at(device(), 99), customer_user()] {
        let mut world = World::open();
        world.must(&outsider, Command::Cancel);
        assert_eq!(world.status(), Status::Cancelled);
        let mut world = World::open();
        world.must(&outsider, Command::SetStatus(Status::Cancelled));
    }
    for status in [Status::Assigned, Status::InProgress, Status::Done, Status::Closed] {
        assert_eq!(World::at(status, &[]).ask(&code_user(), Command::Cancel), Err(Rejection::NotOpen));
    }
}

#[test]
fn t_10_from_outside_only_the_own_ticket() {
    let mut world = World::open_internal();
    world.must(&moderator(), visibility(Visibility::Public));
    assert!(matches!(world.ask(&code_user(), Command::Cancel), Err(Rejection::Denied(_))));
}

#[test]
fn t_10_a_code_user_does_not_cancel_what_a_customer_user_made() {
    let made_by_company = || {
        let mut world = World::default();
        world.must(&customer_user(), Command::Create(Box::new(plain("It leaks", Some(7)))));
        world
    };
    assert!(matches!(made_by_company().ask(&code_user(), Command::Cancel), Err(Rejection::Denied(_))));
    assert!(!moves(&code_user(), made_by_company().ticket()).may_cancel);
    made_by_company().must(&customer_user(), Command::Cancel);
}

#[test]
fn t_10_a_member_cancels_where_involved_and_cancelling_hides_nothing() {
    let mut world = World::at(Status::InProgress, &[100]);
    assert!(matches!(world.ask(&member(101), Command::Cancel), Err(Rejection::Denied(_))));
    world.must(&member(100), Command::Cancel);
    assert_eq!(world.ticket().visibility, Visibility::Public);
    assert!(is_visible(&code_user(), world.ticket()));
    assert_eq!(world.must(&member(100), Command::Cancel), [], "twice is once");
}

#[test]
fn t_11_a_deleted_ticket_is_gone_for_everybody_and_every_event() {
    let mut world = World::at(Status::Closed, &[100]);
    world.must(&moderator(), Command::Delete);
    assert_eq!(world.state, State::Gone);
    for command in [
        involve(100),
        Command::Rate { done_round: 1, score: 5 },
        Command::Delete,
        Command::Reopen,
        Command::Create(Box::new(plain("Again", None))),
        update(None),
    ] {
        for principal in [system(), moderator()] {
            assert_eq!(world.ask(&principal, command.clone()), Err(Rejection::NotFound));
        }
    }
}

#[test]
fn t_12_updates_are_public_or_internal_and_follow_the_ticket_by_default() {
    let mut world = World::at(Status::InProgress, &[100]);
    let posted = |facts: Vec<Fact>| match facts.as_slice() {
        [Fact::UpdatePosted(update)] => (update.sequence, update.visibility),
        other => panic!("{other:?}"),
    };
    assert_eq!(posted(world.must(&member(100), update(None))), (1, Visibility::Public));
    let internal = Some(Visibility::Internal);
    assert_eq!(posted(world.must(&member(100), update(internal))), (2, Visibility::Internal));
    world.must(&moderator(), visibility(Visibility::Internal));
    assert_eq!(posted(world.must(&member(100), update(None))), (3, Visibility::Internal));
}

#[test]
fn t_12_an_update_says_something_within_limits() {
    let mut world = World::open();
    let post = |text: &str, attachments: Vec<String>| Command::PostUpdate {
        id: id(61).into(),
        text: text.to_owned(),
        visibility: None,
        attachments,
    };
    assert_eq!(fields(world.ask(&moderator(), post(" ", Vec::new()))), ["text"]);
    assert_eq!(fields(world.ask(&moderator(), post(&"x".repeat(10_001), Vec::new()))), ["text"]);
    let many = (0..21).map(|n| format!("a{n}")).collect();
    assert_eq!(fields(world.ask(&moderator(), post("x", many))), ["attachment_ids"]);
    world.must(&moderator(), post("", vec!["a1".into()]));
}

#[test]
fn t_13_public_to_internal_hides_everything_from_outside_at_once() {
    let mut world = World::at(Status::InProgress, &[100]);
    world.must(&member(100), visibility(Visibility::Internal));
    for outsider in [code_user(), customer_user()] {
        assert!(!is_visible(&outsider, world.ticket()));
        for command in [update(Some(Visibility::Public)), Command::Cancel, Command::Reopen, Command::Delete] {
            assert_eq!(world.ask(&outsider, command), Err(Rejection::NotFound));
        }
    }
    world.must(&member(100), visibility(Visibility::Public));
    assert!(is_visible(&code_user(), world.ticket()));
}

#[test]
fn t_14_the_timeline_says_what_changed_from_what_to_what() {
    let mut world = World::open();
    world.must(&system(), involve(100));
    world.must(
        &member(100),
        edit(Edit {
            title: Some("It drips".into()),
            description: Some("A lot".into()),
            priority: Some(Priority::High),
            visibility: Some(Visibility::Internal),
        }),
    );
    world.must(&member(100), update(None));
    world.must(&member(100), Command::SetStatus(Status::Done));
    world.must(&system(), Command::Rate { done_round: 1, score: 5 });
    world.must(&system(), uninvolve(100));
    let lines: Vec<_> = world
        .history
        .iter()
        .filter_map(|event| event.fact.change())
        .map(|change| format!("{}: {} -> {}", change.field, change.before, change.after))
        .collect();
    assert_eq!(
        lines,
        [
            "created:  -> DRAFT".to_owned(),
            "status: DRAFT -> OPEN".to_owned(),
            format!("involved:  -> {}", person(100)),
            "status: OPEN -> ASSIGNED".to_owned(),
            "title: It leaks -> It drips".to_owned(),
            "description:  -> A lot".to_owned(),
            "priority: NORMAL -> HIGH".to_owned(),
            "visibility: PUBLIC -> INTERNAL".to_owned(),
            format!("update:  -> {}", id(60)),
            "status: ASSIGNED -> DONE".to_owned(),
            "rating:  -> 5".to_owned(),
            "status: DONE -> CLOSED".to_owned(),
            format!("involved: {} -> ", person(100)),
        ]
    );
    assert_eq!(world.ticket().timeline, 13);
}

#[test]
fn t_14_the_number_comes_with_opening_and_never_changes() {
    let mut world = World::open();
    assert_eq!(world.ticket().number, Some(7));
    world.must(&moderator(), Command::SetStatus(Status::Closed));
    world.must(&moderator(), Command::Reopen);
    assert_eq!(world.ticket().number, Some(7));
}

#[test]
fn an_edit_that_changes_nothing_is_no_event() {
    let mut world = World::open();
    let same = Edit {
        title: Some("It leaks".into()),
        description: Some(String::new()),
        priority: Some(Priority::Normal),
        visibility: Some(Visibility::Public),
    };
    assert_eq!(world.must(&moderator(), edit(same)), []);
}

#[test]
fn reactions_are_not_for_people() {
    for command in [involve(10), uninvolve(10), Command::Rate { done_round: 0, score: 5 }] {
        let result = World::open().ask(&administrator(), command);
        assert!(matches!(result, Err(Rejection::Denied(_))));
    }
}

#[test]
fn a_stranger_of_another_organisation_finds_nothing() {
    let world = World::open();
    for command in [Command::Cancel, Command::Delete, Command::Reopen, update(None), submit(1)] {
        let result = decide(&world.state, &command, &stranger(), at(0));
        assert_eq!(result, Err(Rejection::NotFound));
    }
}
