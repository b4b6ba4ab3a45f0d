//! Each rule under its number, and random lives.

use std::sync::Arc;

use callboard_kernel::{
    Aggregate as _, Cause, CodeUser, CommandId, CustomerUser, DecisionContext, Employee, Language, Principal,
    RandomIds, Role, Timestamp,
};
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use uuid::Uuid;

use super::{
    Device, News, RatingRequest, RequestCommand, RequestEvent, RequestRejection, RequestState, Sight,
    Standing, Subject, SubjectKind, Visibility,
};

fn principal(subject: callboard_kernel::Subject) -> Principal {
    Principal { organisation: Uuid::nil().into(), subject, language: Language::En }
}

fn code_user(device: u128) -> Principal {
    principal(callboard_kernel::Subject::CodeUser(CodeUser {
        session: Uuid::from_u128(71).into(),
        code: Uuid::from_u128(72).into(),
        device: Uuid::from_u128(device).into(),
    }))
}

fn customer_user(customer: u128) -> Principal {
    principal(callboard_kernel::Subject::CustomerUser(CustomerUser {
        id: Uuid::from_u128(81).into(),
        customer: Uuid::from_u128(customer).into(),
    }))
}

fn employee() -> Principal {
    principal(callboard_kernel::Subject::Employee(Employee {
        id: Uuid::from_u128(91).into(),
        role: Role::Administrator,
        departments: Vec::new(),
    }))
}

fn now() -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000, 0).expect("a moment")
}

const DEVICE: u128 = 1;
const CUSTOMER: u128 = 2;

struct World {
    state: RequestState,
    subject: Subject,
}

type Happened = Result<Vec<RequestEvent>, RequestRejection>;

impl World {
    fn new() -> Self {
        let subject = Subject {
            kind: SubjectKind::Ticket,
            version: 0,
            device: Uuid::from_u128(DEVICE).into(),
            template: Uuid::from_u128(3).into(),
            device_version: 1,
            customer: Some(Uuid::from_u128(CUSTOMER).into()),
            visibility: Visibility::Public,
            departments: Vec::new(),
            involved: Vec::new(),
            done_round: 0,
        };
        Self { state: RequestState::default(), subject }
    }

    fn done() -> Self {
        let mut world = Self::new();
        world.become_done(true);
        world
    }

    fn ask(&mut self, principal: &Principal, command: &RequestCommand) -> Happened {
        let context = DecisionContext {
            now: now(),
            principal,
            cause: &Cause::default(),
            command_id: CommandId(Uuid::nil()),
            ids: &RandomIds,
        };
        let events = RatingRequest::decide(&self.state, command, &context)?;
        events.iter().for_each(|event| RatingRequest::evolve(&mut self.state, event));
        Ok(events)
    }

    fn tell(&mut self, news: News) -> Vec<RequestEvent> {
        self.subject.version += 1;
        let subject = Arc::new(self.subject.clone());
        self.ask(&Principal::system(Uuid::nil().into()), &RequestCommand::Observe { subject, news })
            .expect("news are never refused")
    }

    fn become_done(&mut self, switched_on: bool) -> Vec<RequestEvent> {
        self.subject.done_round += 1;
        self.tell(News::Done { switched_on })
    }

    fn submit(&mut self, principal: &Principal, score: i32) -> Happened {
        let command = RequestCommand::Submit {
            sight: Sight::default(),
            kind: SubjectKind::Ticket,
            score,
            comment: "Thank you".to_owned(),
        };
        self.ask(principal, &command)
    }
}

#[test]
fn r_1_a_code_user_or_customer_user_of_the_device_rates_when_asked() {
    for who in [code_user(DEVICE), customer_user(CUSTOMER)] {
        let mut world = World::done();
        assert!(world.state.may_submit(&who, &Sight::default()));
        world.submit(&who, 5).expect("rated");
        assert_eq!(world.state.given.as_ref().map(|given| given.score), Some(5));
        assert!(!world.state.may_submit(&who, &Sight::default()));
    }
}

