//! Ratings, their switches and figures.

use callboard_proto::ratings::v1 as proto;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, show, show_inner};
use crate::call::{Call, Id};
use crate::extract::{Json, Query};
use crate::model::Time;
use crate::model::common::time_range;
use crate::model::mirror::Mirror;
use crate::model::ratings::{
    FigureGrouping, NewRating, Rating, RatingFigures, RatingPage, SubjectKind, Switches,
};
use crate::openapi::{Resource, Route};

/// Which ratings.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Not given: any.
    #[param(inline)]
    subject_kind: Option<SubjectKind>,
    /// Templates; repeat it for several.
    template_id: Vec<String>,
    /// Involved employees; repeat it for several.
    employee_id: Vec<String>,
    /// 1 to 5; repeat it for several.
    score: Vec<i32>,
    /// Given at or after.
    #[param(inline)]
    submitted_from: Option<Time>,
    /// Given before.
    #[param(inline)]
    submitted_before: Option<Time>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which figures.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedFigures {
    /// Not given: any.
    #[param(inline)]
    subject_kind: Option<SubjectKind>,
    /// Templates; repeat it for several.
    template_id: Vec<String>,
    /// Involved employees; repeat it for several.
    employee_id: Vec<String>,
    /// Given at or after.
    #[param(inline)]
    submitted_from: Option<Time>,
    /// Given before.
    #[param(inline)]
    submitted_before: Option<Time>,
    /// Not given: one figure.
    #[param(inline)]
    group_by: Option<FigureGrouping>,
}

async fn get_of(call: Call, kind: proto::SubjectKind, subject_id: String) -> Answer<Rating> {
    let message = proto::GetRatingRequest { subject_kind: kind.into(), subject_id };
    show_inner(ask!(call, ratings.get_rating(message)).rating)
}

async fn get(call: Call, Id(ticket): Id) -> Answer<Rating> {
    get_of(call, proto::SubjectKind::Ticket, ticket).await
}

async fn get_of_session(call: Call, Id(session): Id) -> Answer<Rating> {
    get_of(call, proto::SubjectKind::VideoSession, session).await
}

async fn submit_of(
    call: Call,
    kind: proto::SubjectKind,
    subject_id: String,
    new: NewRating,
) -> Answer<Rating> {
    let message = proto::SubmitRatingRequest {
        request_id: call.request_uuid(),
        subject_kind: kind.into(),
        subject_id,
        score: new.score,
        comment: new.comment.unwrap_or_default(),
    };
    show_inner(ask!(call, ratings.submit_rating(message)).rating)
}

async fn submit(call: Call, Id(ticket): Id, Json(new): Json<NewRating>) -> Answer<Rating> {
    submit_of(call, proto::SubjectKind::Ticket, ticket, new).await
}

async fn submit_of_session(call: Call, Id(session): Id, Json(new): Json<NewRating>) -> Answer<Rating> {
    submit_of(call, proto::SubjectKind::VideoSession, session, new).await
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<RatingPage> {
    let message = proto::ListRatingsRequest {
        subject_kind: asked.subject_kind.back(),
        template_ids: asked.template_id,
        employee_ids: asked.employee_id,
        scores: asked.score,
        submitted: time_range(asked.submitted_from, asked.submitted_before),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, ratings.list_ratings(message)))
}

async fn figures(call: Call, Query(asked): Query<AskedFigures>) -> Answer<RatingFigures> {
    let message = proto::GetRatingFiguresRequest {
        subject_kind: asked.subject_kind.back(),
        template_ids: asked.template_id,
        employee_ids: asked.employee_id,
        submitted: time_range(asked.submitted_from, asked.submitted_before),
        group_by: asked.group_by.back(),
    };
    show(ask!(call, ratings.get_rating_figures(message)))
}

async fn get_switches(call: Call, Id(template_id): Id) -> Answer<Switches> {
    show_inner(ask!(call, ratings.get_switches(proto::GetSwitchesRequest { template_id })).switches)
}

async fn set_switches(call: Call, Id(template_id): Id, Json(switches): Json<Switches>) -> Answer<Switches> {
    let mut switches: proto::Switches = switches.back();
    switches.etag = call.etag(Some(std::mem::take(&mut switches.etag)));
    switches.template_id = template_id;
    let message = proto::SetSwitchesRequest { request_id: call.request_uuid(), switches: Some(switches) };
    show_inner(ask!(call, ratings.set_switches(message)).switches)
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "ratings",
        about: "Ratings, their switches and figures.",
        routes: vec![
            Route::get("/v1/tickets/{id}/rating", get)
                .rpc(rpc!("ratings.v1.RatingService", "GetRating"))
                .answers::<Rating>()
                .about("The rating of a ticket the caller may see."),
            Route::post("/v1/tickets/{id}/rating:submit", submit)
                .rpc(rpc!("ratings.v1.RatingService", "SubmitRating"))
                .body::<NewRating>()
                .answers::<Rating>()
                .about("Rates a ticket, when asked. Code users and customer users of the device (R-1, R-3)."),
            Route::get("/v1/videoSessions/{id}/rating", get_of_session)
                .rpc(rpc!("ratings.v1.RatingService", "GetRating"))
                .named("getVideoSessionRating")
                .answers::<Rating>()
                .about("The rating of a video session the caller may see."),
            Route::post("/v1/videoSessions/{id}/rating:submit", submit_of_session)
                .rpc(rpc!("ratings.v1.RatingService", "SubmitRating"))
                .named("submitVideoSessionRating")
                .body::<NewRating>()
                .answers::<Rating>()
                .about("Rates a video session, when asked. Code users and customer users of the device (R-1, R-3)."),
            Route::get("/v1/ratings", list)
                .rpc(rpc!("ratings.v1.RatingService", "ListRatings"))
                .query::<Asked>()
                .answers::<RatingPage>()
                .about("Ratings, newest first. Employees."),
            Route::get("/v1/ratings/figures", figures)
                .rpc(rpc!("ratings.v1.RatingService", "GetRatingFigures"))
                .query::<AskedFigures>()
                .answers::<RatingFigures>()
                .about("Averages and distribution. Employees (R-4)."),
            Route::get("/v1/templates/{id}/ratingSwitches", get_switches)
                .rpc(rpc!("ratings.v1.RatingService", "GetSwitches"))
                .answers::<Switches>()
                .about("Whether ratings are asked for (R-2)."),
            Route::put("/v1/templates/{id}/ratingSwitches", set_switches)
                .rpc(rpc!("ratings.v1.RatingService", "SetSwitches"))
                .body::<Switches>()
                .answers::<Switches>()
                .conditional()
                .about("Sets the switches. Moderators and administrators (R-2)."),
        ],
    }
}
