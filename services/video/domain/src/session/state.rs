//! What a session knows, and who may do what with it.

use callboard_kernel::{Actor, DeviceId, EmployeeId, Principal, Subject, TicketId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Kept, SessionEvent};
use crate::{ConnectionId, MAX_TICKETS, Place, Side, StreamId, Visibility, words};

words! {
    /// Where a session stands.
    Status as "session status" {
        /// Asked for from outside; cannot be called (V-2).
        Requested = "REQUESTED",
        /// Either side may start the call (V-3).
        Confirmed = "CONFIRMED",
        /// The call runs.
        InProgress = "IN_PROGRESS",
        /// A rating is awaited (V-4).
        Done = "DONE",
        /// Over.
        Closed = "CLOSED",
        /// Withdrawn or cancelled (V-5).
        Cancelled = "CANCELLED",
    }
}

impl Status {
    /// Nothing goes on any more (V-6).
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Closed | Self::Cancelled)
    }
}

/// What carries a call's audio and video (V-10). Stored: the words never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Provider {
    /// From browser to browser: what they tell each other makes them present.
    #[default]
    BuiltIn,
    /// A LiveKit server, which is asked who is there.
    Livekit,
}

/// Somebody whose connection stands, as a provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// By which joining.
    pub connection: ConnectionId,
    /// Which coming: who goes and comes back by the same joining is another.
    pub stream: StreamId,
}

/// Somebody in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Who.
    pub who: Actor,
    /// By which joining.
    pub connection: ConnectionId,
    /// The exchange of signals that stands; `None`: none does.
    pub stream: Option<StreamId>,
}

/// A running call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// 1, 2, 3 …
    pub number: i32,
    /// What carries it, until it ends: a change of the settings is for the next one.
    #[serde(default)]
    pub provider: Provider,
    /// When it began.
    pub started_at: Timestamp,
    /// Who began: an employee, or else the guest.
    pub started_by_employee: bool,
    /// The code user or customer user.
    pub guest: Option<Party>,
    /// The employee.
    pub employee: Option<Party>,
    /// Since when nobody's exchange stands; `None`: somebody's does.
    pub quiet_since: Option<Timestamp>,
    /// When it is looked who is still there.
    pub watch_at: Timestamp,
}

impl Call {
    /// Who is on a side.
    pub const fn party(&self, side: Side) -> Option<&Party> {
        match side {
            Side::Guest => self.guest.as_ref(),
            Side::Employee => self.employee.as_ref(),
        }
    }

    pub(super) const fn place(&mut self, side: Side) -> &mut Option<Party> {
        match side {
            Side::Guest => &mut self.guest,
            Side::Employee => &mut self.employee,
        }
    }

    /// Who is in it.
    pub fn parties(&self) -> impl Iterator<Item = &Party> {
        Side::ALL.iter().filter_map(|side| self.party(*side))
    }

    /// Whether a side's exchange stands.
    pub fn is_present(&self, side: Side) -> bool {
        self.party(side).is_some_and(|party| party.stream.is_some())
    }

    /// The side of a connection.
    pub fn side_of(&self, connection: ConnectionId) -> Option<Side> {
        let is_its = |side: &Side| self.party(*side).is_some_and(|party| party.connection == connection);
        Side::ALL.iter().copied().find(is_its)
    }

    /// Somebody came or went.
    pub(super) const fn note(
        &mut self,
        side: Side,
        stream: Option<StreamId>,
        quiet_since: Option<Timestamp>,
        watch_at: Timestamp,
    ) {
        self.quiet_since = quiet_since;
        self.watch_at = watch_at;
        if let Some(party) = self.place(side) {
            party.stream = stream;
        }
    }

    /// By which stream a side is there, of those who are said to be.
    pub(super) fn found(&self, side: Side, present: &[Presence]) -> Option<StreamId> {
        let connection = self.party(side)?.connection;
        present.iter().find(|found| found.connection == connection).map(|found| found.stream)
    }

    /// Whether what a provider says is what is known.
    pub fn agrees_with(&self, present: &[Presence]) -> bool {
        let known = |side: Side| self.party(side).and_then(|party| party.stream);
        Side::ALL.iter().all(|side| self.found(*side, present) == known(*side))
    }

    /// Who began.
    pub const fn started_by(&self) -> Side {
        if self.started_by_employee { Side::Employee } else { Side::Guest }
    }
}

