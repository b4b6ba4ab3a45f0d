//! What a form sent, files included (T-1). Files are passed on to the tickets service as they come; nothing is kept here.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequest, RawForm, Request};
use callboard_proto::common::v1 as common;
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::answer::Value;
use futures::channel::mpsc;
use futures::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use multer::{Constraints, Field, Multipart, SizeLimit};

use super::form::Pairs;
use super::visitor::Visitor;
use crate::call::Guest;
use crate::problem::Problem;
use crate::routes::{ask, pass_ticket_file};

/// The most bytes of a form with files: what 20 files may have, which is the most that an answer holds, and a little. How
/// much a person may have pending at once is the tickets service's to say.
const MAX_FORM: u64 = 20 * 50 * 1024 * 1024 + 64 * 1024;
/// The most bytes of a field that is no file.
const MAX_TEXT: u64 = 1024;
/// The most parts of a form.
const MAX_PARTS: usize = 64;
/// How long a form is read on after a file was refused. A browser that is still sending does not look at the answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A filled-in form.
#[derive(Debug, Default)]
pub struct Filled {
    /// Its fields; of files the ids under which they are kept.
    pub pairs: Pairs,
    /// Why a file was not taken.
    pub refused: Option<Problem>,
}

fn unreadable(why: &impl ToString) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "BODY_UNREADABLE", why.to_string())
}

impl Filled {
    /// Reads a form that a visitor sent, for a draft or (empty) for one that is yet to be made. Their token is renewed as
    /// often as a slow line needs it.
    pub async fn read(
        guest: &Guest,
        visitor: &mut Visitor,
        draft: &str,
        request: Request,
    ) -> Result<Self, Problem> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Ok(boundary) = multer::parse_boundary(kind) else {
            let RawForm(body) =
                RawForm::from_request(request, &()).await.map_err(|refused| unreadable(&refused))?;
            return Ok(Self { pairs: Pairs::read(&body), refused: None });
        };
        let mut limit = SizeLimit::new().whole_stream(MAX_FORM);
        for field in ["request", "step", "keep"] {
            limit = limit.for_field(field, MAX_TEXT);
        }
        let constraints =
            Constraints::new().allowed_fields(vec!["request", "step", "keep", "a"]).size_limit(limit);
        let body = request.into_body().into_data_stream();
        let mut parts = Multipart::with_constraints(body, boundary, constraints);
        let mut filled = Self::default();
        for _ in 0..MAX_PARTS {
            let next = parts.next_field();
            let field = if filled.refused.is_some() {
                // What comes is not looked at any more.
                tokio::time::timeout(PATIENCE, next).await.unwrap_or(Ok(None))
            } else {
                next.await
            };
            let Some(field) = field.map_err(|error| unreadable(&error))? else { return Ok(filled) };
            let Some(name) = field.name().map(str::to_owned) else { continue };
            if name != "a" {
                let value = field.text().await.map_err(|error| unreadable(&error))?;
                filled.pairs.push(name, value);
                continue;
            }
            // Where no file was chosen, browsers send one without a name.
            let file = field.file_name().filter(|file| !file.is_empty()).map(str::to_owned);
            let (Some(file), None) = (file, &filled.refused) else { continue };
            let start = common::AttachmentUpload {
                request_id: guest.gateway.ids.next().to_string(),
                subject_id: draft.to_owned(),
                name: file,
                ..Default::default()
            };
            let guest = guest.clone().afresh();
            *visitor = visitor.clone().renewed(&guest).await.ok_or_else(out)?;
            match pass(&visitor.asks(&guest), start, field).await {
                Ok(taken) => filled.pairs.push(name, taken.unwrap_or_default().id),
                Err(problem) if problem.status == StatusCode::UNAUTHORIZED => return Err(problem),
                Err(problem) if problem.status.is_client_error() => filled.refused = Some(problem),
                Err(problem) => return Err(problem),
            }
        }
        Err(unreadable(&format!("more than {MAX_PARTS} fields")))
    }
}

fn out() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED", "the session is over")
}

/// Passes a file on. Where it is refused before its end, the rest of the field is this task's to leave, and at once: the
/// form cannot be read on while anybody holds it.
async fn pass(
    own: &Guest,
    start: common::AttachmentUpload,
    mut field: Field<'static>,
) -> Result<Option<common::Attachment>, Problem> {
    let (mut sender, receiver) = mpsc::channel(1);
    let feed = async {
        while let Some(piece) = field.next().await {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        sender.close_channel();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        taken = pass_ticket_file(own, start, receiver) => taken,
        never = feed => match never {},
    }
}

/// The files of an answer, in order; what is gone is left out.
pub async fn files_of(own: &Guest, answer: Option<&Value>) -> Result<Vec<common::Attachment>, Problem> {
    let Some(Value::Attachments(ids)) = answer else { return Ok(Vec::new()) };
    let mut files = Vec::with_capacity(ids.values.len());
    for id in &ids.values {
        let message = proto::GetAttachmentRequest { attachment_id: id.clone() };
        let found = async { Ok::<_, Problem>(ask!(own, ticket_files.get_attachment(message)).attachment) };
        match found.await {
            Ok(file) => files.extend(file),
            Err(problem) if problem.status == StatusCode::NOT_FOUND => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(files)
}
