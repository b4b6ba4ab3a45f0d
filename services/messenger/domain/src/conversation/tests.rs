//! Each rule under its number, and random lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_kernel::{
    Actor, Aggregate as _, Cause, CodeUser, CommandId, CustomerUser, DecisionContext, Employee, Language,
    Principal, RandomIds, Role, Subject, Timestamp,
};
use chrono::TimeDelta;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use uuid::Uuid;

use super::{
    Conversation, ConversationCommand as Command, ConversationEvent as Event,
    ConversationRejection as Rejection, ConversationState, MAX_MARKERS, Message, MessageKind, RECENT_CLIENTS,
    Sight, Ticket,
};

const DEVICE: u128 = 1;
const CUSTOMER: u128 = 2;
const WINDOW: TimeDelta = TimeDelta::minutes(15);

fn principal(subject: Subject) -> Principal {
    Principal { organisation: Uuid::nil().into(), subject, language: Language::En }
}

fn visitor(device: u128) -> Principal {
    guest(71, device)
}

fn guest(session: u128, device: u128) -> Principal {
    let (session, code) = (Uuid::from_u128(session).into(), Uuid::from_u128(72).into());
    principal(Subject::CodeUser(CodeUser { session, code, device: Uuid::from_u128(device).into() }))
}

fn customer_user(customer: u128) -> Principal {
    let (id, customer) = (Uuid::from_u128(81).into(), Uuid::from_u128(customer).into());
    principal(Subject::CustomerUser(CustomerUser { id, customer }))
}

fn employee(id: u128, role: Role) -> Principal {
    principal(Subject::Employee(Employee { id: Uuid::from_u128(id).into(), role, departments: Vec::new() }))
}

fn member() -> Principal {
    employee(91, Role::Member)
}

fn system() -> Principal {
    Principal::system(Uuid::nil().into())
}

struct World {
    state: ConversationState,
    ticket: Ticket,
    now: Timestamp,
    messages: BTreeMap<i64, Arc<Message>>,
}

type Happened = Result<Vec<Event>, Rejection>;

impl World {
    fn draft() -> Self {
        let ticket = Ticket {
            version: 0,
            device: Uuid::from_u128(DEVICE).into(),
            device_version: 1,
            template: Uuid::from_u128(3).into(),
            customer: Some(Uuid::from_u128(CUSTOMER).into()),
            internal: false,
            ended: false,
            departments: Vec::new(),
        };
        let now = Timestamp::from_timestamp(1_800_000_000, 0).expect("a moment");
        Self { state: ConversationState::default(), ticket, now, messages: BTreeMap::new() }
    }

    /// An open ticket in which the member is involved.
    fn open() -> Self {
        let mut world = Self::draft();
        world.tell(|_| {});
        let employees = vec![Uuid::from_u128(91).into()];
        world.ask(&system(), Command::Involve { employees, version: 1 }).expect("involved");
        world
    }

    fn ask(&mut self, principal: &Principal, command: Command) -> Happened {
        let context = DecisionContext {
            now: self.now,
            principal,
            cause: &Cause::default(),
            command_id: CommandId(Uuid::nil()),
            ids: &RandomIds,
        };
        let events = Conversation::decide(&self.state, &command, &context)?;
        for event in &events {
            Conversation::evolve(&mut self.state, event);
            if let Event::Sent { message, .. }
            | Event::Edited { after: message, .. }
            | Event::Withdrawn { after: message, .. } = event
            {
                self.messages.insert(message.sequence, Arc::clone(message));
            }
        }
        Ok(events)
    }

    fn tell(&mut self, change: impl FnOnce(&mut Ticket)) -> Vec<Event> {
        self.ticket.version += 1;
        change(&mut self.ticket);
        let ticket = Arc::new(self.ticket.clone());
        self.ask(&system(), Command::Observe { ticket }).expect("news are never refused")
    }

    fn send(&mut self, principal: &Principal, client_id: &str, text: &str) -> Happened {
        let (client_id, text) = (client_id.to_owned(), text.to_owned());
        let command = Command::Send { sight: Sight::default(), client_id, text, attachments: Vec::new() };
        self.ask(principal, command)
    }

    fn edit(&mut self, principal: &Principal, sequence: i64, text: &str) -> Happened {
        let message = Arc::clone(&self.messages[&sequence]);
        self.edit_as_read(principal, message, None, text)
    }

    fn edit_as_read(
        &mut self,
        principal: &Principal,
        message: Arc<Message>,
        expected: Option<i32>,
        text: &str,
    ) -> Happened {
        let (sight, window, text) = (Sight::default(), WINDOW, text.to_owned());
        self.ask(principal, Command::Edit { sight, message, expected, text, window })
    }

