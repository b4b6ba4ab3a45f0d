//! The decisions (F-2 to F-11).

use std::sync::Arc;

use callboard_kernel::{Actor, DecisionContext, Employee, EmployeeId};

use crate::dispatch::{
    Assignment, AssignmentSource, Candidate, DispatchCommand, DispatchEvent, DispatchRejection,
    DispatchState, MAX_REASON, Offer, OfferStatus, Plan, Round, Standing, Terms,
};
use crate::{Device, LeftOut, LeftOutReason, OfferId, Sight, Ticket, TicketStatus};

type Decided = Result<(), DispatchRejection>;

pub(super) fn decide(
    state: &DispatchState,
    command: &DispatchCommand,
    context: &DecisionContext<'_>,
) -> Result<Vec<DispatchEvent>, DispatchRejection> {
    // A deleted ticket is gone: late events change nothing, people find nothing (T-11).
    if state.deleted {
        return if is_by_hand(command) { Err(DispatchRejection::NoTicket) } else { Ok(Vec::new()) };
    }
    let mut turn = Turn { state: state.clone(), events: Vec::new(), context };
    match command {
        DispatchCommand::Observe { ticket, plan, gone } => turn.observe(ticket, plan.as_ref(), gone),
        DispatchCommand::Delete => turn.happen(DispatchEvent::TicketDeleted),
        DispatchCommand::Accept { sight, offer } => turn.accept(sight, *offer)?,
        DispatchCommand::Decline { sight, offer, reason } => turn.decline(sight, *offer, reason)?,
        DispatchCommand::MarkSeen { sight } => turn.mark_seen(sight)?,
        DispatchCommand::Request { sight, candidate } => turn.request(sight, candidate)?,
        DispatchCommand::Assign { sight, candidate } => turn.assign(sight, candidate)?,
        DispatchCommand::Cancel { sight, employee } => {
            turn.manager(sight)?;
            turn.take_away(*employee);
        }
        DispatchCommand::Review { employee, standing, device } => {
            turn.review(*employee, standing, device.as_deref());
        }
        DispatchCommand::Expire { round } => turn.expire(*round),
        DispatchCommand::Escalate { round, plan } => turn.escalate(*round, plan.as_ref()),
    }
    turn.notice_unserved(state);
    Ok(turn.events)
}

const fn is_by_hand(command: &DispatchCommand) -> bool {
    match command {
        DispatchCommand::Accept { .. }
        | DispatchCommand::Decline { .. }
        | DispatchCommand::MarkSeen { .. }
        | DispatchCommand::Request { .. }
        | DispatchCommand::Assign { .. }
        | DispatchCommand::Cancel { .. } => true,
        DispatchCommand::Observe { .. }
        | DispatchCommand::Delete
        | DispatchCommand::Review { .. }
        | DispatchCommand::Expire { .. }
        | DispatchCommand::Escalate { .. } => false,
    }
}

/// One decision on its way: a scratch copy that every event is applied to at once.
struct Turn<'a> {
    state: DispatchState,
    events: Vec<DispatchEvent>,
    context: &'a DecisionContext<'a>,
}

impl<'a> Turn<'a> {
    fn happen(&mut self, event: DispatchEvent) {
        self.state.apply(&event);
        self.events.push(event);
    }

    fn change(&mut self, employee: EmployeeId, status: OfferStatus, reason: Option<String>) {
        let Some(offer) = self.state.offers.get(&employee) else { return };
        let previous = offer.status;
        let mut offer = offer.clone();
        offer.status = status;
        offer.decline_reason = reason;
        if status == OfferStatus::Seen {
            offer.seen_at = Some(self.context.now);
        } else {
            offer.decided_at = Some(self.context.now);
        }
        self.happen(DispatchEvent::OfferChanged { offer, previous });
    }

    fn change_open(&mut self, status: OfferStatus, which: impl Fn(&Offer) -> bool) {
        let open: Vec<EmployeeId> =
            self.state.open_offers().filter(|offer| which(offer)).map(|offer| offer.employee).collect();
        for employee in open {
            self.change(employee, status, None);
        }
    }

