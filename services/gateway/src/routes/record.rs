//! The service record as a document (T-12).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use callboard_proto::tickets::v1 as proto;
use futures::StreamExt;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ask, rpc};
use crate::call::{Call, Id};
use crate::extract::Query;
use crate::model::attachments::Bytes;
use crate::openapi::Route;
use crate::problem::Problem;

/// What a record is exported as.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RecordFormat {
    #[default]
    Pdf,
    Json,
}

/// How it is exported.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedExport {
    /// `pdf` (default) or `json`.
    #[param(inline)]
    format: RecordFormat,
}

async fn export(
    call: Call,
    Id(ticket_id): Id,
    Query(asked): Query<AskedExport>,
) -> Result<Response, Problem> {
    let format = match asked.format {
        RecordFormat::Pdf => proto::RecordFormat::Pdf,
        RecordFormat::Json => proto::RecordFormat::Json,
    };
    let message = proto::ExportServiceRecordRequest {
        ticket_id,
        format: format.into(),
        language: call.language.as_str().to_owned(),
    };
    let mut parts = ask!(call, tickets.export_service_record(message));
    let first = parts.message().await.map_err(|status| call.problem(status))?.unwrap_or_default();
    let rest = parts.map(|part| {
        part.map(|part| part.chunk).map_err(|status| std::io::Error::other(status.message().to_owned()))
    });
    let body = futures::stream::once(async move { Ok(first.chunk) }).chain(rest);
    let mut response = Body::from_stream(body).into_response();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(CONTENT_TYPE, first.media_type);
    set(CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", first.file_name));
    Ok(response)
}

/// The route.
pub(super) fn route() -> Route {
    Route::get("/v1/tickets/{id}/serviceRecord:export", export)
        .rpc(rpc!("tickets.v1.TicketService", "ExportServiceRecord"))
        .query::<AskedExport>()
        .answers_as::<Bytes>("200", "application/pdf")
        .about("The digital service record as a document in the caller's language: PDF or JSON (T-12).")
}
