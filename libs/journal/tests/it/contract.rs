//! What every store promises, asked of each.

use callboard_actor::{CommitError, Outcome, Store as _, Unit};
use callboard_journal::{RowChange, TimerChange, Value};
use callboard_kernel::Version;
use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::sample::{
    HISTORY, LABEL, LINE, MARK, ROOT, World, command, event, id, line, organisation, receipt, root, set,
    time, unit, with,
};

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() { super::$name(&crate::sample::Memory::new().await).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name(&crate::sample::Postgres::new().await).await })*
        }
    };
}

contract!(
    the_version_guards,
    what_does_not_exist_loads_as_nothing,
    of_several_creations_one_wins,
    a_repeat_is_told_with_all_its_commands,
    a_repeat_in_part_writes_nothing,
    receipts_alone_leave_the_version,
    receipts_come_back_as_written,
    a_later_change_of_the_same_key_wins,
    children_are_put_replaced_and_deleted,
    a_child_of_another_aggregate_is_out_of_reach,
    a_root_can_be_scrubbed_and_stays,
    what_is_erased_takes_its_answers_along,
    events_keep_their_order,
    a_bad_unit_fails_alone,
    another_organisation_does_not_match,
    timers_are_set_moved_and_cancelled,
    every_type_comes_back,
    many_at_once,
    writers_of_the_same_aggregates_do_not_block_each_other,
);

async fn the_version_guards(world: &impl World) {
    let store = world.store();
    store.commit(unit(id(1), 0, 1)).await.unwrap();
    assert!(matches!(store.commit(unit(id(1), 0, 2)).await, Err(CommitError::Conflict)));
    assert!(matches!(store.commit(unit(id(1), 2, 3)).await, Err(CommitError::Conflict)));
    store.commit(unit(id(1), 1, 4)).await.unwrap();
    assert!(matches!(store.commit(unit(id(2), 1, 5)).await, Err(CommitError::Conflict)), "there is none");
    let loaded = store.load(id(1)).await.unwrap();
    assert_eq!((loaded.version, loaded.organisation), (Version(2), Some(organisation())));
    assert_eq!(store.version(id(1)).await.unwrap(), Version(2));
    assert_eq!(loaded.state.root, Some(root(id(1), "command 4")));
    let none = store.receipts(&[command(2), command(3), command(5)]).await.unwrap();
    assert!(none.is_empty(), "losers leave no receipt");
    assert_eq!(world.outbox().await.len(), 2, "and no event");
}

async fn what_does_not_exist_loads_as_nothing(world: &impl World) {
    let loaded = world.store().load(id(1)).await.unwrap();
    assert_eq!((loaded.version, loaded.organisation, loaded.state.root), (Version::NONE, None, None));
    assert_eq!(world.store().version(id(1)).await.unwrap(), Version::NONE);
}

async fn of_several_creations_one_wins(world: &impl World) {
    let commits = (1..=8).map(|n| world.store().commit(unit(id(1), 0, n)));
    let outcomes = join_all(commits).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(CommitError::Conflict))));
}

async fn a_repeat_is_told_with_all_its_commands(world: &impl World) {
    let store = world.store();
    let mut first = unit(id(1), 0, 1);
    first.receipts.push(receipt(id(1), 2, 1));
    store.commit(first).await.unwrap();
    // Decided on the new version, as a caller would after reading again.
    let mut again = unit(id(1), 1, 1);
    again.receipts.push(receipt(id(1), 2, 2));
    let Err(CommitError::Replayed(mut commands)) = store.commit(again).await else { panic!("written twice") };
    commands.sort();
    assert_eq!(commands, [command(1), command(2)]);
    assert_eq!(store.version(id(1)).await.unwrap(), Version(1));
}

