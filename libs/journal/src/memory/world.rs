//! Tables in memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use callboard_actor::{CommitError, Receipt};
use callboard_bus::Event;
use callboard_kernel::{CommandId, EventId, OrganisationId, Timestamp, Version};
use uuid::Uuid;

use crate::prepared::{Key, Prepared, erase, key_of};
use crate::{Row, Rows, Schema};

/// A timer that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemTimer {
    /// [`Aggregate::KIND`](callboard_kernel::Aggregate::KIND)
    pub aggregate_kind: &'static str,
    /// Whose it is.
    pub aggregate_id: Uuid,
    /// Unique within the aggregate.
    pub name: String,
    /// The aggregate's organisation.
    pub organisation: OrganisationId,
    /// When it fires, at the earliest.
    pub due: Timestamp,
    /// Handed back when it fires.
    pub payload: Bytes,
}

/// All tables of one context.
#[derive(Default)]
pub(super) struct World {
    roots: HashMap<(&'static str, Uuid), Root>,
    children: HashMap<&'static str, BTreeMap<Key, Row>>,
    pub(super) receipts: HashMap<CommandId, Receipt>,
    pub(super) outbox: Vec<Event>,
    event_ids: HashSet<EventId>,
    timers: BTreeMap<(&'static str, Uuid, String), MemTimer>,
}

struct Root {
    organisation: OrganisationId,
    version: Version,
    row: Row,
}

impl World {
    pub(super) fn timers(&self) -> Vec<MemTimer> {
        self.timers.values().cloned().collect()
    }

    pub(super) fn rows(&self, schema: &Schema, id: Uuid) -> (Rows, Version) {
        let Some(root) = self.roots.get(&(schema.root.name, id)) else {
            return (Rows::default(), Version::NONE);
        };
        let mut rows = Rows {
            root: Some(root.row.clone()),
            organisation: Some(root.organisation),
            children: HashMap::new(),
        };
        for child in schema.children {
            let Some(all) = self.children.get(child.name) else { continue };
            let own = all.values().filter(|row| owner(row) == Some(id)).cloned();
            rows.children.insert(child.name, own.collect());
        }
        (rows, root.version)
    }

    /// Writes a unit, all or nothing.
    pub(super) fn write(
        &mut self,
        kind: &'static str,
        schema: &'static Schema,
        unit: Prepared,
    ) -> Result<(), CommitError> {
        let commands = unit.receipts.iter().map(|receipt| receipt.command_id);
        let replayed: Vec<CommandId> = commands.filter(|id| self.receipts.contains_key(id)).collect();
        if !replayed.is_empty() {
            return Err(CommitError::Replayed(replayed));
        }
        let id = unit.aggregate_id;
        let stored = self.roots.get(&(schema.root.name, id));
        let version = stored.map_or(Version::NONE, |root| root.version);
        let moves = unit.version > unit.expected;
        if version != unit.expected
            || moves && stored.is_some_and(|root| root.organisation != unit.organisation)
        {
            return Err(CommitError::Conflict);
        }
        self.check(schema, &unit)?;

        if let Some(row) = unit.root.filter(|_| moves) {
            let root = Root { organisation: unit.organisation, version: unit.version, row };
            self.roots.insert((schema.root.name, id), root);
        }
        for (child, rows) in schema.children.iter().zip(unit.children) {
            let table = self.children.entry(child.name).or_default();
            for key in rows.deletes {
                let key = Key::of(&key);
                if table.get(&key).is_some_and(|row| owner(row) == Some(id)) {
                    table.remove(&key);
                }
            }
            table.extend(rows.puts.into_iter().map(|row| (Key::of(&key_of(child, &row)), row)));
        }
        if unit.erases {
            self.receipts.values_mut().filter(|receipt| receipt.aggregate_id == id).for_each(erase);
        }
        self.receipts.extend(unit.receipts.into_iter().map(|receipt| (receipt.command_id, receipt)));
        self.event_ids.extend(unit.events.iter().map(|event| event.id));
        self.outbox.extend(unit.events);
        for (name, change) in unit.timers {
            let key = (kind, id, name.clone());
            match change {
                Some((due, payload)) => {
                    let organisation = unit.organisation;
                    let timer =
                        MemTimer { aggregate_kind: kind, aggregate_id: id, name, organisation, due, payload };
                    self.timers.insert(key, timer);
                }
                None => {
                    self.timers.remove(&key);
                }
            }
        }
        Ok(())
    }

    /// What Postgres refuses by constraints that every context has.
    fn check(&self, schema: &Schema, unit: &Prepared) -> Result<(), CommitError> {
        if let Some(event) = unit.events.iter().find(|event| self.event_ids.contains(&event.id)) {
            return Err(CommitError::Refused(format!("event {} is there already", event.id)));
        }
        for (child, rows) in schema.children.iter().zip(&unit.children) {
            let Some(table) = self.children.get(child.name) else { continue };
            let foreign = rows.puts.iter().any(|row| {
                let there = table.get(&Key::of(&key_of(child, row)));
                there.is_some_and(|there| owner(there) != Some(unit.aggregate_id))
            });
            if foreign {
                return Err(CommitError::Refused(format!("{}: the key is another aggregate's", child.name)));
            }
        }
        Ok(())
    }
}

fn owner(row: &Row) -> Option<Uuid> {
    match row.first() {
        Some(crate::Value::Uuid(id)) => Some(*id),
        _ => None,
    }
}
