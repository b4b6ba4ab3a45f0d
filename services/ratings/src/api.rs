//! What can be called.

use std::sync::Arc;

use callboard_kernel::{
    Clock, EmployeeId, FieldViolation, Isolation, Principal, Refusal, TemplateId, Timestamp,
};
use callboard_proto::common::v1::TimeRange;
use callboard_proto::ratings::v1 as proto;
use callboard_proto::ratings::v1::rating_service_server::RatingService;
use callboard_ratings_domain::Switches;
use callboard_ratings_domain::request::{RequestCommand, Sight, SubjectKind};
use callboard_ratings_domain::switches::{SwitchSetCommand, SwitchSetState};
use callboard_service::Mutation;
use callboard_service::convert::from_proto_time;
use callboard_service::database::refusal;
use callboard_service::error::IntoStatus;
use callboard_service::request::{self, decode_page_token, encode_page_token, page_size, parse_id};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::store::{Copies, Filter, Grouping, ListCursor, Queries, Viewer};
use crate::{Requests, SwitchSets, convert};

/// The most ids in a filter.
const MAX_FILTER: usize = 100;

/// Serves `RatingService`.
#[derive(Debug, Clone)]
pub struct RatingApi {
    /// Ratings.
    pub requests: Requests,
    /// Switches.
    pub switch_sets: SwitchSets,
    /// The tables.
    pub queries: Queries,
    /// Read copies of the directory.
    pub copies: Copies,
    /// For page tokens.
    pub clock: Arc<dyn Clock>,
}

fn subject_kind(kind: proto::SubjectKind) -> Result<SubjectKind, Refusal> {
    match kind {
        proto::SubjectKind::Ticket => Ok(SubjectKind::Ticket),
        proto::SubjectKind::VideoSession => Ok(SubjectKind::VideoSession),
        proto::SubjectKind::Unspecified => Err(Refusal::field("subject_kind", "is required")),
    }
}

fn filter_ids<I: From<Uuid>>(field: &str, texts: &[String], violations: &mut Vec<FieldViolation>) -> Vec<I> {
    if texts.len() > MAX_FILTER {
        violations.push(FieldViolation::new(field, "at most 100"));
        return Vec::new();
    }
    let mut ids = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        match text.parse::<Uuid>() {
            Ok(id) => ids.push(id.into()),
            Err(_) => violations.push(FieldViolation::new(format!("{field}[{at}]"), "must be a UUID")),
        }
    }
    ids
}

fn moment(
    field: &str,
    time: Option<&prost_types::Timestamp>,
    violations: &mut Vec<FieldViolation>,
) -> Option<Timestamp> {
    from_proto_time(field, time?).map_err(|violation| violations.push(violation)).ok()
}

/// A filter out of a request.
fn filter(
    kind: proto::SubjectKind,
    templates: &[String],
    employees: &[String],
    scores: &[i32],
    submitted: Option<&TimeRange>,
) -> Result<Filter, Refusal> {
    let kind = match kind {
        proto::SubjectKind::Unspecified => None,
        kind => Some(subject_kind(kind)?),
    };
    let mut violations = Vec::new();
    let templates: Vec<TemplateId> = filter_ids("template_ids", templates, &mut violations);
    let employees: Vec<EmployeeId> = filter_ids("employee_ids", employees, &mut violations);
    if scores.len() > 5 || scores.iter().any(|score| !(1..=5).contains(score)) {
        violations.push(FieldViolation::new("scores", "at most five, each 1 to 5 (R-1)"));
    }
    let from = submitted.and_then(|range| moment("submitted.start", range.start.as_ref(), &mut violations));
    let to = submitted.and_then(|range| moment("submitted.end", range.end.as_ref(), &mut violations));
    if !violations.is_empty() {
        return Err(Refusal::fields(violations));
    }
    Ok(Filter { kind, templates, employees, scores: scores.to_vec(), from, to })
}

impl RatingApi {
    async fn isolation(&self, principal: &Principal) -> Result<Isolation, Refusal> {
        self.copies.isolation(principal.organisation).await.map_err(refusal)
    }

    /// How far the caller sees a subject, if there is one. It depends on the device for users of customers, and where
    /// departments separate the employee from others.
    async fn sight(&self, principal: &Principal, subject: Uuid) -> Result<Sight, Refusal> {
        let isolation = self.isolation(principal).await?;
        let matters = principal
            .employee()
            .is_none_or(|employee| isolation != Isolation::Off && !employee.departments.is_empty());
        if !matters {
            return Ok(Sight { isolation, device: None });
        }
        let device = self.queries.device_of(principal.organisation, subject).await.map_err(refusal)?;
        Ok(Sight { isolation, device })
    }

