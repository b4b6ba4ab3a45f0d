//! From what happened to who is told (N-1, N-4).

use std::collections::HashSet;
use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::{Actor, Clock, EmployeeId, EventId, OrganisationId, Timestamp};
use callboard_notifications_domain::audience::audience;
use callboard_notifications_domain::delivery::{
    NO_ADDRESS, NO_EMAIL, NO_SUBSCRIPTION, NO_WINDOW, State, give_up, plan,
};
use callboard_notifications_domain::preferences::PreferencesState;
use callboard_notifications_domain::{Channel, EventType, GroupId, Person, SubjectKind};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::store::telling::Told;
use crate::store::{Around, Circles, Judged, KnownSubject, Telling};
use crate::window::Windows;
use crate::{Tables, not_now};

/// How long an event waits for its ticket, which its own context tells of; after that it is told with what is known.
const WAIT_FOR_SUBJECT: TimeDelta = TimeDelta::seconds(60);

/// In the details: the notification group that the event named.
pub(crate) const GROUP: &str = "group";
/// In the details: the template whose responsible people hear of it.
pub(crate) const TEMPLATE: &str = "template";

/// Something people are told of.
#[derive(Debug, Clone)]
pub struct Happening {
    /// Of which type.
    pub event_type: EventType,
    /// About what.
    pub kind: SubjectKind,
    /// About which.
    pub subject: Uuid,
    /// The message it is about.
    pub part: Option<Uuid>,
    /// Who did it.
    pub actor: Actor,
    /// False: nothing for outsiders, though the subject may be.
    pub public: bool,
    /// Whom it is about.
    pub named: Vec<EmployeeId>,
    /// Who asked for it at the support desk.
    pub requester: Option<Actor>,
    /// The support role whose field it is.
    pub field: Option<&'static str>,
    /// The notification group, where the event names it.
    pub group: Option<GroupId>,
    /// The template whose responsible people hear of it (V-2).
    pub template: Option<Uuid>,
    /// What else the text needs.
    pub details: Value,
}

impl Happening {
    /// Something public about a subject.
    pub fn new(event_type: EventType, kind: SubjectKind, subject: Uuid, actor: Actor) -> Self {
        Self {
            event_type,
            kind,
            subject,
            part: None,
            actor,
            public: true,
            named: Vec::new(),
            requester: None,
            field: None,
            group: None,
            template: None,
            details: json!({}),
        }
    }
}

/// What names an event, and when it was.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// Which: nobody is told of it twice.
    pub event: EventId,
    /// The tenant.
    pub organisation: OrganisationId,
    /// When.
    pub time: Timestamp,
}

impl From<&Event> for Occasion {
    fn from(event: &Event) -> Self {
        Self { event: event.id, organisation: event.organisation, time: event.time }
    }
}

/// Tells people.
#[derive(Debug, Clone)]
pub struct Teller {
    /// Looks people up.
    pub circles: Circles,
    /// The tables.
    pub tables: Tables,
    /// Drawers that are open.
    pub windows: Windows,
    /// Whether there is a mail server.
    pub has_email: bool,
    /// Wakes the couriers.
    pub wake: Arc<Notify>,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

/// The details with what those who hear of it are judged by when it is sent (N-3).
fn judged_by(mut details: Value, group: Option<GroupId>, template: Option<Uuid>) -> Value {
    let lists = [(GROUP, group.map(Uuid::from)), (TEMPLATE, template)];
    if let Some(details) = details.as_object_mut() {
        for (key, list) in lists {
            details.extend(list.map(|list| (key.to_owned(), json!(list))));
        }
    }
    details
}

impl Teller {
    async fn subject(&self, event: Occasion, happening: &Happening) -> Result<Judged, HandleError> {
        let copies = &self.tables.copies;
        let known = copies.judged(event.organisation, happening.subject).await.map_err(not_now)?;
        let judged = match known {
            Some(judged) => judged,
            None => {
                let unheard = KnownSubject::unheard(happening.kind, happening.subject);
                copies.keep_subject(event.organisation, &unheard).await.map_err(not_now)?;
                // Its own context may have told of it meanwhile.
                let known = copies.judged(event.organisation, happening.subject).await.map_err(not_now)?;
                known.unwrap_or_else(|| Judged { subject: unheard.as_told(), known: unheard })
            }
        };
        // Streams are read side by side: what was caused by the ticket may be heard before the ticket.
        if judged.known.version < 0 && self.clock.now() - event.time < WAIT_FOR_SUBJECT {
            return Err(HandleError::Retry("its ticket was not heard of yet".to_owned()));
        }
        Ok(judged)
    }

