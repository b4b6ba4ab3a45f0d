//! What others hear of fleet. Decline reasons and names stay home.

use bytes::Bytes;
use callboard_actor::Step;
use callboard_bus::Event;
use callboard_fleet_domain::dispatch::{AssignmentSource, DispatchEvent, Offer, OfferStatus};
use callboard_fleet_domain::group::GroupSetEvent;
use callboard_fleet_domain::{Dispatch, GroupSet};
use callboard_journal::TimerChange;
use callboard_proto::fleet::v1 as proto;
use callboard_service::convert::to_proto_actor;
use callboard_service::outbound;

use crate::convert::{group, ids, int, offer_status, optional_id};

/// Offers in one `offers.made`: keeps it below 64 KiB.
pub const OFFERS_PER_EVENT: usize = 250;
/// The name of the timer that ends a group's time (F-9).
pub const ESCALATE: &str = "escalate";
/// What the names of timers that end a round's offers begin with (F-9).
pub const EXPIRE: &str = "expire";

/// The events and timers of a dispatch's step.
pub fn of_dispatch(step: &Step<'_, Dispatch>) -> (Vec<Event>, Vec<TimerChange>) {
    let mut out = Out { step, events: Vec::new() };
    let mut timers = Vec::new();
    for event in step.events {
        out.tell(event);
        set_timers(&mut timers, event);
    }
    if step.before.escalating.is_some() && step.after.escalating.is_none() {
        timers.push(TimerChange::Cancel { name: ESCALATE.to_owned() });
    }
    if step.after.deleted {
        let names = step.before.rounds.iter().map(|round| format!("{EXPIRE}-{}", round.number));
        timers.extend(names.map(|name| TimerChange::Cancel { name }));
    }
    (out.events, timers)
}

/// A round's timers carry its number: when one fires late, it is clear whose time it was.
fn set_timers(timers: &mut Vec<TimerChange>, event: &DispatchEvent) {
    let DispatchEvent::RoundMade { round, terms: Some(terms), offers } = event else { return };
    let payload = || Bytes::copy_from_slice(&round.number.to_be_bytes());
    if let Some(due) = terms.expires_at.filter(|_| !offers.is_empty()) {
        timers.push(TimerChange::Set { name: format!("{EXPIRE}-{}", round.number), due, payload: payload() });
    }
    if let Some(due) = terms.escalates_at {
        timers.push(TimerChange::Set { name: ESCALATE.to_owned(), due, payload: payload() });
    }
}

struct Out<'a> {
    step: &'a Step<'a, Dispatch>,
    events: Vec<Event>,
}