    /// Lists and figures are for employees.
    async fn viewer(&self, principal: &Principal) -> Result<Viewer, Refusal> {
        let employee =
            principal.employee().ok_or_else(|| Refusal::denied("lists of ratings are for employees"))?;
        Ok(Viewer {
            organisation: principal.organisation,
            isolation: self.isolation(principal).await?,
            departments: employee.departments.clone(),
        })
    }

    /// Switches are for employees, of templates of their own organisation.
    async fn admit(&self, principal: &Principal, template: TemplateId) -> Result<(), Refusal> {
        if principal.employee().is_none() {
            return Err(Refusal::denied("switches are for employees"));
        }
        if self.copies.has_template(principal.organisation, template).await.map_err(refusal)? {
            Ok(())
        } else {
            Err(Refusal::missing("template", template))
        }
    }

    async fn get(&self, request: &Request<proto::GetRatingRequest>) -> Result<proto::Rating, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let kind = subject_kind(message.subject_kind())?;
        let id: Uuid = parse_id("subject_id", &message.subject_id)?;
        let sight = self.sight(&principal, id).await?;
        let stored = self.queries.rating(principal.organisation, id).await.map_err(refusal)?;
        let stored = stored
            .filter(|stored| {
                stored
                    .state
                    .subject
                    .as_ref()
                    .is_some_and(|subject| subject.kind == kind && subject.visible_to(&principal, &sight))
            })
            .ok_or_else(|| Refusal::missing("rating", id))?;
        Ok(convert::rating(stored.id, &stored.state, stored.version, &principal, &sight))
    }

    async fn submit(&self, request: &Request<proto::SubmitRatingRequest>) -> Result<proto::Rating, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "SubmitRating", &message.request_id)?;
        let kind = subject_kind(message.subject_kind())?;
        let id: Uuid = parse_id("subject_id", &message.subject_id)?;
        let mutation = mutation.about(convert::resource(kind), id);
        let sight = self.sight(&mutation.principal, id).await?;
        let comment = message.comment.trim().to_owned();
        let command = RequestCommand::Submit { sight: sight.clone(), kind, score: message.score, comment };
        let principal = Arc::clone(&mutation.principal);
        mutation
            .ask(&self.requests, id, command, move |state, _, version| {
                convert::rating(id, state, version, &principal, &sight)
            })
            .await
    }

    async fn list(
        &self,
        request: &Request<proto::ListRatingsRequest>,
    ) -> Result<proto::ListRatingsResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let viewer = self.viewer(&principal).await?;
        let filter = filter(
            message.subject_kind(),
            &message.template_ids,
            &message.employee_ids,
            &message.scores,
            message.submitted.as_ref(),
        )?;
        let size = page_size(message.page_size, 50, 200)?;
        let query = request::page_query(message);
        let after: Option<ListCursor> = decode_page_token(&message.page_token, query, self.clock.now())?;
        let mut found = self.queries.list(&viewer, &filter, after, size + 1).await.map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let last = found.last().filter(|_| more);
        let next_page_token = match last.and_then(|last| Some((last.id, last.state.given.as_ref()?.at))) {
            Some((id, at)) => encode_page_token(&ListCursor { at, id }, query, self.clock.now()),
            None => String::new(),
        };
        let ratings = found
            .iter()
            // Nobody who reads lists rates.
            .map(|stored| {
                convert::rating(stored.id, &stored.state, stored.version, &principal, &Sight::default())
            })
            .collect();
        Ok(proto::ListRatingsResponse { ratings, next_page_token })
    }

    async fn figures(
        &self,
        request: &Request<proto::GetRatingFiguresRequest>,
    ) -> Result<proto::GetRatingFiguresResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let viewer = self.viewer(&principal).await?;
        let filter = filter(
            message.subject_kind(),
            &message.template_ids,
            &message.employee_ids,
            &[],
            message.submitted.as_ref(),
        )?;
        let by = match proto::FigureGrouping::try_from(message.group_by) {
            Ok(proto::FigureGrouping::Unspecified) => Grouping::None,
            Ok(proto::FigureGrouping::Template) => Grouping::Template,
            Ok(proto::FigureGrouping::Employee) => Grouping::Employee,
            Ok(proto::FigureGrouping::Day) => Grouping::Day,
            Ok(proto::FigureGrouping::Month) => Grouping::Month,
            Err(_) => return Err(Refusal::field("group_by", "must be a known grouping")),
        };
        let rows = self.queries.figures(&viewer, &filter, by).await.map_err(refusal)?;
        let figures = rows
            .into_iter()
            .map(|row| proto::RatingFigure { key: row.key, distribution: Some(distribution(row.counts)) })
            .collect();
        Ok(proto::GetRatingFiguresResponse { figures })
    }

    async fn switches(
        &self,
        request: &Request<proto::GetSwitchesRequest>,
    ) -> Result<proto::Switches, Refusal> {
        let principal = request::principal(request)?;
        let template: TemplateId = parse_id("template_id", &request.get_ref().template_id)?;
        self.admit(&principal, template).await?;
        let (switches, version) =
            self.queries.switches(principal.organisation, template).await.map_err(refusal)?;
        Ok(convert::switches(template, switches, version))
    }

    async fn set(&self, request: &Request<proto::SetSwitchesRequest>) -> Result<proto::Switches, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "SetSwitches", &message.request_id)?;
        let wanted = message.switches.as_ref().ok_or_else(|| Refusal::field("switches", "is required"))?;
        let id: TemplateId = parse_id("switches.template_id", &wanted.template_id)?;
        let mutation = mutation.about("template", id).expecting("switches.etag", &wanted.etag)?;
        let switches = Switches { tickets: wanted.tickets, video_sessions: wanted.video_sessions };
        let prepared = async {
            self.admit(&mutation.principal, id).await?;
            Ok((id.uuid(), SwitchSetCommand::Set(switches)))
        };
        let answer =
            move |state: &SwitchSetState, _: &[_], version| convert::switches(id, state.switches, version);
        mutation.carry_out(&self.switch_sets, prepared, answer).await
    }
}

