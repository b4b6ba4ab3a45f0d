//! What an RPC answered, or why it refused.

use std::fmt::Debug;

use callboard_service::error::{Report, report};
use tonic::{Response, Status};

/// What an RPC answered, or the report of its refusal.
///
/// # Errors
/// The refusal.
#[expect(clippy::result_large_err, reason = "a test that fails may copy")]
pub fn done<T>(result: Result<Response<T>, Status>) -> Result<T, Report> {
    result.map(Response::into_inner).map_err(|status| report(&status))
}

/// The reason of a status.
pub fn reason(status: &Status) -> String {
    report(status).reason
}

/// The reason of a refusal.
///
/// # Panics
/// If it was none.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, Report>) -> String {
    result.expect_err("a refusal").reason
}

/// The wrong fields of a refusal.
///
/// # Panics
/// If it was none.
#[track_caller]
pub fn fields<T: Debug>(result: Result<T, Report>) -> Vec<String> {
    let report = result.expect_err("a refusal");
    report.violations.into_iter().map(|violation| violation.field).collect()
}