    /// Those who can see the ticket at all; others are told there is none (table of actors).
    fn ticket(&self, sight: &Sight) -> Result<Arc<Ticket>, DispatchRejection> {
        let ticket = self.state.ticket.as_ref().ok_or(DispatchRejection::NoTicket)?;
        if !ticket.visible_to(self.context.principal, sight) {
            return Err(DispatchRejection::NoTicket);
        }
        Ok(Arc::clone(ticket))
    }

    fn employee(&self, sight: &Sight) -> Result<(Arc<Ticket>, &'a Employee), DispatchRejection> {
        let ticket = self.ticket(sight)?;
        let employee =
            self.context.principal.employee().ok_or(DispatchRejection::Denied("this is for employees"))?;
        Ok((ticket, employee))
    }

    fn manager(&self, sight: &Sight) -> Result<Arc<Ticket>, DispatchRejection> {
        let ticket = self.ticket(sight)?;
        if !self.context.principal.is_moderator() {
            return Err(DispatchRejection::Denied(
                "requesting, assigning and cancelling is for moderators and administrators",
            ));
        }
        Ok(ticket)
    }

    fn own_offer(&self, sight: &Sight, id: OfferId) -> Result<Offer, DispatchRejection> {
        let (_, employee) = self.employee(sight)?;
        let offer = self.state.offer(id).ok_or(DispatchRejection::NoOffer)?;
        if offer.employee != employee.id {
            return Err(DispatchRejection::Denied("an offer is answered by the employee it was made to"));
        }
        Ok(offer.clone())
    }

    fn observe(&mut self, ticket: &Arc<Ticket>, plan: Option<&Plan>, gone: &[EmployeeId]) {
        if self.state.ticket.as_ref().is_some_and(|known| known.version >= ticket.version) {
            return;
        }
        if !self.state.ticket.as_ref().is_some_and(|known| known.same_facts(ticket)) {
            self.happen(DispatchEvent::TicketObserved { ticket: Arc::clone(ticket) });
        }
        if ticket.status.is_ended() {
            self.change_open(OfferStatus::Cancelled, |_| true);
            return;
        }
        for employee in gone {
            self.take_away(*employee);
        }
        if let Some(plan) = plan.filter(|_| ticket.status == TicketStatus::Open) {
            self.make_round(plan);
        }
    }

    /// Offers to everyone of the plan who is neither involved, nor asked already, nor declined before (F-2, F-5, T-9).
    fn make_round(&mut self, plan: &Plan) {
        // A limit below the number already involved would break F-7's count; then the old one stays.
        let involved = self.state.assignments.len();
        let fits = plan.required_workers == 0 || plan.required_workers as usize >= involved;
        let required_workers = if fits { plan.required_workers } else { self.state.required_workers };
        let now = self.context.now;
        let terms = Terms {
            required_workers,
            expires_at: plan.offer_lifetime.map(|lifetime| now + lifetime),
            escalates_at: plan.escalate_after.filter(|_| involved == 0).map(|after| now + after),
        };
        let is_full = self.state.would_be_filled(required_workers);
        let mut left_out = plan.expansion.left_out.clone();
        let mut eligible = Vec::new();
        for &employee in &plan.expansion.eligible {
            let reason = if self.state.assignments.contains_key(&employee) {
                Some(LeftOutReason::Involved)
            } else if is_full {
                Some(LeftOutReason::Filled)
            } else {
                match self.state.offers.get(&employee).map(|offer| offer.status) {
                    Some(OfferStatus::Declined) => Some(LeftOutReason::Declined),
                    Some(OfferStatus::Unseen | OfferStatus::Seen) => Some(LeftOutReason::Offered),
                    Some(
                        OfferStatus::Accepted
                        | OfferStatus::Cancelled
                        | OfferStatus::Expired
                        | OfferStatus::Rescinded,
                    )
                    | None => None,
                }
            };
            match reason {
                Some(reason) => left_out.push(LeftOut { employee, reason }),
                None => eligible.push(employee),
            }
        }
        left_out.sort_unstable();
        self.offer_to(plan.group, eligible, left_out, Some(terms));
        // The new terms may ask for no more than are involved already (F-7).
        if self.state.is_filled() {
            self.change_open(OfferStatus::Rescinded, |_| true);
        }
    }