async fn a_repeat_in_part_writes_nothing(world: &impl World) {
    let store = world.store();
    store.commit(unit(id(1), 0, 1)).await.unwrap();
    let mut partly = unit(id(1), 1, 2);
    partly.receipts.push(receipt(id(1), 1, 2));
    let outcome = store.commit(partly).await;
    assert!(matches!(outcome, Err(CommitError::Replayed(commands)) if commands == [command(1)]));
    assert!(store.receipts(&[command(2)]).await.unwrap().is_empty());
    store.commit(unit(id(1), 1, 2)).await.unwrap();
}

fn only_receipt(aggregate_id: Uuid, version: i64, n: u128) -> Unit<callboard_journal::Record> {
    let mut no = receipt(aggregate_id, n, version);
    no.outcome = Outcome::Rejected("TOO_LATE".to_owned());
    Unit {
        aggregate_id,
        organisation: organisation(),
        expected: Version(version),
        version: Version(version),
        records: vec![],
        receipts: vec![no],
    }
}

async fn receipts_alone_leave_the_version(world: &impl World) {
    let store = world.store();
    store.commit(only_receipt(id(1), 0, 1)).await.unwrap();
    assert_eq!(store.version(id(1)).await.unwrap(), Version::NONE);
    store.commit(unit(id(1), 0, 2)).await.unwrap();
    store.commit(only_receipt(id(1), 1, 3)).await.unwrap();
    assert_eq!(store.version(id(1)).await.unwrap(), Version(1));
    let kept = store.receipts(&[command(3)]).await.unwrap();
    assert_eq!(kept[0].outcome, Outcome::Rejected("TOO_LATE".to_owned()));
    assert!(matches!(store.commit(only_receipt(id(1), 1, 3)).await, Err(CommitError::Replayed(_))));
    // A "no" decided on what is no longer so is not kept.
    assert!(matches!(store.commit(only_receipt(id(1), 0, 4)).await, Err(CommitError::Conflict)));
}

async fn receipts_come_back_as_written(world: &impl World) {
    let store = world.store();
    let mut one = unit(id(1), 0, 1);
    let mut nothing = receipt(id(1), 2, 1);
    nothing.outcome = Outcome::Nothing;
    one.receipts.push(nothing);
    let written = one.receipts.clone();
    store.commit(one).await.unwrap();
    let mut read = store.receipts(&[command(1), command(2), command(3)]).await.unwrap();
    read.sort_by_key(|receipt| receipt.command_id);
    assert_eq!(read, written);
}

async fn a_later_change_of_the_same_key_wins(world: &impl World) {
    let store = world.store();
    let changes = [
        RowChange::Put(&LINE, line(id(1), 1, "first")),
        RowChange::Put(&LINE, line(id(1), 1, "second")),
        RowChange::Put(&LINE, line(id(1), 2, "gone")),
        RowChange::Delete(&LINE, vec![id(1).into(), 2.into()]),
        RowChange::Delete(&LINE, vec![id(1).into(), 3.into()]),
        RowChange::Put(&LINE, line(id(1), 3, "back")),
        RowChange::Put(&ROOT, root(id(1), "last")),
    ];
    store.commit(with(unit(id(1), 0, 1), changes)).await.unwrap();
    let state = store.load(id(1)).await.unwrap().state;
    assert_eq!(state.children["line"], [line(id(1), 1, "second"), line(id(1), 3, "back")]);
    assert_eq!(state.root, Some(root(id(1), "last")));
}

