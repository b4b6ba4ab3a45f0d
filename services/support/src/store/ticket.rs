//! The tables of tickets.

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, Value,
};
use callboard_kernel::EventId;
use callboard_support_domain::Ticket;
use callboard_support_domain::ticket::{Decided, Matter, TicketEvent, TicketState};
use uuid::Uuid;

use crate::events::outbound;

pub(super) static TICKET: Table = Table {
    name: "ticket",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("type", ColumnType::Text),
        Column::new("status", ColumnType::Text),
        Column::new("priority", ColumnType::Text),
        Column::new("title", ColumnType::Text),
        Column::new("text", ColumnType::Text),
        Column::new("person_id", ColumnType::Text),
        Column::new("person_name", ColumnType::Text),
        Column::new("person_email", ColumnType::Text),
        Column::new("account_id", ColumnType::Text),
        Column::new("account_name", ColumnType::Text),
        Column::new("plan", ColumnType::Text),
        Column::new("assignee_id", ColumnType::Uuid),
        Column::new("domain", ColumnType::Text),
        Column::new("decision", ColumnType::Text),
        Column::new("decided_by", ColumnType::Text),
        Column::new("decided_at", ColumnType::Timestamp),
        Column::new("requester", ColumnType::Text),
        Column::new("notes", ColumnType::Int),
        Column::new("comments", ColumnType::Int),
        Column::new("opened_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
    ],
};

static REQUEST: Table = Table {
    name: "ticket_request",
    key: &["aggregate_id", "event_id"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("event_id", ColumnType::Uuid),
        Column::new("number", ColumnType::Int),
    ],
};

static REMARK: Table = Table {
    name: "ticket_remark",
    key: &["aggregate_id", "number"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("number", ColumnType::Int),
        Column::new("is_note", ColumnType::Bool),
        Column::new("author", ColumnType::Text),
        Column::new("text", ColumnType::Text),
        Column::new("at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &TICKET, children: &[&REQUEST, &REMARK] };

/// Maps tickets to rows and events.
#[derive(Debug, Default, Clone, Copy)]
pub struct TicketMapping;

impl Mapping for TicketMapping {
    type Aggregate = Ticket;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// Remarks only grow, and decisions look at nothing but how many there are.
    fn loads(&self, child: &Table) -> bool {
        child.name != REMARK.name
    }

    fn load(&self, rows: &Rows) -> Result<TicketState, Corrupt> {
        let Some(row) = &rows.root else { return Ok(TicketState::default()) };
        let mut requests = rows
            .of(&REQUEST)
            .iter()
            .map(|row| {
                let mut cells = Cells::new(&REQUEST, row);
                cells.uuid()?;
                let event = EventId(cells.uuid()?);
                Ok((cells.int()?, event))
            })
            .collect::<Result<Vec<_>, Corrupt>>()?;
        requests.sort_unstable_by_key(|(number, _)| *number);
        let requests = requests.into_iter().map(|(_, event)| event).collect();
        Ok(TicketState { requests, ..state(row)? })
    }

    fn record(&self, step: &Step<'_, Ticket>) -> Result<Record, String> {
        let id = step.meta.aggregate_id;
        let mut rows = vec![RowChange::Put(&TICKET, row(id, step.after)?)];
        let known = step.before.requests.len();
        for (event, number) in step.after.requests.iter().skip(known).zip(known + 1..) {
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            rows.push(RowChange::Put(&REQUEST, vec![id.into(), event.uuid().into(), number.into()]));
        }
        for event in step.events {
            if let TicketEvent::Remarked(remark) = event {
                let row = vec![
                    id.into(),
                    remark.number.into(),
                    remark.is_note.into(),
                    remark.author.to_string().into(),
                    remark.text.clone().into(),
                    step.meta.at.into(),
                ];
                rows.push(RowChange::Put(&REMARK, row));
            }
        }
        Ok(Record { rows, events: outbound::of_ticket(step)?, ..Record::default() })
    }
}

fn row(id: Uuid, state: &TicketState) -> Result<Row, String> {
    let matter = state.matter.as_deref().ok_or("a ticket about nothing")?;
    let decided = state.decided;
    let texts = [
        &matter.title,
        &matter.text,
        &matter.person_id,
        &matter.person_name,
        &matter.person_email,
        &matter.account_id,
        &matter.account_name,
        &matter.plan,
    ];
    let mut row: Row = vec![
        id.into(),
        matter.kind.as_str().into(),
        state.status.as_str().into(),
        state.priority.as_str().into(),
    ];
    row.extend(texts.into_iter().map(|text| Value::from(text.clone())));
    row.extend([
        state.assignee.map(|id| id.uuid()).into(),
        matter.domain.clone().into(),
        decided.map(|decided| decided.decision.as_str().to_owned()).into(),
        decided.map(|decided| decided.by.to_string()).into(),
        decided.map(|decided| decided.at).into(),
        matter.requester.map(|actor| actor.to_string()).into(),
        state.notes.into(),
        state.comments.into(),
        state.opened_at.into(),
        state.updated_at.into(),
    ]);
    Ok(row)
}

fn optional_word<T: std::str::FromStr<Err: std::fmt::Display>>(
    cells: &mut Cells<'_>,
) -> Result<Option<T>, Corrupt> {
    let word = cells.optional_text()?;
    word.map(|word| word.parse().map_err(|error: T::Err| cells.corrupt(error.to_string()))).transpose()
}

/// The state of a row, without its requests.
pub(super) fn state(row: &[Value]) -> Result<TicketState, Corrupt> {
    let mut cells = Cells::new(&TICKET, row);
    cells.uuid()?;
    let kind = cells.word()?;
    let (status, priority) = (cells.word()?, cells.word()?);
    let mut matter = Matter {
        kind,
        title: cells.text()?,
        text: cells.text()?,
        person_id: cells.text()?,
        person_name: cells.text()?,
        person_email: cells.text()?,
        account_id: cells.text()?,
        account_name: cells.text()?,
        plan: cells.text()?,
        domain: None,
        requester: None,
    };
    let assignee = cells.optional_uuid()?.map(Into::into);
    matter.domain = cells.optional_text()?;
    let decided = match optional_word(&mut cells)? {
        Some(decision) => Some(Decided { decision, by: cells.word()?, at: cells.time()? }),
        None => {
            cells.optional_text()?;
            cells.optional_time()?;
            None
        }
    };
    matter.requester = optional_word(&mut cells)?;
    Ok(TicketState {
        status,
        priority,
        assignee,
        decided,
        requests: Vec::new(),
        notes: cells.int()?,
        comments: cells.int()?,
        opened_at: Some(cells.time()?),
        updated_at: Some(cells.time()?),
        matter: Some(Box::new(matter)),
    })
}
