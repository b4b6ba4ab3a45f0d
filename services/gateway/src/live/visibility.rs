//! Who may see an event, judged at the moment it is sent.

use std::collections::HashMap;
use std::time::Duration;

use callboard_kernel::{Isolation, Principal, Role, Subject};
use callboard_proto::directory::v1::GetOrganisationRequest;
use callboard_proto::notifications::v1::{Entry, SubjectKind};
use callboard_proto::support::v1::GetTicketRequest;
use callboard_proto::tasks::v1::{GetDeviceEventRequest, GetTaskRequest};
use callboard_proto::tickets::v1::CheckVisibilityRequest;
use callboard_proto::video::v1::GetSessionRequest;
use tokio::time::Instant;
use uuid::Uuid;

use super::facts::{TicketFacts, departments, isolation};
use super::model::LiveEvent;
use super::project::{Circle, Projected, Thing};
use crate::call::Call;

/// Nobody who could tell was reachable: the event waits, rather than show too much or leave a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecided;

/// How long an answer of the tickets service holds.
const ANSWER_HOLDS: Duration = Duration::from_secs(2);
/// Most answers that are remembered for one stream.
const MOST_ANSWERS: usize = 1_000;

/// One caller's eyes.
#[derive(Debug, Default)]
pub struct Eyes {
    asked: HashMap<Uuid, (bool, Instant)>,
    asked_of_owners: HashMap<Thing, (bool, Instant)>,
}

