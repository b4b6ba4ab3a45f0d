//! The drawer and the log of deliveries.
//!
//! Marking sets what is asked for and emptying empties: the same request again finds it so, and needs no receipt.

use callboard_kernel::{CodeId, Refusal, Role};
use callboard_proto::notifications::v1 as proto;
use callboard_service::database::refusal;
use callboard_service::request::{
    self, command_id, decode_page_token, encode_page_token, page_size, parse_id, parse_optional_id,
};
use tonic::Request;
use uuid::Uuid;

use super::{NotificationApi, person};
use crate::convert;
use crate::store::{deliveries, drawer};

/// Entries that are marked at once.
const MAX_MARKED: usize = 200;

fn count(unread: i64) -> i32 {
    i32::try_from(unread).unwrap_or(i32::MAX)
}

impl NotificationApi {
    pub(super) async fn list_entries(
        &self,
        request: &Request<proto::ListEntriesRequest>,
    ) -> Result<proto::ListEntriesResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let reader = self.reader(&principal).await?;
        let filter = drawer::Filter {
            unread_only: message.unread_only,
            event_types: convert::words("event_types", &message.event_types, convert::from_event_type)?,
            subject: parse_optional_id("subject_id", &message.subject_id)?,
        };
        let size = page_size(message.page_size, 50, 200)?;
        let query = request::fingerprint(&proto::ListEntriesRequest {
            page_size: 0,
            page_token: String::new(),
            ..message.clone()
        });
        let now = self.clock.now();
        let after = decode_page_token(&message.page_token, query, now)?;
        let mut found = self.tables.drawers.list(&reader, &filter, after, size + 1).await.map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => encode_page_token(&drawer::Cursor { position: last.position }, query, now),
            None => String::new(),
        };
        let entries = found
            .iter()
            .map(|entry| convert::entry(entry, reader.person, principal.language, &self.texts))
            .collect();
        Ok(proto::ListEntriesResponse { entries, next_page_token })
    }

    pub(super) async fn get_unread_count(
        &self,
        request: &Request<proto::GetUnreadCountRequest>,
    ) -> Result<proto::GetUnreadCountResponse, Refusal> {
        let principal = request::principal(request)?;
        let reader = self.reader(&principal).await?;
        let (unread, position) = self.tables.drawers.unread(&reader).await.map_err(refusal)?;
        Ok(proto::GetUnreadCountResponse { unread: count(unread), position })
    }

    async fn unread(&self, reader: &drawer::Reader) -> Result<i32, Refusal> {
        self.windows.changed(reader.organisation, [reader.person]).await;
        Ok(count(self.tables.drawers.unread(reader).await.map_err(refusal)?.0))
    }

    pub(super) async fn mark_entries(
        &self,
        request: &Request<proto::MarkEntriesRequest>,
    ) -> Result<proto::MarkEntriesResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        command_id(&principal, "MarkEntries", &message.request_id)?;
        if message.entry_ids.is_empty() || message.entry_ids.len() > MAX_MARKED {
            return Err(Refusal::field("entry_ids", "1 to 200"));
        }
        let mut ids: Vec<Uuid> = Vec::with_capacity(message.entry_ids.len());
        for (index, id) in message.entry_ids.iter().enumerate() {
            ids.push(parse_id(&format!("entry_ids[{index}]"), id)?);
        }
        ids.sort_unstable();
        ids.dedup();
        let reader = self.reader(&principal).await?;
        let found = self.tables.drawers.mark(&reader, &ids, message.unread).await.map_err(refusal)?;
        if found == 0 {
            return Err(Refusal::missing("entry", &message.entry_ids[0]));
        }
        Ok(proto::MarkEntriesResponse { unread: self.unread(&reader).await? })
    }

    pub(super) async fn mark_all_read(
        &self,
        request: &Request<proto::MarkAllReadRequest>,
    ) -> Result<proto::MarkAllReadResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        command_id(&principal, "MarkAllRead", &message.request_id)?;
        let up_to = match message.up_to_position {
            ..0 => return Err(Refusal::field("up_to_position", "must not be negative")),
            0 => i64::MAX,
            position => position,
        };
        let reader = self.reader(&principal).await?;
        self.tables.drawers.mark_all(&reader, up_to).await.map_err(refusal)?;
        Ok(proto::MarkAllReadResponse { unread: self.unread(&reader).await? })
    }

    pub(super) async fn clear_entries(
        &self,
        request: &Request<proto::ClearEntriesRequest>,
    ) -> Result<proto::ClearEntriesResponse, Refusal> {
        let principal = request::principal(request)?;
        command_id(&principal, "ClearEntries", &request.get_ref().request_id)?;
        let reader = self.reader(&principal).await?;
        if principal.employee().is_none()
            && !matches!(principal.subject, callboard_kernel::Subject::CustomerUser(_))
        {
            return Err(Refusal::denied("visitors share a drawer; administrators empty it"));
        }
        let now = self.clock.now();
        self.tables.drawers.clear(reader.organisation, reader.person, now).await.map_err(refusal)?;
        self.windows.changed(reader.organisation, [reader.person]).await;
        Ok(proto::ClearEntriesResponse {})
    }

    /// D-4.
    pub(super) async fn clear_code_entries(
        &self,
        request: &Request<proto::ClearCodeEntriesRequest>,
    ) -> Result<proto::ClearCodeEntriesResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        command_id(&principal, "ClearCodeEntries", &message.request_id)?;
        let code: CodeId = parse_id("code_id", &message.code_id)?;
        if !principal.has_role(Role::Administrator) {
            return Err(Refusal::denied("codes are kept by administrators"));
        }
        let organisation = principal.organisation;
        if !self.tables.copies.has_code(organisation, code).await.map_err(refusal)? {
            return Err(Refusal::missing("code", code));
        }
        let person = callboard_notifications_domain::Person::Code(code);
        let now = self.clock.now();
        self.tables.drawers.clear(organisation, person, now).await.map_err(refusal)?;
        self.windows.changed(organisation, [person]).await;
        Ok(proto::ClearCodeEntriesResponse {})
    }

    pub(super) async fn list_deliveries(
        &self,
        request: &Request<proto::ListDeliveriesRequest>,
    ) -> Result<proto::ListDeliveriesResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        if message.everybody && !principal.has_role(Role::Administrator) {
            return Err(Refusal::denied("what others were told is for administrators"));
        }
        let states = convert::words("states", &message.states, |state: proto::DeliveryState| {
            Some(convert::from_state(state)).filter(|states| !states.is_empty())
        })?;
        let filter = deliveries::Filter {
            person: if message.everybody { None } else { Some(person(&principal)?) },
            event: parse_optional_id("event_id", &message.event_id)?,
            subject: parse_optional_id("subject_id", &message.subject_id)?,
            states: states.concat(),
            channels: convert::words("channels", &message.channels, convert::from_channel)?,
        };
        let size = page_size(message.page_size, 50, 200)?;
        let query = request::fingerprint(&proto::ListDeliveriesRequest {
            page_size: 0,
            page_token: String::new(),
            ..message.clone()
        });
        let now = self.clock.now();
        let after: Option<deliveries::Cursor> = decode_page_token(&message.page_token, query, now)?;
        let organisation = principal.organisation;
        let mut found = self
            .tables
            .deliveries
            .log(organisation, &filter, after.as_ref(), size + 1)
            .await
            .map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => {
                let cursor = deliveries::Cursor {
                    created: last.created,
                    event: last.event,
                    person: last.person.to_string(),
                    channel: last.delivery.channel.as_str().to_owned(),
                };
                encode_page_token(&cursor, query, now)
            }
            None => String::new(),
        };
        let deliveries = found.iter().map(convert::delivery).collect();
        Ok(proto::ListDeliveriesResponse { deliveries, next_page_token })
    }
}
