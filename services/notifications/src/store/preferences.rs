//! The table of preferences.

use std::collections::HashMap;

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, RowChange, Rows, Schema, Table,
};
use callboard_kernel::{OrganisationId, Version};
use callboard_notifications_domain::preferences::{PreferencesState, Rule, Rules};
use callboard_notifications_domain::{Person, Preferences};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;

use super::{Sql, decoded, json};

static PREFERENCES: Table = Table {
    name: "preferences",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("person", ColumnType::Text),
        Column::new("rules", ColumnType::Json),
        Column::new("switched_off", ColumnType::Bool),
    ],
};

static SCHEMA: Schema = Schema { root: &PREFERENCES, children: &[] };

/// A rule as it is stored: words.
#[derive(Debug, Serialize, Deserialize)]
struct StoredRule {
    event_type: String,
    origin: String,
    channels: Vec<String>,
    strategy: String,
}

fn stored(rules: &Rules) -> Vec<StoredRule> {
    rules
        .iter()
        .map(|((event_type, origin), rule)| StoredRule {
            event_type: event_type.as_str().to_owned(),
            origin: origin.as_str().to_owned(),
            channels: rule.channels.iter().map(|channel| channel.as_str().to_owned()).collect(),
            strategy: rule.strategy.as_str().to_owned(),
        })
        .collect()
}

fn rules(stored: Vec<StoredRule>) -> Result<Rules, callboard_kernel::UnknownWord> {
    stored
        .into_iter()
        .map(|rule| {
            let channels = rule.channels.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
            let key = (rule.event_type.parse()?, rule.origin.parse()?);
            Ok((key, Rule { channels, strategy: rule.strategy.parse()? }))
        })
        .collect()
}

/// Maps preferences to rows. Nobody else hears of them.
#[derive(Debug, Default, Clone, Copy)]
pub struct PreferencesMapping;

impl Mapping for PreferencesMapping {
    type Aggregate = Preferences;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<PreferencesState, Corrupt> {
        let Some(row) = &rows.root else { return Ok(PreferencesState::default()) };
        let mut cells = Cells::new(&PREFERENCES, row);
        cells.uuid()?;
        let person: Option<String> = cells.optional_text()?;
        let person =
            person.map(|text| text.parse()).transpose().map_err(|_| cells.corrupt("unknown person"))?;
        let kept = rules(cells.json()?).map_err(|error| cells.corrupt(error.to_string()))?;
        Ok(PreferencesState { person, rules: kept, switched_off: cells.bool()? })
    }

    fn record(&self, step: &Step<'_, Preferences>) -> Result<Record, String> {
        let row = vec![
            step.meta.aggregate_id.into(),
            step.after.person.map(|person| person.to_string()).into(),
            json(&stored(&step.after.rules)),
            step.after.switched_off.into(),
        ];
        Ok(Record { rows: vec![RowChange::Put(&PREFERENCES, row)], ..Record::default() })
    }
}

/// What people chose.
#[derive(Debug, Clone)]
pub struct Chosen {
    pool: PgPool,
}

impl Chosen {
    /// In this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The preferences of those among these people who ever chose.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of(
        &self,
        organisation: OrganisationId,
        people: &[Person],
    ) -> Sql<HashMap<Person, (PreferencesState, Version)>> {
        let people: Vec<String> = people.iter().map(ToString::to_string).collect();
        let rows: Vec<(String, Json<Vec<StoredRule>>, bool, i64)> = sqlx::query_as(
            "select person, rules, switched_off, version from preferences
             where organisation_id = $1 and person = any($2)",
        )
        .bind(organisation.uuid())
        .bind(people)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(person, kept, switched_off, version)| {
                let person: Person = decoded(person.parse())?;
                let rules = decoded(rules(kept.0))?;
                let state = PreferencesState { person: Some(person), rules, switched_off };
                Ok((person, (state, Version(version))))
            })
            .collect()
    }
}
