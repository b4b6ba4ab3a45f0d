//! What is read of conversations. Every query is scoped by organisation.

use std::sync::{Arc, OnceLock};

use callboard_attachments::Attachments;
use callboard_journal::Pool;
use callboard_journal::selected;
use callboard_kernel::{Actor, DeviceId, OrganisationId, Timestamp, Version};
use callboard_messenger_domain::conversation::{ConversationState, Message};
use callboard_proto::common::v1::Attachment;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::conversation::{CONVERSATION, MESSAGE, READER, marker, message, state};

pub(super) type Sql<T> = Result<T, sqlx::Error>;

/// Unread messages are counted up to here (M-6).
pub(super) const MAX_UNREAD: i64 = 1_000;

/// A conversation as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id, that of its ticket.
    pub id: Uuid,
    /// What is known of it.
    pub state: ConversationState,
    /// Its version: the position of the latest change.
    pub version: Version,
}

/// A message as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// It.
    pub message: Arc<Message>,
    /// The conversation's version when it last changed.
    pub position: i64,
    /// What is known of its files, in its order.
    pub files: Vec<Attachment>,
}

/// What a message said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRevision {
    /// Which.
    pub revision: i32,
    /// What it said.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Reads the tables of the messenger.
#[derive(Debug, Clone)]
pub struct Queries {
    pub(super) pool: Pool,
    /// Known once files are served.
    files: Arc<OnceLock<Attachments>>,
}

pub(super) fn corrupt(error: callboard_journal::Corrupt) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(super) fn stored(row: &PgRow) -> Sql<Stored> {
    let cells = selected(&CONVERSATION, row)?;
    Ok(Stored {
        id: row.try_get("id")?,
        state: state(&cells).map_err(corrupt)?,
        version: Version(row.try_get("version")?),
    })
}

fn stored_message(row: &PgRow) -> Sql<StoredMessage> {
    let (message, position) = message(&selected(&MESSAGE, row)?).map_err(corrupt)?;
    Ok(StoredMessage { message: Arc::new(message), position, files: Vec::new() })
}

/// `$1`, `$2`: organisation and conversation.
const OF_CONVERSATION: &str = "m.aggregate_id = $2 and exists
    (select 1 from conversation c where c.id = $2 and c.organisation_id = $1 and not c.deleted)";

impl Queries {
    /// Queries in this database.
    pub fn new(pool: Pool) -> Self {
        Self { pool, files: Arc::default() }
    }

    /// From now on messages are read with what is known of their files.
    pub fn with_files(&self, files: Attachments) {
        // Set once, when the service is built.
        let _ = self.files.set(files);
    }

    /// Something was deleted: its files go soon.
    pub fn wake_files(&self) {
        if let Some(files) = self.files.get() {
            files.wake();
        }
    }

    /// What is known of files, in this order; those that are gone are left out.
    pub async fn files(&self, ids: &[Uuid]) -> Sql<Vec<Attachment>> {
        let Some(files) = self.files.get().filter(|_| !ids.is_empty()) else { return Ok(Vec::new()) };
        let found = files.find(ids).await.map_err(|refusal| sqlx::Error::Protocol(refusal.to_string()))?;
        Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
    }

