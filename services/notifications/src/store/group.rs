//! The table of notification groups.

use callboard_actor::Step;
use callboard_journal::Pool;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, RowChange, Rows, Schema, Table, selected,
};
use callboard_kernel::{OrganisationId, Version};
use callboard_notifications_domain::group::{GroupState, Members};
use callboard_notifications_domain::{Group, GroupId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{Sql, decoded, json};

static GROUP: Table = Table {
    name: "notification_group",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("name", ColumnType::Text),
        Column::new("employee_ids", ColumnType::Json),
        Column::new("department_ids", ColumnType::Json),
        Column::new("team_ids", ColumnType::Json),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &GROUP, children: &[] };

/// Maps notification groups to rows. Nobody else hears of them.
#[derive(Debug, Default, Clone, Copy)]
pub struct GroupMapping;

fn state(row: &[callboard_journal::Value]) -> Result<GroupState, Corrupt> {
    let mut cells = Cells::new(&GROUP, row);
    cells.uuid()?;
    let Some(name) = cells.optional_text()? else { return Ok(GroupState::default()) };
    let members =
        Members { name, employees: cells.json()?, departments: cells.json()?, teams: cells.json()? };
    Ok(GroupState {
        members: Some(members),
        created: cells.optional_time()?,
        updated: cells.optional_time()?,
    })
}

impl Mapping for GroupMapping {
    type Aggregate = Group;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<GroupState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(GroupState::default()), |row| state(row))
    }

    fn record(&self, step: &Step<'_, Group>) -> Result<Record, String> {
        let nobody = Members::default();
        let members = step.after.members.as_ref();
        let shown = members.unwrap_or(&nobody);
        let row = vec![
            step.meta.aggregate_id.into(),
            members.map(|members| members.name.clone()).into(),
            json(&shown.employees),
            json(&shown.departments),
            json(&shown.teams),
            step.after.created.into(),
            step.after.updated.into(),
        ];
        Ok(Record { rows: vec![RowChange::Put(&GROUP, row)], ..Record::default() })
    }
}

/// A group as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredGroup {
    /// Which.
    pub id: GroupId,
    /// It.
    pub state: GroupState,
    /// Its version.
    pub version: Version,
}

/// Reads groups.
#[derive(Debug, Clone)]
pub struct Groups {
    pool: Pool,
}

fn read(row: &PgRow) -> Sql<StoredGroup> {
    let state = decoded(state(&selected(&GROUP, row)?))?;
    let id: Uuid = row.try_get("id")?;
    Ok(StoredGroup { id: id.into(), state, version: Version(row.try_get("version")?) })
}

impl Groups {
    /// In this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A group; `None`: not there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn group(&self, organisation: OrganisationId, id: GroupId) -> Sql<Option<StoredGroup>> {
        sqlx::query(
            "select * from notification_group where organisation_id = $1 and id = $2 and name is not null",
        )
        .bind(organisation.uuid())
        .bind(id.uuid())
        .fetch_optional(&self.pool)
        .await?
        .as_ref()
        .map(read)
        .transpose()
    }

    /// Groups by name, behind this one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        organisation: OrganisationId,
        after: Option<(String, Uuid)>,
        limit: u32,
    ) -> Sql<Vec<StoredGroup>> {
        let (name, id) = after.unzip();
        sqlx::query(
            "select * from notification_group where organisation_id = $1 and name is not null
               and ($2::text is null or (name, id) > ($2, $3)) order by name, id limit $4",
        )
        .bind(organisation.uuid())
        .bind(name)
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read)
        .collect()
    }
}