    fn offer_to(
        &mut self,
        group: Option<crate::GroupId>,
        eligible: Vec<EmployeeId>,
        left_out: Vec<LeftOut>,
        terms: Option<Terms>,
    ) {
        let number = self.state.rounds.last().map_or(0, |round| round.number) + 1;
        let created_at = self.context.now;
        let offers = eligible
            .iter()
            .map(|&employee| Offer {
                id: self.context.new_id(),
                employee,
                status: OfferStatus::Unseen,
                round: number,
                decline_reason: None,
                created_at,
                seen_at: None,
                decided_at: None,
                expires_at: terms.and_then(|terms| terms.expires_at),
            })
            .collect();
        let round = Arc::new(Round { number, group, eligible, left_out, created_at });
        self.happen(DispatchEvent::RoundMade { round, offers, terms });
    }

    fn accept(&mut self, sight: &Sight, id: OfferId) -> Decided {
        let offer = self.own_offer(sight, id)?;
        match offer.status {
            // Accepting twice is the same answer (F-7).
            OfferStatus::Accepted => return Ok(()),
            OfferStatus::Rescinded => return Err(DispatchRejection::Filled),
            OfferStatus::Declined | OfferStatus::Cancelled | OfferStatus::Expired => {
                return Err(DispatchRejection::OfferNotOpen(offer.status));
            }
            OfferStatus::Unseen | OfferStatus::Seen => {}
        }
        // The timer that ends it may be late; its time is over all the same (F-9).
        if offer.expires_at.is_some_and(|end| end <= self.context.now) {
            return Err(DispatchRejection::OfferNotOpen(OfferStatus::Expired));
        }
        if self.state.is_filled() {
            return Err(DispatchRejection::Filled);
        }
        self.change(offer.employee, OfferStatus::Accepted, None);
        self.involve(offer.employee, AssignmentSource::Accepted);
        Ok(())
    }

    fn involve(&mut self, employee: EmployeeId, source: AssignmentSource) {
        let (by, created_at) = (self.context.actor(), self.context.now);
        self.happen(DispatchEvent::Assigned { assignment: Assignment { employee, source, by, created_at } });
        if self.state.is_filled() {
            self.change_open(OfferStatus::Rescinded, |_| true);
        }
    }

    /// A "no" is the employee's own and final, until a moderator asks again (F-5, F-6). Whoever accepted is involved:
    /// giving that back is for moderators (table of actors).
    fn decline(&mut self, sight: &Sight, id: OfferId, reason: &Option<String>) -> Decided {
        if let Some(reason) = reason {
            let is_allowed =
                |character: char| !character.is_control() || matches!(character, '\n' | '\r' | '\t');
            if reason.chars().count() > MAX_REASON || !reason.chars().all(is_allowed) {
                return Err(DispatchRejection::InvalidReason);
            }
        }
        let offer = self.own_offer(sight, id)?;
        match offer.status {
            OfferStatus::Declined => Ok(()),
            OfferStatus::Unseen | OfferStatus::Seen => {
                self.change(offer.employee, OfferStatus::Declined, reason.clone());
                Ok(())
            }
            OfferStatus::Accepted
            | OfferStatus::Cancelled
            | OfferStatus::Expired
            | OfferStatus::Rescinded => Err(DispatchRejection::OfferNotOpen(offer.status)),
        }
    }

    fn mark_seen(&mut self, sight: &Sight) -> Decided {
        let (_, employee) = self.employee(sight)?;
        if self.state.offers.get(&employee.id).is_some_and(|offer| offer.status == OfferStatus::Unseen) {
            self.change(employee.id, OfferStatus::Seen, None);
        }
        Ok(())
    }

    /// Checks what requesting and assigning share. Beyond F-6 ("at any time, whatever the person answered before"):
    /// not on an ended ticket, which has no open offers; not beyond the limit of workers (F-7), somebody is cancelled
    /// first; and not those who may not see the ticket (F-2).
    fn may_ask(&self, sight: &Sight, candidate: &Candidate) -> Decided {
        let ticket = self.manager(sight)?;
        if ticket.status.is_ended() {
            return Err(DispatchRejection::TicketEnded);
        }
        let departments = ticket.departments_now(sight.device.as_deref());
        if !sight.isolation.admits(&candidate.departments, departments) {
            return Err(DispatchRejection::EmployeeMayNotSee);
        }
        Ok(())
    }

