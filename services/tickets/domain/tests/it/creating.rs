//! T-1 to T-4: flows, drafts, visibility, opening.

use callboard_kernel::{Language, Principal};
use callboard_tickets_domain::{
    AnswerValue, Command, Contact, Edit, Fact, Flow, NewTicket, Priority, Rejection, Status, StepKind,
    Visibility,
};

use crate::support::*;

fn answer(step: &str, value: AnswerValue) -> Command {
    Command::Answer { step: step.to_owned(), value: Some(value) }
}

fn create(new: NewTicket) -> Command {
    Command::Create(Box::new(new))
}

#[test]
fn t_1_every_kind_of_step_takes_its_own_kind_of_answer() {
    let text = |text: &str| AnswerValue::Text(text.to_owned());
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let contact = |name: &str, email: &str, phone: &str| {
        AnswerValue::Contact(Contact { name: name.into(), email: email.into(), phone: phone.into() })
    };
    let date = AnswerValue::Date(chrono::NaiveDate::from_ymd_opt(2026, 11, 21).unwrap());
    // (kind, answer, taken)
    let table = [
        (StepKind::Text, text("a line"), true),
        (StepKind::Text, text(""), false),
        (StepKind::Text, text("two\nlines"), false),
        (StepKind::Text, text(&"x".repeat(501)), false),
        (StepKind::Text, AnswerValue::YesNo(true), false),
        (StepKind::LongText, text("two\nlines"), true),
        (StepKind::LongText, text(&"x".repeat(10_001)), false),
        (StepKind::LongText, text("\0"), false),
        (StepKind::SingleChoice, AnswerValue::Choice("red".into()), true),
        (StepKind::SingleChoice, AnswerValue::Choice("green".into()), false),
        (StepKind::MultipleChoice, AnswerValue::Choices(keys(&["red", "blue"])), true),
        (StepKind::MultipleChoice, AnswerValue::Choices(keys(&["red", "red"])), false),
        (StepKind::MultipleChoice, AnswerValue::Choices(keys(&["green"])), false),
        (StepKind::MultipleChoice, AnswerValue::Choices(Vec::new()), false),
        (StepKind::Number, AnswerValue::Number(-3.5), true),
        (StepKind::Number, AnswerValue::Number(f64::NAN), false),
        (StepKind::Date, date.clone(), true),
        (StepKind::Date, text("2026-11-21"), false),
        (StepKind::YesNo, AnswerValue::YesNo(false), true),
        (StepKind::Attachment, AnswerValue::Attachments(keys(&["a-1"])), true),
        (StepKind::Attachment, AnswerValue::Attachments(Vec::new()), false),
        (StepKind::Attachment, AnswerValue::Attachments(keys(&["../etc"])), false),
        (StepKind::Contact, contact("Ada", "", ""), true),
        (StepKind::Contact, contact("", "ada@example.com", "+49 30 123"), true),
        (StepKind::Contact, contact("", "", ""), false),
        (StepKind::Contact, contact("", "not an address", ""), false),
        (StepKind::Contact, contact("", "", "call me"), false),
    ];
    for (kind, value, taken) in table {
        let result = value.check(&step("s", kind, true), "answer");
        assert_eq!(result.is_ok(), taken, "{kind} {value:?}: {result:?}");
    }
}

#[test]
fn t_1_a_plain_ticket_needs_no_flow_but_a_title() {
    let mut world = World::default();
    assert_eq!(fields(world.ask(&member(100), create(plain(" ", Some(1))))), ["title"]);
    world.must(&member(100), create(plain("It leaks", Some(1))));
    assert_eq!((world.status(), world.ticket().flow), (Status::Open, None));
}

#[test]
fn t_1_the_category_is_the_flow_and_it_names_the_groups() {
    let mut world = World::default();
    world.must(&member(100), create(by_flow(all_answers(), Some(1))));
    let ticket = world.ticket();
    assert_eq!(
        (ticket.flow, ticket.group, ticket.notification_group),
        (Some(id(6).into()), Some(id(7).into()), Some(id(8).into()))
    );
    assert_eq!(ticket.title, "It leaks");
    assert!(ticket.words.contains("red (de)"), "labels of choices are found in every language");
}

