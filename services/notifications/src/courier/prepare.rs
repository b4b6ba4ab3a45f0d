//! What is said to whom, found out when it is sent (N-3).

use callboard_kernel::{EmployeeId, Language, Timestamp};
use callboard_notifications_domain::audience::{
    Call, Standing, Subject, employee_hears, outsider_hears, still_holds, still_is,
};
use callboard_notifications_domain::delivery::Outcome;
use callboard_notifications_domain::{Because, Channel, EventType, GroupId, Person, SubjectKind};
use uuid::Uuid;

use super::{Courier, report};
use crate::render::{Mail, MailAbout, Matter, Texts};
use crate::store::deliveries::Report;
use crate::store::telling::entry_id;
use crate::store::{Claimed, KnownSubject, List};
use crate::tell::{GROUP, TEMPLATE};

/// What is said.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// In this language.
    pub language: Language,
    /// One line.
    pub line: String,
    /// Where it leads, and when that link ends.
    pub open: Option<(String, Option<Timestamp>)>,
    /// The drawer's entry.
    pub entry: Uuid,
    number: i64,
    /// What names it where no number does.
    reference: Option<Uuid>,
    /// Told whatever was chosen (S-3).
    at_once: bool,
}

impl Prepared {
    /// The e-mail of it.
    pub fn mail(&self, texts: &Texts, name: Option<&str>, unsubscribe: Option<String>) -> Mail {
        let about = MailAbout {
            open: self.open.clone(),
            unsubscribe,
            reference: self.reference,
            at_once: self.at_once,
        };
        texts.mail(self.language, &self.line, name, &about)
    }

    /// The same for a reader of another language; without names, as outsiders read it.
    pub fn in_language(&self, courier: &Courier, claimed: &Claimed, language: Language) -> Self {
        let line = courier.texts.line(language, &matter(claimed, self.number, None));
        Self { language, line, ..self.clone() }
    }
}

fn matter<'a>(claimed: &'a Claimed, number: i64, name: Option<&'a str>) -> Matter<'a> {
    Matter {
        event_type: claimed.event_type,
        subject_kind: claimed.subject_kind,
        number,
        actor: claimed.actor,
        name,
        reader: claimed.person,
        details: &claimed.details,
    }
}

impl Courier {
    /// Whether the person may still hear of it; if so, in which language.
    async fn still_hears(
        &self,
        claimed: &Claimed,
        subject: &KnownSubject,
        judged: &Subject,
    ) -> Result<Option<Language>, sqlx::Error> {
        let copies = &self.tables.copies;
        let organisation = claimed.organisation;
        match claimed.person {
            Person::Employee(id) => {
                let Some(hearer) = copies.colleague(organisation, id).await? else { return Ok(None) };
                let standing = Standing {
                    role: hearer.role,
                    is_agent: hearer.is_agent,
                    is_listed: self.is_listed(claimed, subject, id).await?,
                };
                // Whoever is called to a ticket of the session hears of the request beside those responsible (V-2).
                let is_called = claimed.event_type == EventType::VideoRequested;
                if !(still_is(claimed.because, standing)
                    || is_called && self.still_holds(claimed, id, judged).await?)
                {
                    return Ok(None);
                }
                let isolation = copies.isolation(organisation).await?;
                let hears = employee_hears(&hearer.colleague, claimed.because, isolation, judged);
                if !hears
                    || claimed.because == Because::Named && !self.still_holds(claimed, id, judged).await?
                {
                    return Ok(None);
                }
                Ok(Some(hearer.language))
            }
            Person::CustomerUser(id) => {
                let Some((customer, language)) = copies.customer_user(organisation, id).await? else {
                    return Ok(None);
                };
                let own = claimed.because != Because::Company || judged.company == Some(customer);
                Ok((own && outsider_hears(claimed.because, judged)).then_some(language))
            }
            Person::Code(id) => {
                let device = copies.open_code(organisation, id).await?;
                let own = device.is_some() && device == subject.device;
                let hears = own && outsider_hears(claimed.because, judged);
                if hears { Ok(Some(copies.language(organisation).await?)) } else { Ok(None) }
            }
        }
    }

