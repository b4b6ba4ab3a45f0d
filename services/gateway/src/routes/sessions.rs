//! Getting in (D-2, D-3), and who one is.

use callboard_proto::directory::v1 as proto;
use http::StatusCode;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, Shown, show};
use crate::call::{Call, Guest};
use crate::extract::Json;
use crate::model::directory::{
    Admission, CodeNeeds, CodeQuestion, DevelopmentToken, DevelopmentTokens, Me, NewTokens, RefreshToken,
    Scan,
};
use crate::model::mirror::Mirror;
use crate::openapi::{Resource, Route};

async fn look_up(call: Guest, Json(question): Json<CodeQuestion>) -> Answer<CodeNeeds> {
    show(ask!(call, sessions.look_up_code(question.back())))
}

async fn scan(call: Guest, headers: http::HeaderMap, Json(mut scan): Json<Scan>) -> Answer<Admission> {
    // What the browser prefers, where the caller does not say it: becomes the session's language.
    if scan.language.is_none() && headers.contains_key(http::header::ACCEPT_LANGUAGE) {
        scan.language = Some(call.language.as_str().to_owned());
    }
    show(ask!(call, sessions.scan_code(scan.back())))
}

async fn refresh(call: Guest, Json(token): Json<RefreshToken>) -> Answer<NewTokens> {
    show(ask!(call, sessions.refresh_session(token.back())))
}

async fn end(call: Guest, Json(token): Json<RefreshToken>) -> Gone {
    ask!(call, sessions.end_session(proto::EndSessionRequest { refresh_token: token.refresh_token }));
    Ok(StatusCode::NO_CONTENT)
}

async fn development_token(call: Guest, Json(who): Json<DevelopmentToken>) -> Answer<DevelopmentTokens> {
    show(ask!(call, sessions.issue_development_token(who.back())))
}

async fn me(call: Call) -> Answer<Me> {
    Ok(Shown::new(ask!(call, sessions.get_me(proto::GetMeRequest {})).into()))
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "sessions",
        about: "Getting in by a code, new tokens, and who one is.",
        routes: vec![
            Route::post("/v1/codes:lookUp", look_up)
                .rpc(rpc!("directory.v1.SessionService", "LookUpCode"))
                .body::<CodeQuestion>()
                .answers::<CodeNeeds>()
                .open()
                .about("What a scan would need: whether the code lets code users in, and whether it asks for a PIN."),
            Route::post("/v1/codes:scan", scan)
                .rpc(rpc!("directory.v1.SessionService", "ScanCode"))
                .body::<Scan>()
                .answers::<Admission>()
                .open()
                .about("Scans a code: paired, active, PIN if set: a code-user session (D-3)."),
            Route::post("/v1/sessions:refresh", refresh)
                .rpc(rpc!("directory.v1.SessionService", "RefreshSession"))
                .body::<RefreshToken>()
                .answers::<NewTokens>()
                .open()
                .about("Exchanges a refresh token, once, for new tokens."),
            Route::post("/v1/sessions:end", end)
                .rpc(rpc!("directory.v1.SessionService", "EndSession"))
                .body::<RefreshToken>()
                .answers_nothing()
                .open()
                .about("Ends the session of a refresh token."),
            Route::post("/v1/sessions:developmentToken", development_token)
                .rpc(rpc!("directory.v1.SessionService", "IssueDevelopmentToken"))
                .body::<DevelopmentToken>()
                .answers::<DevelopmentTokens>()
                .open()
                .about("Development only: a token for an employee or customer user by e-mail (D-2)."),
            Route::get("/v1/me", me)
                .rpc(rpc!("directory.v1.SessionService", "GetMe"))
                .answers::<Me>()
                .about("Who the caller is."),
        ],
    }
}
