//! The table of ratings.

use std::sync::Arc;

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, Value,
};
use callboard_ratings_domain::RatingRequest;
use callboard_ratings_domain::request::{Given, RequestState, Subject};
use serde::Serialize;
use uuid::Uuid;

use crate::events::outbound;

pub(super) static RATING_REQUEST: Table = Table {
    name: "rating_request",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("deleted", ColumnType::Bool),
        Column::new("kind", ColumnType::Text),
        Column::new("subject_version", ColumnType::BigInt),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("device_version", ColumnType::BigInt),
        Column::new("template_id", ColumnType::Uuid),
        Column::new("customer_id", ColumnType::Uuid),
        Column::new("visibility", ColumnType::Text),
        Column::new("department_ids", ColumnType::Json),
        Column::new("involved", ColumnType::Json),
        Column::new("done_round", ColumnType::Int),
        Column::new("standing", ColumnType::Text),
        Column::new("asked_round", ColumnType::Int),
        Column::new("requested_at", ColumnType::Timestamp),
        Column::new("score", ColumnType::Int),
        Column::new("comment", ColumnType::Text),
        Column::new("author", ColumnType::Text),
        Column::new("submitted_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &RATING_REQUEST, children: &[] };

/// Maps ratings to rows and events.
#[derive(Debug, Default, Clone, Copy)]
pub struct RequestMapping;

impl Mapping for RequestMapping {
    type Aggregate = RatingRequest;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<RequestState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(RequestState::default()), |row| state(row))
    }

    fn record(&self, step: &Step<'_, RatingRequest>) -> Result<Record, String> {
        let rows = vec![RowChange::Put(&RATING_REQUEST, row(step.meta.aggregate_id, step.after))];
        // T-11: comments stand in earlier answers.
        let erases = step.after.deleted && !step.before.deleted;
        Ok(Record { rows, events: outbound::of_request(step)?, erases, ..Record::default() })
    }
}

fn json(value: &impl Serialize) -> Value {
    Value::Json(serde_json::to_value(value).unwrap_or_default())
}

fn row(id: Uuid, state: &RequestState) -> Row {
    let subject = state.subject.as_deref();
    let given = state.given.as_ref();
    vec![
        id.into(),
        state.deleted.into(),
        subject.map(|subject| subject.kind.as_str().to_owned()).into(),
        subject.map(|subject| subject.version).into(),
        subject.map(|subject| subject.device.uuid()).into(),
        subject.map_or(0, |subject| subject.device_version).into(),
        subject.map(|subject| subject.template.uuid()).into(),
        subject.and_then(|subject| subject.customer).map(Uuid::from).into(),
        subject.map(|subject| subject.visibility.as_str().to_owned()).into(),
        json(&subject.map(|subject| subject.departments.as_slice()).unwrap_or_default()),
        json(&subject.map(|subject| subject.involved.as_slice()).unwrap_or_default()),
        subject.map_or(0, |subject| subject.done_round).into(),
        state.standing.as_str().into(),
        state.asked_round.into(),
        state.requested_at.into(),
        given.map(|given| given.score).into(),
        given.map(|given| given.comment.clone()).into(),
        given.map(|given| given.author.to_string()).into(),
        given.map(|given| given.at).into(),
    ]
}

/// The state of a row.
pub(super) fn state(row: &[Value]) -> Result<RequestState, Corrupt> {
    let mut cells = Cells::new(&RATING_REQUEST, row);
    cells.uuid()?;
    let deleted = cells.bool()?;
    let Some(kind) = cells.optional_text()? else {
        return Ok(RequestState { deleted, ..RequestState::default() });
    };
    let kind = kind.parse().map_err(|_| cells.corrupt("unknown word"))?;
    let subject = Subject {
        kind,
        version: cells.bigint()?,
        device: cells.uuid()?.into(),
        device_version: cells.bigint()?,
        template: cells.uuid()?.into(),
        customer: cells.optional_uuid()?.map(Into::into),
        visibility: cells.word()?,
        departments: cells.json()?,
        involved: cells.json()?,
        done_round: cells.int()?,
    };
    let standing = cells.word()?;
    let asked_round = cells.int()?;
    let requested_at = cells.optional_time()?;
    let given = match cells.optional_int()? {
        Some(score) => {
            Some(Given { score, comment: cells.text()?, author: cells.word()?, at: cells.time()? })
        }
        None => None,
    };
    Ok(RequestState { subject: Some(Arc::new(subject)), deleted, standing, asked_round, requested_at, given })
}