async fn children_are_put_replaced_and_deleted(world: &impl World) {
    let store = world.store();
    let mark = |word: &str| RowChange::Put(&MARK, vec![id(1).into(), word.into()]);
    let label = |n, data| RowChange::Put(&LABEL, vec![id(1).into(), id(n).into(), Value::Json(data)]);
    let lines = (1..=12).map(|n| RowChange::Put(&LINE, line(id(1), n, "text")));
    let changes = lines.chain([mark("b"), mark("a"), label(7, json!(1))]);
    let history = RowChange::Put(&HISTORY, vec![id(1).into(), 1.into()]);
    store.commit(with(unit(id(1), 0, 1), changes.chain([history]))).await.unwrap();
    store
        .commit(with(unit(id(2), 0, 2), [RowChange::Put(&LINE, line(id(2), 1, "another's"))]))
        .await
        .unwrap();
    let changes = [
        mark("a"),
        label(7, json!({"n": 2})),
        RowChange::Delete(&LINE, vec![id(1).into(), 11.into()]),
        RowChange::Put(&LINE, line(id(1), 12, "twelve")),
        RowChange::Delete(&MARK, vec![id(1).into(), "b".into()]),
        RowChange::Delete(&MARK, vec![id(1).into(), "never there".into()]),
    ];
    store.commit(with(unit(id(1), 1, 3), changes)).await.unwrap();
    let state = store.load(id(1)).await.unwrap().state;
    let numbers: Vec<&Value> = state.children["line"].iter().map(|row| &row[1]).collect();
    let expected: Vec<Value> = (1..=10).chain([12]).map(Value::Int).collect();
    assert_eq!(numbers, expected.iter().collect::<Vec<_>>(), "in order of the key");
    assert_eq!(state.children["line"][10][2], "twelve".into());
    assert_eq!(state.children["mark"], [vec![Value::Uuid(id(1)), "a".into()]]);
    assert_eq!(state.children["unit"], [vec![id(1).into(), id(7).into(), json!({"n": 2}).into()]]);
    assert!(!state.children.contains_key("history"), "not wanted");
    assert_eq!(store.load(id(2)).await.unwrap().state.children["line"].len(), 1);
}

async fn a_child_of_another_aggregate_is_out_of_reach(world: &impl World) {
    let store = world.store();
    let label = |owner: Uuid| RowChange::Put(&LABEL, vec![owner.into(), id(7).into(), Value::Null]);
    store.commit(with(unit(id(1), 0, 1), [label(id(1))])).await.unwrap();
    let stolen = store.commit(with(unit(id(2), 0, 2), [label(id(2))])).await;
    assert!(matches!(stolen, Err(CommitError::Refused(_))));
    let foreign = store.commit(with(unit(id(2), 0, 3), [RowChange::Put(&LINE, line(id(1), 1, ""))])).await;
    assert!(matches!(foreign, Err(CommitError::Refused(_))));
    let delete = RowChange::Delete(&LABEL, vec![id(7).into()]);
    store.commit(with(unit(id(2), 0, 4), [delete])).await.unwrap();
    assert_eq!(store.load(id(1)).await.unwrap().state.children["unit"].len(), 1);
}

async fn a_root_can_be_scrubbed_and_stays(world: &impl World) {
    let store = world.store();
    store.commit(with(unit(id(1), 0, 1), [RowChange::Put(&LINE, line(id(1), 1, "x"))])).await.unwrap();
    let mut bare = vec![Value::Null; ROOT.columns.len()];
    bare[0] = id(1).into();
    let changes =
        [RowChange::Put(&ROOT, bare.clone()), RowChange::Delete(&LINE, vec![id(1).into(), 1.into()])];
    store.commit(with(unit(id(1), 1, 2), changes)).await.unwrap();
    let loaded = store.load(id(1)).await.unwrap();
    assert_eq!((loaded.version, loaded.state.root), (Version(2), Some(bare)));
    assert!(loaded.state.children.is_empty());
    assert!(matches!(store.commit(unit(id(1), 0, 3)).await, Err(CommitError::Conflict)));
}

