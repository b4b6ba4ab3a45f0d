//! The tables of conversations.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, Value,
};
use callboard_kernel::Actor;
use callboard_messenger_domain::Conversation;
use callboard_messenger_domain::conversation::{
    ConversationEvent, ConversationState, Marker, Message, Ticket, Touched,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::outbound;

pub(super) static CONVERSATION: Table = Table {
    name: "conversation",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("deleted", ColumnType::Bool),
        Column::new("ticket_version", ColumnType::BigInt),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("device_version", ColumnType::BigInt),
        Column::new("template_id", ColumnType::Uuid),
        Column::new("customer_id", ColumnType::Uuid),
        Column::new("internal", ColumnType::Bool),
        Column::new("ended", ColumnType::Bool),
        Column::new("department_ids", ColumnType::Json),
        Column::new("opened_at", ColumnType::Timestamp),
        Column::new("last_sequence", ColumnType::BigInt),
        Column::new("last_message_at", ColumnType::Timestamp),
        Column::new("involved", ColumnType::Json),
        Column::new("involved_version", ColumnType::BigInt),
        Column::new("writers", ColumnType::Json),
        Column::new("recent", ColumnType::Bytes),
        Column::new("touched", ColumnType::Json),
    ],
};

pub(super) static MESSAGE: Table = Table {
    name: "message",
    key: &["aggregate_id", "sequence"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("sequence", ColumnType::BigInt),
        Column::new("id", ColumnType::Uuid),
        Column::new("kind", ColumnType::Text),
        Column::new("author", ColumnType::Text),
        Column::new("client_id", ColumnType::Text),
        Column::new("client_key", ColumnType::Uuid),
        Column::new("text", ColumnType::Text),
        Column::new("attachment_ids", ColumnType::Json),
        Column::new("session_id", ColumnType::Uuid),
        Column::new("sent_at", ColumnType::Timestamp),
        Column::new("edited_at", ColumnType::Timestamp),
        Column::new("withdrawn_at", ColumnType::Timestamp),
        Column::new("revision", ColumnType::Int),
        Column::new("position", ColumnType::BigInt),
    ],
};

static REVISION: Table = Table {
    name: "message_revision",
    key: &["aggregate_id", "sequence", "revision"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("sequence", ColumnType::BigInt),
        Column::new("revision", ColumnType::Int),
        Column::new("text", ColumnType::Text),
        Column::new("since", ColumnType::Timestamp),
        Column::new("until", ColumnType::Timestamp),
    ],
};

