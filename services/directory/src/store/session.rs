//! The table of sessions.

use callboard_actor::Step;
use callboard_directory_domain::session::{Ending, Hash, Holder, Kept, Session, State};
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record as Written, Row, RowChange, Rows, Schema, Table,
};

use crate::events::announce_session;

/// The table of sessions.
pub static SESSION: Table = Table {
    name: "session",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("holder", ColumnType::Text),
        Column::new("person_id", ColumnType::Uuid),
        Column::new("code_id", ColumnType::Uuid),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("code_epoch", ColumnType::BigInt),
        Column::new("language", ColumnType::Text),
        Column::new("family", ColumnType::Bytes),
        Column::new("secret", ColumnType::Bytes),
        Column::new("expires_at", ColumnType::Timestamp),
        Column::new("ended", ColumnType::Text),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
    ],
};
static SCHEMA: Schema = Schema { root: &SESSION, children: &[] };

/// Maps sessions to rows and events.
#[derive(Debug, Default)]
pub struct SessionMapping;

fn row(id: uuid::Uuid, session: &Kept) -> Row {
    let (holder, person, code) = match session.holder {
        Holder::CodeUser { code, device, epoch } => ("code_user", None, Some((code, device, epoch))),
        Holder::Employee(id) => ("employee", Some(id.uuid()), None),
        Holder::CustomerUser(id) => ("customer_user", Some(id.uuid()), None),
    };
    let ended = session.ended.map(|ending| match ending {
        Ending::LoggedOut => "logged_out",
        Ending::Reused => "reused",
    });
    vec![
        id.into(),
        holder.into(),
        person.into(),
        code.map(|(code, _, _)| code.uuid()).into(),
        code.map(|(_, device, _)| device.uuid()).into(),
        code.map(|(_, _, epoch)| epoch).into(),
        session.language.as_str().into(),
        session.family.to_vec().into(),
        session.secret.to_vec().into(),
        session.expires_at.into(),
        ended.into(),
        session.created_at.into(),
        session.updated_at.into(),
    ]
}

fn hash(cells: &mut Cells<'_>) -> Result<Hash, Corrupt> {
    cells.bytes()?.try_into().map_err(|_| cells.corrupt("is not 32 bytes"))
}

impl Mapping for SessionMapping {
    type Aggregate = Session;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<State, Corrupt> {
        let Some(root) = &rows.root else { return Ok(None) };
        let mut cells = Cells::new(&SESSION, root);
        let organisation = rows.organisation.ok_or_else(|| cells.corrupt("has no organisation"))?;
        cells.uuid()?;
        let holder = cells.text()?;
        let (person, code) = (cells.optional_uuid()?, cells.optional_uuid()?);
        let (device, epoch) = (cells.optional_uuid()?, cells.optional_bigint()?);
        let holder = match (holder.as_str(), person, code, device, epoch) {
            ("code_user", None, Some(code), Some(device), Some(epoch)) => {
                Holder::CodeUser { code: code.into(), device: device.into(), epoch }
            }
            ("employee", Some(id), ..) => Holder::Employee(id.into()),
            ("customer_user", Some(id), ..) => Holder::CustomerUser(id.into()),
            _ => return Err(cells.corrupt("the holder makes no sense")),
        };
        let language = cells.word()?;
        let (family, secret) = (hash(&mut cells)?, hash(&mut cells)?);
        let expires_at = cells.time()?;
        let ended = match cells.optional_text()?.as_deref() {
            None => None,
            Some("logged_out") => Some(Ending::LoggedOut),
            Some("reused") => Some(Ending::Reused),
            Some(_) => return Err(cells.corrupt("unknown ending")),
        };
        let (created_at, updated_at) = (cells.time()?, cells.time()?);
        Ok(Some(Kept {
            organisation,
            holder,
            language,
            family,
            secret,
            expires_at,
            ended,
            created_at,
            updated_at,
        }))
    }

    fn record(&self, step: &Step<'_, Session>) -> Result<Written, String> {
        let Some(after) = step.after else { return Err("a step without a session after it".to_owned()) };
        let row = row(step.meta.aggregate_id, after);
        Ok(Written {
            rows: vec![RowChange::Put(&SESSION, row)],
            events: announce_session(step),
            ..Written::default()
        })
    }
}
