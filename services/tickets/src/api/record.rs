//! The service record as a document (T-12).

use callboard_kernel::{ErrorKind, Language, Refusal, TicketId};
use callboard_proto::tickets::v1 as proto;
use callboard_service::request::{parse_id, principal};
use callboard_tickets_domain::Visibility;
use tonic::Request;
use uuid::Uuid;

use super::ticket_service::{Reply, TicketApi};
use crate::record::Record;

/// Most bytes of one part of a document.
const PART: usize = 256 * 1024;
/// How many updates are read at once.
const BATCH: u32 = 500;
/// Most characters of a document's updates: what a person reads, and what is made in memory.
const MAX_CHARACTERS: usize = 5_000_000;

impl TicketApi {
    async fn record(&self, request: &Request<proto::ExportServiceRecordRequest>) -> Reply<Record> {
        let caller = principal(request)?;
        let message = request.get_ref();
        let id: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let language: Language = match message.language.as_str() {
            "" => caller.language,
            tag => tag.parse().map_err(|_| Refusal::field("language", "`en` or `de`"))?,
        };
        let found = self.0.visible(&caller, id).await?;
        let mut updates = Vec::new();
        let (mut after, mut characters) = (0, 0);
        loop {
            let batch = self.0.reads.updates(id, Some(Visibility::Public), after, BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = last.sequence;
            let ids = batch.iter().flat_map(|update| &update.attachments);
            let ids: Vec<Uuid> = ids.filter_map(|id| id.parse().ok()).collect();
            let known = self.0.attachments.find(&ids).await?;
            for update in batch {
                characters += update.text.len();
                let files = update.attachments.iter().filter_map(|id| known.get(&id.parse().ok()?).cloned());
                let files = files.collect();
                updates.push((update, files));
            }
            if characters > MAX_CHARACTERS {
                return Err(Refusal::new(
                    ErrorKind::FailedPrecondition,
                    "RECORD_TOO_LONG",
                    "the record is too long for one document: read it page by page",
                ));
            }
        }
        let device = self.0.copies.device(caller.organisation, found.ticket.device).await?;
        Ok(Record { ticket: found.ticket, device, updates, language })
    }

    /// The document in parts.
    pub(super) async fn export(
        &self,
        request: Request<proto::ExportServiceRecordRequest>,
    ) -> Reply<Vec<proto::ExportServiceRecordResponse>> {
        let format = match request.get_ref().format() {
            proto::RecordFormat::Unspecified => {
                return Err(Refusal::field("format", "PDF or JSON"));
            }
            format => format,
        };
        let record = self.record(&request).await?;
        let name = record.file_name();
        let failed = |error: String| Refusal::new(ErrorKind::Internal, "INTERNAL", error);
        let (media_type, extension, bytes) = if format == proto::RecordFormat::Json {
            let bytes =
                serde_json::to_vec_pretty(&record.json()).map_err(|error| failed(error.to_string()))?;
            ("application/json", "json", bytes)
        } else {
            // Setting pages takes a while.
            let made = tokio::task::spawn_blocking(move || record.pdf()).await;
            let made = made.map_err(|error| failed(error.to_string()))?;
            ("application/pdf", "pdf", made.map_err(|error| failed(error.to_string()))?)
        };
        let mut parts: Vec<proto::ExportServiceRecordResponse> = bytes
            .chunks(PART)
            .map(|chunk| proto::ExportServiceRecordResponse { chunk: chunk.to_vec(), ..Default::default() })
            .collect();
        if let Some(first) = parts.first_mut() {
            media_type.clone_into(&mut first.media_type);
            first.file_name = format!("{name}.{extension}");
        }
        Ok(parts)
    }
}