pub(super) static READER: Table = Table {
    name: "reader",
    key: &["aggregate_id", "reader"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("reader", ColumnType::Text),
        Column::new("sequence", ColumnType::BigInt),
        Column::new("at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &CONVERSATION, children: &[&MESSAGE, &REVISION, &READER] };

/// Maps conversations to rows and events.
#[derive(Debug, Default, Clone, Copy)]
pub struct ConversationMapping;

impl Mapping for ConversationMapping {
    type Aggregate = Conversation;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// Messages are never loaded: what a decision needs of one comes with its command.
    fn loads(&self, child: &Table) -> bool {
        child.name == READER.name
    }

    fn load(&self, rows: &Rows) -> Result<ConversationState, Corrupt> {
        let Some(row) = &rows.root else { return Ok(ConversationState::default()) };
        let mut loaded = state(row)?;
        loaded.markers = rows.of(&READER).iter().map(|row| marker(row)).collect::<Result<_, _>>()?;
        Ok(loaded)
    }

    fn record(&self, step: &Step<'_, Conversation>) -> Result<Record, String> {
        let id = step.meta.aggregate_id;
        let position = step.meta.version.0;
        let mut rows = vec![RowChange::Put(&CONVERSATION, row(id, step.after))];
        for event in step.events {
            match event {
                ConversationEvent::Opened { .. }
                | ConversationEvent::Observed { .. }
                | ConversationEvent::Involved { .. } => {}
                // The rows go by a trigger; markers by name, since they are known.
                ConversationEvent::Deleted => {
                    rows.extend(step.before.markers.keys().map(|reader| forget(id, *reader)));
                }
                ConversationEvent::Sent { message, forgets } => {
                    rows.push(RowChange::Put(&MESSAGE, message_row(id, message, position)));
                    rows.extend(forgets.map(|reader| forget(id, reader)));
                    rows.extend(reader_row(id, step.after, message.author));
                }
                ConversationEvent::Edited { before, after, .. }
                | ConversationEvent::Withdrawn { before, after, .. } => {
                    rows.push(RowChange::Put(&MESSAGE, message_row(id, after, position)));
                    rows.push(RowChange::Put(&REVISION, revision_row(id, before, after)));
                }
                ConversationEvent::Read { reader, forgets, .. } => {
                    rows.extend(forgets.map(|reader| forget(id, reader)));
                    rows.extend(reader_row(id, step.after, *reader));
                }
            }
        }
        // T-11: texts stand in earlier answers.
        let erases = step.after.deleted && !step.before.deleted;
        Ok(Record { rows, events: outbound::of_conversation(step), erases, ..Record::default() })
    }
}

/// As stored.
#[derive(Serialize, Deserialize)]
struct StoredTouched {
    sequence: i64,
    revision: i32,
    until: callboard_kernel::Timestamp,
}

fn json(value: &impl Serialize) -> Value {
    Value::Json(serde_json::to_value(value).unwrap_or_default())
}

fn row(id: Uuid, state: &ConversationState) -> Row {
    let ticket = state.ticket.as_deref();
    let touched: Vec<StoredTouched> = state
        .touched
        .iter()
        .map(|one| StoredTouched { sequence: one.sequence, revision: one.revision, until: one.until })
        .collect();
    let mut recent = Vec::with_capacity(state.recent.len() * 24);
    for (key, sequence) in &state.recent {
        recent.extend_from_slice(key.as_bytes());
        recent.extend_from_slice(&sequence.to_be_bytes());
    }
    vec![
        id.into(),
        state.deleted.into(),
        ticket.map(|ticket| ticket.version).into(),
        ticket.map(|ticket| ticket.device.uuid()).into(),
        ticket.map_or(0, |ticket| ticket.device_version).into(),
        ticket.map(|ticket| ticket.template.uuid()).into(),
        ticket.and_then(|ticket| ticket.customer).map(Uuid::from).into(),
        ticket.map(|ticket| ticket.internal).into(),
        ticket.map(|ticket| ticket.ended).into(),
        json(&ticket.map(|ticket| ticket.departments.as_slice()).unwrap_or_default()),
        state.opened_at.into(),
        state.last_sequence.into(),
        state.last_message_at.into(),
        json(&state.involved),
        state.involved_version.into(),
        json(&state.writers.iter().map(ToString::to_string).collect::<Vec<_>>()),
        recent.into(),
        json(&touched),
    ]
}

fn message_row(id: Uuid, message: &Message, position: i64) -> Row {
    vec![
        id.into(),
        message.sequence.into(),
        message.id.into(),
        message.kind.as_str().into(),
        message.author.to_string().into(),
        message.client_id.clone().into(),
        message.client_key().into(),
        message.text.clone().into(),
        json(&message.attachments),
        message.session.into(),
        message.sent_at.into(),
        message.edited_at.into(),
        message.withdrawn_at.into(),
        message.revision.into(),
        position.into(),
    ]
}

fn revision_row(id: Uuid, before: &Message, after: &Message) -> Row {
    let until = after.withdrawn_at.or(after.edited_at).unwrap_or(after.sent_at);
    vec![
        id.into(),
        before.sequence.into(),
        before.revision.into(),
        before.text.clone().into(),
        before.edited_at.unwrap_or(before.sent_at).into(),
        until.into(),
    ]
}

fn forget(id: Uuid, reader: Actor) -> RowChange {
    RowChange::Delete(&READER, vec![id.into(), reader.to_string().into()])
}

fn reader_row(id: Uuid, after: &ConversationState, reader: Actor) -> Option<RowChange> {
    let marker = after.markers.get(&reader)?;
    Some(RowChange::Put(
        &READER,
        vec![id.into(), reader.to_string().into(), marker.sequence.into(), marker.at.into()],
    ))
}

/// A read marker of a row.
pub(super) fn marker(row: &[Value]) -> Result<(Actor, Marker), Corrupt> {
    let mut cells = Cells::new(&READER, row);
    cells.uuid()?;
    let reader = cells.word()?;
    Ok((reader, Marker { sequence: cells.bigint()?, at: cells.time()? }))
}

/// The state of a row, without markers.
pub(super) fn state(row: &[Value]) -> Result<ConversationState, Corrupt> {
    let mut cells = Cells::new(&CONVERSATION, row);
    cells.uuid()?;
    let deleted = cells.bool()?;
    let version = cells.optional_bigint()?;
    let (device, device_version) = (cells.optional_uuid()?, cells.bigint()?);
    let (template, customer) = (cells.optional_uuid()?, cells.optional_uuid()?);
    let (internal, ended) = (cells.optional_bool()?, cells.optional_bool()?);
    let departments = cells.json()?;
    let ticket = match (version, device, template, internal, ended) {
        (Some(version), Some(device), Some(template), Some(internal), Some(ended)) => {
            Some(Arc::new(Ticket {
                version,
                device: device.into(),
                device_version,
                template: template.into(),
                customer: customer.map(Into::into),
                internal,
                ended,
                departments,
            }))
        }
        (None, ..) => None,
        _ => return Err(cells.corrupt("the ticket is there in part")),
    };
    Ok(ConversationState {
        ticket,
        deleted,
        opened_at: cells.optional_time()?,
        last_sequence: cells.bigint()?,
        last_message_at: cells.optional_time()?,
        involved: cells.json()?,
        involved_version: cells.bigint()?,
        writers: writers(&mut cells)?,
        markers: HashMap::new(),
        recent: recent(&mut cells)?,
        touched: cells
            .json::<Vec<StoredTouched>>()?
            .into_iter()
            .map(|one| Touched { sequence: one.sequence, revision: one.revision, until: one.until })
            .collect(),
    })
}

fn writers(cells: &mut Cells<'_>) -> Result<Vec<Actor>, Corrupt> {
    let words: Vec<String> = cells.json()?;
    words.iter().map(|word| word.parse().map_err(|_| cells.corrupt("names no actor"))).collect()
}

fn recent(cells: &mut Cells<'_>) -> Result<VecDeque<(Uuid, i64)>, Corrupt> {
    let bytes = cells.bytes()?;
    let (entries, rest) = bytes.as_chunks::<24>();
    if !rest.is_empty() {
        return Err(cells.corrupt("is cut off"));
    }
    let entry = |entry: &[u8; 24]| {
        let number = u128::from_be_bytes(std::array::from_fn(|at| entry[at]));
        let sequence = i64::from_be_bytes(std::array::from_fn(|at| entry[16 + at]));
        (Uuid::from_u128(number), sequence)
    };
    Ok(entries.iter().map(entry).collect())
}

/// A message of a row, and its position.
pub(super) fn message(row: &[Value]) -> Result<(Message, i64), Corrupt> {
    let mut cells = Cells::new(&MESSAGE, row);
    cells.uuid()?;
    let sequence = cells.bigint()?;
    let id = cells.uuid()?;
    let kind = cells.word()?;
    let author = cells.word()?;
    let client_id = cells.text()?;
    cells.uuid()?;
    let message = Message {
        id,
        sequence,
        kind,
        author,
        client_id,
        text: cells.text()?,
        attachments: cells.json()?,
        session: cells.optional_uuid()?,
        sent_at: cells.time()?,
        edited_at: cells.optional_time()?,
        withdrawn_at: cells.optional_time()?,
        revision: cells.int()?,
    };
    Ok((message, cells.bigint()?))
}
