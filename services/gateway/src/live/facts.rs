//! What the feed taught about tickets and organisations: enough to judge who may see an event, in memory.

use std::collections::{HashMap, VecDeque};

use callboard_kernel::{DepartmentId, Isolation, OrganisationId};
use callboard_proto::directory::v1 as directory;
use callboard_proto::tickets::v1 as tickets;
use parking_lot::Mutex;
use uuid::Uuid;

/// What decides who may see a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketFacts {
    /// The tenant.
    pub organisation: Option<Uuid>,
    /// The device.
    pub device: Option<Uuid>,
    /// The customer who owned the device when the ticket opened.
    pub customer: Option<Uuid>,
    /// Whether outsiders may see it.
    pub public: bool,
    /// The device's departments.
    pub departments: Vec<DepartmentId>,
}

impl From<&tickets::TicketFacts> for TicketFacts {
    fn from(facts: &tickets::TicketFacts) -> Self {
        Self {
            organisation: facts.organisation_id.parse().ok(),
            device: facts.device_id.parse().ok(),
            customer: facts.customer_id.parse().ok(),
            public: facts.visibility() == tickets::Visibility::Public,
            departments: departments(&facts.department_ids),
        }
    }
}

/// The ids that are some.
pub fn departments(ids: &[String]) -> Vec<DepartmentId> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
}

/// An isolation from the protos; unspecified is the strictest, lest something be shown by mistake.
pub fn isolation(isolation: directory::Isolation) -> Isolation {
    match isolation {
        directory::Isolation::Off => Isolation::Off,
        directory::Isolation::Basic => Isolation::Basic,
        directory::Isolation::Strict | directory::Isolation::Unspecified => Isolation::Strict,
    }
}

/// So many tasks and sessions are remembered to have been turned internal: until their own context has told the others.
const MOST_TURNED: usize = 500;

/// The latest facts, of at most so many tickets: the longest known are forgotten first.
#[derive(Debug)]
pub struct Facts {
    known: Mutex<Known>,
    most: usize,
}

#[derive(Debug, Default)]
struct Known {
    tickets: HashMap<Uuid, TicketFacts>,
    order: VecDeque<Uuid>,
    isolation: HashMap<OrganisationId, Isolation>,
    changes: HashMap<OrganisationId, u64>,
    /// Tasks and sessions that were turned internal, the latest last.
    internal: VecDeque<Uuid>,
}

impl Facts {
    /// None yet.
    pub fn new(most: usize) -> Self {
        Self { known: Mutex::default(), most: most.max(1) }
    }

    /// The newest state of a ticket.
    pub fn learn_ticket(&self, ticket: Uuid, facts: TicketFacts) {
        let mut known = self.known.lock();
        if known.tickets.insert(ticket, facts).is_none() {
            known.order.push_back(ticket);
        }
        while known.order.len() > self.most {
            if let Some(oldest) = known.order.pop_front() {
                known.tickets.remove(&oldest);
            }
        }
    }

    /// A device has other departments or another customer: what is known of its tickets may be wrong now.
    pub fn forget_device(&self, device: Uuid) {
        let mut known = self.known.lock();
        known.tickets.retain(|_, facts| facts.device != Some(device));
        let Known { tickets, order, .. } = &mut *known;
        order.retain(|ticket| tickets.contains_key(ticket));
    }

    /// A task or a session was turned internal, or is seen outside again.
    pub fn learn_turned(&self, thing: Uuid, is_internal: bool) {
        let mut known = self.known.lock();
        known.internal.retain(|one| *one != thing);
        if is_internal {
            known.internal.push_back(thing);
        }
        if known.internal.len() > MOST_TURNED {
            known.internal.pop_front();
        }
    }

    /// Whether a task or a session is known to have been turned internal.
    pub fn is_turned_internal(&self, thing: Uuid) -> bool {
        self.known.lock().internal.contains(&thing)
    }

    /// The newest isolation of an organisation.
    pub fn learn_isolation(&self, organisation: OrganisationId, isolation: Isolation) {
        self.known.lock().isolation.insert(organisation, isolation);
    }

    /// The directory has told of something in an organisation.
    pub fn directory_changed(&self, organisation: OrganisationId) {
        *self.known.lock().changes.entry(organisation).or_default() += 1;
    }

    /// How often the directory has told of something in an organisation: what was read of it before is old.
    pub fn changes_of_directory(&self, organisation: OrganisationId) -> u64 {
        self.known.lock().changes.get(&organisation).copied().unwrap_or_default()
    }

    /// A ticket, if it is known.
    pub fn ticket(&self, ticket: Uuid) -> Option<TicketFacts> {
        self.known.lock().tickets.get(&ticket).cloned()
    }

    /// How an organisation isolates, if it is known.
    pub fn isolation(&self, organisation: OrganisationId) -> Option<Isolation> {
        self.known.lock().isolation.get(&organisation).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_tickets_are_remembered() {
        let facts = Facts::new(2);
        let of = |device| TicketFacts {
            organisation: None,
            device: Some(Uuid::from_u128(device)),
            customer: None,
            public: true,
            departments: Vec::new(),
        };
        for number in 1..=3 {
            facts.learn_ticket(Uuid::from_u128(number), of(number % 2));
        }
        assert_eq!(facts.ticket(Uuid::from_u128(1)), None);
        assert!(facts.ticket(Uuid::from_u128(3)).is_some());
        facts.forget_device(Uuid::from_u128(1));
        assert_eq!(facts.ticket(Uuid::from_u128(3)), None);
        assert!(facts.ticket(Uuid::from_u128(2)).is_some());
    }
}
