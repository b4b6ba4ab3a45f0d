//! The table of feeds.

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table,
};
use callboard_tasks_domain::Feed;
use callboard_tasks_domain::feed::{FeedContent, FeedState};
use uuid::Uuid;

pub(super) static FEED: Table = Table {
    name: "feed",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("ended", ColumnType::Bool),
        Column::new("owner", ColumnType::Text),
        Column::new("customer_id", ColumnType::Uuid),
        Column::new("name", ColumnType::Text),
        Column::new("scope", ColumnType::Text),
        Column::new("token_hash", ColumnType::Bytes),
        Column::new("created_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &FEED, children: &[] };

/// Maps feeds to rows. Nobody hears of them.
#[derive(Debug, Default, Clone, Copy)]
pub struct FeedMapping;

impl Mapping for FeedMapping {
    type Aggregate = Feed;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<FeedState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(FeedState::default()), state)
    }

    fn record(&self, step: &Step<'_, Feed>) -> Result<Record, String> {
        let content = step.after.content.as_ref();
        let row: Row = vec![
            step.meta.aggregate_id.into(),
            step.after.ended.into(),
            content.map(|content| content.owner.to_string()).into(),
            content.and_then(|content| content.customer).map(Uuid::from).into(),
            content.map(|content| content.name.clone()).into(),
            content.map(|content| content.scope.as_str().to_owned()).into(),
            content.map(|content| content.token_hash.clone()).into(),
            content.map(|content| content.created_at).into(),
        ];
        let erases = step.after.ended && !step.before.ended;
        Ok(Record { rows: vec![RowChange::Put(&FEED, row)], erases, ..Record::default() })
    }
}

pub(super) fn state(row: &Row) -> Result<FeedState, Corrupt> {
    let mut cells = Cells::new(&FEED, row);
    cells.uuid()?;
    let ended = cells.bool()?;
    let Some(owner) = cells.optional_text()? else { return Ok(FeedState { content: None, ended }) };
    let content = FeedContent {
        owner: owner.parse().map_err(|_| cells.corrupt("is nobody"))?,
        customer: cells.optional_uuid()?.map(Into::into),
        name: cells.text()?,
        scope: cells.word()?,
        token_hash: cells.bytes()?,
        created_at: cells.time()?,
    };
    Ok(FeedState { content: Some(content), ended })
}
