//! A call: how it begins, who is there, how it ends (V-3, V-4, V-8).

use callboard_kernel::{DecisionContext, Timestamp};

use super::decide::{Decided, without_recording};
use super::{
    Around, Call, Party, Presence, Provider, SessionContent, SessionEvent, SessionRejection, Status, Timing,
};
use crate::{ConnectionId, Side, StreamId, Visibility};

/// Takes part. The first starts the call; whoever comes then, comes into the same one (V-3). The place of a person
/// whose connection is lost is free: a code user who scans again is another visit.
pub(super) fn join(
    session: &SessionContent,
    side: Side,
    connection: ConnectionId,
    provider: Provider,
    timing: Timing,
    context: &DecisionContext<'_>,
) -> Decided {
    match session.status {
        Status::Requested => return Err(SessionRejection::NotConfirmed),
        Status::Done | Status::Closed | Status::Cancelled => return Err(SessionRejection::Over),
        Status::Confirmed | Status::InProgress => {}
    }
    let (who, at) = (context.actor(), context.now);
    if session.is_taken(side, who) {
        return Err(SessionRejection::SideTaken);
    }
    let party = Party { who, connection, stream: None };
    let Some(call) = &session.call else {
        let mut call = Call {
            number: session.calls + 1,
            provider,
            started_at: at,
            started_by_employee: side == Side::Employee,
            guest: None,
            employee: None,
            // Whoever joins and never shows up is not there.
            quiet_since: Some(at),
            watch_at: at + timing.grace,
        };
        *call.place(side) = Some(party);
        return Ok(vec![SessionEvent::CallStarted { call }]);
    };
    let other_is_there = call.is_present(side.other());
    // The browser that recorded was left behind, or its person replaced.
    let mut events = if side == Side::Employee { stop_recording(session, at) } else { Vec::new() };
    events.push(SessionEvent::Joined {
        side,
        party,
        quiet_since: (!other_is_there).then_some(at),
        watch_at: if other_is_there { call.watch_at } else { at + timing.grace },
        at,
    });
    without_recording(session, &mut events);
    Ok(events)
}

/// A person's signals arrive.
pub(super) fn appear(
    session: &SessionContent,
    connection: ConnectionId,
    stream: StreamId,
    timing: Timing,
    now: Timestamp,
) -> Vec<SessionEvent> {
    let Some(side) = session.call.as_ref().and_then(|call| call.side_of(connection)) else {
        return Vec::new();
    };
    vec![SessionEvent::Presence {
        side,
        stream: Some(stream),
        quiet_since: None,
        watch_at: now + timing.watch,
    }]
}

/// Their exchange broke off. That of a connection that came back meanwhile is another, and stands.
pub(super) fn vanish(
    session: &SessionContent,
    connection: ConnectionId,
    stream: StreamId,
    timing: Timing,
    now: Timestamp,
) -> Vec<SessionEvent> {
    let Some(call) = &session.call else { return Vec::new() };
    let gone = call
        .side_of(connection)
        .filter(|side| call.party(*side).is_some_and(|party| party.stream == Some(stream)));
    gone.map(|side| lost(call, side, timing, now)).into_iter().collect()
}

/// What the provider says of who is there (V-10), all at once: whoever comes as the other goes keeps the call from falling
/// quiet.
pub(super) fn found(
    session: &SessionContent,
    number: i32,
    present: &[Presence],
    timing: Timing,
    now: Timestamp,
) -> Vec<SessionEvent> {
    let asked = |call: &Call| call.number == number && call.provider != Provider::BuiltIn;
    let Some(mut call) = session.call.clone().filter(asked) else { return Vec::new() };
    let mut events = Vec::new();
    for comes in [true, false] {
        for side in Side::ALL.iter().copied() {
            let known = call.party(side).and_then(|party| party.stream);
            let stream = call.found(side, present);
            if stream == known || stream.is_some() != comes {
                continue;
            }
            let event = match stream {
                Some(_) => {
                    let watch_at = now + timing.watch;
                    SessionEvent::Presence { side, stream, quiet_since: None, watch_at }
                }
                None => lost(&call, side, timing, now),
            };
            note(&mut call, &event);
            events.push(event);
        }
    }
    events
}

