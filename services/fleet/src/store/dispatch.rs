//! The tables of a dispatch.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_actor::{Step, StepMeta};
use callboard_fleet_domain::dispatch::{Assignment, DispatchEvent, DispatchState, Offer, Round};
use callboard_fleet_domain::{Dispatch, Ticket};
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, Value,
};
use uuid::Uuid;

use super::{count, int, json};
use crate::events::outbound;

static DISPATCH: Table = Table {
    name: "dispatch",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("deleted", ColumnType::Bool),
        Column::new("ticket_version", ColumnType::BigInt),
        Column::new("template_id", ColumnType::Uuid),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("device_version", ColumnType::BigInt),
        Column::new("customer_id", ColumnType::Uuid),
        Column::new("group_id", ColumnType::Uuid),
        Column::new("notification_group_id", ColumnType::Uuid),
        Column::new("status", ColumnType::Text),
        Column::new("visibility", ColumnType::Text),
        Column::new("department_ids", ColumnType::Json),
        Column::new("required_workers", ColumnType::Int),
        Column::new("escalating_round", ColumnType::Int),
    ],
};

static OFFER: Table = Table {
    name: "offer",
    key: &["id"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("id", ColumnType::Uuid),
        Column::new("organisation_id", ColumnType::Uuid),
        Column::new("employee_id", ColumnType::Uuid),
        Column::new("status", ColumnType::Text),
        Column::new("round", ColumnType::Int),
        Column::new("decline_reason", ColumnType::Text),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("seen_at", ColumnType::Timestamp),
        Column::new("decided_at", ColumnType::Timestamp),
        Column::new("expires_at", ColumnType::Timestamp),
    ],
};

static ASSIGNMENT: Table = Table {
    name: "assignment",
    key: &["aggregate_id", "employee_id"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("employee_id", ColumnType::Uuid),
        Column::new("organisation_id", ColumnType::Uuid),
        Column::new("source", ColumnType::Text),
        Column::new("assigned_by", ColumnType::Text),
        Column::new("created_at", ColumnType::Timestamp),
    ],
};

