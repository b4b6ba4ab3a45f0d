//! Between the domain's words and the protos'.

pub mod webhooks;

use callboard_kernel::{Language, Refusal, Version};
use callboard_notifications_domain::delivery::State;
use callboard_notifications_domain::group::GroupState;
use callboard_notifications_domain::preferences::{PreferencesState, Rule};
use callboard_notifications_domain::{Channel, EventType, GroupId, Origin, Person, Strategy, SubjectKind};
use callboard_proto::common::v1 as common;
use callboard_proto::notifications::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};

use crate::render::{Matter, Texts};
use crate::store::deliveries::Logged;
use crate::store::drawer::StoredEntry;
use crate::store::{Address, Subscription};

/// Both ways between words; `None` from what is unspecified.
macro_rules! pairs {
    ($($to:ident, $from:ident: $domain:ident = $proto:ident { $($word:ident = $other:ident),+ $(,)? })+) => {$(
        pub const fn $to(word: $domain) -> proto::$proto {
            match word {
                $($domain::$word => proto::$proto::$other,)+
            }
        }

        pub const fn $from(word: proto::$proto) -> Option<$domain> {
            match word {
                $(proto::$proto::$other => Some($domain::$word),)+
                proto::$proto::Unspecified => None,
            }
        }
    )+};
}

pairs! {
    event_type, from_event_type: EventType = EventType {
        TicketOpened = TicketOpened, TicketStatus = TicketStatus, TicketChanged = TicketChanged,
        TicketUpdate = TicketUpdate, TicketRated = TicketRated, Message = Message, Offer = Offer,
        OfferWithdrawn = OfferWithdrawn, Assigned = Assigned, Unassigned = Unassigned, Unserved = Unserved,
        Escalated = Escalated, RatingRequested = RatingRequested, TaskCreated = TaskCreated, TaskDue = TaskDue,
        TaskStatus = TaskStatus, TaskAssigned = TaskAssigned, SupportOpened = SupportOpened,
        SupportAssigned = SupportAssigned, SupportComment = SupportComment, SupportDecided = SupportDecided,
        VideoRequested = VideoRequested, VideoConfirmed = VideoConfirmed, VideoCancelled = VideoCancelled,
        VideoCall = VideoCall, VideoEnded = VideoEnded, VideoRated = VideoRated, WebhookDisabled = WebhookDisabled,
    }
    origin, from_origin: Origin = Origin { Me = Me, Others = Others }
    channel, from_channel: Channel = Channel { Browser = Browser, Push = Push, Email = Email }
    strategy, from_strategy: Strategy = Strategy { All = All, FirstSuccessful = FirstSuccessful }
}

pub const fn subject_kind(kind: SubjectKind) -> proto::SubjectKind {
    match kind {
        SubjectKind::Ticket => proto::SubjectKind::Ticket,
        SubjectKind::Task => proto::SubjectKind::Task,
        SubjectKind::DeviceEvent => proto::SubjectKind::DeviceEvent,
        SubjectKind::SupportTicket => proto::SubjectKind::SupportTicket,
        SubjectKind::VideoSession => proto::SubjectKind::VideoSession,
        SubjectKind::Webhook => proto::SubjectKind::Webhook,
    }
}

const fn state(state: State) -> proto::DeliveryState {
    match state {
        State::Waiting => proto::DeliveryState::Waiting,
        // In a worker's hands: due, for who looks at it from outside.
        State::Due | State::Claimed | State::HandedOver => proto::DeliveryState::Due,
        State::Delivered => proto::DeliveryState::Delivered,
        State::Failed => proto::DeliveryState::Failed,
        State::Skipped => proto::DeliveryState::Skipped,
        State::Withheld => proto::DeliveryState::Withheld,
        State::Unknown => proto::DeliveryState::Unknown,
    }
}

/// The states that a word of the protos stands for.
pub const fn from_state(state: proto::DeliveryState) -> &'static [State] {
    match state {
        proto::DeliveryState::Unspecified => &[],
        proto::DeliveryState::Waiting => &[State::Waiting],
        proto::DeliveryState::Due => &[State::Due, State::Claimed, State::HandedOver],
        proto::DeliveryState::Delivered => &[State::Delivered],
        proto::DeliveryState::Failed => &[State::Failed],
        proto::DeliveryState::Skipped => &[State::Skipped],
        proto::DeliveryState::Withheld => &[State::Withheld],
        proto::DeliveryState::Unknown => &[State::Unknown],
    }
}