async fn what_is_erased_takes_its_answers_along(world: &impl World) {
    let store = world.store();
    store.commit(unit(id(1), 0, 1)).await.unwrap();
    store.commit(unit(id(2), 0, 2)).await.unwrap();
    let mut last = unit(id(1), 1, 3);
    last.records[0].erases = true;
    let (deletion, other) = tokio::join!(store.commit(last), store.commit(unit(id(3), 0, 4)));
    deletion.unwrap();
    other.unwrap();
    let mut lost = unit(id(2), 5, 5);
    lost.records[0].erases = true;
    assert!(matches!(store.commit(lost).await, Err(CommitError::Conflict)));
    for (of, erased) in [(1, true), (2, false), (3, false), (4, false)] {
        let receipts = store.receipts(&[command(of)]).await.unwrap();
        let [receipt] = receipts.as_slice() else { panic!("that it was carried out stays known: {of}") };
        assert_eq!(receipt.outcome == Outcome::Erased, erased, "{of}");
        assert_eq!(receipt.answer.is_empty(), erased, "{of}");
    }
    let again = store.commit(unit(id(1), 2, 1)).await;
    assert!(matches!(again, Err(CommitError::Replayed(ids)) if ids == [command(1)]));
}

async fn events_keep_their_order(world: &impl World) {
    let store = world.store();
    for version in 0..5 {
        let commits = (1..=20_u128).map(|n| {
            let mut one = unit(id(n), version, n * 100 + version as u128);
            one.records[0].events =
                (0..3).map(|place| event(id(n), version + 1, &format!("v{version}_{place}"))).collect();
            store.commit(one)
        });
        assert!(join_all(commits).await.iter().all(Result::is_ok));
    }
    let all = world.outbox().await;
    assert_eq!(all.len(), 5 * 20 * 3);
    let expected: Vec<String> =
        (0..5).flat_map(|version| (0..3).map(move |place| format!("sample.v{version}_{place}"))).collect();
    for n in 1..=20 {
        let of: Vec<String> =
            all.iter().filter(|(of, _)| *of == id(n)).map(|(_, name)| name.clone()).collect();
        assert_eq!(of, expected);
    }
}

async fn a_bad_unit_fails_alone(world: &impl World) {
    let store = world.store();
    store.commit(unit(id(100), 0, 100)).await.unwrap();
    let commits = (1..=30).map(|n| {
        let mut one = unit(id(n), 0, n);
        match n {
            7 => one.records[0].rows.push(RowChange::Put(&ROOT, root(id(n), "a zero \0 within"))),
            8 => {
                let zero = Value::Json(json!({"deep": ["\0"]}));
                one.records[0].rows.push(RowChange::Put(&LABEL, vec![id(n).into(), id(n).into(), zero]));
            }
            // Not seen before it is written: the event is there already.
            13 => one.records[0].events = vec![event(id(100), 1, "e100")],
            20 => one.records[0].events[0].payload = vec![0; 1_000_001].into(),
            21 => one.records[0].events[0].name = "sample.*".to_owned(),
            22 => one.records[0].rows.clear(),
            23 => one.records[0]
                .rows
                .push(RowChange::Put(&LINE, vec![id(n).into(), "no number".into(), Value::Null])),
            _ => {}
        }
        store.commit(one)
    });
    for (n, outcome) in (1..).zip(join_all(commits).await) {
        if matches!(n, 7 | 8 | 13 | 20..=23) {
            assert!(matches!(outcome, Err(CommitError::Refused(_))), "{n}: {outcome:?}");
        } else {
            assert!(outcome.is_ok(), "{n}: {outcome:?}");
        }
    }
}

async fn another_organisation_does_not_match(world: &impl World) {
    let store = world.store();
    store.commit(unit(id(1), 0, 1)).await.unwrap();
    let mut foreign = unit(id(1), 1, 2);
    foreign.organisation = id(66).into();
    assert!(matches!(store.commit(foreign).await, Err(CommitError::Conflict)));
}

