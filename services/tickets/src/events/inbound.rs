//! Events of other contexts: commands of our own, or read copies.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::{Isolation, TicketId};
use callboard_proto::Event as _;
use callboard_proto::{directory::v1 as directory, fleet::v1 as fleet, ratings::v1 as ratings};
use callboard_service::reaction::{decode, event_id};
use callboard_service::{PgRegistry, Reaction};
use callboard_tickets_domain::{Command, FlowSetCommand, Place};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::store::{Copies, Device, FlowSetMapping, TicketMapping};

/// The actors of tickets.
pub type Tickets = PgRegistry<TicketMapping>;
/// The actors of creation flows.
pub type Flows = PgRegistry<FlowSetMapping>;

fn sql(error: sqlx::Error) -> HandleError {
    HandleError::Retry(error.to_string())
}

fn optional_id<I: From<Uuid>>(field: &str, text: &str) -> Result<Option<I>, HandleError> {
    if text.is_empty() { Ok(None) } else { event_id(field, text).map(Some) }
}

/// What fleet does becomes who is involved (T-5, T-6), and who is offered what (T-15).
#[derive(Debug, Clone)]
pub struct FromFleet {
    /// The tickets.
    pub tickets: Tickets,
    /// Who is offered what.
    pub copies: Copies,
}

impl FromFleet {
    /// Part of the ids of the commands it gives: never changes.
    pub const CONSUMER: &'static str = "tickets-fleet";

    /// What it takes; no other event is sent to it.
    const HEARS: &[&'static str] = &[
        fleet::OffersMade::SUBJECT,
        fleet::OfferSeen::SUBJECT,
        fleet::OfferDeclined::SUBJECT,
        fleet::OfferCancelled::SUBJECT,
        fleet::OfferExpired::SUBJECT,
        fleet::OfferRescinded::SUBJECT,
        fleet::OfferAccepted::SUBJECT,
        fleet::EmployeeAssigned::SUBJECT,
        fleet::AssignmentCancelled::SUBJECT,
    ];

