//! Tickets as rows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_actor::Step;
use callboard_journal::{
    Cells, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, TimerChange, Value,
};
use callboard_kernel::{Actor, EmployeeId, OrganisationId, Timestamp};
use callboard_tickets_domain::{Fact, Place, State, Status, Ticket, TicketAggregate, Update};
use chrono::TimeDelta;
use serde::Serialize;
use uuid::Uuid;

use super::tables::{INVOLVED, TICKET, TICKET_SCHEMA, TIMELINE, UPDATE};
use crate::events::outbound;

/// The timer of the extension of T-8. Its payload is the round, as text.
pub const CLOSE_UNRATED: &str = "close-unrated";
/// The timer of a draft that waits for its author. Its payload is when it was last touched, in microseconds since the
/// epoch, as text.
pub const DISCARD_DRAFT: &str = "discard-draft";

/// How long things wait before they go on without people; `None`: for ever.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Extension of T-8: DONE closes unrated after this long.
    pub close_unrated: Option<Duration>,
    /// Drafts of code users that nobody touches for this long go.
    pub drafts_of_code_users: Option<Duration>,
    /// The same for people who log in: they find their drafts again.
    pub drafts_of_people: Option<Duration>,
}

/// How tickets are stored and what others hear of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct TicketMapping {
    /// Sets and cancels timers.
    pub limits: Limits,
}

impl Mapping for TicketMapping {
    type Aggregate = TicketAggregate;

    fn schema(&self) -> &'static Schema {
        &TICKET_SCHEMA
    }

    fn loads(&self, child: &Table) -> bool {
        child.name == INVOLVED.name
    }

    fn load(&self, rows: &Rows) -> Result<State, Corrupt> {
        let Some(root) = &rows.root else { return Ok(State::None) };
        let mut involved = Vec::new();
        for row in rows.of(&INVOLVED) {
            let mut cells = Cells::new(&INVOLVED, row);
            cells.uuid()?;
            let employee = EmployeeId(cells.uuid()?);
            involved.push((cells.int()?, employee));
        }
        involved.sort_unstable();
        let involved = involved.into_iter().map(|(_, employee)| employee).collect();
        ticket_of(Cells::new(&TICKET, root), rows.organisation, involved)
    }

    fn record(&self, step: &Step<'_, TicketAggregate>) -> Result<Record, String> {
        let mut rows = match (step.before, step.after) {
            (State::Live(before), State::Gone) => gone(before),
            (State::Live(_) | State::None, State::Live(after)) => changed(step, after)?,
            (before, after) => return Err(format!("no way from {before:?} to {after:?}")),
        };
        if let (before, State::Live(after)) = (step.before.live(), step.after) {
            rows.extend(involved_changes(before, after));
        }
        // T-11: texts stand in earlier answers.
        let erases = matches!((step.before, step.after), (State::Live(_), State::Gone));
        Ok(Record { rows, events: outbound::events(step), timers: self.timers(step), erases })
    }
}

impl TicketMapping {
    fn timers(&self, step: &Step<'_, TicketAggregate>) -> Vec<TimerChange> {
        let done = |state: &State| {
            state.live().filter(|ticket| ticket.status == Status::Done).map(|ticket| ticket.done_round)
        };
        let draft = |state: &State| {
            state.live().filter(|ticket| ticket.status == Status::Draft).map(|ticket| {
                let limit = match ticket.creator {
                    Actor::CodeUser(_) => self.limits.drafts_of_code_users,
                    Actor::Employee(_) | Actor::CustomerUser(_) | Actor::System => {
                        self.limits.drafts_of_people
                    }
                };
                (limit, ticket.update_time)
            })
        };
        let mut timers = Vec::new();
        let rounds = (done(step.before), done(step.after));
        timers.extend(self.limits.close_unrated.and_then(|limit| timer(step, CLOSE_UNRATED, limit, rounds)));
        let (before, after) = (draft(step.before), draft(step.after));
        if let Some(limit) = before.or(after).and_then(|(limit, _)| limit) {
            let touched =
                |draft: Option<(Option<Duration>, Timestamp)>| draft.map(|(_, at)| at.timestamp_micros());
            timers.extend(timer(step, DISCARD_DRAFT, limit, (touched(before), touched(after))));
        }
        timers
    }
}