async fn timers_are_set_moved_and_cancelled(world: &impl World) {
    let store = world.store();
    let mut one = unit(id(1), 0, 1);
    let cancel = |name: &str| TimerChange::Cancel { name: name.to_owned() };
    one.records[0].timers = vec![
        set("a", "2026-01-01T00:00:00Z"),
        set("b", "2026-01-02T00:00:00Z"),
        set("c", "2026-01-03T00:00:00Z"),
        cancel("c"),
        cancel("d"),
        set("d", "2026-01-04T00:00:00Z"),
    ];
    store.commit(one).await.unwrap();
    let mut two = unit(id(1), 1, 2);
    two.records[0].timers = vec![cancel("a"), cancel("never"), set("b", "2027-01-02T00:00:00.000001Z")];
    store.commit(two).await.unwrap();
    let mut lost = unit(id(1), 1, 3);
    lost.records[0].timers = vec![cancel("b")];
    assert!(store.commit(lost).await.is_err());
    assert_eq!(
        world.timers().await,
        [
            (id(1), "b".to_owned(), time("2027-01-02T00:00:00.000001Z"), b"p".to_vec()),
            (id(1), "d".to_owned(), time("2026-01-04T00:00:00Z"), b"p".to_vec()),
        ]
    );
}

async fn every_type_comes_back(world: &impl World) {
    let store = world.store();
    let full: Vec<Value> = vec![
        id(1).into(),
        id(u128::MAX).into(),
        "Grüße, \"quotes\", {braces}, NULL, \\ back\tslash\n🚲".into(),
        i64::MIN.into(),
        i32::MAX.into(),
        (-0.1_f64).into(),
        true.into(),
        time("2026-02-28T23:59:59.999999Z").into(),
        json!({"a": [1, 2.5, null, "ü\\u0000"], "b": {"c": false}}).into(),
        vec![0_u8, 1, 254, 255].into(),
    ];
    store.commit(with(unit(id(1), 0, 1), [RowChange::Put(&ROOT, full.clone())])).await.unwrap();
    assert_eq!(store.load(id(1)).await.unwrap().state.root, Some(full));
    let mut bare = vec![Value::Null; ROOT.columns.len()];
    bare[0] = id(1).into();
    store.commit(with(unit(id(1), 1, 2), [RowChange::Put(&ROOT, bare.clone())])).await.unwrap();
    assert_eq!(store.load(id(1)).await.unwrap().state.root, Some(bare));
    let empty: Vec<Value> = vec![
        id(1).into(),
        Uuid::nil().into(),
        "".into(),
        0_i64.into(),
        0.into(),
        f64::INFINITY.into(),
        false.into(),
        time("1970-01-01T00:00:00Z").into(),
        json!("").into(),
        Vec::<u8>::new().into(),
    ];
    store.commit(with(unit(id(1), 2, 3), [RowChange::Put(&ROOT, empty.clone())])).await.unwrap();
    assert_eq!(store.load(id(1)).await.unwrap().state.root, Some(empty));
}

async fn many_at_once(world: &impl World) {
    let store = world.store();
    for version in 0..3 {
        let commits = (1..=256).map(|n| {
            let changes = (1..4).map(move |number| RowChange::Put(&LINE, line(id(n), number, "text")));
            store.commit(with(unit(id(n), version, n * 10 + version as u128), changes))
        });
        assert!(join_all(commits).await.iter().all(Result::is_ok));
    }
    for n in [1, 128, 256] {
        assert_eq!(store.load(id(n)).await.unwrap().version, Version(3));
    }
    assert_eq!(world.outbox().await.len(), 3 * 256);
}

async fn writers_of_the_same_aggregates_do_not_block_each_other(world: &impl World) {
    let store = world.store();
    for version in 0..10 {
        // In opposite orders, as two processes might.
        let up = (1..=40).map(|n| store.commit(unit(id(n), version, 2 * n * 1000 + version as u128)));
        let down =
            (1..=40).rev().map(|n| store.commit(unit(id(n), version, (2 * n + 1) * 1000 + version as u128)));
        let (up, down) = tokio::join!(join_all(up), join_all(down));
        for (one, other) in up.iter().zip(down.iter().rev()) {
            assert!(one.is_ok() != other.is_ok(), "one of two wins: {one:?} {other:?}");
        }
    }
}