/// A session that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionContent {
    /// The device.
    pub device: DeviceId,
    /// Where it stood when the session was made: no other customer than the one then sees it.
    pub place: Place,
    /// Where it stands.
    pub status: Status,
    /// Who sees it.
    pub visibility: Visibility,
    /// Who created or confirmed it, or was in the call last.
    pub employee: Option<EmployeeId>,
    /// Who requested it.
    pub requester: Option<Actor>,
    /// What the requester is called.
    pub requester_name: String,
    /// What it is about.
    pub reason: String,
    /// Linked tickets, each once, in order of id.
    pub tickets: Vec<TicketId>,
    /// The ticket from whose conversation it was made (M-7).
    pub conversation: Option<TicketId>,
    /// Who consented on the guest's side. Consent is a person's, not a side's: somebody else is asked anew.
    pub guest_consent: Option<Actor>,
    /// Who consented on the employee's side.
    pub employee_consent: Option<Actor>,
    /// A recording runs.
    pub recording: bool,
    /// The running call.
    pub call: Option<Call>,
    /// How many calls there were.
    pub calls: i32,
    /// How many times it has become DONE.
    pub done_round: i32,
    /// What stays of its calls (V-8).
    pub kept: Kept,
    /// 1 to 5.
    pub rating: Option<i32>,
    /// When the last call ended.
    pub ended_at: Option<Timestamp>,
    /// Who made it.
    pub creator: Actor,
    /// When.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What a caller may do with a session now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moves {
    /// V-2.
    pub confirm: bool,
    /// V-5.
    pub withdraw: bool,
    /// V-5.
    pub cancel: bool,
    /// V-6.
    pub reopen: bool,
    /// V-3.
    pub join: bool,
    /// V-4.
    pub end: bool,
    /// V-7.
    pub set_visibility: bool,
    /// V-9.
    pub link: bool,
    /// V-8.
    pub consent: bool,
    /// V-8.
    pub record: bool,
}

impl SessionContent {
    /// Whether a caller from outside may see it at all. Whose the device is now, and which departments it has, the service
    /// judges before; here it is seen to that nobody takes over a former owner's sessions.
    pub fn admits(&self, principal: &Principal) -> bool {
        match &principal.subject {
            Subject::System | Subject::Employee(_) => true,
            Subject::CodeUser(user) => self.visibility == Visibility::Public && user.device == self.device,
            Subject::CustomerUser(user) => {
                self.visibility == Visibility::Public
                    && self.place.customer.is_none_or(|customer| customer == user.customer)
            }
        }
    }

    /// Whether the session is an employee's: their own, one they are responsible for or offered (V-2), any for
    /// moderators and administrators. What V-5 and V-6 let "employees" do is for these: the table of actors gives
    /// members who are not involved nothing to change.
    pub fn works_on_it(&self, principal: &Principal, offered: bool) -> bool {
        principal
            .employee()
            .is_some_and(|employee| principal.is_moderator() || offered || self.employee == Some(employee.id))
    }

    /// Whether the caller counts as who requested it (V-5): not the visit alone, which lasts an hour and is another one for
    /// whoever scans again or comes by the link of an e-mail, but anybody whose own it is, as tickets judge it (T-10).
    pub fn is_requested_by(&self, principal: &Principal) -> bool {
        self.requester.is_some_and(|requester| principal.calls_own(requester))
    }

    /// Who consented on a side.
    pub const fn consent(&self, side: Side) -> Option<Actor> {
        match side {
            Side::Guest => self.guest_consent,
            Side::Employee => self.employee_consent,
        }
    }

    /// Whether a side consents: the person who is in the call, where one is.
    pub fn consents(&self, side: Side) -> bool {
        let party = self.call.as_ref().and_then(|call| call.party(side));
        self.consent(side).is_some_and(|who| party.is_none_or(|party| party.who == who))
    }

    /// Whether a recording may run: both are in the call, and both consent (V-8).
    pub fn may_be_recorded(&self) -> bool {
        let both = |call: &Call| call.guest.is_some() && call.employee.is_some();
        self.call.as_ref().is_some_and(both) && Side::ALL.iter().all(|side| self.consents(*side))
    }

    /// Whether somebody else is on the caller's side of the call.
    pub(super) fn is_taken(&self, side: Side, who: Actor) -> bool {
        let party = self.call.as_ref().and_then(|call| call.party(side));
        party.is_some_and(|party| party.who != who && party.stream.is_some())
    }

    /// Whether the caller is in the call.
    pub(super) fn is_in_call(&self, side: Side, who: Actor) -> bool {
        let party = self.call.as_ref().and_then(|call| call.party(side));
        party.is_some_and(|party| party.who == who)
    }

    /// Whether no more tickets can be linked.
    pub const fn is_full(&self) -> bool {
        self.tickets.len() >= MAX_TICKETS
    }