#[test]
fn t_1_without_a_title_step_the_label_in_the_callers_language_is_the_title() {
    let new = NewTicket {
        flow: Some(std::sync::Arc::new(Flow { title_step: None, ..flow() })),
        ..by_flow(all_answers(), Some(1))
    };
    let mut world = World::default();
    world.must(&Principal { language: Language::De, ..member(100) }, create(new));
    assert_eq!(world.ticket().title, "Repair (de)");
}

#[test]
fn t_2_a_draft_takes_one_answer_at_a_time_and_keeps_its_flow() {
    let author = code_user();
    let mut world = World::draft(&author);
    assert_eq!(world.ticket().missing(), ["what", "colour"]);
    world.must(&author, answer("what", AnswerValue::Text("It leaks".into())));
    world.must(&author, answer("what", AnswerValue::Text("It drips".into())));
    assert_eq!(world.ticket().missing(), ["colour"]);
    world.must(&author, Command::Answer { step: "what".into(), value: None });
    assert_eq!(world.ticket().missing(), ["what", "colour"]);
    assert_eq!(world.ticket().number, None);
}

#[test]
fn t_2_answering_the_same_again_changes_nothing() {
    let author = code_user();
    let mut world = World::draft(&author);
    let same = || answer("what", AnswerValue::Text("It leaks".into()));
    assert_eq!(world.must(&author, same()).len(), 1);
    assert_eq!(world.must(&author, same()), []);
}

#[test]
fn t_2_a_wrong_answer_names_its_field() {
    let author = code_user();
    let mut world = World::draft(&author);
    let wrong = [
        (answer("nothing", AnswerValue::YesNo(true)), "answer.step"),
        (answer("what", AnswerValue::YesNo(true)), "answer.yes"),
        (answer("colour", AnswerValue::Choice("green".into())), "answer.choice"),
    ];
    for (command, field) in wrong {
        assert_eq!(fields(world.ask(&author, command)), [field]);
    }
}

#[test]
fn t_2_nothing_is_answered_once_it_is_open() {
    let mut world = World::open();
    let late = answer("what", AnswerValue::YesNo(true));
    assert_eq!(world.ask(&code_user(), late), Err(Rejection::NotDraft));
    assert_eq!(world.ask(&code_user(), submit(8)), Err(Rejection::NotDraft));
}

#[test]
fn t_3_employees_choose_and_internal_is_the_default() {
    let mut world = World::default();
    world.must(&member(100), create(plain("A", Some(1))));
    assert_eq!(world.ticket().visibility, Visibility::Internal);
    let mut world = World::default();
    let public = NewTicket { visibility: Some(Visibility::Public), ..plain("A", Some(1)) };
    world.must(&member(100), create(public));
    assert_eq!(world.ticket().visibility, Visibility::Public);
}

#[test]
fn t_3_tickets_from_outside_are_public() {
    for outsider in [code_user(), customer_user()] {
        let mut world = World::default();
        let internal = NewTicket { visibility: Some(Visibility::Internal), ..plain("A", Some(1)) };
        assert_eq!(fields(world.ask(&outsider, create(internal))), ["visibility"]);
        let urgent = NewTicket { priority: Some(Priority::High), ..plain("A", Some(1)) };
        assert_eq!(fields(world.ask(&outsider, create(urgent))), ["priority"]);
        world.must(&outsider, create(plain("A", Some(1))));
        assert_eq!(world.ticket().visibility, Visibility::Public);
    }
}

#[test]
fn t_3_the_draft_of_an_employee_asks_once_more_at_submitting() {
    let author = member(100);
    let mut world = World::default();
    world.must(&author, create(by_flow(all_answers(), None)));
    let public = Some(Visibility::Public);
    world.must(&author, Command::Submit { number: 3, visibility: public, place: Some(place()) });
    assert_eq!(world.ticket().visibility, Visibility::Public);
}