    async fn take(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            fleet::OffersMade::TYPE => {
                let made: fleet::OffersMade = decode(event)?;
                let ticket = event_id("ticket_id", &made.ticket_id)?;
                self.offers(event, ticket, &made.offers).await
            }
            fleet::OfferSeen::TYPE => self.offer(event, decode::<fleet::OfferSeen>(event)?.offer).await,
            fleet::OfferDeclined::TYPE => {
                self.offer(event, decode::<fleet::OfferDeclined>(event)?.offer).await
            }
            fleet::OfferCancelled::TYPE => {
                self.offer(event, decode::<fleet::OfferCancelled>(event)?.offer).await
            }
            fleet::OfferExpired::TYPE => self.offer(event, decode::<fleet::OfferExpired>(event)?.offer).await,
            fleet::OfferRescinded::TYPE => {
                self.offer(event, decode::<fleet::OfferRescinded>(event)?.offer).await
            }
            fleet::OfferAccepted::TYPE => {
                let offer = decode::<fleet::OfferAccepted>(event)?.offer;
                let offer = offer.ok_or_else(|| HandleError::Poison("no offer".to_owned()))?;
                self.involve(event, &offer.ticket_id, &offer.employee_id).await
            }
            fleet::EmployeeAssigned::TYPE => {
                let assigned: fleet::EmployeeAssigned = decode(event)?;
                self.involve(event, &assigned.ticket_id, &assigned.employee_id).await
            }
            fleet::AssignmentCancelled::TYPE => {
                let cancelled: fleet::AssignmentCancelled = decode(event)?;
                let ticket: TicketId = event_id("ticket_id", &cancelled.ticket_id)?;
                let employee = event_id("employee_id", &cancelled.employee_id)?;
                self.copies
                    .put_offers(event.organisation, ticket, &[(employee, false)], event.aggregate_version)
                    .await
                    .map_err(sql)?;
                self.give(event, ticket, Command::Uninvolve(employee)).await
            }
            _ => Ok(Handled::Ignored),
        }
    }

    async fn offer(&self, event: &Event, offer: Option<fleet::OfferFacts>) -> Result<Handled, HandleError> {
        let offer = offer.ok_or_else(|| HandleError::Poison("no offer".to_owned()))?;
        let ticket = event_id("ticket_id", &offer.ticket_id)?;
        self.offers(event, ticket, &[offer]).await
    }

    async fn offers(
        &self,
        event: &Event,
        ticket: TicketId,
        offers: &[fleet::OfferFacts],
    ) -> Result<Handled, HandleError> {
        let mut open = Vec::with_capacity(offers.len());
        for offer in offers {
            let waits = match offer.status() {
                fleet::OfferStatus::Unseen | fleet::OfferStatus::Seen => true,
                fleet::OfferStatus::Unspecified
                | fleet::OfferStatus::Accepted
                | fleet::OfferStatus::Declined
                | fleet::OfferStatus::Cancelled
                | fleet::OfferStatus::Expired
                | fleet::OfferStatus::Rescinded => false,
            };
            open.push((event_id("employee_id", &offer.employee_id)?, waits));
        }
        let (organisation, version) = (event.organisation, event.aggregate_version);
        self.copies.put_offers(organisation, ticket, &open, version).await.map_err(sql)?;
        Ok(Handled::Done)
    }

    async fn involve(&self, event: &Event, ticket: &str, employee: &str) -> Result<Handled, HandleError> {
        let ticket: TicketId = event_id("ticket_id", ticket)?;
        let employee = event_id("employee_id", employee)?;
        self.copies
            .put_offers(event.organisation, ticket, &[(employee, false)], event.aggregate_version)
            .await
            .map_err(sql)?;
        self.give(event, ticket, Command::Involve(employee)).await
    }

    async fn give(&self, event: &Event, ticket: TicketId, command: Command) -> Result<Handled, HandleError> {
        Reaction { consumer: Self::CONSUMER, event }.give(&self.tickets, ticket.uuid(), command).await
    }
}

impl Handler for FromFleet {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.take(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(Self::HEARS)
    }
}

/// A rating or its waiver closes what is DONE (T-8). Ratings of other subjects are not ours.
#[derive(Debug, Clone)]
pub struct FromRatings {
    /// The tickets.
    pub tickets: Tickets,
}

impl FromRatings {
    /// Part of the ids of the commands it gives: never changes.
    pub const CONSUMER: &'static str = "tickets-ratings";

    /// What it takes; no other event is sent to it.
    const HEARS: &[&'static str] = &[ratings::RatingSubmitted::SUBJECT, ratings::RatingWaived::SUBJECT];

    async fn take(&self, event: &Event) -> Result<Handled, HandleError> {
        let (rating, score) = match event.kind.as_str() {
            ratings::RatingSubmitted::TYPE => {
                let submitted: ratings::RatingSubmitted = decode(event)?;
                if !(1..=5).contains(&submitted.score) {
                    return Err(HandleError::Poison("the score is not 1 to 5".to_owned()));
                }
                (submitted.rating, Some(submitted.score))
            }
            ratings::RatingWaived::TYPE => (decode::<ratings::RatingWaived>(event)?.rating, None),
            _ => return Ok(Handled::Ignored),
        };
        let rating = rating.ok_or_else(|| HandleError::Poison("no rating".to_owned()))?;
        if rating.subject_kind() != ratings::SubjectKind::Ticket {
            return Ok(Handled::Ignored);
        }
        let ticket: TicketId = event_id("subject_id", &rating.subject_id)?;
        let done_round = rating.done_round;
        let command = match score {
            Some(score) => Command::Rate { done_round, score },
            None => Command::Waive { done_round },
        };
        Reaction { consumer: Self::CONSUMER, event }.give(&self.tickets, ticket.uuid(), command).await
    }
}

impl Handler for FromRatings {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.take(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(Self::HEARS)
    }
}

/// Devices, isolation and templates are kept as read copies; a removed template takes its flows along.
#[derive(Debug, Clone)]
pub struct FromDirectory {
    /// The flows.
    pub flows: Flows,
    /// The copies.
    pub copies: Copies,
}

impl FromDirectory {
    /// Part of the ids of the commands it gives: never changes.
    pub const CONSUMER: &'static str = "tickets-directory";