#[test]
fn r_1_a_sold_device_takes_the_former_owners_users_away() {
    let owned_by = |version, customer: Option<u128>| {
        let customer = customer.map(|id| Uuid::from_u128(id).into());
        let device = Device { version, customer, departments: vec![], removed: false };
        Sight { device: Some(Arc::new(device)), ..Sight::default() }
    };
    let (before, after) = (customer_user(CUSTOMER), customer_user(99));
    let mut world = World::done();
    assert!(world.state.may_submit(&before, &owned_by(1, Some(CUSTOMER))));
    assert!(world.state.may_submit(&before, &owned_by(0, Some(99))), "what the ticket says is the newer");
    let sold = owned_by(2, Some(99));
    assert!(!world.state.may_submit(&before, &sold));
    assert!(!world.state.may_submit(&after, &sold), "it opened on another company's device");
    let (kind, comment) = (SubjectKind::Ticket, String::new());
    let submit = RequestCommand::Submit { sight: sold, kind, score: 1, comment };
    assert_eq!(world.ask(&before, &submit), Err(RequestRejection::NoSubject));

    // What opened while the device was nobody's is the new owner's.
    let mut world = World::new();
    world.subject.customer = None;
    world.become_done(true);
    assert!(!world.state.may_submit(&after, &Sight::default()), "not told of the device yet");
    assert!(world.state.may_submit(&after, &owned_by(2, Some(99))));
}

#[test]
fn r_1_others_do_not_rate() {
    let mut world = World::done();
    assert_eq!(world.submit(&code_user(99), 5), Err(RequestRejection::NoSubject));
    assert_eq!(world.submit(&customer_user(99), 5), Err(RequestRejection::NoSubject));
    assert_eq!(world.submit(&employee(), 5), Err(RequestRejection::Denied));
    assert!(!world.state.may_submit(&employee(), &Sight::default()));
}

#[test]
fn r_1_one_to_five_and_a_comment_of_2000_characters() {
    let mut world = World::done();
    for score in [i32::MIN, -1, 0, 6] {
        let refused = world.submit(&code_user(DEVICE), score);
        assert!(matches!(&refused, Err(RequestRejection::Invalid(fields)) if fields[0].field == "score"));
    }
    let mut comment = |comment: &str| {
        let (sight, kind) = (Sight::default(), SubjectKind::Ticket);
        let submit = RequestCommand::Submit { sight, kind, score: 1, comment: comment.to_owned() };
        world.ask(&code_user(DEVICE), &submit)
    };
    for wrong in ["ü".repeat(2_001).as_str(), "nul\0", "bell\u{7}"] {
        let refused = comment(wrong);
        assert!(matches!(&refused, Err(RequestRejection::Invalid(fields)) if fields[0].field == "comment"));
    }
    comment("two\nlines").expect("rated");
}

#[test]
fn r_2_switched_off_or_internal_is_waived() {
    let mut world = World::new();
    assert_eq!(world.become_done(false).last(), Some(&RequestEvent::Waived));
    assert_eq!(world.submit(&code_user(DEVICE), 5), Err(RequestRejection::NotAsked));

    let mut world = World::new();
    world.subject.visibility = Visibility::Internal;
    assert_eq!(world.become_done(true).last(), Some(&RequestEvent::Waived));
}

#[test]
fn r_2_becoming_internal_while_asked_withdraws_and_waives() {
    let mut world = World::done();
    world.subject.visibility = Visibility::Internal;
    let events = world.tell(News::Facts);
    assert_eq!(events[1..], [RequestEvent::Withdrawn, RequestEvent::Waived]);
    assert_eq!(world.submit(&code_user(DEVICE), 5), Err(RequestRejection::NoSubject));
    // Becoming public again does not ask again: it may be closed by now.
    world.subject.visibility = Visibility::Public;
    world.tell(News::Facts);
    assert_eq!(world.submit(&code_user(DEVICE), 5), Err(RequestRejection::NotAsked));
}

#[test]
fn r_3_the_first_wins() {
    let mut world = World::done();
    world.submit(&code_user(DEVICE), 4).expect("first");
    assert_eq!(world.submit(&customer_user(CUSTOMER), 1), Err(RequestRejection::AlreadyRated));
    assert_eq!(world.state.given.as_ref().map(|given| given.score), Some(4));
}

#[test]
fn r_3_the_closing_that_follows_from_the_rating_changes_nothing() {
    let mut world = World::done();
    world.submit(&code_user(DEVICE), 4).expect("rated");
    assert_eq!(world.tell(News::Over), []);
    assert_eq!(world.state.standing, Standing::Submitted);
}

#[test]
fn r_3_after_reopening_and_a_new_done_the_new_rating_replaces_the_old() {
    let mut world = World::done();
    world.submit(&code_user(DEVICE), 2).expect("rated");
    world.tell(News::Over);
    world.tell(News::Over);
    assert_eq!(world.submit(&code_user(DEVICE), 5), Err(RequestRejection::AlreadyRated));
    world.become_done(true);
    assert_eq!(world.state.given.as_ref().map(|given| given.score), Some(2));
    let events = world.submit(&code_user(DEVICE), 5).expect("rated again");
    assert!(matches!(events[..], [RequestEvent::Submitted { previous_score: 2, .. }]));
    assert_eq!(world.state.given.as_ref().map(|given| given.score), Some(5));
}

