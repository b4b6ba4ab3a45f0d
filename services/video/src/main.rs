//! `callboard-video`: video sessions and their calls.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_video::definition())
}