    fn request(&mut self, sight: &Sight, candidate: &Candidate) -> Decided {
        self.may_ask(sight, candidate)?;
        if self.state.assignments.contains_key(&candidate.id) {
            return Err(DispatchRejection::AlreadyInvolved);
        }
        // Asked already: the offer there is the answer.
        if self.state.offers.get(&candidate.id).is_some_and(|offer| offer.status.is_open()) {
            return Ok(());
        }
        if self.state.is_filled() {
            return Err(DispatchRejection::Filled);
        }
        self.offer_to(None, vec![candidate.id], Vec::new(), None);
        Ok(())
    }

    fn assign(&mut self, sight: &Sight, candidate: &Candidate) -> Decided {
        self.may_ask(sight, candidate)?;
        if self.state.assignments.contains_key(&candidate.id) {
            return Ok(());
        }
        if self.state.is_filled() {
            return Err(DispatchRejection::Filled);
        }
        // The offer is answered by somebody else's hand, so it is taken back, not accepted: one source each.
        if self.state.offers.get(&candidate.id).is_some_and(|offer| offer.status.is_open()) {
            self.change(candidate.id, OfferStatus::Cancelled, None);
        }
        self.involve(candidate.id, AssignmentSource::Assigned);
        Ok(())
    }

    /// Takes offer and assignment away. What was declined or has ended stays as it is, on record.
    ///
    /// A place that becomes free below a limit of workers does not revive rescinded offers: whoever cancels decides
    /// who is asked next; with nobody left, F-11 tells the notification group.
    fn take_away(&mut self, employee: EmployeeId) {
        let taken = self
            .state
            .offers
            .get(&employee)
            .is_some_and(|offer| offer.status.is_open() || offer.status == OfferStatus::Accepted);
        if taken {
            self.change(employee, OfferStatus::Cancelled, None);
        }
        if self.state.assignments.contains_key(&employee) {
            let by: Actor = self.context.actor();
            self.happen(DispatchEvent::AssignmentCancelled { employee, by });
        }
    }

    /// F-8. On an ended ticket the record of who worked on it stays; opening it again checks anew.
    fn review(&mut self, employee: EmployeeId, standing: &Standing, device: Option<&Device>) {
        let Some(ticket) = self.state.ticket.clone().filter(|ticket| !ticket.status.is_ended()) else {
            return;
        };
        if !standing.may_hold(&ticket, device) {
            self.take_away(employee);
        }
    }

    fn expire(&mut self, round: u32) {
        self.change_open(OfferStatus::Expired, |offer| offer.round == round && offer.expires_at.is_some());
    }

    /// Fires once: only the round that waits is escalated, and escalating ends the waiting. A ticket that was taken up
    /// by hand without anybody being assigned needs nobody else.
    fn escalate(&mut self, round: u32, plan: Option<&Plan>) {
        let is_open = self.state.ticket.as_ref().is_some_and(|ticket| ticket.status == TicketStatus::Open);
        if self.state.escalating != Some(round) || !self.state.assignments.is_empty() || !is_open {
            return;
        }
        let from = self.state.rounds.iter().find(|made| made.number == round).and_then(|made| made.group);
        let (Some(from), Some(plan)) = (from, plan) else { return };
        let Some(to) = plan.group else { return };
        self.happen(DispatchEvent::Escalated { from, to });
        self.make_round(plan);
    }

    /// F-11: nobody has the ticket and nobody can take it any more. Told once each time it becomes so. What is DONE
    /// needs nobody.
    fn notice_unserved(&mut self, before: &DispatchState) {
        let active = self
            .state
            .ticket
            .as_ref()
            .is_some_and(|ticket| !ticket.status.is_ended() && ticket.status != TicketStatus::Done);
        let round = self.events.iter().find_map(|event| match event {
            DispatchEvent::RoundMade { round, .. } => Some(Arc::clone(round)),
            _ => None,
        });
        if !active || self.state.is_served() || !(before.is_served() || round.is_some()) {
            return;
        }
        let nobody_eligible = round
            .is_some_and(|round| !round.left_out.iter().any(|left| left.reason == LeftOutReason::Declined));
        self.happen(DispatchEvent::Unserved { nobody_eligible });
    }
}
