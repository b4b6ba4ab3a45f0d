//! What a ticket hangs on: device, template, customer.

use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::{Actor, OrganisationId};
use callboard_proto::{directory::v1 as directory, tickets::v1 as tickets};
use tokio::time::Instant;

use super::part::{Miss, Part, within};
use crate::call::Call;

/// What the directory says of it. What is not for the caller, or out of reach, is not there.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The device.
    pub device: Option<directory::Device>,
    /// Its template.
    pub template: Option<directory::Template>,
    /// Its owner when the ticket opened.
    pub customer: Option<directory::Customer>,
}

/// Who asks about which device, template and customer, and how often the directory had changed.
type Key = (OrganisationId, Actor, u64, String, String, String);

/// What the directory said a moment ago, for each caller by itself: nobody reads by another's right. Forgotten as soon as
/// the directory tells of a change in the organisation.
#[derive(Debug)]
pub struct Around {
    known: moka::future::Cache<Key, Arc<Surroundings>>,
}

impl Default for Around {
    fn default() -> Self {
        Self {
            known: moka::future::Cache::builder()
                .max_capacity(2_000)
                .time_to_live(Duration::from_secs(20))
                .build(),
        }
    }
}

impl Around {
    /// What a ticket hangs on; a directory that does not answer in time is noted.
    pub async fn of(
        &self,
        call: &Call,
        ticket: &tickets::Ticket,
        until: Instant,
        miss: &Miss<'_>,
    ) -> Arc<Surroundings> {
        let principal = call.principal();
        let key = (
            principal.organisation,
            principal.actor(),
            call.gateway.live.changes_of_directory(principal.organisation),
            ticket.device_id.clone(),
            ticket.template_id.clone(),
            // Customers are for employees.
            principal.employee().map(|_| ticket.customer_id.clone()).unwrap_or_default(),
        );
        if let Some(known) = self.known.get(&key).await {
            return known;
        }
        let (found, is_whole) = ask(call, &key, until).await;
        let found = Arc::new(found);
        if is_whole {
            self.known.insert(key, Arc::clone(&found)).await;
        } else {
            miss("directory");
        }
        found
    }
}

/// What the directory says, and whether it has answered all.
async fn ask(call: &Call, (.., device, template, customer): &Key, until: Instant) -> (Surroundings, bool) {
    let directory = || call.gateway.upstreams.directory();
    let device = async {
        let message = directory::GetDeviceRequest { id: device.clone() };
        Part::of(directory().get_device(within(call, message, until)), until).await
    };
    let template = async {
        let message = directory::GetTemplateRequest { id: template.clone() };
        Part::of(directory().get_template(within(call, message, until)), until).await
    };
    let customer = async {
        if customer.is_empty() {
            return None;
        }
        let message = directory::GetCustomerRequest { id: customer.clone() };
        Some(Part::of(directory().get_customer(within(call, message, until)), until).await)
    };
    let (device, template, customer) = tokio::join!(device, template, customer);
    let is_whole = !device.is_unreachable()
        && !template.is_unreachable()
        && !customer.as_ref().is_some_and(Part::is_unreachable);
    let found = Surroundings {
        device: device.here().and_then(|response| response.device),
        template: template.here().and_then(|response| response.template),
        customer: customer.and_then(Part::here).and_then(|response| response.customer),
    };
    (found, is_whole)
}