    /// What came with a message, also when it was taken back.
    pub async fn files_of(&self, message: Uuid) -> Sql<Vec<Attachment>> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "select id from attachment where owner_kind = 'message' and owner_id = $1 and state = 'LINKED'
             order by id limit 20",
        )
        .bind(message)
        .fetch_all(&self.pool)
        .await?;
        self.files(&ids).await
    }

    /// True when a message shows its files: it was not taken back.
    pub async fn shows_files(&self, conversation: Uuid, message: Uuid) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from message
             where aggregate_id = $1 and id = $2 and attachment_ids <> '[]'::jsonb)",
        )
        .bind(conversation)
        .bind(message)
        .fetch_one(&self.pool)
        .await
    }

    async fn with_their_files(&self, rows: &[PgRow]) -> Sql<Vec<StoredMessage>> {
        let mut messages: Vec<StoredMessage> = rows.iter().map(stored_message).collect::<Sql<_>>()?;
        let ids: Vec<Uuid> =
            messages.iter().flat_map(|one| one.message.attachments.iter().copied()).collect();
        let known = self.files(&ids).await?;
        for one in &mut messages {
            let of = |id: &Uuid| known.iter().find(|file| file.id == id.to_string()).cloned();
            one.files = one.message.attachments.iter().filter_map(of).collect();
        }
        Ok(messages)
    }

    async fn with_its_files(&self, row: Option<PgRow>) -> Sql<Option<StoredMessage>> {
        Ok(match row {
            Some(row) => self.with_their_files(&[row]).await?.pop(),
            None => None,
        })
    }

    /// A conversation without read markers; `None`: never heard of its ticket, or deleted.
    pub async fn conversation(&self, organisation: OrganisationId, id: Uuid) -> Sql<Option<Stored>> {
        let row = sqlx::query(
            "select * from conversation
             where organisation_id = $1 and id = $2 and ticket_version is not null",
        )
        .bind(organisation.uuid())
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(stored).transpose()
    }

    /// The device that a conversation is about; `None`: there is no conversation.
    pub async fn device_of(&self, organisation: OrganisationId, id: Uuid) -> Sql<Option<DeviceId>> {
        let device: Option<Option<Uuid>> =
            sqlx::query_scalar("select device_id from conversation where organisation_id = $1 and id = $2")
                .bind(organisation.uuid())
                .bind(id)
                .fetch_optional(&self.pool)
                .await?;
        Ok(device.flatten().map(DeviceId::from))
    }

    /// True when a conversation was opened, whatever became of it since.
    pub async fn was_opened(&self, organisation: OrganisationId, id: Uuid) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from conversation
             where organisation_id = $1 and id = $2 and (ticket_version is not null or deleted))",
        )
        .bind(organisation.uuid())
        .bind(id)
        .fetch_one(&self.pool)
        .await
    }

    /// A conversation with all its read markers.
    pub async fn whole(&self, organisation: OrganisationId, id: Uuid) -> Sql<Option<Stored>> {
        let Some(mut found) = self.conversation(organisation, id).await? else { return Ok(None) };
        let rows = sqlx::query("select r.* from reader r where r.aggregate_id = $1")
            .bind(id)
            .fetch_all(&self.pool)
            .await?;
        found.state.markers =
            rows.iter().map(|row| marker(&selected(&READER, row)?).map_err(corrupt)).collect::<Sql<_>>()?;
        Ok(Some(found))
    }

    /// Messages before a sequence, the latest first.
    pub async fn messages_before(
        &self,
        organisation: OrganisationId,
        id: Uuid,
        before: i64,
        limit: i64,
    ) -> Sql<Vec<StoredMessage>> {
        let sql = format!(
            "select m.* from message m where {OF_CONVERSATION} and m.sequence < $3
             order by m.sequence desc limit $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .bind(before)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        self.with_their_files(&rows).await
    }

    /// Messages that changed behind a position, in the order of their changes (M-5).
    pub async fn changed_after(
        &self,
        organisation: OrganisationId,
        id: Uuid,
        position: i64,
        limit: i64,
    ) -> Sql<Vec<StoredMessage>> {
        let sql = format!(
            "select m.* from message m where {OF_CONVERSATION} and m.position > $3
             order by m.position, m.sequence limit $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .bind(position)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        self.with_their_files(&rows).await
    }

    /// One message.
    pub async fn message(
        &self,
        organisation: OrganisationId,
        id: Uuid,
        sequence: i64,
    ) -> Sql<Option<StoredMessage>> {
        let sql = format!("select m.* from message m where {OF_CONVERSATION} and m.sequence = $3");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .bind(sequence)
            .fetch_optional(&self.pool)
            .await?;
        self.with_its_files(row).await
    }

    /// The message that an author's client gave this name (M-4).
    pub async fn by_client_key(
        &self,
        organisation: OrganisationId,
        id: Uuid,
        key: Uuid,
    ) -> Sql<Option<StoredMessage>> {
        let sql = format!("select m.* from message m where {OF_CONVERSATION} and m.client_key = $3");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .bind(key)
            .fetch_optional(&self.pool)
            .await?;
        self.with_its_files(row).await
    }

    /// What a message said before, the oldest first.
    pub async fn revisions(
        &self,
        organisation: OrganisationId,
        id: Uuid,
        sequence: i64,
        after: i32,
        limit: i64,
    ) -> Sql<Vec<StoredRevision>> {
        let sql = format!(
            "select m.revision, m.text, m.since, m.until from message_revision m
             where {OF_CONVERSATION} and m.sequence = $3 and m.revision > $4 order by m.revision limit $5"
        );
        let rows: Vec<(i32, String, Timestamp, Timestamp)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .bind(sequence)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(revision, text, since, until)| StoredRevision { revision, text, since, until })
            .collect())
    }

    /// How many messages of others somebody has not read, at most 1,000 (M-6).
    pub async fn unread(&self, organisation: OrganisationId, id: Uuid, reader: Actor, read: i64) -> Sql<i32> {
        let sql = format!(
            "select count(*)::int from (select 1 from message m where {OF_CONVERSATION}
             and m.sequence > $3 and m.withdrawn_at is null and m.author <> $4 limit $5) unread"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .bind(read)
            .bind(reader.to_string())
            .bind(MAX_UNREAD)
            .fetch_one(&self.pool)
            .await
    }
}
