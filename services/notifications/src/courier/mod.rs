//! Delivers what is due, each channel in a lane of its own (N-2, N-3, N-5).

mod email;
mod lane;
mod outward;
mod prepare;
mod push;
mod shared;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::{Clock, Timestamp};
use callboard_notifications_domain::delivery::{
    NO_ADDRESS, NO_EMAIL, NO_SUBSCRIPTION, NO_WINDOW, Outcome, abandoned,
};
use callboard_notifications_domain::{Channel, Person};
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use email::EmailChannel;
pub use outward::{Bounds, admitted, client};
pub use push::{PushChannel, PushKey};
pub use webhooks::{HookCourier, HookSettings, WEBHOOK};

use crate::Tables;
use crate::contacts::Contacts;
use crate::links::Links;
use crate::render::{Mail, Texts};
use crate::store::deliveries::{Parts, Report};
use crate::store::{Address, Claimed, Reached};
use crate::window::Windows;
use lane::{Lane, every};
use prepare::Prepared;
use push::Taken;
use shared::{Answer, shared, sum, told};
use uuid::Uuid;

/// Windows that are told at once: waiting for them costs nothing.
const WINDOWS_AT_ONCE: usize = 256;
/// How often it is looked for what dead workers left behind.
const SWEEP: Duration = Duration::from_secs(5);
/// How often what is old is forgotten.
const FORGET: Duration = Duration::from_secs(600);
/// Rows of one query that tidies up.
const BATCH: i64 = 500;

/// An e-mail to one address.
#[derive(Debug)]
struct Letter {
    /// The address's own id, where it is one of several people's.
    part: Option<Uuid>,
    to: String,
    mail: Mail,
}