impl Eyes {
    /// What this caller is sent of an event; `None`: nothing.
    ///
    /// # Errors
    /// [`Undecided`] when it takes a service to know, and that service does not answer.
    pub async fn see<'a>(
        &mut self,
        call: &Call,
        event: &'a Projected,
    ) -> Result<Option<&'a LiveEvent>, Undecided> {
        let principal = call.principal();
        let outsider = principal.is_outsider();
        let shown = if outsider { &event.outside } else { &event.full };
        let sees = match &event.circle {
            Circle::Ticket(ticket) => self.sees_ticket(call, *ticket).await?,
            Circle::TicketEmployees(ticket) => !outsider && self.sees_ticket(call, *ticket).await?,
            // Who could see it while it was public is told that it is gone, and nothing else.
            Circle::Hidden(ticket, facts) if outsider => {
                let was_public = TicketFacts { public: true, ..facts.clone() };
                by_facts(principal, Isolation::Off, &was_public) && !self.sees_ticket(call, *ticket).await?
            }
            Circle::Hidden(ticket, _) => self.sees_ticket(call, *ticket).await?,
            Circle::Deleted(facts) => {
                let isolation = self.isolation(call, &facts.departments).await?;
                by_facts(principal, isolation, facts)
            }
            Circle::Owned(thing, facts) => self.sees_owned(call, *thing, facts).await?,
            // As with tickets.
            Circle::HiddenOwned(thing, facts) if outsider => {
                let was_external = TicketFacts { public: true, ..facts.clone() };
                by_facts(principal, Isolation::Off, &was_external)
                    && !self.sees_owned(call, *thing, &was_external).await?
            }
            Circle::HiddenOwned(thing, facts) => self.sees_owned(call, *thing, facts).await?,
            // Those outside see what they requested, or nothing.
            Circle::Desk { requester, .. } if outsider && *requester != principal.actor().id() => false,
            Circle::Desk { ticket, .. } => self.ask_owner(call, Thing::SupportTicket(*ticket)).await?,
            Circle::Employees(ids) => match principal.employee() {
                None => false,
                Some(employee) => {
                    let departments = departments(ids);
                    self.isolation(call, &departments).await?.admits(&employee.departments, &departments)
                }
            },
            Circle::Staff => principal.employee().is_some(),
            Circle::Moderators => principal.has_role(Role::Moderator),
            Circle::Administrators => principal.has_role(Role::Administrator),
            Circle::Nobody => false,
        };
        Ok(sees.then_some(shown))
    }

    /// By the newest facts of the feed; where they are not known, by the service that owns the ticket. It is asked too
    /// where the device's departments or its owner decide: events say of which the ticket opened, and the device may
    /// have moved since.
    async fn sees_ticket(&mut self, call: &Call, ticket: Uuid) -> Result<bool, Undecided> {
        if let Some(facts) = call.gateway.live.facts.ticket(ticket) {
            let principal = call.principal();
            // T-13: at once, whatever was answered a moment ago.
            if principal.is_outsider() && !facts.public {
                return Ok(false);
            }
            let device_decides = match &principal.subject {
                Subject::Employee(employee) => {
                    !employee.departments.is_empty() && self.isolation(call, &[]).await? != Isolation::Off
                }
                Subject::CustomerUser(_) => true,
                Subject::CodeUser(_) | Subject::System => false,
            };
            if !device_decides {
                return Ok(by_facts(principal, Isolation::Off, &facts));
            }
        }
        let now = Instant::now();
        if let Some((sees, asked_at)) = self.asked.get(&ticket)
            && now.duration_since(*asked_at) < ANSWER_HOLDS
        {
            return Ok(*sees);
        }
        let id = ticket.to_string();
        let message = CheckVisibilityRequest { ticket_ids: vec![id.clone()] };
        let request = call.request_within(message, call.gateway.settings.call_timeout);
        let answer =
            call.gateway.upstreams.tickets().check_visibility(request).await.map_err(|_| Undecided)?;
        let sees = answer.into_inner().visible_ticket_ids.contains(&id);
        if self.asked.len() >= MOST_ANSWERS {
            self.asked.clear();
        }
        self.asked.insert(ticket, (sees, now));
        Ok(sees)
    }

    /// Nobody but the service that owns a thing knows its device's departments and owner, and whether those outside see
    /// it, as they are now; so it is asked, where any makes a difference.
    async fn sees_owned(
        &mut self,
        call: &Call,
        thing: Thing,
        facts: &TicketFacts,
    ) -> Result<bool, Undecided> {
        let principal = call.principal();
        // What was nobody's may be this caller's by now.
        let facts = match &principal.subject {
            Subject::CustomerUser(user) if facts.customer.is_none() => {
                &TicketFacts { customer: Some(user.customer.uuid()), ..facts.clone() }
            }
            _ => facts,
        };
        if !by_facts(principal, Isolation::Off, facts) {
            return Ok(false);
        }
        if !principal.is_outsider() {
            // Who sees what has no department, and would see it if all had some, sees all.
            let isolation = self.isolation(call, &[]).await?;
            let all = principal.employee().is_some_and(|employee| employee.departments.is_empty());
            if all || isolation == Isolation::Off {
                return Ok(true);
            }
        }
        self.ask_owner(call, thing).await
    }

    /// Asks the service that a thing is of, as the caller. Those outside are judged by what was just changed, so nothing is
    /// remembered for them.
    async fn ask_owner(&mut self, call: &Call, thing: Thing) -> Result<bool, Undecided> {
        let principal = call.principal();
        let now = Instant::now();
        if let Some((sees, asked_at)) = self.asked_of_owners.get(&thing)
            && !principal.is_outsider()
            && now.duration_since(*asked_at) < ANSWER_HOLDS
        {
            return Ok(*sees);
        }
        let timeout = call.gateway.settings.call_timeout;
        let mut tasks = call.gateway.upstreams.tasks();
        let answer = match thing {
            Thing::Task(id) => {
                let message = GetTaskRequest { task_id: id.to_string() };
                tasks.get_task(call.request_within(message, timeout)).await.map(drop)
            }
            Thing::Session(id) => {
                let message = GetSessionRequest { session_id: id.to_string() };
                call.gateway
                    .upstreams
                    .video()
                    .get_session(call.request_within(message, timeout))
                    .await
                    .map(drop)
            }
            Thing::DeviceEvent(id) => {
                let message = GetDeviceEventRequest { device_event_id: id.to_string() };
                tasks.get_device_event(call.request_within(message, timeout)).await.map(drop)
            }
            Thing::SupportTicket(id) => {
                let message = GetTicketRequest { ticket_id: id.to_string() };
                call.gateway
                    .upstreams
                    .support()
                    .get_ticket(call.request_within(message, timeout))
                    .await
                    .map(drop)
            }
        };
        let sees = match answer {
            Ok(()) => true,
            Err(status) if status.code() == tonic::Code::NotFound => false,
            Err(_) => return Err(Undecided),
        };
        if self.asked_of_owners.len() >= MOST_ANSWERS {
            self.asked_of_owners.clear();
        }
        self.asked_of_owners.insert(thing, (sees, now));
        Ok(sees)
    }

    /// The organisation's isolation, where it matters for this caller.
    async fn isolation(
        &self,
        call: &Call,
        thing: &[callboard_kernel::DepartmentId],
    ) -> Result<Isolation, Undecided> {
        let employee = call.principal().employee();
        let strictest = Isolation::Strict;
        // Whoever passes the strictest passes all; outsiders are not isolated by departments.
        if employee.is_none_or(|employee| strictest.admits(&employee.departments, thing)) {
            return Ok(strictest);
        }
        let organisation = call.principal().organisation;
        if let Some(known) = call.gateway.live.facts.isolation(organisation) {
            return Ok(known);
        }
        let request = call.request_within(GetOrganisationRequest {}, call.gateway.settings.call_timeout);
        let answer =
            call.gateway.upstreams.directory().get_organisation(request).await.map_err(|_| Undecided)?;
        let found = answer.into_inner().organisation.ok_or(Undecided)?;
        let found = isolation(found.isolation());
        call.gateway.live.facts.learn_isolation(organisation, found);
        Ok(found)
    }
}

