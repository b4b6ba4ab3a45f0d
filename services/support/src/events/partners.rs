//! What the desk makes of partner and account systems' events (S-1).

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_proto::Event as _;
use callboard_proto::partners::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::decode;
use futures::future::BoxFuture;

use crate::intake::{Intake, Told};
use crate::not_now;

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "support-partners";
/// Whose stream it is.
pub const PRODUCER: &str = "partners";

/// How often a target is looked for anew: a domain may be decided about between looking and asking.
const TRIES: usize = 3;

/// Opens tickets.
#[derive(Debug, Clone)]
pub struct PartnersHandler {
    /// Finds them.
    pub intake: Intake,
}

impl PartnersHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let told = match event.kind.as_str() {
            proto::ServiceRequested::TYPE => Told::Service(decode(event)?),
            proto::DomainSubmitted::TYPE => Told::Domain(decode(event)?),
            proto::PermissionRequested::TYPE => Told::Permission(decode(event)?),
            proto::AccountCreated::TYPE => Told::Account(decode(event)?),
            proto::PurchaseMade::TYPE => Told::Purchase(decode(event)?),
            proto::SeatAdded::TYPE => Told::Seat(decode(event)?),
            _ => return Ok(Handled::Ignored),
        };
        // Another system's mistake, which only a person can mend: parked, with the fields named, their values not.
        let matter = told.matter().map_err(|violations| {
            let wrong: Vec<_> =
                violations.iter().map(|one| format!("{}: {}", one.field, one.description)).collect();
            HandleError::Poison(wrong.join("; "))
        })?;
        let reaction = Reaction { consumer: CONSUMER, event };
        let mut asked = None;
        for _ in 0..TRIES {
            let (target, command) =
                self.intake.target(event.organisation, event.id, matter.clone()).await.map_err(not_now)?;
            if asked == Some(target) {
                break;
            }
            asked = Some(target);
            reaction.give(&self.intake.tickets, target, command).await?;
            let found = self.intake.queries.ticket_of(event.organisation, event.id).await.map_err(not_now)?;
            if found.is_some() {
                break;
            }
        }
        Ok(Handled::Done)
    }
}

impl Handler for PartnersHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }
}