fn distribution(counts: [i64; 5]) -> proto::Distribution {
    let total: i64 = counts.iter().sum();
    let sum: i64 = counts.iter().zip(1..).map(|(count, score)| count * score).sum();
    #[expect(clippy::cast_precision_loss, reason = "counts of ratings are far below 2^52")]
    let average = if total == 0 { 0.0 } else { sum as f64 / total as f64 };
    proto::Distribution { counts: counts.to_vec(), total, average }
}

fn reply<R>(outcome: Result<R, Refusal>) -> Result<Response<R>, Status> {
    outcome.map(Response::new).map_err(|refusal| refusal.into_status(crate::NAME))
}

#[tonic::async_trait]
impl RatingService for RatingApi {
    async fn get_rating(
        &self,
        request: Request<proto::GetRatingRequest>,
    ) -> Result<Response<proto::GetRatingResponse>, Status> {
        reply(self.get(&request).await.map(|rating| proto::GetRatingResponse { rating: Some(rating) }))
    }

    async fn submit_rating(
        &self,
        request: Request<proto::SubmitRatingRequest>,
    ) -> Result<Response<proto::SubmitRatingResponse>, Status> {
        reply(self.submit(&request).await.map(|rating| proto::SubmitRatingResponse { rating: Some(rating) }))
    }

    async fn list_ratings(
        &self,
        request: Request<proto::ListRatingsRequest>,
    ) -> Result<Response<proto::ListRatingsResponse>, Status> {
        reply(self.list(&request).await)
    }

    async fn get_rating_figures(
        &self,
        request: Request<proto::GetRatingFiguresRequest>,
    ) -> Result<Response<proto::GetRatingFiguresResponse>, Status> {
        reply(self.figures(&request).await)
    }

    async fn get_switches(
        &self,
        request: Request<proto::GetSwitchesRequest>,
    ) -> Result<Response<proto::GetSwitchesResponse>, Status> {
        let outcome = self.switches(&request).await;
        reply(outcome.map(|switches| proto::GetSwitchesResponse { switches: Some(switches) }))
    }

    async fn set_switches(
        &self,
        request: Request<proto::SetSwitchesRequest>,
    ) -> Result<Response<proto::SetSwitchesResponse>, Status> {
        let outcome = self.set(&request).await;
        reply(outcome.map(|switches| proto::SetSwitchesResponse { switches: Some(switches) }))
    }
}