/// Delivers.
#[derive(Debug, Clone)]
pub struct Courier {
    /// The tables.
    pub tables: Tables,
    /// Windows that are open.
    pub windows: Windows,
    /// Names and addresses.
    pub contacts: Contacts,
    /// What people read.
    pub texts: Arc<Texts>,
    /// Links in e-mails.
    pub links: Links,
    /// E-mail; `None`: there is none.
    pub email: Option<Arc<EmailChannel>>,
    /// Web Push.
    pub push: Arc<PushChannel>,
    /// How long a window may take.
    pub patience: Duration,
    /// E-mails at once.
    pub email_concurrency: usize,
    /// Pushes at once.
    pub push_concurrency: usize,
    /// How long the log is kept.
    pub log_kept: Duration,
    /// Woken when something was queued.
    pub wake: Arc<Notify>,
    /// Deliveries under way; waited for at the stop.
    pub tracker: TaskTracker,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

pub(crate) fn report(outcome: Outcome, reason: &'static str) -> Report {
    Report { outcome, reason, answer: String::new(), parts: Parts::new() }
}

impl Courier {
    /// Delivers until it is asked to stop; then finishes what it holds.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(
            self.lane(Channel::Browser, WINDOWS_AT_ONCE, &stop),
            self.lane(Channel::Push, self.push_concurrency, &stop),
            self.lane(Channel::Email, self.email_concurrency, &stop),
            every(SWEEP, &stop, || self.sweep()),
            every(FORGET, &stop, || self.forget()),
        );
    }

    async fn lane(&self, channel: Channel, most: usize, stop: &CancellationToken) {
        let lane = Lane { name: channel.as_str(), most, wake: &self.wake, tracker: &self.tracker, stop };
        let claim = |wanted| self.tables.deliveries.claim(channel, self.clock.now(), wanted);
        let deliver = |one| {
            let courier = self.clone();
            async move { courier.deliver(one).await }
        };
        lane.run(claim, deliver).await;
    }

    async fn sweep(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let deliveries = &self.tables.deliveries;
        for left in deliveries.abandoned(now, BATCH).await? {
            if let Some(outcome) = abandoned(left.state) {
                let report = report(outcome, "INTERRUPTED").beside(&left.parts);
                deliveries.settle(left.event, left.person, left.channel, left.attempt, &report, now).await?;
            }
        }
        Ok(())
    }

    async fn forget(&self) -> Result<(), sqlx::Error> {
        let kept = TimeDelta::from_std(self.log_kept).unwrap_or(TimeDelta::days(90));
        let before = self.clock.now() - kept;
        while self.tables.tellings.forget(before, BATCH).await? >= u64::try_from(BATCH).unwrap_or(1) {}
        let unconfirmed = self.clock.now() - crate::links::CONFIRM_WITHIN;
        self.tables.addresses.forget_unconfirmed(unconfirmed).await?;
        Ok(())
    }

    async fn deliver(&self, claimed: Claimed) {
        let attempt = match self.attempt(&claimed).await {
            Ok(attempt) => attempt,
            // Not written: the lease runs out, and the delivery is taken up again or given up as it must be.
            Err(error) => return tracing::warn!(%error, "a delivery cannot be worked on now"),
        };
        let Some(report) = attempt else { return };
        let report = report.beside(&claimed.parts);
        let labels = [("channel", claimed.channel.as_str()), ("outcome", outcome_word(report.outcome))];
        metrics::counter!("callboard_notifications_attempts_total", &labels).increment(1);
        let now = self.clock.now();
        let settled = self
            .tables
            .deliveries
            .settle(claimed.event, claimed.person, claimed.channel, claimed.attempt, &report, now)
            .await;
        match settled {
            Ok(()) if !matches!(report.outcome, Outcome::Delivered) => self.wake.notify_waiters(),
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "what became of a delivery cannot be written"),
        }
    }

    /// One attempt; `None`: it is somebody else's by now.
    async fn attempt(&self, claimed: &Claimed) -> Result<Option<Report>, sqlx::Error> {
        let prepared = match self.prepare(claimed).await? {
            Ok(prepared) => prepared,
            Err(report) => return Ok(Some(report)),
        };
        match claimed.channel {
            Channel::Browser => self.to_window(claimed, &prepared).await,
            Channel::Push => self.to_browsers(claimed, &prepared).await,
            Channel::Email => self.by_email(claimed, &prepared).await,
        }
    }

    async fn to_window(&self, claimed: &Claimed, prepared: &Prepared) -> Result<Option<Report>, sqlx::Error> {
        let (organisation, person) = (claimed.organisation, claimed.person);
        if !self.windows.may_be_open(organisation, person) {
            return Ok(Some(report(Outcome::Refused, NO_WINDOW)));
        }
        if !self.tables.deliveries.hand_over(claimed, Some("window"), self.clock.now()).await? {
            return Ok(None);
        }
        let event = claimed.event.uuid();
        let taken = self.windows.tell(organisation, person, event, prepared.entry, self.patience).await;
        Ok(Some(if taken { report(Outcome::Delivered, "") } else { report(Outcome::Refused, NO_WINDOW) }))
    }

    async fn to_browsers(
        &self,
        claimed: &Claimed,
        prepared: &Prepared,
    ) -> Result<Option<Report>, sqlx::Error> {
        let (organisation, person) = (claimed.organisation, claimed.person);
        let now = self.clock.now();
        let browsers = self.tables.subscriptions.reached(organisation, person, now).await?;
        // Those who scan a code are several people: who has it is not told again.
        let browsers: Vec<Reached> =
            browsers.into_iter().filter(|one| !claimed.parts.contains_key(&one.browser.id)).collect();
        if browsers.is_empty() {
            return Ok(Some(report(Outcome::Refused, NO_SUBSCRIPTION)));
        }
        if !self.tables.deliveries.hand_over(claimed, None, now).await? {
            return Ok(None);
        }
        // Whose host rests is not called for the sake of another's.
        let (awake, resting): (Vec<Reached>, Vec<Reached>) = browsers.into_iter().partition(|one| !one.rests);
        let text = json!({
            "text": prepared.line,
            "eventType": claimed.event_type.as_str(),
            "subjectKind": claimed.subject_kind.as_str(),
            "subjectId": claimed.subject,
            "entryId": prepared.entry,
            "url": prepared.open.as_ref().map(|(url, _)| url),
        })
        .to_string();
        // The stack's own: a browser that was away gets the latest of it.
        let topic = prepared.entry.simple().to_string();
        let pushes = awake.iter().map(|one| self.push.push(&one.browser, text.as_bytes(), &topic, now));
        let answers = join_all(pushes).await;
        let destinations = &self.tables.destinations;
        let now = self.clock.now();
        for (Reached { browser, host, .. }, answer) in awake.iter().zip(&answers) {
            match answer {
                Taken::Gone(_) => {
                    self.tables.subscriptions.remove(organisation, person, browser.id).await?;
                }
                Taken::NotNow(_) | Taken::Unreachable | Taken::Unknown => {
                    destinations.rest(Channel::Push.as_str(), host, None, now).await?;
                }
                Taken::Yes(_) => destinations.answers(Channel::Push.as_str(), host).await?,
                Taken::Refused(_) => {}
            }
        }
        let answers = awake.iter().zip(answers).chain(resting.iter().map(|one| (one, Taken::NotNow(0))));
        let answers = answers.map(|(one, answer)| (Some(one.browser.id), told(answer))).collect();
        Ok(Some(if matches!(person, Person::Code(_)) { shared(answers) } else { sum(answers) }))
    }

    async fn by_email(&self, claimed: &Claimed, prepared: &Prepared) -> Result<Option<Report>, sqlx::Error> {
        let Some(channel) = &self.email else {
            return Ok(Some(report(Outcome::Refused, NO_EMAIL)));
        };
        let letters = match self.letters(claimed, prepared).await? {
            Ok(letters) => letters,
            Err(report) => return Ok(Some(report)),
        };
        // All connections stand before anything leaves the house.
        let mut ready = Vec::with_capacity(letters.len());
        let mut answers: Vec<Answer> = Vec::with_capacity(letters.len());
        for Letter { part, to, mail } in &letters {
            let id = callboard_kernel::derive_uuid(
                claimed.event.uuid(),
                &[claimed.person.to_string().as_bytes(), to.as_bytes()],
            );
            match channel.message(to, mail, &id.to_string()) {
                Ok(message) => match channel.connect().await {
                    Ok(connection) => ready.push((*part, connection, message)),
                    Err(report) => {
                        self.tables
                            .destinations
                            .rest(Channel::Email.as_str(), "smtp", None, self.clock.now())
                            .await?;
                        return Ok(Some(report));
                    }
                },
                Err(report) => answers.push((*part, report)),
            }
        }
        if ready.is_empty() {
            return Ok(Some(shared(answers)));
        }
        self.tables.destinations.answers(Channel::Email.as_str(), "smtp").await?;
        if !self.tables.deliveries.hand_over(claimed, Some("smtp"), self.clock.now()).await? {
            return Ok(None);
        }
        for (part, connection, (envelope, message)) in ready {
            answers.push((part, connection.send(&envelope, &message).await));
        }
        Ok(Some(shared(answers)))
    }

    /// Asks an address to confirm itself. Answers whether the server took it.
    pub async fn ask_to_confirm(&self, address: &Address, url: &str, ends: Timestamp) -> Result<(), Report> {
        let Some(channel) = &self.email else { return Err(report(Outcome::Refused, NO_EMAIL)) };
        let mail = self.texts.confirmation(address.language, url, ends);
        let (envelope, message) = channel.message(&address.email, &mail, &address.id.to_string())?;
        let sent = channel.connect().await?.send(&envelope, &message).await;
        if sent.outcome == Outcome::Delivered { Ok(()) } else { Err(sent) }
    }

    async fn letters(
        &self,
        claimed: &Claimed,
        prepared: &Prepared,
    ) -> Result<Result<Vec<Letter>, Report>, sqlx::Error> {
        let organisation = claimed.organisation;
        let now = self.clock.now();
        match claimed.person {
            person @ (Person::Employee(_) | Person::CustomerUser(_)) => {
                let contact = match self.contacts.person(organisation, person).await {
                    Ok(Some(contact)) if !contact.email.is_empty() => contact,
                    Ok(_) => return Ok(Err(report(Outcome::Refused, NO_ADDRESS))),
                    Err(status) => {
                        tracing::debug!(code = ?status.code(), "the directory cannot be asked");
                        return Ok(Err(report(Outcome::NotNow, "DIRECTORY_UNREACHABLE")));
                    }
                };
                // What comes whatever was chosen offers no choice (S-3).
                let is_chosen = claimed.event_type.at_once() != Some(Channel::Email);
                let unsubscribe =
                    is_chosen.then(|| self.links.mute(organisation, person, claimed.event_type, now));
                let mail = prepared.mail(&self.texts, Some(&contact.name), unsubscribe);
                Ok(Ok(vec![Letter { part: None, to: contact.email, mail }]))
            }
            Person::Code(code) => {
                let addresses = self.tables.addresses.of(organisation, code).await?;
                let open = |address: &&Address| {
                    // Addresses of a code are several people's: who has it is not written to again.
                    address.confirmed && !claimed.parts.contains_key(&address.id)
                };
                let letters = addresses.iter().filter(open).map(|address| {
                    let unsubscribe = self.links.forget(organisation, address.id, now);
                    let prepared = prepared.in_language(self, claimed, address.language);
                    let mail = prepared.mail(&self.texts, None, Some(unsubscribe));
                    Letter { part: Some(address.id), to: address.email.clone(), mail }
                });
                let letters: Vec<Letter> = letters.collect();
                Ok(if letters.is_empty() { Err(report(Outcome::Refused, NO_ADDRESS)) } else { Ok(letters) })
            }
        }
    }
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Refused => "refused",
        Outcome::NotNow => "not_now",
        Outcome::Partly => "partly",
        Outcome::Withheld => "withheld",
        Outcome::Unknown => "unknown",
    }
}