impl Out<'_> {
    fn push(&mut self, message: &impl callboard_proto::Event) {
        self.events.push(outbound(self.step.meta, self.events.len(), message));
    }

    fn ticket_id(&self) -> String {
        self.step.meta.aggregate_id.to_string()
    }

    fn organisation_id(&self) -> String {
        self.step.meta.principal.organisation.to_string()
    }

    fn facts(&self, offer: &Offer) -> proto::OfferFacts {
        proto::OfferFacts {
            offer_id: offer.id.to_string(),
            ticket_id: self.ticket_id(),
            organisation_id: self.organisation_id(),
            employee_id: offer.employee.to_string(),
            status: offer_status(offer.status).into(),
            round: int(offer.round),
        }
    }

    fn assigned(&self) -> Vec<String> {
        ids(&self.step.after.assigned())
    }

    fn tell(&mut self, event: &DispatchEvent) {
        match event {
            DispatchEvent::RoundMade { round, offers, .. } => {
                let template = self.step.after.ticket.as_ref().map(|ticket| ticket.template);
                for offers in offers.chunks(OFFERS_PER_EVENT) {
                    let message = proto::OffersMade {
                        ticket_id: self.ticket_id(),
                        organisation_id: self.organisation_id(),
                        template_id: optional_id(template),
                        group_id: optional_id(round.group),
                        round: int(round.number),
                        offers: offers.iter().map(|offer| self.facts(offer)).collect(),
                    };
                    self.push(&message);
                }
            }
            DispatchEvent::OfferChanged { offer, previous } => self.tell_offer(offer, *previous),
            DispatchEvent::Assigned { assignment } => match assignment.source {
                // `offer.accepted` has told it.
                AssignmentSource::Accepted => {}
                AssignmentSource::Assigned => {
                    let message = proto::EmployeeAssigned {
                        ticket_id: self.ticket_id(),
                        organisation_id: self.organisation_id(),
                        employee_id: assignment.employee.to_string(),
                        by: Some(to_proto_actor(assignment.by)),
                        assigned_employee_ids: self.assigned(),
                    };
                    self.push(&message);
                }
            },
            DispatchEvent::AssignmentCancelled { employee, by } => {
                let message = proto::AssignmentCancelled {
                    ticket_id: self.ticket_id(),
                    organisation_id: self.organisation_id(),
                    employee_id: employee.to_string(),
                    by: Some(to_proto_actor(*by)),
                    assigned_employee_ids: self.assigned(),
                };
                self.push(&message);
            }
            DispatchEvent::Escalated { from, to } => {
                let message = proto::TicketEscalated {
                    ticket_id: self.ticket_id(),
                    organisation_id: self.organisation_id(),
                    from_group_id: from.to_string(),
                    to_group_id: to.to_string(),
                };
                self.push(&message);
            }
            DispatchEvent::Unserved { nobody_eligible } => {
                let ticket = self.step.after.ticket.as_deref();
                let message = proto::TicketUnserved {
                    ticket_id: self.ticket_id(),
                    organisation_id: self.organisation_id(),
                    template_id: optional_id(ticket.map(|ticket| ticket.template)),
                    notification_group_id: optional_id(ticket.and_then(|ticket| ticket.notification_group)),
                    nobody_eligible: *nobody_eligible,
                };
                self.push(&message);
            }
            // The tickets context has told these itself.
            DispatchEvent::TicketObserved { .. } | DispatchEvent::TicketDeleted => {}
        }
    }

    fn tell_offer(&mut self, offer: &Offer, previous: OfferStatus) {
        let facts = Some(self.facts(offer));
        let previous_status = offer_status(previous).into();
        match offer.status {
            OfferStatus::Seen => self.push(&proto::OfferSeen { offer: facts }),
            OfferStatus::Accepted => {
                let assigned_employee_ids = self.assigned();
                self.push(&proto::OfferAccepted { offer: facts, previous_status, assigned_employee_ids });
            }
            OfferStatus::Declined => self.push(&proto::OfferDeclined { offer: facts, previous_status }),
            OfferStatus::Cancelled => self.push(&proto::OfferCancelled { offer: facts, previous_status }),
            OfferStatus::Expired => self.push(&proto::OfferExpired { offer: facts, previous_status }),
            OfferStatus::Rescinded => self.push(&proto::OfferRescinded { offer: facts, previous_status }),
            // Told by `offers.made`.
            OfferStatus::Unseen => {}
        }
    }
}

/// The events of a set of groups' step.
pub fn of_groups(step: &Step<'_, GroupSet>) -> Vec<Event> {
    let template = step.meta.aggregate_id.into();
    step.events
        .iter()
        .enumerate()
        .map(|(index, GroupSetEvent::Changed { groups })| {
            let message = proto::GroupsChanged {
                template_id: step.meta.aggregate_id.to_string(),
                organisation_id: step.meta.principal.organisation.to_string(),
                // Names stay home.
                groups: groups
                    .iter()
                    .map(|known| proto::Group {
                        name: String::new(),
                        ..group(template, known, step.meta.version)
                    })
                    .collect(),
            };
            outbound(step.meta, index, &message)
        })
        .collect()
}