static ROUND: Table = Table {
    name: "round",
    key: &["aggregate_id", "number"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("number", ColumnType::Int),
        Column::new("group_id", ColumnType::Uuid),
        Column::new("eligible", ColumnType::Json),
        Column::new("left_out", ColumnType::Json),
        Column::new("created_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &DISPATCH, children: &[&OFFER, &ASSIGNMENT, &ROUND] };

/// Maps dispatches to rows, events and timers. An accept writes the root, one offer and one assignment, however many
/// offers there are.
#[derive(Debug, Default, Clone, Copy)]
pub struct DispatchMapping;

impl Mapping for DispatchMapping {
    type Aggregate = Dispatch;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<DispatchState, Corrupt> {
        let mut state = match &rows.root {
            Some(row) => root_state(row)?,
            None => DispatchState::default(),
        };
        let mut offers: Vec<Offer> =
            rows.of(&OFFER).iter().map(|row| offer(row)).collect::<Result<_, _>>()?;
        // The newest offer of an employee is that of the highest round.
        offers.sort_by_key(|offer| offer.round);
        for offer in offers {
            if let Some(replaced) = state.offers.insert(offer.employee, offer) {
                state.replaced.push(Arc::new(replaced));
            }
        }
        state.assignments = rows
            .of(&ASSIGNMENT)
            .iter()
            .map(|row| assignment(row).map(|assignment| (assignment.employee, assignment)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        state.rounds =
            rows.of(&ROUND).iter().map(|row| round(row).map(Arc::new)).collect::<Result<_, _>>()?;
        state.rounds.sort_by_key(|round| round.number);
        Ok(state)
    }

    fn record(&self, step: &Step<'_, Dispatch>) -> Result<Record, String> {
        let mut rows = vec![RowChange::Put(&DISPATCH, root_row(step.meta.aggregate_id, step.after))];
        for event in step.events {
            change_rows(&mut rows, step.meta, step.before, event);
        }
        let (events, timers) = outbound::of_dispatch(step);
        // T-11: reasons of declines stand in earlier answers.
        let erases = step.after.deleted && !step.before.deleted;
        Ok(Record { rows, events, timers, erases })
    }
}

fn change_rows(rows: &mut Vec<RowChange>, meta: &StepMeta, before: &DispatchState, event: &DispatchEvent) {
    let id = meta.aggregate_id;
    match event {
        DispatchEvent::RoundMade { round, offers, .. } => {
            rows.push(RowChange::Put(&ROUND, round_row(id, round)));
            rows.extend(offers.iter().map(|offer| RowChange::Put(&OFFER, offer_row(meta, offer))));
        }
        DispatchEvent::OfferChanged { offer, .. } => {
            rows.push(RowChange::Put(&OFFER, offer_row(meta, offer)));
        }
        DispatchEvent::Assigned { assignment } => {
            rows.push(RowChange::Put(&ASSIGNMENT, assignment_row(meta, assignment)));
        }
        DispatchEvent::AssignmentCancelled { employee, .. } => {
            rows.push(RowChange::Delete(&ASSIGNMENT, vec![id.into(), employee.uuid().into()]));
        }
        DispatchEvent::TicketDeleted => {
            let replaced = before.replaced.iter().map(AsRef::as_ref);
            rows.extend(
                before
                    .offers
                    .values()
                    .chain(replaced)
                    .map(|offer| RowChange::Delete(&OFFER, vec![offer.id.uuid().into()])),
            );
            rows.extend(
                before
                    .assignments
                    .keys()
                    .map(|employee| RowChange::Delete(&ASSIGNMENT, vec![id.into(), employee.uuid().into()])),
            );
            rows.extend(
                before
                    .rounds
                    .iter()
                    .map(|round| RowChange::Delete(&ROUND, vec![id.into(), int(round.number).into()])),
            );
        }
        DispatchEvent::TicketObserved { .. }
        | DispatchEvent::Escalated { .. }
        | DispatchEvent::Unserved { .. } => {}
    }
}

fn root_row(id: Uuid, state: &DispatchState) -> Row {
    let ticket = state.ticket.as_deref();
    vec![
        id.into(),
        state.deleted.into(),
        ticket.map(|ticket| ticket.version).into(),
        ticket.map(|ticket| ticket.template.uuid()).into(),
        ticket.map(|ticket| ticket.device.uuid()).into(),
        ticket.map_or(0, |ticket| ticket.device_version).into(),
        ticket.and_then(|ticket| ticket.customer).map(Uuid::from).into(),
        ticket.and_then(|ticket| ticket.group).map(Uuid::from).into(),
        ticket.and_then(|ticket| ticket.notification_group).into(),
        ticket.map(|ticket| ticket.status.as_str()).map(str::to_owned).into(),
        ticket.map(|ticket| ticket.visibility.as_str()).map(str::to_owned).into(),
        json(&ticket.map(|ticket| ticket.departments.as_slice()).unwrap_or_default()),
        int(state.required_workers).into(),
        state.escalating.map(int).into(),
    ]
}

fn root_state(row: &[Value]) -> Result<DispatchState, Corrupt> {
    let mut cells = Cells::new(&DISPATCH, row);
    cells.uuid()?;
    let deleted = cells.bool()?;
    let Some(version) = cells.optional_bigint()? else {
        return Ok(DispatchState { deleted, ..DispatchState::default() });
    };
    let ticket = Ticket {
        version,
        template: cells.uuid()?.into(),
        device: cells.uuid()?.into(),
        device_version: cells.bigint()?,
        customer: cells.optional_uuid()?.map(Into::into),
        group: cells.optional_uuid()?.map(Into::into),
        notification_group: cells.optional_uuid()?,
        status: cells.word()?,
        visibility: cells.word()?,
        departments: cells.json()?,
    };
    let required_workers = count(&mut cells)?;
    let escalating = match cells.optional_int()? {
        Some(round) => Some(u32::try_from(round).map_err(|_| cells.corrupt("is negative"))?),
        None => None,
    };
    Ok(DispatchState {
        ticket: Some(Arc::new(ticket)),
        deleted,
        required_workers,
        escalating,
        ..DispatchState::default()
    })
}

fn offer_row(meta: &StepMeta, offer: &Offer) -> Row {
    vec![
        meta.aggregate_id.into(),
        offer.id.uuid().into(),
        meta.principal.organisation.uuid().into(),
        offer.employee.uuid().into(),
        offer.status.as_str().into(),
        int(offer.round).into(),
        offer.decline_reason.clone().into(),
        offer.created_at.into(),
        offer.seen_at.into(),
        offer.decided_at.into(),
        offer.expires_at.into(),
    ]
}

fn offer(row: &[Value]) -> Result<Offer, Corrupt> {
    let mut cells = Cells::new(&OFFER, row);
    cells.uuid()?;
    let id = cells.uuid()?.into();
    cells.uuid()?;
    Ok(Offer {
        id,
        employee: cells.uuid()?.into(),
        status: cells.word()?,
        round: count(&mut cells)?,
        decline_reason: cells.optional_text()?,
        created_at: cells.time()?,
        seen_at: cells.optional_time()?,
        decided_at: cells.optional_time()?,
        expires_at: cells.optional_time()?,
    })
}

fn assignment_row(meta: &StepMeta, assignment: &Assignment) -> Row {
    vec![
        meta.aggregate_id.into(),
        assignment.employee.uuid().into(),
        meta.principal.organisation.uuid().into(),
        assignment.source.as_str().into(),
        assignment.by.to_string().into(),
        assignment.created_at.into(),
    ]
}

fn assignment(row: &[Value]) -> Result<Assignment, Corrupt> {
    let mut cells = Cells::new(&ASSIGNMENT, row);
    cells.uuid()?;
    let employee = cells.uuid()?.into();
    cells.uuid()?;
    Ok(Assignment { employee, source: cells.word()?, by: cells.word()?, created_at: cells.time()? })
}

fn round_row(id: Uuid, round: &Round) -> Row {
    vec![
        id.into(),
        int(round.number).into(),
        round.group.map(Uuid::from).into(),
        json(&round.eligible),
        json(&round.left_out),
        round.created_at.into(),
    ]
}

fn round(row: &[Value]) -> Result<Round, Corrupt> {
    let mut cells = Cells::new(&ROUND, row);
    cells.uuid()?;
    Ok(Round {
        number: count(&mut cells)?,
        group: cells.optional_uuid()?.map(Into::into),
        eligible: cells.json()?,
        left_out: cells.json()?,
        created_at: cells.time()?,
    })
}
