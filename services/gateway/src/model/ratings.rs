//! Shapes of ratings.

use callboard_proto::ratings::v1 as proto;
use serde::Deserialize;
use utoipa::ToSchema;

use super::mirror::{mirror, words};
use super::{Actor, Time};

words! {
    /// What is rated.
    SubjectKind of proto::SubjectKind { Ticket, VideoSession }

    /// Where the asking stands; not set: never asked.
    RatingState of proto::RatingState { Requested, Submitted, Waived, Withdrawn }

    /// By what figures are grouped.
    FigureGrouping of proto::FigureGrouping { Template, Employee, Day, Month }
}

mirror! {
    /// The rating of one subject.
    Rating of proto::Rating {
        /// What is rated.
        subject_kind: Option<SubjectKind>,
        /// Ticket or session id.
        subject_id: String,
        /// Where the asking stands.
        state: Option<RatingState>,
        /// 1 to 5.
        score: Option<i32>,
        /// At most 2,000 characters.
        comment: Option<String>,
        /// Who rated.
        author: Option<Actor>,
        /// When.
        submit_time: Option<Time>,
        /// When it was asked for.
        request_time: Option<Time>,
        /// True when this caller may rate now.
        may_submit: bool,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A page of ratings, newest first.
    RatingPage of proto::ListRatingsResponse {
        ratings: Vec<Rating>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// Whether ratings are asked for, per template.
    Switches of proto::Switches {
        /// UUID.
        template_id: Option<String>,
        /// Of tickets.
        tickets: bool,
        /// Of video sessions.
        video_sessions: bool,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// How many of each score, and their mean.
    Distribution of proto::Distribution {
        /// Count of scores 1 to 5, in order.
        counts: Vec<i64>,
        /// How many there are.
        total: i64,
        /// 0 when there are none.
        average: f64,
    }

    /// One figure.
    RatingFigure of proto::RatingFigure {
        /// Template id, employee id, `2026-11-21` or `2026-11`; not set without grouping.
        key: Option<String>,
        /// The figures.
        distribution: Option<Distribution>,
    }

    /// The figures, by key.
    RatingFigures of proto::GetRatingFiguresResponse { figures: Vec<RatingFigure> }
}

/// A rating to give.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRating {
    /// 1 to 5.
    pub score: i32,
    /// At most 2,000 characters.
    #[serde(default)]
    pub comment: Option<String>,
}