    /// Tells everybody who is to be told. The same event again tells nobody twice.
    ///
    /// # Errors
    /// [`HandleError::Retry`] when it cannot be done now.
    pub async fn tell(
        &self,
        event: impl Into<Occasion>,
        happening: Happening,
    ) -> Result<Handled, HandleError> {
        let event: Occasion = event.into();
        let Judged { known: subject, subject: judged } = self.subject(event, &happening).await?;
        if subject.deleted {
            return Ok(Handled::Done);
        }
        let organisation = event.organisation;
        let copies = &self.tables.copies;
        let isolation = copies.isolation(organisation).await.map_err(not_now)?;
        let around = Around {
            named: &happening.named,
            field: happening.field,
            group: happening.group,
            template: happening.template,
        };
        let mut circle = self
            .circles
            .around(organisation, happening.event_type, &subject, &judged, isolation, &around)
            .await
            .map_err(not_now)?;
        circle.requester = happening.requester;
        let listeners =
            audience(happening.event_type, happening.actor, happening.public, isolation, &judged, &circle);
        let people: Vec<Person> = listeners.iter().map(|listener| listener.person).collect();
        if people.is_empty() {
            return Ok(Handled::Done);
        }
        let addressed = async {
            match self.has_email {
                true => self.tables.addresses.with_addresses(organisation, &people).await,
                false => Ok(HashSet::new()),
            }
        };
        let (chosen, reached, addressed) = futures::try_join!(
            self.tables.chosen.of(organisation, &people),
            self.tables.subscriptions.with_browsers(organisation, &people),
            addressed,
        )
        .map_err(not_now)?;
        let nothing = PreferencesState::default();
        let now = self.clock.now();
        let told: Vec<Told> = listeners
            .into_iter()
            .filter(|listener| !chosen.get(&listener.person).is_some_and(|(chosen, _)| chosen.switched_off))
            .map(|listener| {
                let person = listener.person;
                let chosen = chosen.get(&person).map_or(&nothing, |(chosen, _)| chosen);
                let rule = chosen.rule(person, happening.event_type, listener.origin);
                let at_once = happening.event_type.at_once();
                let mut deliveries = plan(&rule.channels, rule.strategy, at_once, now);
                let leads_nowhere = |channel| match channel {
                    Channel::Browser => {
                        (!self.windows.may_be_open(organisation, person)).then_some(NO_WINDOW)
                    }
                    Channel::Push => (!reached.contains(&person)).then_some(NO_SUBSCRIPTION),
                    Channel::Email if !self.has_email => Some(NO_EMAIL),
                    // The addresses of all others are the directory's, which is asked for each letter.
                    Channel::Email => match person {
                        Person::Code(code) => (!addressed.contains(&code)).then_some(NO_ADDRESS),
                        Person::Employee(_) | Person::CustomerUser(_) => None,
                    },
                };
                let given_up = give_up(&mut deliveries, leads_nowhere, rule.strategy, now);
                Told { listener, strategy: rule.strategy, deliveries, given_up }
            })
            .collect();
        if told.is_empty() {
            return Ok(Handled::Done);
        }
        let telling = Telling {
            event: event.event,
            organisation,
            event_type: happening.event_type,
            subject,
            part: happening.part,
            actor: happening.actor,
            at: event.time,
            details: judged_by(happening.details, happening.group, happening.template),
        };
        let people: Vec<Person> = told.iter().map(|told| told.listener.person).collect();
        let is_due = told.iter().flat_map(|told| &told.deliveries).any(|one| one.state == State::Due);
        let fresh = self.tables.tellings.tell(telling, told, now).await.map_err(not_now)?;
        if fresh.is_some_and(|fresh| fresh > 0) {
            if is_due {
                self.wake.notify_waiters();
            }
            self.windows.changed(organisation, people).await;
        }
        Ok(Handled::Done)
    }
}