    /// What it takes; no other event is sent to it.
    const HEARS: &[&'static str] = &[
        directory::DeviceChanged::SUBJECT,
        directory::DeviceRemoved::SUBJECT,
        directory::OrganisationChanged::SUBJECT,
        directory::TemplateChanged::SUBJECT,
        directory::TemplateRemoved::SUBJECT,
    ];

    async fn take(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            directory::DeviceChanged::TYPE => {
                self.device(event, decode::<directory::DeviceChanged>(event)?.device, false).await
            }
            directory::DeviceRemoved::TYPE => {
                self.device(event, decode::<directory::DeviceRemoved>(event)?.device, true).await
            }
            directory::OrganisationChanged::TYPE => {
                let changed: directory::OrganisationChanged = decode(event)?;
                let isolation = match changed.organisation.map(|organisation| organisation.isolation()) {
                    Some(directory::Isolation::Off) => Isolation::Off,
                    Some(directory::Isolation::Basic) => Isolation::Basic,
                    Some(directory::Isolation::Strict) => Isolation::Strict,
                    Some(directory::Isolation::Unspecified) | None => {
                        return Err(HandleError::Poison("no isolation".to_owned()));
                    }
                };
                let (organisation, version) = (event.organisation, event.aggregate_version);
                self.copies.put_organisation(organisation, isolation, version).await.map_err(sql)?;
                Ok(Handled::Done)
            }
            directory::TemplateChanged::TYPE => {
                let changed: directory::TemplateChanged = decode(event)?;
                self.template(event, &changed.template_id, false).await
            }
            directory::TemplateRemoved::TYPE => {
                let removed: directory::TemplateRemoved = decode(event)?;
                self.template(event, &removed.template_id, true).await
            }
            _ => Ok(Handled::Ignored),
        }
    }

    async fn device(
        &self,
        event: &Event,
        facts: Option<directory::DeviceFacts>,
        removed: bool,
    ) -> Result<Handled, HandleError> {
        let facts = facts.ok_or_else(|| HandleError::Poison("no device".to_owned()))?;
        let departments = facts.department_ids.iter().map(|id| event_id("department_ids", id));
        let device = Device {
            organisation: event.organisation,
            place: Place {
                template: event_id("template_id", &facts.template_id)?,
                customer: optional_id("customer_id", &facts.customer_id)?,
                departments: departments.collect::<Result<_, _>>()?,
                version: event.aggregate_version.0,
            },
            name: facts.name,
            serial_number: facts.serial_number,
            removed,
        };
        let id = event_id("device_id", &facts.device_id)?;
        self.copies.put_device(id, &device).await.map_err(sql)?;
        Ok(Handled::Done)
    }

    async fn template(&self, event: &Event, id: &str, removed: bool) -> Result<Handled, HandleError> {
        let id = event_id("template_id", id)?;
        let (organisation, version) = (event.organisation, event.aggregate_version);
        self.copies.put_template(id, organisation, removed, version).await.map_err(sql)?;
        if removed {
            Reaction { consumer: Self::CONSUMER, event }
                .give(&self.flows, id.uuid(), FlowSetCommand::RemoveTemplate)
                .await?;
            self.copies.forget_flows(id).await;
        }
        Ok(Handled::Done)
    }
}

impl Handler for FromDirectory {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.take(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(Self::HEARS)
    }
}