/// The call after somebody came or went.
const fn note(call: &mut Call, event: &SessionEvent) {
    if let SessionEvent::Presence { side, stream, quiet_since, watch_at } = event {
        call.note(*side, *stream, *quiet_since, *watch_at);
    }
}

fn lost(call: &Call, side: Side, timing: Timing, now: Timestamp) -> SessionEvent {
    let other_is_there = call.is_present(side.other());
    SessionEvent::Presence {
        side,
        stream: None,
        quiet_since: (!other_is_there).then_some(now),
        watch_at: if other_is_there { call.watch_at } else { now + timing.grace },
    }
}

/// Looks who is still there. Nobody for longer than the grace time: the call is over (V-4). While one of the two is
/// there it goes on: they may wait for the other, or hang up.
pub(super) fn watch(
    session: &SessionContent,
    due: Timestamp,
    alive: &[StreamId],
    around: &Around,
    now: Timestamp,
) -> Vec<SessionEvent> {
    let Some(mut call) = session.call.clone().filter(|call| call.watch_at == due) else { return Vec::new() };
    let mut events = Vec::new();
    for side in Side::ALL.iter().copied() {
        let stream = call.party(side).and_then(|party| party.stream);
        // Whoever served this person fell silent without a word.
        if stream.is_some_and(|stream| !alive.contains(&stream)) {
            let event = lost(&call, side, around.timing, now);
            note(&mut call, &event);
            events.push(event);
        }
    }
    match call.quiet_since {
        Some(since) if since + around.timing.grace <= now => {
            events.extend(end(session, session.visibility, around, now));
        }
        // The timer was set anew with the loss.
        Some(_) if !events.is_empty() => {}
        Some(since) => events.push(SessionEvent::Watched { watch_at: since + around.timing.grace }),
        None => events.push(SessionEvent::Watched { watch_at: now + around.timing.watch }),
    }
    events
}

/// The call, if one runs, is over.
pub(super) fn hang_up(session: &SessionContent, at: Timestamp) -> Vec<SessionEvent> {
    let Some(call) = &session.call else { return Vec::new() };
    let mut events = stop_recording(session, at);
    events.push(SessionEvent::CallEnded { call: call.clone(), at });
    events
}

/// The call is over: DONE where a rating is asked for, else CLOSED (V-4). An internal session is never asked about
///
pub(super) fn end(
    session: &SessionContent,
    visibility: Visibility,
    around: &Around,
    at: Timestamp,
) -> Vec<SessionEvent> {
    let mut events = hang_up(session, at);
    events.push(if around.rated && visibility == Visibility::Public {
        SessionEvent::Done { round: session.done_round + 1, at }
    } else {
        SessionEvent::Closed { from: session.status, at }
    });
    events
}

pub(super) fn stop_recording(session: &SessionContent, at: Timestamp) -> Vec<SessionEvent> {
    if session.recording { vec![SessionEvent::Recorded { running: false, at }] } else { Vec::new() }
}

/// A person's consent (V-8).
pub(super) fn consent(
    session: &SessionContent,
    side: Side,
    given: bool,
    context: &DecisionContext<'_>,
) -> Decided {
    let (who, at) = (context.actor(), context.now);
    if session.is_taken(side, who) {
        return Err(SessionRejection::SideTaken);
    }
    if session.status.is_over() {
        return Err(SessionRejection::Over);
    }
    let by = given.then_some(who);
    if session.consent(side) == by {
        return Ok(Vec::new());
    }
    let mut events = vec![SessionEvent::Consented { side, by, at }];
    without_recording(session, &mut events);
    Ok(events)
}

/// Recordings are made by the employee, since they are kept by the organisation; either side stops one, the guest by
/// withdrawing consent.
pub(super) fn record(
    session: &SessionContent,
    side: Side,
    running: bool,
    context: &DecisionContext<'_>,
) -> Decided {
    if session.call.is_none() {
        return Err(SessionRejection::NoCall);
    }
    if side != Side::Employee || !session.is_in_call(side, context.actor()) {
        return Err(SessionRejection::Denied("recordings are made by the employee in the call"));
    }
    if running && !session.may_be_recorded() {
        return Err(SessionRejection::NoConsent);
    }
    if session.recording == running {
        return Ok(Vec::new());
    }
    Ok(vec![SessionEvent::Recorded { running, at: context.now }])
}