    /// What a caller who sees it may do with it now.
    pub fn moves(&self, principal: &Principal, offered: bool) -> Moves {
        let Some(side) = Side::of(principal) else { return Moves::default() };
        let who = principal.actor();
        let works = self.works_on_it(principal, offered);
        let takes_part = works || side == Side::Guest && self.admits(principal);
        let is_free = !self.is_taken(side, who);
        let can_be_called = matches!(self.status, Status::Confirmed | Status::InProgress);
        Moves {
            confirm: works && self.status == Status::Requested,
            withdraw: self.is_requested_by(principal) && self.status == Status::Requested,
            cancel: works && !matches!(self.status, Status::Closed | Status::Cancelled),
            reopen: works && self.status.is_over(),
            join: takes_part && can_be_called && is_free,
            end: self.call.is_some() && (works || self.is_in_call(side, who)),
            set_visibility: works,
            link: works && !self.is_full(),
            consent: takes_part && is_free && !self.status.is_over(),
            record: side == Side::Employee && self.is_in_call(side, who) && self.may_be_recorded(),
        }
    }
}

/// What a [`Session`](super::Session) knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionState {
    /// It; `None`: not there.
    pub session: Option<Box<SessionContent>>,
}

impl SessionState {
    pub(super) fn apply(&mut self, event: &SessionEvent) {
        if let SessionEvent::Created(content) = event {
            self.session = Some(content.clone());
        } else if let Some(session) = &mut self.session {
            change(session, event);
        }
    }
}

fn change(session: &mut SessionContent, event: &SessionEvent) {
    let at = match event {
        SessionEvent::Created(_) => return,
        // Who comes and goes is no edit.
        SessionEvent::Presence { side, stream, quiet_since, watch_at } => {
            if let Some(call) = &mut session.call {
                call.note(*side, *stream, *quiet_since, *watch_at);
            }
            return;
        }
        SessionEvent::Watched { watch_at } => {
            if let Some(call) = &mut session.call {
                call.watch_at = *watch_at;
            }
            return;
        }
        SessionEvent::Confirmed { by, at } => {
            session.status = Status::Confirmed;
            if let Actor::Employee(employee) = by {
                session.employee = Some(*employee);
            }
            at
        }
        SessionEvent::Cancelled { at, .. } => {
            session.status = Status::Cancelled;
            at
        }
        SessionEvent::Reopened { at, .. } => {
            session.status = Status::Confirmed;
            at
        }
        SessionEvent::VisibilityChanged { to, at, .. } => {
            session.visibility = *to;
            at
        }
        SessionEvent::Linked { ticket, at } => {
            session.tickets.push(*ticket);
            session.tickets.sort_unstable();
            at
        }
        SessionEvent::Unlinked { ticket, at } => {
            session.tickets.retain(|known| known != ticket);
            session.conversation = session.conversation.filter(|known| known != ticket);
            at
        }
        SessionEvent::Consented { side, by, at } => {
            match side {
                Side::Guest => session.guest_consent = *by,
                Side::Employee => session.employee_consent = *by,
            }
            at
        }
        SessionEvent::Recorded { running, at } => {
            session.recording = *running;
            let recorder = session.call.as_ref().and_then(|call| call.employee.as_ref());
            match recorder {
                Some(party) if *running => session.kept.begin(party.who),
                Some(_) | None => session.kept.stop(*at),
            }
            at
        }
        SessionEvent::FileAdded { file, at } => {
            session.kept.files.push(file.clone());
            at
        }
        SessionEvent::FileRemoved { file, at } => {
            session.kept.files.retain(|known| known.id != *file);
            at
        }
        SessionEvent::CallStarted { call } => {
            session.status = Status::InProgress;
            session.calls = call.number;
            if let Some(party) = &call.employee {
                take_over(session, party.who);
            }
            session.call = Some(call.clone());
            session.updated_at = call.started_at;
            return;
        }
        SessionEvent::Joined { side, party, quiet_since, watch_at, at } => {
            take_over(session, party.who);
            if let Some(call) = &mut session.call {
                *call.place(*side) = Some(party.clone());
                call.quiet_since = *quiet_since;
                call.watch_at = *watch_at;
            }
            at
        }
        SessionEvent::CallEnded { call, at } => {
            session.kept.callers = call.parties().map(|party| party.who).collect();
            session.call = None;
            session.ended_at = Some(*at);
            at
        }
        SessionEvent::Done { round, at } => {
            session.status = Status::Done;
            session.done_round = *round;
            at
        }
        SessionEvent::Closed { at, .. } => {
            session.status = Status::Closed;
            at
        }
        SessionEvent::Rated { score, at, .. } => {
            session.rating = Some(*score);
            at
        }
    };
    session.updated_at = *at;
}

fn take_over(session: &mut SessionContent, who: Actor) {
    if let Actor::Employee(employee) = who {
        session.employee = Some(employee);
    }
}
