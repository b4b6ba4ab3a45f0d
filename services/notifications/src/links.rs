//! Links in e-mails: what they say is signed, so that nobody makes one up (N-6).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use callboard_kernel::{CodeId, DeviceId, OrganisationId, Timestamp};
use callboard_notifications_domain::{Person, SubjectKind};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::config::NotificationsConfig;

/// Longest token that is looked at.
pub const MAX_TOKEN: usize = 1_000;
/// How long an address may be confirmed.
pub const CONFIRM_WITHIN: TimeDelta = TimeDelta::days(2);
/// How long a link to unsubscribe holds: as long as people keep e-mails.
const UNSUBSCRIBE_WITHIN: TimeDelta = TimeDelta::days(400);

/// What a link is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum Purpose {
    /// Lets a person without login in (N-6).
    Access {
        /// By this code,
        code: CodeId,
        /// while it is on this device.
        device: DeviceId,
        /// To this: a ticket, a video session, a task. Called as it was when it could be a ticket alone: releases before
        /// and after this one read each other's links.
        #[serde(rename = "ticket", alias = "subject")]
        subject: Uuid,
        /// A word.
        #[serde(default = "ticket")]
        kind: String,
    },
    /// Confirms an address, and lets in as above.
    Confirm {
        /// The address.
        address: Uuid,
        /// Of this code.
        code: CodeId,
        /// While it is on this device.
        device: DeviceId,
    },
    /// No more e-mails to an address.
    Forget {
        /// The address.
        address: Uuid,
    },
    /// No more e-mails of a type to a person.
    Mute {
        /// `employee:…`, `customer_user:…`
        person: String,
        /// A word.
        event_type: String,
    },
}

fn ticket() -> String {
    SubjectKind::Ticket.as_str().to_owned()
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The tenant.
    #[serde(rename = "o")]
    pub organisation: OrganisationId,
    /// When it ends, in seconds since the epoch.
    #[serde(rename = "e")]
    pub expires: i64,
    /// What it is for.
    #[serde(flatten)]
    pub purpose: Purpose,
}

/// Why a link does not lead anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadLink {
    /// None of ours.
    Unknown,
    /// Too late.
    Expired,
}

/// Makes and reads links.
#[derive(Clone)]
pub struct Links {
    key: Vec<u8>,
    public_url: String,
    ticket_url: String,
    video_session_url: String,
    task_url: String,
    support_ticket_url: String,
    lifetime: TimeDelta,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// A key from the settings.
///
/// # Errors
/// When it is not 32 bytes in Base64.
pub fn read_key(text: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text.trim())
        .ok()
        .filter(|key| key.len() == 32)
        .ok_or_else(|| "notifications.link_key must be 32 bytes in Base64".to_owned())
}

impl Links {
    /// Signed with this key.
    pub fn new(key: &[u8], settings: &NotificationsConfig) -> Self {
        Self {
            key: key.to_vec(),
            public_url: settings.public_url.clone(),
            ticket_url: settings.ticket_url.clone(),
            video_session_url: settings.video_session_url.clone(),
            task_url: settings.task_url.clone(),
            support_ticket_url: settings.support_ticket_url.clone(),
            lifetime: TimeDelta::from_std(settings.access_link_lifetime).unwrap_or_default(),
        }
    }

    fn mac(&self, text: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(text.as_bytes());
        Some(mac)
    }