    /// Whether they are on the list that they hear of it by; of other reasons nothing is asked.
    async fn is_listed(
        &self,
        claimed: &Claimed,
        subject: &KnownSubject,
        id: EmployeeId,
    ) -> Result<bool, sqlx::Error> {
        let told = |key: &str| claimed.details.get(key)?.as_str()?.parse::<Uuid>().ok();
        let organisation = claimed.organisation;
        let list = match claimed.because {
            // Of the ticket as it is now, unless what happened named another one.
            Because::Group => {
                told(GROUP).map(GroupId::from).or(subject.group).map(|group| List::Group(organisation, group))
            }
            Because::Responsible => told(TEMPLATE).map(|template| List::Responsible(organisation, template)),
            _ => return Ok(false),
        };
        match list {
            Some(list) => self.tables.copies.is_listed(list, id).await,
            // What was queued before the template was written down holds; a ticket without a group has no members.
            None => Ok(claimed.because == Because::Responsible),
        }
    }

    /// Whether what is said of this very person still holds (N-3).
    async fn still_holds(
        &self,
        claimed: &Claimed,
        id: EmployeeId,
        judged: &Subject,
    ) -> Result<bool, sqlx::Error> {
        let copies = &self.tables.copies;
        let call = match claimed.event_type {
            // V-2: confirming is theirs while a ticket that the session was linked to is.
            EventType::VideoRequested => {
                let tickets = claimed.details.get("tickets").cloned().unwrap_or_default();
                let tickets: Vec<Uuid> = serde_json::from_value(tickets).unwrap_or_default();
                return Ok(!copies.called_to(claimed.organisation, &tickets, Some(id)).await?.is_empty());
            }
            _ if claimed.subject_kind == SubjectKind::Ticket => {
                copies.call(claimed.organisation, claimed.subject, id).await?
            }
            _ => Call::default(),
        };
        Ok(still_holds(claimed.event_type, id, judged, call))
    }

    /// What is said, or what to write down instead.
    pub(super) async fn prepare(&self, claimed: &Claimed) -> Result<Result<Prepared, Report>, sqlx::Error> {
        let withheld = || Ok(Err(report(Outcome::Withheld, "NOT_VISIBLE")));
        let organisation = claimed.organisation;
        let Some(judged) = self.tables.copies.judged(organisation, claimed.subject).await? else {
            return withheld();
        };
        let subject = judged.known;
        if subject.deleted {
            return withheld();
        }
        if subject.version < 0 {
            return Ok(Err(report(Outcome::NotNow, "SUBJECT_UNKNOWN")));
        }
        let Some(language) = self.still_hears(claimed, &subject, &judged.subject).await? else {
            return withheld();
        };
        // Names are of those who log in, for those who log in and are of the house.
        let name = if claimed.person.is_outsider() {
            None
        } else {
            self.contacts.name(organisation, claimed.actor).await
        };
        let line = self.texts.line(language, &matter(claimed, subject.number, name.as_deref()));
        let open = match (claimed.person, subject.device) {
            // N-6: who does not log in is let in, whatever it is about.
            (Person::Code(code), Some(device)) => {
                let (now, about) = (self.clock.now(), (subject.kind, subject.id));
                let (url, ends) = self.links.access(organisation, code, device, about, now);
                Some((url, Some(ends)))
            }
            (Person::Code(_), None) => None,
            (Person::Employee(_) | Person::CustomerUser(_), _) => {
                self.links.place(subject.kind, subject.id).map(|url| (url, None))
            }
        };
        let entry = entry_id(organisation, claimed.person, claimed.event_type, claimed.subject);
        let reference = (subject.kind == SubjectKind::SupportTicket).then_some(subject.id);
        let at_once = claimed.event_type.at_once() == Some(Channel::Email);
        Ok(Ok(Prepared { language, line, open, entry, number: subject.number, reference, at_once }))
    }
}
