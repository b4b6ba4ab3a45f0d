//! The table of preferences.

use std::collections::HashMap;

use callboard_actor::Step;
use callboard_journal::Pool;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Gather, Mapping, Record, RowChange, Rows, Schema, Table,
};
use callboard_kernel::{OrganisationId, Version};
use callboard_notifications_domain::preferences::{PreferencesState, Rule, Rules};
use callboard_notifications_domain::{Person, Preferences};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::{Sql, decoded, json, shared_out, spread};

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

/// Questions that are answered at once.
const TOGETHER: usize = 64;

/// By person.
pub type Choices = HashMap<Person, (PreferencesState, Version)>;

/// What people chose.
#[derive(Debug, Clone)]
pub struct Chosen {
    asked: Gather<(OrganisationId, Vec<Person>), Choices>,
}

impl Chosen {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        Self { asked: Gather::asking(TOGETHER, move |all| chosen(pool.clone(), all)) }
    }

    /// The preferences of those among these people who ever chose. Those that are asked for at the same time are read
    /// together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of(&self, organisation: OrganisationId, people: &[Person]) -> Sql<Choices> {
        self.asked.put((organisation, people.to_vec())).await
    }
}

/// Place, person, rules, whether all is switched off, version.
type Found = (i64, String, Json<Vec<StoredRule>>, bool, i64);

/// Reads the preferences of all these people in one statement.
fn chosen(pool: Pool, all: Vec<(OrganisationId, Vec<Person>)>) -> BoxFuture<'static, Sql<Vec<Choices>>> {
    async move {
        let (places, organisations, who) = spread(&all, ToString::to_string);
        let rows: Vec<Found> = sqlx::query_as(
            "select a.place, p.person, p.rules, p.switched_off, p.version
             from unnest($1::bigint[], $2::uuid[], $3::text[]) as a(place, organisation_id, person)
             cross join lateral (
                 select * from preferences p
                 where p.organisation_id = a.organisation_id and p.person = a.person limit 1) p",
        )
        .bind(places)
        .bind(organisations)
        .bind(who)
        .fetch_all(&pool)
        .await?;
        let found: Vec<_> = rows
            .into_iter()
            .map(|(place, person, kept, switched_off, version)| {
                let person: Person = decoded(person.parse())?;
                let rules = decoded(rules(kept.0))?;
                let state = PreferencesState { person: Some(person), rules, switched_off };
                Ok((place, (person, (state, Version(version)))))
            })
            .collect::<Sql<_>>()?;
        Ok(shared_out(all.len(), found).into_iter().map(|each| each.into_iter().collect()).collect())
    }
    .boxed()
}
