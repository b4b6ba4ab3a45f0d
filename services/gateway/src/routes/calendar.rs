//! The calendar, and feeds that calendar programs subscribe to (K-5).

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_proto::tasks::v1 as proto;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, Shown, show};
use crate::call::{Call, Guest, Id};
use crate::extract::{Json, Query};
use crate::model::Time;
use crate::model::mirror::Mirror;
use crate::model::tasks::{CalendarFeedList, CalendarPage, FeedToMake, NewCalendarFeed};
use crate::openapi::{Resource, Route};
use crate::problem::Problem;

/// Which span of the calendar.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedSpan {
    /// From this time on; not given: now.
    #[param(inline)]
    from: Option<Time>,
    /// Before this time, at most 366 days later; not given: 31 days later.
    #[param(inline)]
    to: Option<Time>,
    /// Devices; repeat it for several.
    device_id: Vec<String>,
    /// What I am assigned to.
    mine: bool,
}

async fn calendar(call: Call, Query(asked): Query<AskedSpan>) -> Answer<CalendarPage> {
    let message = proto::GetCalendarRequest {
        from: asked.from.map(Mirror::back),
        to: asked.to.map(Mirror::back),
        device_ids: asked.device_id,
        mine: asked.mine,
    };
    show(ask!(call, calendar.get_calendar(message)))
}

async fn feeds(call: Call) -> Answer<CalendarFeedList> {
    show(ask!(call, calendar.list_feeds(proto::ListFeedsRequest {})))
}

async fn create_feed(call: Call, Json(wanted): Json<FeedToMake>) -> Answer<NewCalendarFeed> {
    let message = proto::CreateFeedRequest {
        request_id: call.request_uuid(),
        name: wanted.name,
        scope: wanted.scope.back(),
    };
    let made = NewCalendarFeed::out(ask!(call, calendar.create_feed(message)));
    Ok(Shown::created(made, "/v1/calendar/feeds").with(|made| {
        let public = &call.gateway.settings.public_url;
        made.url = made.token.as_deref().map(|token| format!("{public}/v1/calendar/{token}.ics"));
    }))
}

async fn delete_feed(call: Call, Id(feed_id): Id) -> Gone {
    ask!(call, calendar.delete_feed(proto::DeleteFeedRequest { request_id: call.request_uuid(), feed_id }));
    Ok(StatusCode::NO_CONTENT)
}

/// Names what a feed shows. Weak, since each reading is stamped with its time (RFC 5545, DTSTAMP), which changes nothing.
fn tag(icalendar: &str) -> String {
    let mut digest = Sha256::new();
    for line in icalendar.split("\r\n").filter(|line| !line.starts_with("DTSTAMP")) {
        digest.update(line.as_bytes());
        digest.update(b"\n");
    }
    format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&digest.finalize()[..18]))
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| known.trim() == "*" || weak(known) == weak(tag))
}

/// For calendar programs, which send no token but the one in the address. Kept by nobody on the way: the address is a
/// secret, and a feed that was ended shows nothing from then on.
async fn read_feed(guest: Guest, Path(file): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let token = file.strip_suffix(".ics").ok_or_else(crate::app::not_found)?.to_owned();
    let icalendar = ask!(guest, calendar.read_feed(proto::ReadFeedRequest { token })).icalendar;
    let tag = tag(&icalendar);
    let mut response = if is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = icalendar.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"callboard.ics\""));
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "calendar",
        about: "What falls due, and feeds for calendar programs.",
        routes: vec![
            Route::get("/v1/calendar", calendar)
                .rpc(rpc!("tasks.v1.CalendarService", "GetCalendar"))
                .query::<AskedSpan>()
                .answers::<CalendarPage>()
                .about("Device events and tasks of a span of at most 366 days, in order of time (K-5)."),
            Route::get("/v1/calendar/feeds", feeds)
                .rpc(rpc!("tasks.v1.CalendarService", "ListFeeds"))
                .answers::<CalendarFeedList>()
                .about("The caller's feeds. Employees and customer users."),
            Route::post("/v1/calendar/feeds", create_feed)
                .rpc(rpc!("tasks.v1.CalendarService", "CreateFeed"))
                .body::<FeedToMake>()
                .creates::<NewCalendarFeed>()
                .about("Makes a feed; its address is shown this once. Employees and customer users."),
            Route::delete("/v1/calendar/feeds/{id}", delete_feed)
                .rpc(rpc!("tasks.v1.CalendarService", "DeleteFeed"))
                .about("Ends a feed: its address is worthless at once."),
            Route::get("/v1/calendar/{file}", read_feed)
                .rpc(rpc!("tasks.v1.CalendarService", "ReadFeed"))
                .open()
                .answers_as::<String>("200", "text/calendar")
                .about(
                    "The feed `{token}.ics` as iCalendar (RFC 5545), for calendar programs: what its owner may see, \
                     from 30 days ago to a year ahead. Takes If-None-Match.",
                ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_the_same_whenever_it_is_read() {
        let read = |stamp: &str, title: &str| {
            tag(&format!("BEGIN:VEVENT\r\nDTSTAMP:{stamp}\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n"))
        };
        let first = read("20260101T000000Z", "Look");
        assert_eq!(first, read("20260101T010000Z", "Look"));
        assert_ne!(first, read("20260101T000000Z", "Clean"));
        let mut headers = HeaderMap::new();
        assert!(!is_known(&headers, &first));
        headers.insert(IF_NONE_MATCH, format!("\"other\", {first}").parse().unwrap());
        assert!(is_known(&headers, &first));
    }
}
