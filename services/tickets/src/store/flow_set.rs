//! Creation flows as rows.

use callboard_actor::Step;
use callboard_journal::{Cells, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Value};
use callboard_tickets_domain::{Flow, FlowId, FlowSet, FlowSetAggregate, FlowSetEvent};
use serde::Serialize;
use uuid::Uuid;

use super::tables::{FLOW, FLOW_SET, FLOW_SET_SCHEMA};

/// How the flows of a template are stored. Others hear nothing of them: what they need stands in the ticket's events.
#[derive(Debug, Clone, Copy, Default)]
pub struct FlowSetMapping;

impl Mapping for FlowSetMapping {
    type Aggregate = FlowSetAggregate;

    fn schema(&self) -> &'static Schema {
        &FLOW_SET_SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<FlowSet, Corrupt> {
        let Some(root) = &rows.root else { return Ok(FlowSet::default()) };
        let mut cells = Cells::new(&FLOW_SET, root);
        cells.uuid()?;
        let order: Vec<FlowId> = cells.json()?;
        let removed = cells.bool()?;
        let mut flows = rows.of(&FLOW).iter().map(|row| flow_of(row)).collect::<Result<Vec<_>, _>>()?;
        flows.sort_by_key(|flow| order.iter().position(|id| *id == flow.id));
        Ok(FlowSet { organisation: rows.organisation, flows, removed })
    }

    fn record(&self, step: &Step<'_, FlowSetAggregate>) -> Result<Record, String> {
        let template = step.meta.aggregate_id;
        let order: Vec<FlowId> = step.after.flows.iter().map(|flow| flow.id).collect();
        let root = vec![template.into(), json(&order)?, step.after.removed.into()];
        let mut rows = vec![RowChange::Put(&FLOW_SET, root)];
        let delete = |id: FlowId| RowChange::Delete(&FLOW, vec![template.into(), id.uuid().into()]);
        for event in step.events {
            match event {
                FlowSetEvent::Put(_, flow) => rows.push(RowChange::Put(&FLOW, row(template, flow)?)),
                FlowSetEvent::Deleted(id) => rows.push(delete(*id)),
                FlowSetEvent::TemplateRemoved(_) => {
                    rows.extend(step.before.flows.iter().map(|flow| delete(flow.id)));
                }
            }
        }
        Ok(Record { rows, ..Record::default() })
    }
}

fn json<T: Serialize>(value: &T) -> Result<Value, String> {
    serde_json::to_value(value).map(Value::Json).map_err(|error| error.to_string())
}

fn row(template: Uuid, flow: &Flow) -> Result<Row, String> {
    Ok(vec![
        template.into(),
        flow.id.uuid().into(),
        json(&flow.label)?,
        json(&flow.steps)?,
        flow.title_step.clone().into(),
        flow.group.map(Uuid::from).into(),
        flow.notification_group.map(Uuid::from).into(),
        flow.active.into(),
    ])
}

fn flow_of(row: &[Value]) -> Result<Flow, Corrupt> {
    let mut cells = Cells::new(&FLOW, row);
    cells.uuid()?;
    Ok(Flow {
        id: cells.uuid()?.into(),
        label: cells.json()?,
        steps: cells.json()?,
        title_step: cells.optional_text()?,
        group: cells.optional_uuid()?.map(Into::into),
        notification_group: cells.optional_uuid()?.map(Into::into),
        active: cells.bool()?,
    })
}