/// The timer of something that a ticket may wait for: set when it begins or begins anew, cancelled when it ends.
fn timer<T: PartialEq + ToString>(
    step: &Step<'_, TicketAggregate>,
    name: &str,
    limit: Duration,
    (before, after): (Option<T>, Option<T>),
) -> Option<TimerChange> {
    let name = name.to_owned();
    match (before, after) {
        (before, Some(now)) if before.as_ref() != Some(&now) => Some(TimerChange::Set {
            name,
            due: step.meta.at + TimeDelta::from_std(limit).ok()?,
            payload: Bytes::from(now.to_string()),
        }),
        (Some(_), None) => Some(TimerChange::Cancel { name }),
        (_, Some(_)) | (None, None) => None,
    }
}

/// A ticket's root row, none of its cells read yet, as state.
///
/// # Errors
/// Where the row makes no sense.
pub fn ticket_of(
    mut cells: Cells<'_>,
    organisation: Option<OrganisationId>,
    involved: Vec<EmployeeId>,
) -> Result<State, Corrupt> {
    let id = cells.uuid()?;
    let organisation = organisation.ok_or_else(|| cells.corrupt("has no organisation"))?;
    if cells.bool()? {
        return Ok(State::Gone);
    }
    let number = Some(cells.bigint()?).filter(|number| *number > 0);
    let device = cells.uuid()?.into();
    let place = Place {
        template: cells.uuid()?.into(),
        customer: cells.optional_uuid()?.map(Into::into),
        departments: cells.json()?,
        version: cells.bigint()?,
    };
    let ticket = Ticket {
        id: id.into(),
        organisation,
        number,
        device,
        place,
        flow: cells.optional_uuid()?.map(Into::into),
        draft_flow: cells.optional_json()?.map(Arc::new),
        group: cells.optional_uuid()?.map(Into::into),
        notification_group: cells.optional_uuid()?.map(Into::into),
        title: cells.text()?,
        description: cells.text()?,
        status: cells.word()?,
        visibility: cells.word()?,
        priority: cells.word()?,
        answers: cells.json()?,
        words: cells.text()?,
        involved: {
            cells.int()?;
            involved
        },
        rating: Some(cells.int()?).filter(|rating| *rating > 0),
        rating_round: cells.int()?,
        done_round: cells.int()?,
        creator: cells.word()?,
        create_time: cells.time()?,
        update_time: cells.time()?,
        open_time: cells.optional_time()?,
        updates: cells.bigint()?,
        timeline: cells.bigint()?,
    };
    Ok(State::Live(Box::new(ticket)))
}

fn json<T: Serialize>(value: &T) -> Result<Value, String> {
    serde_json::to_value(value).map(Value::Json).map_err(|error| error.to_string())
}

fn root(ticket: &Ticket) -> Result<Row, String> {
    Ok(vec![
        ticket.id.uuid().into(),
        false.into(),
        ticket.number.unwrap_or(0).into(),
        ticket.device.uuid().into(),
        ticket.place.template.uuid().into(),
        ticket.place.customer.map(Uuid::from).into(),
        json(&ticket.place.departments)?,
        ticket.place.version.into(),
        ticket.flow.map(Uuid::from).into(),
        ticket.draft_flow.as_deref().map_or(Ok(Value::Null), json)?,
        ticket.group.map(Uuid::from).into(),
        ticket.notification_group.map(Uuid::from).into(),
        ticket.title.clone().into(),
        ticket.description.clone().into(),
        ticket.status.as_str().into(),
        ticket.visibility.as_str().into(),
        ticket.priority.as_str().into(),
        json(&ticket.answers)?,
        ticket.words.clone().into(),
        i32::try_from(ticket.involved.len()).map_err(|error| error.to_string())?.into(),
        ticket.rating.unwrap_or(0).into(),
        ticket.rating_round.into(),
        ticket.done_round.into(),
        ticket.creator.to_string().into(),
        ticket.create_time.into(),
        ticket.update_time.into(),
        ticket.open_time.into(),
        ticket.updates.into(),
        ticket.timeline.into(),
    ])
}

