//! The tables of a template's groups.

use callboard_actor::Step;
use callboard_fleet_domain::group::{GroupSetEvent, GroupSetState};
use callboard_fleet_domain::{Group, GroupSet};
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, Value,
};
use chrono::TimeDelta;
use uuid::Uuid;

use super::{count, int, json};
use crate::events::outbound;

static GROUP_SET: Table =
    Table { name: "group_set", key: &["id"], columns: &[Column::new("id", ColumnType::Uuid)] };

/// `group` is a word of SQL.
pub(super) static OFFER_GROUP: Table = Table {
    name: "offer_group",
    key: &["aggregate_id", "id"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("id", ColumnType::Uuid),
        Column::new("place", ColumnType::Int),
        Column::new("name", ColumnType::Text),
        Column::new("employee_ids", ColumnType::Json),
        Column::new("department_ids", ColumnType::Json),
        Column::new("team_ids", ColumnType::Json),
        Column::new("meta_team_ids", ColumnType::Json),
        Column::new("required_workers", ColumnType::Int),
        Column::new("offer_lifetime", ColumnType::BigInt),
        Column::new("escalate_after", ColumnType::BigInt),
    ],
};

static SCHEMA: Schema = Schema { root: &GROUP_SET, children: &[&OFFER_GROUP] };

/// Maps sets of groups to rows and events.
#[derive(Debug, Default, Clone, Copy)]
pub struct GroupSetMapping;

impl Mapping for GroupSetMapping {
    type Aggregate = GroupSet;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<GroupSetState, Corrupt> {
        let mut groups: Vec<(i32, Group)> =
            rows.of(&OFFER_GROUP).iter().map(|row| group(row)).collect::<Result<_, _>>()?;
        groups.sort_by_key(|(place, _)| *place);
        Ok(GroupSetState { groups: groups.into_iter().map(|(_, group)| group).collect() })
    }

    fn record(&self, step: &Step<'_, GroupSet>) -> Result<Record, String> {
        let id = step.meta.aggregate_id;
        let mut rows = vec![RowChange::Put(&GROUP_SET, vec![id.into()])];
        for event in step.events {
            let GroupSetEvent::Changed { groups } = event;
            let gone =
                step.before.groups.iter().filter(|known| groups.iter().all(|group| group.id != known.id));
            rows.extend(
                gone.map(|group| RowChange::Delete(&OFFER_GROUP, vec![id.into(), group.id.uuid().into()])),
            );
            rows.extend(
                groups
                    .iter()
                    .zip(0..)
                    .map(|(group, place)| RowChange::Put(&OFFER_GROUP, row(id, place, group))),
            );
        }
        Ok(Record { rows, events: outbound::of_groups(step), ..Record::default() })
    }
}

fn row(id: Uuid, place: i32, group: &Group) -> Row {
    vec![
        id.into(),
        group.id.uuid().into(),
        place.into(),
        group.name.as_str().into(),
        json(&group.employees),
        json(&group.departments),
        json(&group.teams),
        json(&group.meta_teams),
        int(group.required_workers).into(),
        group.offer_lifetime.map(|period| period.num_milliseconds()).into(),
        group.escalate_after.map(|period| period.num_milliseconds()).into(),
    ]
}

fn group(row: &[Value]) -> Result<(i32, Group), Corrupt> {
    let mut cells = Cells::new(&OFFER_GROUP, row);
    cells.uuid()?;
    let id = cells.uuid()?.into();
    let place = cells.int()?;
    let group = Group {
        id,
        name: cells.text()?,
        employees: cells.json()?,
        departments: cells.json()?,
        teams: cells.json()?,
        meta_teams: cells.json()?,
        required_workers: count(&mut cells)?,
        offer_lifetime: cells.optional_bigint()?.map(TimeDelta::milliseconds),
        escalate_after: cells.optional_bigint()?.map(TimeDelta::milliseconds),
    };
    Ok((place, group))
}

/// A group as a query of all its columns read it.
pub(super) fn read(row: &sqlx::postgres::PgRow) -> Result<Group, sqlx::Error> {
    let row = callboard_journal::selected(&OFFER_GROUP, row)?;
    group(&row).map(|(_, group)| group).map_err(|corrupt| sqlx::Error::Decode(Box::new(corrupt)))
}
