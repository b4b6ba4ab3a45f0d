//! Addresses of people without login, and what links in e-mails lead to (N-6).

use callboard_kernel::{CodeUser, ErrorKind, Principal, Refusal, Subject, Timestamp};
use callboard_notifications_domain::delivery::Outcome;
use callboard_notifications_domain::preferences::{PreferencesCommand, preferences_id};
use callboard_notifications_domain::{EventType, Person, SubjectKind};
use callboard_proto::notifications::v1 as proto;
use callboard_service::Mutation;
use callboard_service::convert::to_proto_time;
use callboard_service::database::refusal;
use callboard_service::request::{self, command_id, parse_id};
use std::sync::Arc;
use tonic::Request;
use uuid::Uuid;

use super::AddressApi;
use crate::convert;
use crate::links::{BadLink, Link, Purpose};
use crate::store::Address;

/// Longest address, in characters (RFC 5321).
const MAX_EMAIL: usize = 254;

fn visitor(principal: &Principal) -> Result<&CodeUser, Refusal> {
    match &principal.subject {
        Subject::CodeUser(user) => Ok(user),
        Subject::Employee(_) | Subject::CustomerUser(_) | Subject::System => {
            Err(Refusal::denied("addresses are of visitors; who logs in has one of their own"))
        }
    }
}

fn bad(link: BadLink) -> Refusal {
    match link {
        BadLink::Unknown => Refusal::not_found("link"),
        BadLink::Expired => Refusal::new(
            ErrorKind::FailedPrecondition,
            "LINK_EXPIRED",
            "the link has ended (N-6): scan the code again",
        ),
    }
}

