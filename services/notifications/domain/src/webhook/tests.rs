use callboard_kernel::{
    Aggregate, Cause, CommandId, DecisionContext, Employee, Language, Principal, RandomIds, Role, Subject,
    Timestamp,
};
use chrono::TimeDelta;
use uuid::Uuid;

use super::*;

struct World {
    state: WebhookState,
    now: Timestamp,
}

fn who(role: Role) -> Principal {
    let employee = Employee { id: Uuid::from_u128(2).into(), role, departments: Vec::new() };
    Principal {
        organisation: Uuid::from_u128(1).into(),
        subject: Subject::Employee(employee),
        language: Language::En,
    }
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint { url: url.into(), description: String::new(), event_types: Vec::new(), enabled: true }
}

fn key(byte: u8) -> SecretKey {
    SecretKey(vec![byte; SECRET_BYTES])
}

impl World {
    fn new() -> Self {
        Self { state: WebhookState::default(), now: Timestamp::UNIX_EPOCH }
    }

    fn made() -> Self {
        let mut world = Self::new();
        let create = WebhookCommand::Create { endpoint: endpoint("https://a.example/x"), key: key(1) };
        assert_eq!(world.ask(&who(Role::Administrator), &create), Ok(2));
        world
    }

    fn ask(&mut self, principal: &Principal, command: &WebhookCommand) -> Result<usize, WebhookRejection> {
        let cause = Cause::default();
        let context = DecisionContext {
            now: self.now,
            principal,
            cause: &cause,
            command_id: CommandId(Uuid::from_u128(9)),
            ids: &RandomIds,
        };
        let events = Webhook::decide(&self.state, command, &context)?;
        events.iter().for_each(|event| Webhook::evolve(&mut self.state, event));
        Ok(events.len())
    }

    fn rotate(&mut self, byte: u8, overlap: TimeDelta) {
        let command = WebhookCommand::Rotate { key: key(byte), overlap };
        assert_eq!(self.ask(&who(Role::Administrator), &command), Ok(1));
    }

    fn signing(&self) -> Vec<u8> {
        self.state
            .secrets
            .iter()
            .filter(|secret| secret.signs(self.now))
            .map(|secret| secret.key.0[0])
            .collect()
    }
}

#[test]
fn webhooks_are_kept_by_administrators_and_switched_off_by_callboard_itself() {
    let mut world = World::made();
    let off = WebhookCommand::SwitchOff { url: "https://a.example/x".into(), reason: DisabledReason::Gone };
    let commands = [
        WebhookCommand::Update(endpoint("https://b.example/x")),
        WebhookCommand::Rotate { key: key(2), overlap: TimeDelta::zero() },
        WebhookCommand::Delete,
    ];
    for command in &commands {
        for refused in [who(Role::Moderator), who(Role::Member), Principal::system(Uuid::from_u128(1).into())]
        {
            assert_eq!(world.ask(&refused, command), Err(WebhookRejection::Denied), "{command:?}");
        }
    }
    assert_eq!(world.ask(&who(Role::Administrator), &off), Err(WebhookRejection::Denied));
    assert_eq!(world.ask(&Principal::system(Uuid::from_u128(1).into()), &off), Ok(1));
    assert_eq!(world.state.disabled.map(|disabled| disabled.reason), Some(DisabledReason::Gone));
}

#[test]
fn old_and_new_secret_both_sign_for_the_stated_time_and_then_only_the_new_one() {
    let mut world = World::made();
    assert_eq!(world.signing(), [1]);
    world.rotate(2, TimeDelta::hours(24));
    assert_eq!(world.signing(), [2, 1]);
    world.now += TimeDelta::hours(23);
    // A second rotation lengthens nothing.
    world.rotate(3, TimeDelta::hours(24));
    assert_eq!(world.signing(), [3, 2, 1]);
    world.now += TimeDelta::hours(1);
    assert_eq!(world.signing(), [3, 2]);
    world.rotate(4, TimeDelta::zero());
    assert_eq!(world.signing(), [4], "one that became known ends at once");
    for byte in 10..30 {
        world.rotate(byte, TimeDelta::hours(1));
    }
    assert_eq!(world.signing(), [29, 28, 27, 26, 25]);
}

#[test]
fn switched_on_again_it_has_no_reason_any_more_and_another_address_has_its_own_chance() {
    let mut world = World::made();
    let system = Principal::system(Uuid::from_u128(1).into());
    let off = |url: &str| WebhookCommand::SwitchOff { url: url.into(), reason: DisabledReason::Failing };
    assert_eq!(world.ask(&system, &off("https://other.example/")), Ok(0));
    assert_eq!(world.ask(&system, &off("https://a.example/x")), Ok(1));
    assert_eq!(world.ask(&system, &off("https://a.example/x")), Ok(0));
    let described =
        Endpoint { description: "Ours".into(), enabled: false, ..endpoint("https://a.example/x") };
    let admin = who(Role::Administrator);
    assert_eq!(world.ask(&admin, &WebhookCommand::Update(described)), Ok(1));
    assert_eq!(world.state.disabled.map(|disabled| disabled.reason), Some(DisabledReason::Failing));
    assert_eq!(world.ask(&admin, &WebhookCommand::Update(endpoint("https://a.example/x"))), Ok(1));
    assert_eq!(world.state.disabled, None);
    let by_hand = Endpoint { enabled: false, ..endpoint("https://a.example/x") };
    assert_eq!(world.ask(&admin, &WebhookCommand::Update(by_hand)), Ok(1));
    assert_eq!(world.state.disabled.map(|disabled| disabled.reason), Some(DisabledReason::ByHand));
}

#[test]
fn every_wrong_field_is_named_and_no_secret_is_printed() {
    let mut world = World::new();
    let wrong = Endpoint {
        url: "https://a.example/a b".into(),
        description: "x".repeat(501),
        event_types: vec!["a".into(), "a".into()],
        enabled: true,
    };
    let create = WebhookCommand::Create { endpoint: wrong, key: key(77) };
    let refused = world.ask(&who(Role::Administrator), &create);
    let Err(WebhookRejection::Invalid(violations)) = refused else { panic!("{refused:?}") };
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["webhook.url", "webhook.description", "webhook.event_types"]);
    let printed = format!("{create:?} {:?}", World::made().state);
    // The key's bytes, as bytes are printed; ids may hold the digits.
    assert!(!printed.contains("77, 77") && !printed.contains("example"), "{printed}");
}

#[test]
fn a_webhook_that_was_removed_holds_no_secret_any_more() {
    let mut world = World::made();
    assert_eq!(world.ask(&who(Role::Administrator), &WebhookCommand::Delete), Ok(1));
    assert_eq!(world.state, WebhookState::default());
    assert_eq!(world.ask(&who(Role::Administrator), &WebhookCommand::Delete), Err(WebhookRejection::Missing));
}