#[test]
fn r_3_opened_again_and_done_in_one_step_is_asked_again() {
    let mut world = World::done();
    world.tell(News::Over);
    // CLOSED → DONE by hand is told twice under one version, with the facts after it: opened again, then done.
    world.subject.version += 1;
    world.subject.done_round += 1;
    let subject = Arc::new(world.subject.clone());
    let system = Principal::system(Uuid::nil().into());
    for (news, last) in [
        (News::Over, RequestEvent::Observed { subject: Arc::clone(&subject) }),
        (News::Done { switched_on: true }, RequestEvent::Requested { at: now() }),
    ] {
        let command = RequestCommand::Observe { subject: Arc::clone(&subject), news };
        assert_eq!(world.ask(&system, &command).expect("news").last(), Some(&last));
        // Each of them again changes nothing.
        assert_eq!(world.ask(&system, &command), Ok(vec![]));
    }
    let late = RequestCommand::Observe { subject, news: News::Over };
    assert_eq!(world.ask(&system, &late), Ok(vec![]), "the first of the two again, after the second");
    world.submit(&code_user(DEVICE), 5).expect("rated again");
}

#[test]
fn r_3_rating_after_the_subject_was_closed_by_hand_is_refused() {
    let mut world = World::done();
    assert_eq!(world.tell(News::Over).last(), Some(&RequestEvent::Withdrawn));
    assert_eq!(world.submit(&code_user(DEVICE), 5), Err(RequestRejection::Withdrawn));
    // Closed without ever being DONE: nobody was asked.
    let mut world = World::new();
    world.tell(News::Over);
    assert_eq!(world.submit(&code_user(DEVICE), 5), Err(RequestRejection::NotAsked));
}

#[test]
fn r_3_news_of_one_done_twice_ask_once() {
    let mut world = World::done();
    assert_eq!(world.tell(News::Done { switched_on: true }), []);
    world.submit(&code_user(DEVICE), 3).expect("rated");
    assert_eq!(world.tell(News::Done { switched_on: true }), []);
}

#[test]
fn t_11_nothing_is_left_of_a_deleted_subject() {
    let mut world = World::done();
    world.submit(&code_user(DEVICE), 3).expect("rated");
    let system = Principal::system(Uuid::nil().into());
    world.ask(&system, &RequestCommand::Delete).expect("deleted");
    assert_eq!(world.state, RequestState { deleted: true, ..RequestState::default() });
    assert_eq!(world.become_done(true), []);
    assert_eq!(world.submit(&code_user(DEVICE), 3), Err(RequestRejection::NoSubject));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Done(bool),
    Over,
    Turn(bool),
    Rate(i32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(Step::Done),
        2 => proptest::strategy::Just(Step::Over),
        1 => any::<bool>().prop_map(Step::Turn),
        4 => (1..=5_i32).prop_map(Step::Rate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn r_3_holds_through_any_interleaving(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let mut rated_rounds = Vec::new();
        let mut answered_rounds = Vec::new();
        for step in steps {
            let before = world.state.clone();
            let events = match step {
                Step::Done(on) => world.become_done(on),
                Step::Over => world.tell(News::Over),
                Step::Turn(public) => {
                    world.subject.visibility = if public { Visibility::Public } else { Visibility::Internal };
                    world.tell(News::Facts)
                }
                Step::Rate(score) => world.submit(&code_user(DEVICE), score).unwrap_or_default(),
            };
            for event in &events {
                match event {
                    RequestEvent::Submitted { previous_score, .. } => {
                        // Only what is asked is answered, once per DONE, and it tells what it replaces.
                        prop_assert_eq!(before.standing, Standing::Requested);
                        rated_rounds.push(before.asked_round);
                        prop_assert_eq!(*previous_score, before.given.as_ref().map_or(0, |given| given.score));
                    }
                    RequestEvent::Requested { .. } => answered_rounds.push(world.state.asked_round),
                    RequestEvent::Waived | RequestEvent::Withdrawn => {}
                    RequestEvent::Observed { .. } | RequestEvent::Deleted => {}
                }
            }
            let internal = world.subject.visibility == Visibility::Internal;
            prop_assert!(!(internal && world.state.standing == Standing::Requested), "asked while internal");
            // Withdrawing or asking anew never loses a rating.
            prop_assert!(before.given.is_none() || world.state.given.is_some());
        }
        for rounds in [&mut rated_rounds, &mut answered_rounds] {
            let all = rounds.len();
            rounds.dedup();
            prop_assert_eq!(rounds.len(), all, "a DONE was asked or rated twice");
        }
    }
}