/// Whether the feed knows that what an entry of somebody's drawer is about is hidden from them, though notifications had
/// not heard of it when they said it (T-13). They judge by all else themselves.
pub fn is_hidden(call: &Call, entry: &Entry) -> bool {
    let facts = &call.gateway.live.facts;
    let Ok(subject) = entry.subject_id.parse() else { return false };
    call.principal().is_outsider()
        && match entry.subject_kind() {
            SubjectKind::Ticket => facts.ticket(subject).is_some_and(|facts| !facts.public),
            SubjectKind::Task | SubjectKind::VideoSession => facts.is_turned_internal(subject),
            SubjectKind::Unspecified
            | SubjectKind::DeviceEvent
            | SubjectKind::SupportTicket
            | SubjectKind::Webhook => false,
        }
}

/// The table of domain.md, "see a public ticket", "see an internal ticket".
fn by_facts(principal: &Principal, isolation: Isolation, facts: &TicketFacts) -> bool {
    if facts.organisation != Some(principal.organisation.uuid()) {
        return false;
    }
    match &principal.subject {
        Subject::Employee(employee) => isolation.admits(&employee.departments, &facts.departments),
        Subject::CodeUser(user) => facts.public && facts.device == Some(user.device.uuid()),
        Subject::CustomerUser(user) => facts.public && facts.customer == Some(user.customer.uuid()),
        Subject::System => true,
    }
}

#[cfg(test)]
mod tests {
    use callboard_kernel::{CodeUser, Employee, Language, OrganisationId};

    use super::*;

    fn principal(organisation: u128, subject: Subject) -> Principal {
        Principal {
            organisation: OrganisationId(Uuid::from_u128(organisation)),
            subject,
            language: Language::En,
        }
    }

    fn member(departments: &[u128]) -> Subject {
        let departments = departments.iter().map(|id| Uuid::from_u128(*id).into()).collect();
        Subject::Employee(Employee { id: Uuid::from_u128(9).into(), role: Role::Member, departments })
    }

    fn visitor(device: u128) -> Subject {
        let id = Uuid::from_u128(8);
        Subject::CodeUser(CodeUser {
            session: id.into(),
            code: id.into(),
            device: Uuid::from_u128(device).into(),
        })
    }

    #[test]
    fn the_table_of_who_sees_a_ticket() {
        let of = |public, departments: &[u128]| TicketFacts {
            organisation: Some(Uuid::from_u128(1)),
            device: Some(Uuid::from_u128(2)),
            customer: None,
            public,
            departments: departments.iter().map(|id| Uuid::from_u128(*id).into()).collect(),
        };
        let table = [
            (principal(1, member(&[])), Isolation::Strict, of(false, &[5]), true),
            (principal(1, member(&[5])), Isolation::Strict, of(false, &[5]), true),
            (principal(1, member(&[6])), Isolation::Basic, of(false, &[5]), false),
            (principal(1, member(&[6])), Isolation::Off, of(false, &[5]), true),
            (principal(7, member(&[])), Isolation::Off, of(true, &[]), false),
            (principal(1, visitor(2)), Isolation::Off, of(true, &[]), true),
            (principal(1, visitor(2)), Isolation::Off, of(false, &[]), false),
            (principal(1, visitor(3)), Isolation::Off, of(true, &[]), false),
            (principal(7, visitor(2)), Isolation::Off, of(true, &[]), false),
        ];
        for (principal, isolation, facts, sees) in table {
            assert_eq!(
                by_facts(&principal, isolation, &facts),
                sees,
                "{principal:?} {isolation:?} {facts:?}"
            );
        }
    }
}
