//! `callboard-fleet`: offers, assignments, groups.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_fleet::definition())
}