/// The bare row of a deleted ticket: no text, no device, no number (T-11).
fn tombstone(id: Uuid) -> Row {
    TICKET
        .columns
        .iter()
        .map(|column| match column.name {
            "id" => id.into(),
            "deleted" => true.into(),
            "number" | "device_version" | "updates" | "timeline" => 0_i64.into(),
            "involved_count" | "rating" | "rating_round" | "done_round" => 0_i32.into(),
            _ => Value::Null,
        })
        .collect()
}

fn changed(step: &Step<'_, TicketAggregate>, after: &Ticket) -> Result<Vec<RowChange>, String> {
    let mut rows = vec![RowChange::Put(&TICKET, root(after)?)];
    let mut sequence = step.before.live().map_or(0, |before| before.timeline);
    for event in step.events {
        if let Some(change) = event.fact.change() {
            sequence += 1;
            rows.push(RowChange::Put(
                &TIMELINE,
                vec![
                    after.id.uuid().into(),
                    sequence.into(),
                    event.at.into(),
                    step.meta.principal.actor().to_string().into(),
                    change.field.into(),
                    change.before.into(),
                    change.after.into(),
                    (step.meta.cause.is_automatic()
                        || step.meta.principal.actor() == callboard_kernel::Actor::System)
                        .into(),
                    step.meta.cause.event.map(Uuid::from).into(),
                    step.meta.cause.event_type.clone().into(),
                ],
            ));
        }
        if let Fact::UpdatePosted(update) = &event.fact {
            rows.push(RowChange::Put(&UPDATE, update_row(after, update, event.at)?));
        }
    }
    Ok(rows)
}

fn update_row(ticket: &Ticket, update: &Update, at: callboard_kernel::Timestamp) -> Result<Row, String> {
    Ok(vec![
        ticket.id.uuid().into(),
        update.sequence.into(),
        update.id.uuid().into(),
        ticket.organisation.uuid().into(),
        update.author.to_string().into(),
        update.visibility.as_str().into(),
        update.text.clone().into(),
        json(&update.attachments)?,
        at.into(),
    ])
}

fn involved_changes(before: Option<&Ticket>, after: &Ticket) -> Vec<RowChange> {
    let old: &[EmployeeId] = before.map_or(&[], |before| &before.involved);
    let place = |employees: &[EmployeeId], employee: &EmployeeId| {
        employees.iter().position(|known| known == employee)
    };
    let removed = old
        .iter()
        .filter(|employee| !after.involved.contains(employee))
        .map(|employee| RowChange::Delete(&INVOLVED, vec![after.id.uuid().into(), employee.uuid().into()]));
    let put =
        after.involved.iter().enumerate().filter(|(index, employee)| place(old, employee) != Some(*index));
    let put = put.map(|(index, employee)| {
        let position = i32::try_from(index).unwrap_or(i32::MAX);
        RowChange::Put(&INVOLVED, vec![after.id.uuid().into(), employee.uuid().into(), position.into()])
    });
    removed.chain(put).collect()
}

/// Deleting leaves the bare row and nothing else. The keys of updates and timeline are known without reading them.
fn gone(before: &Ticket) -> Vec<RowChange> {
    let id = before.id.uuid();
    let key = |last: Value| vec![id.into(), last];
    let mut rows = vec![RowChange::Put(&TICKET, tombstone(id))];
    let involved = before.involved.iter().map(|employee| key(employee.uuid().into()));
    rows.extend(involved.map(|key| RowChange::Delete(&INVOLVED, key)));
    rows.extend((1..=before.updates).map(|sequence| RowChange::Delete(&UPDATE, key(sequence.into()))));
    rows.extend((1..=before.timeline).map(|sequence| RowChange::Delete(&TIMELINE, key(sequence.into()))));
    rows
}