    fn withdraw(&mut self, principal: &Principal, sequence: i64) -> Happened {
        let (sight, window) = (Sight::default(), WINDOW);
        let message = Arc::clone(&self.messages[&sequence]);
        self.ask(principal, Command::Withdraw { sight, message, expected: None, window })
    }

    fn read(&mut self, principal: &Principal, sequence: i64) -> Happened {
        self.ask(principal, Command::MarkRead { sight: Sight::default(), sequence })
    }
}

fn sequence(happened: &Happened) -> i64 {
    match happened.as_deref() {
        Ok([Event::Sent { message, .. }]) => message.sequence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn m_1_the_conversation_opens_with_its_ticket_and_once() {
    let mut world = World::draft();
    assert!(matches!(world.tell(|_| {})[..], [Event::Opened { .. }]));
    assert!(matches!(world.tell(|ticket| ticket.internal = true)[..], [Event::Observed { .. }]));
    let ticket = Arc::new(world.ticket.clone());
    assert_eq!(world.ask(&system(), Command::Observe { ticket }), Ok(Vec::new()), "the same version again");
}

#[test]
fn m_3_nobody_writes_on_a_draft() {
    let mut world = World::draft();
    for who in [visitor(DEVICE), member(), employee(5, Role::Administrator)] {
        assert_eq!(world.send(&who, "1", "Hello"), Err(Rejection::NoConversation));
    }
}

#[test]
fn m_3_who_may_write() {
    let stranger = employee(92, Role::Member);
    let denied = Rejection::Denied("writing is for those involved, moderators and administrators");
    // (who, open, closed, internal)
    let no = Rejection::NoConversation;
    type Row = (Principal, Option<Rejection>, Option<Rejection>, Option<Rejection>);
    let table: [Row; 7] = [
        (visitor(DEVICE), None, Some(Rejection::Locked), Some(no.clone())),
        (visitor(99), Some(no.clone()), Some(no.clone()), Some(no.clone())),
        (customer_user(CUSTOMER), None, Some(Rejection::Locked), Some(no.clone())),
        (customer_user(99), Some(no.clone()), Some(no.clone()), Some(no)),
        (stranger, Some(denied.clone()), Some(denied.clone()), Some(denied)),
        (member(), None, None, None),
        (employee(93, Role::Moderator), None, None, None),
    ];
    for (who, open, closed, internal) in table {
        let mut world = World::open();
        assert_eq!(world.send(&who, "1", "Hello").err(), open, "open {who:?}");
        world.tell(|ticket| ticket.ended = true);
        assert_eq!(world.send(&who, "2", "Hello").err(), closed, "closed {who:?}");
        world.tell(|ticket| (ticket.ended, ticket.internal) = (false, true));
        assert_eq!(world.send(&who, "3", "Hello").err(), internal, "internal {who:?}");
    }
}

#[test]
fn t_9_outsiders_write_again_after_reopening_and_never_edit_what_is_locked() {
    let mut world = World::open();
    world.send(&visitor(DEVICE), "1", "Hello").expect("sent");
    world.tell(|ticket| ticket.ended = true);
    assert_eq!(world.edit(&visitor(DEVICE), 1, "Bye"), Err(Rejection::Locked));
    assert_eq!(world.withdraw(&visitor(DEVICE), 1), Err(Rejection::Locked));
    world.tell(|ticket| ticket.ended = false);
    assert!(world.edit(&visitor(DEVICE), 1, "Bye").is_ok());
}

#[test]
fn t_9_who_is_not_involved_any_more_may_not_write() {
    let mut world = World::open();
    world.send(&member(), "1", "Hello").expect("sent");
    world.ask(&system(), Command::Involve { employees: Vec::new(), version: 2 }).expect("told");
    assert!(matches!(world.send(&member(), "2", "Hello"), Err(Rejection::Denied(_))));
    // What fleet said before changes nothing.
    let late = Command::Involve { employees: vec![Uuid::from_u128(91).into()], version: 1 };
    assert_eq!(world.ask(&system(), late), Ok(Vec::new()));
}

#[test]
fn m_4_the_same_client_id_gives_one_message_and_another_author_s_is_another() {
    let mut world = World::open();
    assert_eq!(sequence(&world.send(&member(), "a", "Hello")), 1);
    assert_eq!(world.send(&member(), "a", "Hello"), Ok(Vec::new()));
    assert_eq!(world.send(&member(), "a", "Something else"), Ok(Vec::new()));
    assert_eq!(sequence(&world.send(&visitor(DEVICE), "a", "Hello")), 2);
    for number in 0..RECENT_CLIENTS - 2 {
        world.send(&member(), &format!("b{number}"), "Hello").expect("sent");
    }
    assert_eq!(world.send(&member(), "a", "Hello"), Ok(Vec::new()), "still remembered");
}

#[test]
fn m_1_what_a_message_may_be() {
    let mut world = World::open();
    let mut wrong = |client_id: &str, text: &str, attachments: usize| {
        let attachments = vec![Uuid::nil(); attachments];
        let (client_id, text) = (client_id.to_owned(), text.to_owned());
        let command = Command::Send { sight: Sight::default(), client_id, text, attachments };
        match world.ask(&member(), command) {
            Err(Rejection::Invalid(wrong)) => wrong.into_iter().map(|one| one.field).collect::<Vec<_>>(),
            Ok(_) => Vec::new(),
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(wrong("", "", 0), ["text", "client_id"]);
    assert_eq!(wrong("a b", &"x".repeat(4_001), 21), ["text", "client_id", "attachment_ids"]);
    assert_eq!(wrong("c", "", 1), [""; 0], "an attachment says enough");
}

#[test]
fn m_6_only_the_author_edits_and_withdraws_and_only_in_time() {
    let mut world = World::open();
    world.send(&member(), "1", "Helo").expect("sent");
    for other in [employee(93, Role::Administrator), visitor(DEVICE)] {
        assert!(matches!(world.edit(&other, 1, "Mine"), Err(Rejection::Denied(_))), "{other:?}");
        assert!(matches!(world.withdraw(&other, 1), Err(Rejection::Denied(_))), "{other:?}");
    }
    world.now += WINDOW;
    let happened = world.edit(&member(), 1, "Hello");
    let Ok([Event::Edited { before, after, .. }]) = happened.as_deref() else { panic!("{happened:?}") };
    assert_eq!((before.text.as_str(), after.text.as_str(), after.revision), ("Helo", "Hello", 2));
    assert_eq!(world.edit(&member(), 1, "Hello"), Ok(Vec::new()), "nothing to change");
    world.now += TimeDelta::seconds(1);
    assert_eq!(world.edit(&member(), 1, "Hallo"), Err(Rejection::TooLate));
    assert_eq!(world.withdraw(&member(), 1), Err(Rejection::TooLate));
}

#[test]
fn m_6_what_is_withdrawn_says_nothing_and_stays_so() {
    let mut world = World::open();
    world.send(&member(), "1", "Oops").expect("sent");
    let happened = world.withdraw(&member(), 1);
    let Ok([Event::Withdrawn { before, after, .. }]) = happened.as_deref() else { panic!("{happened:?}") };
    assert_eq!((before.text.as_str(), after.text.as_str(), after.sequence), ("Oops", "", 1));
    assert_eq!(world.edit(&member(), 1, "Again"), Err(Rejection::Withdrawn));
    assert_eq!(world.withdraw(&member(), 1), Err(Rejection::Withdrawn));
    assert_eq!(sequence(&world.send(&member(), "2", "Next")), 2, "its place is not given again (M-5)");
}

#[test]
fn aip_154_an_edit_of_what_has_changed_is_refused() {
    let mut world = World::open();
    world.send(&member(), "1", "a").expect("sent");
    let seen = Arc::clone(&world.messages[&1]);
    world.edit_as_read(&member(), Arc::clone(&seen), Some(1), "b").expect("edited");
    // Read before the change and decided after it: read again.
    assert_eq!(world.edit_as_read(&member(), seen, None, "c"), Err(Rejection::Stale));
    let fresh = Arc::clone(&world.messages[&1]);
    assert_eq!(world.edit_as_read(&member(), fresh, Some(1), "c"), Err(Rejection::EtagMismatch));
}

#[test]
fn m_6_markers_only_move_forward_and_not_beyond_the_end() {
    let mut world = World::open();
    for number in 0..3 {
        world.send(&member(), &number.to_string(), "Hello").expect("sent");
    }
    let reader = visitor(DEVICE);
    assert_eq!(world.state.read_by(member().actor()), 3, "who writes has read");
    world.read(&reader, 2).expect("read");
    assert_eq!(world.read(&reader, 1), Ok(Vec::new()));
    world.read(&reader, 70).expect("read");
    assert_eq!(world.state.read_by(reader.actor()), 3);
    assert!(matches!(world.read(&reader, -1), Err(Rejection::Invalid(_))));
}

#[test]
fn m_6_markers_are_bounded() {
    let mut world = World::open();
    world.send(&member(), "1", "a").expect("sent");
    for number in 0..MAX_MARKERS + 5 {
        world.read(&guest(1_000 + number as u128, DEVICE), 1).expect("read");
        assert!(world.state.markers.len() <= MAX_MARKERS);
    }
}

#[test]
fn m_7_a_join_link_is_posted_once() {
    let mut world = World::open();
    let session = Uuid::from_u128(7);
    let post = |text: &str| Command::PostJoinLink { session, text: text.to_owned() };
    let happened = world.ask(&system(), post("https://call.example"));
    let Ok([Event::Sent { message, .. }]) = happened.as_deref() else { panic!("{happened:?}") };
    assert_eq!((message.kind, message.session), (MessageKind::JoinLink, Some(session)));
    assert_eq!(world.ask(&system(), post("https://call.example")), Ok(Vec::new()));
    assert!(matches!(world.edit(&member(), 1, "Mine"), Err(Rejection::Denied(_))));
}

#[test]
fn t_11_nothing_is_left_of_a_deleted_ticket() {
    let mut world = World::open();
    world.send(&visitor(DEVICE), "1", "Hello").expect("sent");
    world.ask(&system(), Command::Delete).expect("deleted");
    assert_eq!(world.state, ConversationState { deleted: true, ..ConversationState::default() });
    assert_eq!(world.tell(|_| {}), []);
    assert_eq!(world.ask(&system(), Command::Involve { employees: Vec::new(), version: 9 }), Ok(Vec::new()));
    assert_eq!(world.send(&member(), "2", "Hello"), Err(Rejection::NoConversation));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Send(u8, u8),
    Edit(u8),
    Withdraw(u8),
    Read(u8, i64),
    Turn(bool, bool),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u8, 0..40_u8).prop_map(|(who, id)| Step::Send(who, id)),
        2 => any::<u8>().prop_map(Step::Edit),
        1 => any::<u8>().prop_map(Step::Withdraw),
        2 => (0..4_u8, 0..30_i64).prop_map(|(who, at)| Step::Read(who, at)),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(internal, ended)| Step::Turn(internal, ended)),
        1 => (0..20_i64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn m_5_sequences_have_no_gaps_through_any_life(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::open();
        let people = [member(), visitor(DEVICE), customer_user(CUSTOMER), employee(92, Role::Member)];
        let mut sent: BTreeMap<(String, u8), i64> = BTreeMap::new();
        for step in steps {
            let markers = world.state.markers.clone();
            let before = world.state.clone();
            let events = match step {
                Step::Send(who, id) => {
                    let who = &people[usize::from(who)];
                    let events = world.send(who, &id.to_string(), "text").unwrap_or_default();
                    if let [Event::Sent { message, .. }] = &events[..] {
                        // One message for each author and client id (M-4).
                        prop_assert_eq!(sent.insert((who.actor().to_string(), id), message.sequence), None);
                        prop_assert!(before.may_write(who) && before.visible_to(who, &Sight::default()).is_some());
                    }
                    events
                }
                Step::Edit(at) => match pick(&world, at) {
                    Some((author, sequence)) => {
                        let text = format!("edited {at}");
                        people.iter().find(|who| who.actor() == author)
                            .and_then(|who| world.edit(who, sequence, &text).ok()).unwrap_or_default()
                    }
                    None => Vec::new(),
                },
                Step::Withdraw(at) => match pick(&world, at) {
                    Some((author, sequence)) => people.iter().find(|who| who.actor() == author)
                        .and_then(|who| world.withdraw(who, sequence).ok()).unwrap_or_default(),
                    None => Vec::new(),
                },
                Step::Read(who, at) => world.read(&people[usize::from(who)], at).unwrap_or_default(),
                Step::Turn(internal, ended) => {
                    world.tell(|ticket| (ticket.internal, ticket.ended) = (internal, ended))
                }
                Step::Wait(minutes) => {
                    world.now += TimeDelta::minutes(minutes);
                    Vec::new()
                }
            };
            prop_assert!(events.len() <= 1);
            let sequences: Vec<i64> = world.messages.keys().copied().collect();
            prop_assert_eq!(&sequences, &(1..=world.state.last_sequence).collect::<Vec<_>>());
            for (who, marker) in markers {
                prop_assert!(world.state.read_by(who) >= marker.sequence, "a marker moved back");
            }
            prop_assert!(world.state.recent.len() <= RECENT_CLIENTS);
        }
    }
}

fn pick(world: &World, at: u8) -> Option<(Actor, i64)> {
    let count = world.messages.len();
    if count == 0 {
        return None;
    }
    world.messages.values().nth(usize::from(at) % count).map(|message| (message.author, message.sequence))
}
