//! `callboard-ratings`: ratings, their switches and figures.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_ratings::definition())
}