#[test]
fn t_4_a_draft_opens_when_submitted_with_every_required_step_answered() {
    let author = code_user();
    let mut world = World::draft(&author);
    world.must(&author, answer("colour", AnswerValue::Choice("red".into())));
    assert_eq!(world.ask(&author, submit(3)), Err(Rejection::Missing(vec!["what".into()])));
    world.must(&author, answer("what", AnswerValue::Text("It  leaks\tbadly".replace('\t', " "))));
    let facts = world.must(&author, submit(3));
    assert!(matches!(facts.as_slice(), [Fact::Opened(_)]));
    let ticket = world.ticket();
    assert_eq!((ticket.status, ticket.number, ticket.draft_flow.is_none()), (Status::Open, Some(3), true));
    assert_eq!(ticket.title, "It leaks badly");
    assert_eq!(ticket.answers[0].step, "what", "answers stand in the order of the steps");
}

#[test]
fn t_1_a_draft_whose_device_was_removed_does_not_open() {
    let author = member(100);
    let mut world = World::default();
    world.must(&author, create(by_flow(all_answers(), None)));
    let gone = Command::Submit { number: 0, visibility: None, place: None };
    assert_eq!(
        world.ask(&moderator(), gone.clone()),
        Err(Rejection::Denied("a draft is filled in by its author"))
    );
    assert_eq!(world.ask(&author, gone), Err(Rejection::DeviceRemoved));
    assert_eq!(world.must(&author, Command::Delete), [Fact::Deleted], "it can be deleted");
}

#[test]
fn t_2_a_draft_that_nobody_touches_goes_and_one_that_was_touched_or_opened_stays() {
    let discard = |world: &World, later: i64| Command::DiscardDraft {
        untouched_since: world.ticket().update_time + chrono::TimeDelta::seconds(later),
    };
    let mut world = World::draft(&code_user());
    let before = discard(&world, 0);
    world.must(&code_user(), answer("colour", AnswerValue::Choice("red".into())));
    assert_eq!(world.must(&system(), before), [], "touched since");
    let now = discard(&world, 0);
    assert_eq!(world.ask(&code_user(), now.clone()), Err(Rejection::Denied("only by a timer")));
    assert_eq!(world.must(&system(), now), [Fact::Deleted]);
    let mut open = World::open();
    let late = discard(&open, 9);
    assert_eq!(open.must(&system(), late), []);
}

#[test]
fn t_4_one_call_brings_all_answers_and_opens() {
    let mut world = World::default();
    let result = world.ask(&code_user(), create(by_flow(all_answers()[..1].to_vec(), Some(3))));
    assert_eq!(fields(result), ["answers"]);
    world.must(&code_user(), create(by_flow(all_answers(), Some(3))));
    assert_eq!((world.status(), world.ticket().number), (Status::Open, Some(3)));
}

#[test]
fn t_4_all_wrong_fields_of_a_request_are_told_at_once() {
    let new = NewTicket {
        title: "not with a flow".into(),
        description: "x".repeat(10_001),
        answers: vec![
            answered("what", AnswerValue::YesNo(true)),
            answered("colour", AnswerValue::Choice("red".into())),
            answered("colour", AnswerValue::Choice("red".into())),
            answered("nothing", AnswerValue::YesNo(true)),
        ],
        ..by_flow(Vec::new(), Some(3))
    };
    let mut world = World::default();
    assert_eq!(
        fields(world.ask(&code_user(), create(new))),
        ["description", "title", "answers[0].yes", "answers[2].step", "answers[3].step"]
    );
}

#[test]
fn a_plain_draft_gets_its_title_by_editing() {
    let author = code_user();
    let mut world = World::default();
    world.must(&author, create(plain("", None)));
    assert_eq!(world.ask(&author, submit(3)), Err(Rejection::Missing(vec!["title".into()])));
    let edit = Edit { title: Some(" It leaks ".into()), ..Edit::default() };
    world.must(&author, Command::Edit(edit));
    world.must(&author, submit(3));
    assert_eq!(world.ticket().title, "It leaks");
}

#[test]
fn an_id_is_used_once() {
    let mut world = World::open();
    assert_eq!(world.ask(&code_user(), create(plain("Again", Some(8)))), Err(Rejection::Exists));
}
