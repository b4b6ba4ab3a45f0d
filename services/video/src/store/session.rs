//! The table of sessions, and the timer of their calls.

use bytes::Bytes;
use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, TimerChange,
};
use callboard_video_domain::session::{Kept, SessionContent, SessionState};
use callboard_video_domain::{Place, Session};
use uuid::Uuid;

use super::json;
use crate::events::outbound;
use crate::events::timers::CALL;

pub(super) static SESSION: Table = Table {
    name: "session",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("template_id", ColumnType::Uuid),
        Column::new("customer_id", ColumnType::Uuid),
        Column::new("department_ids", ColumnType::Json),
        Column::new("status", ColumnType::Text),
        Column::new("visibility", ColumnType::Text),
        Column::new("employee_id", ColumnType::Uuid),
        Column::new("requester", ColumnType::Text),
        Column::new("requester_name", ColumnType::Text),
        Column::new("reason", ColumnType::Text),
        Column::new("ticket_ids", ColumnType::Json),
        Column::new("conversation_id", ColumnType::Uuid),
        Column::new("guest_consent", ColumnType::Text),
        Column::new("employee_consent", ColumnType::Text),
        Column::new("recording", ColumnType::Bool),
        Column::new("call", ColumnType::Json),
        Column::new("calls", ColumnType::Int),
        Column::new("done_round", ColumnType::Int),
        Column::new("rating", ColumnType::Int),
        Column::new("ended_at", ColumnType::Timestamp),
        Column::new("creator", ColumnType::Text),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
        Column::new("files", ColumnType::Json),
        Column::new("recorders", ColumnType::Json),
        Column::new("callers", ColumnType::Json),
    ],
};

static SCHEMA: Schema = Schema { root: &SESSION, children: &[] };

/// Maps sessions to rows, events and timers.
#[derive(Debug, Clone)]
pub struct SessionMapping {
    /// Where calls take place, without the session's id.
    call_page: String,
}

impl SessionMapping {
    /// With the address of the page of calls, for join links.
    pub fn new(call_page: &str) -> Self {
        Self { call_page: call_page.to_owned() }
    }
}

impl Mapping for SessionMapping {
    type Aggregate = Session;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<SessionState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(SessionState::default()), state)
    }

    fn record(&self, step: &Step<'_, Session>) -> Result<Record, String> {
        let rows = vec![RowChange::Put(&SESSION, row(step.meta.aggregate_id, step.after)?)];
        let watch = |state: &SessionState| {
            let call = state.session.as_ref().and_then(|session| session.call.as_ref());
            call.map(|call| call.watch_at)
        };
        let timers = match (watch(step.before), watch(step.after)) {
            (before, after) if before == after => Vec::new(),
            (_, Some(due)) => vec![TimerChange::Set { name: CALL.to_owned(), due, payload: Bytes::new() }],
            (_, None) => vec![TimerChange::Cancel { name: CALL.to_owned() }],
        };
        let events = outbound::of_session(step, &self.call_page);
        Ok(Record { rows, events, timers, ..Record::default() })
    }
}

fn row(id: Uuid, state: &SessionState) -> Result<Row, String> {
    let session = state.session.as_deref().ok_or("a session that is not there")?;
    Ok(vec![
        id.into(),
        session.device.uuid().into(),
        session.place.template.uuid().into(),
        session.place.customer.map(Uuid::from).into(),
        json(&session.place.departments),
        session.status.as_str().into(),
        session.visibility.as_str().into(),
        session.employee.map(Uuid::from).into(),
        session.requester.map(|who| who.to_string()).into(),
        session.requester_name.clone().into(),
        session.reason.clone().into(),
        json(&session.tickets),
        session.conversation.map(Uuid::from).into(),
        session.guest_consent.map(|who| who.to_string()).into(),
        session.employee_consent.map(|who| who.to_string()).into(),
        session.recording.into(),
        json(&session.call),
        session.calls.into(),
        session.done_round.into(),
        session.rating.into(),
        session.ended_at.into(),
        session.creator.to_string().into(),
        session.created_at.into(),
        session.updated_at.into(),
        json(&session.kept.files),
        json(&session.kept.recorders),
        json(&session.kept.callers),
    ])
}

/// The state of a row.
pub(super) fn state(row: &Row) -> Result<SessionState, Corrupt> {
    let mut cells = Cells::new(&SESSION, row);
    cells.uuid()?;
    let device = cells.uuid()?.into();
    let place = Place {
        template: cells.uuid()?.into(),
        customer: cells.optional_uuid()?.map(Into::into),
        departments: cells.json()?,
    };
    let mut session = SessionContent {
        device,
        place,
        status: cells.word()?,
        visibility: cells.word()?,
        employee: cells.optional_uuid()?.map(Into::into),
        requester: person(&mut cells)?,
        requester_name: cells.text()?,
        reason: cells.text()?,
        tickets: cells.json()?,
        conversation: cells.optional_uuid()?.map(Into::into),
        guest_consent: person(&mut cells)?,
        employee_consent: person(&mut cells)?,
        recording: cells.bool()?,
        call: cells.json()?,
        calls: cells.int()?,
        done_round: cells.int()?,
        kept: Kept::default(),
        rating: cells.optional_int()?,
        ended_at: cells.optional_time()?,
        creator: cells.word()?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
    };
    session.kept = Kept { files: cells.json()?, recorders: cells.json()?, callers: cells.json()? };
    Ok(SessionState { session: Some(Box::new(session)) })
}

fn person(cells: &mut Cells<'_>) -> Result<Option<callboard_kernel::Actor>, Corrupt> {
    match cells.optional_text()? {
        Some(text) => text.parse().map(Some).map_err(|_| cells.corrupt("is nobody")),
        None => Ok(None),
    }
}