/// An entry in the reader's language.
pub fn entry(stored: &StoredEntry, reader: Person, language: Language, texts: &Texts) -> proto::Entry {
    let matter = Matter {
        event_type: stored.event_type,
        subject_kind: stored.subject_kind,
        number: stored.number,
        actor: stored.actor,
        name: None,
        reader,
        details: &stored.details,
    };
    proto::Entry {
        id: stored.id.to_string(),
        event_type: event_type(stored.event_type).into(),
        subject_kind: subject_kind(stored.subject_kind).into(),
        subject_id: stored.subject.to_string(),
        number: stored.number,
        device_id: stored.device.map(|id| id.to_string()).unwrap_or_default(),
        count: stored.count,
        unread: stored.unread,
        origin: origin(stored.origin).into(),
        actor: Some(to_proto_actor(stored.actor)),
        time: Some(to_proto_time(stored.at)),
        text: texts.line(language, &matter),
        position: stored.position,
    }
}

fn rule(key: (EventType, Origin), rule: &Rule, is_default: bool) -> proto::PreferenceRule {
    proto::PreferenceRule {
        event_type: event_type(key.0).into(),
        origin: origin(key.1).into(),
        channels: rule.channels.iter().map(|one| channel(*one).into()).collect(),
        strategy: strategy(rule.strategy).into(),
        is_default,
    }
}

/// All rules of a person, those by default among them.
pub fn preferences(person: Person, state: &PreferencesState, version: Version) -> proto::Preferences {
    let mut rules = Vec::new();
    for event_type in EventType::ALL {
        for origin in Origin::ALL {
            let key = (*event_type, *origin);
            let is_default = !state.rules.contains_key(&key);
            rules.push(rule(key, &state.rule(person, *event_type, *origin), is_default));
        }
    }
    proto::Preferences { rules, switched_off: state.switched_off, etag: version.etag() }
}

/// A group; an empty one where it was removed.
pub fn group(id: GroupId, state: &GroupState, version: Version) -> proto::Group {
    let Some(members) = &state.members else { return proto::Group::default() };
    proto::Group {
        id: id.to_string(),
        name: members.name.clone(),
        employee_ids: members.employees.iter().map(ToString::to_string).collect(),
        department_ids: members.departments.iter().map(ToString::to_string).collect(),
        team_ids: members.teams.iter().map(ToString::to_string).collect(),
        create_time: state.created.map(to_proto_time),
        update_time: state.updated.map(to_proto_time),
        etag: version.etag(),
    }
}

/// A browser, without its secrets.
pub fn subscription(stored: &Subscription) -> proto::PushSubscription {
    proto::PushSubscription {
        id: stored.id.to_string(),
        label: stored.label.clone(),
        create_time: Some(to_proto_time(stored.created_at)),
        ..proto::PushSubscription::default()
    }
}

fn person(person: Person) -> common::Actor {
    let kind = match person {
        Person::Employee(_) => common::ActorKind::Employee,
        Person::CustomerUser(_) => common::ActorKind::CustomerUser,
        Person::Code(_) => common::ActorKind::CodeUser,
    };
    common::Actor { kind: kind.into(), id: person.id().to_string() }
}

/// A line of the log.
pub fn delivery(logged: &Logged) -> proto::Delivery {
    let delivery = &logged.delivery;
    proto::Delivery {
        event_id: logged.event.to_string(),
        event_type: event_type(logged.event_type).into(),
        subject_kind: subject_kind(logged.subject_kind).into(),
        subject_id: logged.subject.to_string(),
        person: Some(person(logged.person)),
        channel: channel(delivery.channel).into(),
        place: i32::try_from(delivery.place).unwrap_or(i32::MAX),
        state: state(delivery.state).into(),
        attempts: i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
        reason: logged.reason.clone(),
        answer: logged.answer.clone(),
        create_time: Some(to_proto_time(logged.created)),
        update_time: Some(to_proto_time(logged.updated)),
        next_time: (delivery.state == State::Due).then(|| to_proto_time(delivery.due)),
    }
}

/// An address with most of it left out.
pub fn address(stored: &Address) -> proto::CodeAddress {
    let (name, domain) = stored.email.rsplit_once('@').unwrap_or((&stored.email, ""));
    let first: String = name.chars().take(1).collect();
    proto::CodeAddress {
        id: stored.id.to_string(),
        masked: format!("{first}…@{domain}"),
        confirmed: stored.confirmed,
        create_time: Some(to_proto_time(stored.created)),
    }
}

/// Words out of a list of a request.
///
/// # Errors
/// Names the first that is none.
pub fn words<P: TryFrom<i32>, D>(
    field: &str,
    numbers: &[i32],
    from: impl Fn(P) -> Option<D>,
) -> Result<Vec<D>, Refusal> {
    if numbers.len() > 100 {
        return Err(Refusal::field(field, "at most 100 values"));
    }
    numbers
        .iter()
        .enumerate()
        .map(|(index, number)| {
            P::try_from(*number)
                .ok()
                .and_then(&from)
                .ok_or_else(|| Refusal::field(format!("{field}[{index}]"), "must be a known value"))
        })
        .collect()
}