    /// The token of a link.
    pub fn token(&self, link: &Link) -> String {
        let said = URL_SAFE_NO_PAD.encode(serde_json::to_vec(link).unwrap_or_default());
        let signature = self.mac(&said).map(|mac| mac.finalize().into_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap_or_default()))
    }

    /// What a token says.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Link, BadLink> {
        if token.len() > MAX_TOKEN {
            return Err(BadLink::Unknown);
        }
        let (said, signature) = token.split_once('.').ok_or(BadLink::Unknown)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| BadLink::Unknown)?;
        let mac = self.mac(said).ok_or(BadLink::Unknown)?;
        mac.verify_slice(&signature).map_err(|_| BadLink::Unknown)?;
        let said = URL_SAFE_NO_PAD.decode(said).map_err(|_| BadLink::Unknown)?;
        let link: Link = serde_json::from_slice(&said).map_err(|_| BadLink::Unknown)?;
        if now.timestamp() >= link.expires { Err(BadLink::Expired) } else { Ok(link) }
    }

    /// A link that lets in by a code, and when it ends (N-6).
    pub fn access(
        &self,
        organisation: OrganisationId,
        code: CodeId,
        device: DeviceId,
        (kind, subject): (SubjectKind, Uuid),
        now: Timestamp,
    ) -> (String, Timestamp) {
        let ends = now + self.lifetime;
        let purpose = Purpose::Access { code, device, subject, kind: kind.as_str().to_owned() };
        (self.url("a", &Link { organisation, expires: ends.timestamp(), purpose }), ends)
    }

    /// A link that confirms an address, and when it ends.
    pub fn confirm(
        &self,
        organisation: OrganisationId,
        address: Uuid,
        code: CodeId,
        device: DeviceId,
        now: Timestamp,
    ) -> (String, Timestamp) {
        let ends = now + CONFIRM_WITHIN;
        let purpose = Purpose::Confirm { address, code, device };
        (self.url("a", &Link { organisation, expires: ends.timestamp(), purpose }), ends)
    }

    /// A link that ends e-mails to an address.
    pub fn forget(&self, organisation: OrganisationId, address: Uuid, now: Timestamp) -> String {
        let expires = (now + UNSUBSCRIBE_WITHIN).timestamp();
        self.url("unsubscribe", &Link { organisation, expires, purpose: Purpose::Forget { address } })
    }

    /// A link that ends e-mails of a type.
    pub fn mute(
        &self,
        organisation: OrganisationId,
        person: Person,
        event_type: callboard_notifications_domain::EventType,
        now: Timestamp,
    ) -> String {
        let expires = (now + UNSUBSCRIBE_WITHIN).timestamp();
        let purpose =
            Purpose::Mute { person: person.to_string(), event_type: event_type.as_str().to_owned() };
        self.url("unsubscribe", &Link { organisation, expires, purpose })
    }

    /// Where those who log in open something; `None`: nowhere.
    pub fn place(&self, kind: SubjectKind, id: Uuid) -> Option<String> {
        let (url, name) = match kind {
            SubjectKind::Ticket => (&self.ticket_url, "{ticket}"),
            SubjectKind::VideoSession => (&self.video_session_url, "{session}"),
            SubjectKind::Task => (&self.task_url, "{task}"),
            SubjectKind::SupportTicket => (&self.support_ticket_url, "{ticket}"),
            SubjectKind::DeviceEvent | SubjectKind::Webhook => return None,
        };
        let url = url.replace("{public_url}", &self.public_url).replace(name, &id.to_string());
        (!url.is_empty()).then_some(url)
    }

    fn url(&self, path: &str, link: &Link) -> String {
        format!("{}/{path}/{}", self.public_url, self.token(link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(key: u8) -> Links {
        Links {
            key: vec![key; 32],
            public_url: "https://x.example".into(),
            ticket_url: String::new(),
            video_session_url: "{public_url}/sessions/{session}".into(),
            task_url: String::new(),
            support_ticket_url: "{public_url}/desk/{ticket}".into(),
            lifetime: TimeDelta::hours(1),
        }
    }

    #[test]
    fn n_6_a_link_ends_and_cannot_be_made_up() {
        let (organisation, code) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        let (device, subject) = (Uuid::from_u128(3).into(), Uuid::from_u128(4));
        let now = Timestamp::UNIX_EPOCH;
        let session = SubjectKind::VideoSession;
        let (url, ends) = links(1).access(organisation, code, device, (session, subject), now);
        let token = url.strip_prefix("https://x.example/a/").expect("the address");
        let link = links(1).read(token, now).expect("it holds");
        assert_eq!(link.purpose, Purpose::Access { code, device, subject, kind: "VIDEO_SESSION".into() });
        assert_eq!(links(1).read(token, ends), Err(BadLink::Expired));
        assert_eq!(links(2).read(token, now), Err(BadLink::Unknown), "another key");
        let (said, signature) = token.split_once('.').expect("two parts");
        let other = links(1).access(organisation, code, device, (session, Uuid::from_u128(5)), now).0;
        let other = other.rsplit('/').next().and_then(|token| token.split_once('.')).expect("two parts");
        assert_ne!(said, other.0);
        assert_eq!(links(1).read(&format!("{}.{signature}", other.0), now), Err(BadLink::Unknown));
        assert!(token.len() < MAX_TOKEN / 2, "{}", token.len());
    }

    #[test]
    fn links_of_older_releases_lead_to_tickets() {
        let id = Uuid::from_u128(4);
        let said =
            serde_json::json!({"o": id, "e": 1, "k": "access", "code": id, "device": id, "ticket": id});
        let link: Link = serde_json::from_value(said).expect("a link");
        let (code, device) = (id.into(), id.into());
        assert_eq!(link.purpose, Purpose::Access { code, device, subject: id, kind: "TICKET".into() });
    }

    #[test]
    fn who_logs_in_is_led_to_where_the_settings_say() {
        let id = Uuid::from_u128(4);
        let session = links(1).place(SubjectKind::VideoSession, id);
        assert_eq!(session, Some(format!("https://x.example/sessions/{id}")));
        let desk = links(1).place(SubjectKind::SupportTicket, id);
        assert_eq!(desk, Some(format!("https://x.example/desk/{id}")));
        assert_eq!(links(1).place(SubjectKind::Ticket, id), None);
    }
}