impl AddressApi {
    pub(super) async fn add_address(
        &self,
        request: &Request<proto::AddAddressRequest>,
    ) -> Result<proto::AddAddressResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let command = command_id(&principal, "AddAddress", &message.request_id)?;
        let user = visitor(&principal)?;
        let email = message.email.trim();
        if email.chars().count() > MAX_EMAIL || email.parse::<lettre::Address>().is_err() {
            return Err(Refusal::field("email", "an e-mail address of at most 254 characters"));
        }
        let now = self.clock.now();
        let new = Address {
            id: command.0,
            organisation: principal.organisation,
            code: user.code,
            email: email.to_owned(),
            language: principal.language,
            confirmed: false,
            created: now,
        };
        let added = self.tables.addresses.add(&new).await.map_err(refusal)?;
        let Some((kept, is_new)) = added else {
            return Err(Refusal::new(
                ErrorKind::FailedPrecondition,
                "TOO_MANY_ADDRESSES",
                "at most 10 addresses of one code",
            ));
        };
        // Asked once: a stranger's mailbox is not filled by pressing a button again.
        if is_new {
            let (url, ends) =
                self.links.confirm(principal.organisation, kept.id, user.code, user.device, now);
            if let Err(report) = self.courier.ask_to_confirm(&kept, &url, ends).await {
                self.tables
                    .addresses
                    .remove(principal.organisation, Some(user.code), kept.id)
                    .await
                    .map_err(refusal)?;
                return Err(match report.outcome {
                    Outcome::Refused => Refusal::field("email", "the mail server does not take it"),
                    Outcome::NotNow
                    | Outcome::Partly
                    | Outcome::Unknown
                    | Outcome::Withheld
                    | Outcome::Delivered => {
                        Refusal::new(ErrorKind::Unavailable, "EMAIL_UNAVAILABLE", "e-mail cannot be sent now")
                    }
                });
            }
        }
        Ok(proto::AddAddressResponse { address: Some(convert::address(&kept)) })
    }

    pub(super) async fn list_addresses(
        &self,
        request: &Request<proto::ListAddressesRequest>,
    ) -> Result<proto::ListAddressesResponse, Refusal> {
        let principal = request::principal(request)?;
        let user = visitor(&principal)?;
        let found = self.tables.addresses.of(principal.organisation, user.code).await.map_err(refusal)?;
        Ok(proto::ListAddressesResponse { addresses: found.iter().map(convert::address).collect() })
    }

    pub(super) async fn remove_address(
        &self,
        request: &Request<proto::RemoveAddressRequest>,
    ) -> Result<proto::RemoveAddressResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        command_id(&principal, "RemoveAddress", &message.request_id)?;
        let user = visitor(&principal)?;
        let id: Uuid = parse_id("address_id", &message.address_id)?;
        let organisation = principal.organisation;
        if self.tables.addresses.remove(organisation, Some(user.code), id).await.map_err(refusal)? {
            Ok(proto::RemoveAddressResponse {})
        } else {
            Err(Refusal::missing("address", id))
        }
    }

    pub(super) async fn open_link(
        &self,
        request: &Request<proto::OpenLinkRequest>,
    ) -> Result<proto::OpenLinkResponse, Refusal> {
        let link = self.links.read(&request.get_ref().token, self.clock.now()).map_err(bad)?;
        let organisation = link.organisation;
        let (code, device, about, address) = match &link.purpose {
            Purpose::Access { code, device, subject, kind } => {
                let kind: SubjectKind = kind.parse().map_err(|_| bad(BadLink::Unknown))?;
                (*code, *device, Some((kind, *subject)), None)
            }
            Purpose::Confirm { address, code, device } => (*code, *device, None, Some(*address)),
            Purpose::Forget { .. } | Purpose::Mute { .. } => return Err(bad(BadLink::Unknown)),
        };
        // D-3, D-4: a code that was deactivated or taken off its device lets nobody in, by no link.
        let on = self.tables.copies.open_code(organisation, code).await.map_err(refusal)?;
        if on != Some(device) {
            return Err(bad(BadLink::Unknown));
        }
        let confirmed = match address {
            Some(address) => self
                .tables
                .addresses
                .confirm(organisation, address)
                .await
                .map_err(refusal)?
                .map(|_| true)
                .ok_or_else(|| bad(BadLink::Unknown))?,
            None => false,
        };
        let token = self.contacts.code(organisation, code).await.map_err(|status| {
            tracing::debug!(code = ?status.code(), "the directory cannot be asked");
            Refusal::new(ErrorKind::Unavailable, "DIRECTORY_UNREACHABLE", "the code cannot be looked up now")
        })?;
        let subject_id = about.map(|(_, id)| id.to_string()).unwrap_or_default();
        let is_ticket = matches!(about, Some((SubjectKind::Ticket, _)));
        Ok(proto::OpenLinkResponse {
            code_token: token.ok_or_else(|| bad(BadLink::Unknown))?,
            ticket_id: if is_ticket { subject_id.clone() } else { String::new() },
            subject_kind: about.map(|(kind, _)| convert::subject_kind(kind)).unwrap_or_default().into(),
            subject_id,
            confirmed,
            expire_time: Timestamp::from_timestamp(link.expires, 0).map(to_proto_time),
        })
    }

    pub(super) async fn unsubscribe(
        &self,
        request: &Request<proto::UnsubscribeRequest>,
    ) -> Result<proto::UnsubscribeResponse, Refusal> {
        let now = self.clock.now();
        let Link { organisation, purpose, .. } =
            self.links.read(&request.get_ref().token, now).map_err(bad)?;
        match purpose {
            // Gone already is what was asked for.
            Purpose::Forget { address } => {
                self.tables.addresses.remove(organisation, None, address).await.map_err(refusal)?;
                Ok(proto::UnsubscribeResponse { event_type: proto::EventType::Unspecified.into() })
            }
            Purpose::Mute { person, event_type } => {
                let unknown = || bad(BadLink::Unknown);
                let person: Person = person.parse().map_err(|_| unknown())?;
                let event_type: EventType = event_type.parse().map_err(|_| unknown())?;
                // The same link may be pressed again after the preferences were changed: each time is a command.
                let command = callboard_kernel::derive_uuid(
                    person.id(),
                    &[b"unsubscribe", event_type.as_str().as_bytes(), now.to_rfc3339().as_bytes()],
                );
                let principal = Arc::new(Principal::system(organisation));
                let deadline = request::deadline(request).0;
                let answer = convert::event_type(event_type);
                Mutation::once(principal, command.into(), deadline)
                    .ask(
                        &self.preferences,
                        preferences_id(organisation, person),
                        PreferencesCommand::NoEmail { person, event_type },
                        move |_, _, _| proto::UnsubscribeResponse { event_type: answer.into() },
                    )
                    .await
            }
            Purpose::Access { .. } | Purpose::Confirm { .. } => Err(bad(BadLink::Unknown)),
        }
    }
}
